"""Floor 1: Spark and Delta. Sessions, what a cluster can do, tables by contract and version, their
history. No torch.
"""
