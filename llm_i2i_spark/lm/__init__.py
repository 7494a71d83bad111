"""The language models: item vocabulary, model, packing, loss, constrained decoding, scoring and
checkpoints. No Spark.
"""
