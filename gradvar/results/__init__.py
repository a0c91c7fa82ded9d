"""What a computation hands back: plain data that prints and plots itself. Nothing here computes."""
