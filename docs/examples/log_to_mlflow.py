"""The figures, options and report of a run in MLflow."""

import mlflow
import pandas as pd

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic

log, catalogue = write_synthetic("data", n_users=300, n_items=240)
clicks, products = pd.read_parquet(log), pd.read_parquet(catalogue)
project = Project("my_lake", interactions=clicks, items=products)
run = project.run(variants=["real"])

mlflow.set_tracking_uri("sqlite:///mlflow.db")  # or the address of your server
with mlflow.start_run(run_name=run.run_id) as tracked:
    mlflow.log_dict(project.config.settings(), "options.yaml")
    mlflow.log_metrics(
        {
            f"{row['variant']}/{row['backbone']}/{row['name']}_{row['k']}": row["value"]
            for row in run.metrics
            if row["slice"] == "all"
        }
    )
    mlflow.log_artifact(run.report)

print(mlflow.get_run(tracked.info.run_id).data.metrics["real/swing/recall_10"])
