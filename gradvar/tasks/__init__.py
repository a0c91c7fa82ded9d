"""Targets that bring their own inputs: the class, its methods and its check, in one room."""
