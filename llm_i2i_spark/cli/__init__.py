"""The command line: one file a group of commands, each a few lines around `Project`.

Parsing loads neither Spark nor torch nor numba; what a command needs is imported where it runs.
"""
