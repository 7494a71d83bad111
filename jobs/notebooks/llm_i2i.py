# Databricks notebook source
# MAGIC %md
# MAGIC # LLM-I2I: from a click log to an item-to-item index
# MAGIC Install the wheel on the cluster first. The cells do what `llm-i2i run` does, in the session
# MAGIC of the notebook.

# COMMAND ----------

dbutils.widgets.text("volume", "/Volumes/main/recommendations/llm_i2i")  # noqa: F821
dbutils.widgets.text("clicks", "main.shop.clicks")  # noqa: F821
dbutils.widgets.text("products", "main.shop.products")  # noqa: F821
dbutils.widgets.text("base_model", "")  # noqa: F821

# COMMAND ----------

from llm_i2i_spark import Project

project = Project(
    dbutils.widgets.get("volume"),  # noqa: F821
    interactions=dbutils.widgets.get("clicks"),  # noqa: F821
    items=dbutils.widgets.get("products"),  # noqa: F821
    settings={"sft.base_model": dbutils.widgets.get("base_model") or None},  # noqa: F821
)

# COMMAND ----------

# What would run, and why; nothing does yet.
print("\n".join(project.explain(variants=("real", "llm_i2i")).lines()))

# COMMAND ----------

run = project.run(variants=("real", "llm_i2i"))

# COMMAND ----------

display(project.table("metrics").where(f"run_id = '{run.run_id}' and k = 10"))  # noqa: F821
