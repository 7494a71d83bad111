"""The kit from log to figures against trec_eval, the field's reference, on rankings with ties."""

from __future__ import annotations

import random
from collections import defaultdict
from fractions import Fraction
from statistics import fmean

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark.evaluate.evaluate_index import evaluate_index
from llm_i2i_spark.metrics import MRR, NDCG, Recall

pytrec_eval = pytest.importorskip("pytrec_eval")

USERS, ITEMS, RECENT = 40, 25, 4
THEIRS = {"recall@3": "recall_3", "recall@10": "recall_10", "ndcg@10": "ndcg_cut_10"}
THEIRS |= {"mrr": "recip_rank"}


def make_log(draw: random.Random) -> pd.DataFrame:
    rows = [
        (f"u{user}", f"i{item}", moment)
        for user in range(USERS)
        for moment, item in enumerate(draw.sample(range(ITEMS), draw.randint(2, 8)))
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "ts"])


def make_index(draw: random.Random) -> pd.DataFrame:
    """Lists whose scores are quarters, so that sums tie."""
    rows = []
    for item in range(ITEMS):
        others = draw.sample([other for other in range(ITEMS) if other != item], 6)
        scores = sorted((draw.randint(1, 4) / 4 for _ in others), reverse=True)
        ranked = enumerate(zip(others, scores, strict=True), start=1)
        rows += [(f"i{item}", rank, f"i{other}", score) for rank, (other, score) in ranked]
    return pd.DataFrame(rows, columns=["item_id", "rank", "neighbor_id", "score"])


def scores_of(items: list[str], index: pd.DataFrame) -> dict[str, Fraction]:
    """Merged scores of what can be recommended, a click counting half of the next."""
    scores: dict[str, Fraction] = defaultdict(Fraction)
    for step, item in enumerate(items[::-1][:RECENT]):
        for row in index[index["item_id"] == item].itertuples():
            scores[row.neighbor_id] += Fraction(row.score) / 2**step
    return {item: score for item, score in scores.items() if item not in items}


def orders_of_ties(scores: dict[str, Fraction], target: str) -> list[dict[str, float]]:
    """The scores of trec_eval, which knows no ties: one ranking for each place that the target can
    take among its equals.
    """
    if target not in scores:
        return [{item: float(score) for item, score in scores.items()}]
    equal = sorted(item for item in scores if scores[item] == scores[target] and item != target)
    found = []
    for place in range(len(equal) + 1):
        order = [*equal[:place], target, *equal[place:]]
        fine = {item: Fraction(-rank, 1000) for rank, item in enumerate(order)}
        found.append({item: float(score + fine.get(item, 0)) for item, score in scores.items()})
    return found


def test_an_evaluation_equals_that_of_trec_eval(spark: SparkSession) -> None:
    draw = random.Random(11)
    log, index = make_log(draw), make_index(draw)
    values: dict[str, list[float]] = defaultdict(list)
    tied = 0
    asked = {"recall.3,10", "ndcg_cut.10", "recip_rank"}
    for _, rows in log.sort_values("ts").groupby("user_id"):
        *items, target = rows["item_id"]
        rankings = orders_of_ties(scores_of(items, index), target)
        tied += len(rankings) > 1
        queries = {str(number): ranking for number, ranking in enumerate(rankings)}
        judge = pytrec_eval.RelevanceEvaluator({name: {target: 1} for name in queries}, asked)
        judged = judge.evaluate(queries).values()
        for name in THEIRS.values():
            values[name].append(fmean(each[name] for each in judged) if judged else 0.0)
    metrics = [Recall(3), Recall(10), NDCG(10), MRR()]
    found = evaluate_index(
        index, log, metrics=metrics, recent_items=RECENT, decay=0.5, bootstrap=10
    )
    assert tied > 3
    assert found.users == USERS
    for label, name in THEIRS.items():
        assert found[label] == pytest.approx(fmean(values[name]), abs=1e-9)
        assert 0 < found[label] < 1
