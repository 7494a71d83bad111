"""The options of each stage, a section a file; `llm_i2i_spark.config` puts them together."""
