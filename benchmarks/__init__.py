"""gradvar against what a user would otherwise run, side by side: `python -m benchmarks --list`."""
