"""One file a similarity, each with a compiled kernel: a block's lists in, every item's best
neighbours out. NumPy and numba only.
"""
