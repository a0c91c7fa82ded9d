"""What the experiments of the literature share: their results, their figures, and how they are run by name."""
