"""A search over Swing's parameters on validation clicks; the test clicks are never looked at."""

import optuna
import pandas as pd

from llm_i2i_spark import NDCG, Swing, evaluate_index, split_interactions, to_index
from llm_i2i_spark.datasets.tables import write_synthetic

clicks = pd.read_parquet(write_synthetic("data", n_users=300, n_items=240)[0])
log = split_interactions(clicks, holdout="last_2").cache()
seen = log.where("fold = 'train'")


def quality(trial: optuna.Trial) -> float:
    """NDCG@10 on the validation fold."""
    swing = Swing(
        a1=trial.suggest_float("a1", 0, 20),
        a2=trial.suggest_float("a2", 0, 5),
        b=trial.suggest_float("b", 0, 1),
    )
    index = to_index(swing.similar_items(seen))
    found = evaluate_index(index, log, metrics=[NDCG(10)], target="valid", protocol="strict")
    return found["ndcg@10"]


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=42))
study.optimize(quality, n_trials=2)  # 2 shows how it is done; a search wants some dozens
print(study.best_params)
