# Databricks notebook source
# MAGIC %md
# MAGIC # LLM-I2I: from a click log to an item-to-item index
# MAGIC Install the wheel on the cluster first. The cells call what `llm-i2i run` calls, in the
# notebook's own session.

# COMMAND ----------

dbutils.widgets.text("volume", "/Volumes/main/recommendations/llm_i2i")  # noqa: F821
dbutils.widgets.text("clicks", "main.shop.clicks")  # noqa: F821
dbutils.widgets.text("products", "main.shop.products")  # noqa: F821
dbutils.widgets.text("base_model", "")  # noqa: F821

# COMMAND ----------

from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.lake.session import open_session
from llm_i2i_spark.lake.tables import Lake
from llm_i2i_spark.pipeline.runner import run_stages, stages_for

settings = {
    "lake.root": dbutils.widgets.get("volume"),  # noqa: F821
    "ingest.interactions": dbutils.widgets.get("clicks"),  # noqa: F821
    "ingest.items": dbutils.widgets.get("products"),  # noqa: F821
    "sft.base_model": dbutils.widgets.get("base_model") or "null",  # noqa: F821
}
config = load_config([], [f"{key}={value}" for key, value in settings.items()])
lake = Lake(open_session(config), config.lake)

# COMMAND ----------

variants = ("real", "llm_i2i")
run_id, outcomes = run_stages(lake, config, variants, stages_for(config, variants))

# COMMAND ----------

display(lake.read("metrics").where(f"run_id = '{run_id}' and k = 10"))  # noqa: F821
