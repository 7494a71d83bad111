"""A synthetic A/B test whose true measures are known, and what its event log says of them."""

from llm_i2i_spark import compare_arms
from llm_i2i_spark.datasets.experiment import CONTROL, TREATMENT, write_experiment

log = write_experiment("ab_test.parquet", n_users=4_000, seed=42)
found = compare_arms(log, control="control", treatment="treatment")

print(found)
print("true CTR:", CONTROL.truth()["ctr"], "and", TREATMENT.truth()["ctr"])
print("measured:", found["ctr"].control, "and", found["ctr"].treatment)
