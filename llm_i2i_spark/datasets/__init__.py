"""Data sets that need no download: a synthetic click log with its catalogue."""
