"""What every sampled number needs: settings, tiles of work, plain expectations, U-statistics, progress."""
