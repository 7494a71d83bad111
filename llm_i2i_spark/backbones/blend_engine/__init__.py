"""The engine behind backbone blend: lists of its components, what mixes them, and their scores."""
