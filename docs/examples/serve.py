"""Three lines from a DataFrame to an index that is looked up without Spark."""

import pandas as pd

from llm_i2i_spark import Lookup, Swing, to_index
from llm_i2i_spark.datasets.tables import write_synthetic
from llm_i2i_spark.serving.publish import publish

clicks = pd.read_parquet(write_synthetic("data", n_users=300, n_items=240)[0])

similar = Swing().similar_items(clicks)  # item_id, neighbor_id, similarity, …
publish(to_index(similar, size=50), "index.parquet")
lookup = Lookup.open("index.parquet")

print(lookup.recommend(["i0000", "i0007"], k=3))
