"""Gram matrices of finite classes: their norms, and the projections and covariances they imply."""
