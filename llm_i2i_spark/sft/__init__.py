"""Fine-tuning: a DeepSpeed job of its own, without Spark, and the stage that launches and follows
it.
"""
