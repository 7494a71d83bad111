"""The history of a lake, read back from its commits: what ran, and what stands behind an edge of
the index. Nothing here writes a table, and no stage reads it.
"""
