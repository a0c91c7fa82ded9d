"""Many problems, training runs, and the experiments of the literature."""
