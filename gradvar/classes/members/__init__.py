"""Members of a class: one target, a sample of them, a restricted class."""
