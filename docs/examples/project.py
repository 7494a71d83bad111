"""A click log and a catalogue as pandas DataFrames: index, evaluation, lookup."""

import pandas as pd

from llm_i2i_spark import Project
from llm_i2i_spark.datasets.tables import write_synthetic

# A synthetic shop stands in for your own two files.
log, catalogue = write_synthetic("data", n_users=300, n_items=240)
clicks, products = pd.read_parquet(log), pd.read_parquet(catalogue)

project = Project("my_lake", interactions=clicks, items=products)
print(project.explain(variants=["real"]))  # what would run, and why

run = project.run(variants=["real"])  # with "llm_i2i" as well, both language models are trained
print(run)

for suggestion in project.lookup(["i0000", "i0007"], k=3):
    print(suggestion)

# Nothing has changed, so nothing runs.
assert project.explain(variants=["real"]).up_to_date
