"""The figures, options, tables and report of a run in MLflow."""

import mlflow
import pandas as pd

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic

log, catalogue = write_synthetic("data", n_users=300, n_items=240)
clicks, products = pd.read_parquet(log), pd.read_parquet(catalogue)
project = Project("my_lake", interactions=clicks, items=products)

mlflow.set_tracking_uri("sqlite:///mlflow.db")  # or the address of your server
logged = mlflow.get_run(project.log_to_mlflow(project.run(variants=["real"])))

print(logged.data.metrics["real/swing/recall_10"])
for used in logged.inputs.dataset_inputs:
    print(used.dataset.name, used.dataset.source)
