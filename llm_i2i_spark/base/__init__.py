"""Floor 0: errors, configuration, table contracts, run records, progress. Knows neither Spark nor
torch.
"""
