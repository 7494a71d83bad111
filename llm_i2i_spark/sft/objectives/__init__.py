"""Objectives of fine-tuning: what is minimised on the examples of a role."""
