"""Floor 2: the discriminator says how credible an interaction is, for proposed ones and for real
ones.
"""
