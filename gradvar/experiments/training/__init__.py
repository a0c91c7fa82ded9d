"""Training runs: a small trainer for the library's models, and the gradient variance along any run."""
