"""The parts of every sampled number: settings, pilots, tiles of work, plain expectations, U-statistics, progress."""
