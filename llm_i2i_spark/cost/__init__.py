"""What language models cost: tokens, floating-point operations, hours and money of a run, from the
counts of the log and the options. Arithmetic alone: no Spark, no torch.
"""
