"""Upper bounds on the gradient variance, the assumptions behind them, and the verdict."""
