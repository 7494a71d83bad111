"""Prompts as text: their wording, and how items and histories are written into it."""
