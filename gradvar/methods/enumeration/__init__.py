"""Exact sums over finitely many inputs."""
