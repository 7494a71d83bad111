"""Compiled kernels on flat arrays, NumPy and numba only: similarities of a block of items from the
click matrix in CSR form, one file each, and the ranking of held-out items.
"""
