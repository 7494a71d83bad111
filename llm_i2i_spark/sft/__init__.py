"""Fine-tuning: a job without Spark, and the stage that launches and follows it."""
