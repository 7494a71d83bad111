"""Fine-tuning: a DeepSpeed job without Spark, and the stage that launches and follows it."""
