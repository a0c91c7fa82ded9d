"""One hidden unit under Gaussian inputs: its integrals against waves."""
