"""Sweeps: one evaluation a value of an option, on one lake."""
