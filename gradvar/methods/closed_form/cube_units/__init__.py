"""One hidden unit on the cube: its Fourier weight at each degree."""
