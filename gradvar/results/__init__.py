"""Results: plain data that prints and plots itself. Nothing here computes."""
