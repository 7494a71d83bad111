"""Stage export: training examples of the models."""
