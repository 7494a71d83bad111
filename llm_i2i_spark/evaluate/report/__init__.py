"""The report of an evaluation: one page that explains itself, from plain data."""
