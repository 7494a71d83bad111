"""Language models in torch, without Spark: item vocabulary, model, losses, constrained decoding,
scoring, checkpoints.
"""
