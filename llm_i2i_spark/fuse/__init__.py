"""Floor 2: real and credible synthetic interactions become one table, a row a variant, each with
its source.
"""
