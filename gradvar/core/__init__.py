"""Plain helpers without a view of classes or models: arguments, errors, numbers, activations."""
