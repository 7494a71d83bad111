"""Two backbones on the same users, with intervals and the gain of one over the other."""

import pandas as pd

from llm_i2i_spark import MRR, Bm25, Recall, Swing, evaluate_index, split_interactions, to_index
from llm_i2i_spark.datasets.tables import write_synthetic

clicks = pd.read_parquet(write_synthetic("data", n_users=300, n_items=240)[0])

# An index must not see what it is judged by: each user's last click is held out first.
log = split_interactions(clicks, holdout="last_1")
seen = log.where("fold = 'train'")
indexes = {
    "swing": to_index(Swing().similar_items(seen)),
    "bm25": to_index(Bm25().similar_items(seen)),
}
found = evaluate_index(indexes, log, metrics=[Recall(10), MRR()])

print(found)  # a table with intervals
print(found["bm25", "recall@10"])
print(found.compare(baseline="swing"))  # gains paired by user
