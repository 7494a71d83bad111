"""Systems side by side: gains on the same users over any of them, and tests that allow for their
number.
"""

from __future__ import annotations

import json

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.evaluate.compare import Comparison, compare_systems
from llm_i2i_spark.metrics import MRR, NDCG, Recall
from tests.rank_groups import means_of, rank_groups

SYSTEMS = [("real", "swing"), ("llm_i2i", "swing"), ("real", "bm25"), ("llm_i2i", "bm25")]
METRICS = (Recall(10), NDCG(10), MRR())


def compare(baseline: tuple[str, str] | None = None) -> Comparison:
    """Of 1,000 users 100 hit with real, 160 with llm_i2i, on Swing; 102 and 104 on BM25."""
    groups = rank_groups(
        [[0, 0, 0, 0], [-1, 2, -1, -1], [-1, -1, 9, 9], [-1, -1, -1, 9], [-1, -1, -1, -1]],
        [100, 60, 2, 2, 836],
        [False, True, False, False, False],
    )
    return compare_systems(means_of(groups, METRICS, 999), SYSTEMS, METRICS, baseline)


def test_gains_go_across_backbones_and_chance_is_allowed_for() -> None:
    found = compare()
    assert found.baseline == "real · swing"
    assert set(found.systems) == {
        "real · swing",
        "llm_i2i · swing",
        "real · bm25",
        "llm_i2i · bm25",
    }
    recall = found.figures["all"]["recall@10"]
    assert recall["real · swing"].keys() == {"value", "interval"}
    ours = recall["llm_i2i · swing"]
    assert (ours["value"], ours["gain"]) == pytest.approx((0.16, 0.06))
    assert ours["p_value"] == pytest.approx(2 / 1000)
    assert ours["adjusted_p_value"] == pytest.approx(3 * 2 / 1000)
    assert ours["significant"] is True
    # Four users more than the baseline: by itself a difference, among three of them none.
    other = recall["llm_i2i · bm25"]
    assert other["p_value"] < 0.05 < other["adjusted_p_value"]
    assert other["significant"] is False


def test_any_system_is_a_baseline_and_a_gain_turns_its_sign() -> None:
    there = compare().figures["all"]["mrr"]["llm_i2i · swing"]
    back = compare(("llm_i2i", "swing")).figures["all"]["mrr"]["real · swing"]
    assert back["gain"] == -there["gain"]
    assert back["p_value"] == there["p_value"]
    with pytest.raises(UserError, match="real on swing, llm_i2i on swing, real on bm25"):
        compare(("real", "item_knn"))


def test_a_comparison_is_a_table_a_dictionary_and_a_frame() -> None:
    found = compare()
    lines = str(found).splitlines()
    assert lines[0].startswith("1,000 users, 3 systems against real · swing, p-values adjusted")
    assert lines[1].endswith("  p (Holm)")
    ours = next(line for line in lines if "llm_i2i · swing" in line)
    assert "+60.0%" in ours
    assert ours.endswith("0.0060")
    assert "not significant" in next(line for line in lines if "llm_i2i · bm25" in line)
    as_json = json.loads(json.dumps(found.to_dict()))
    assert as_json["figures"]["all"]["recall@10"]["llm_i2i · swing"]["gain"] == pytest.approx(0.06)
    frame = found.to_pandas()
    assert len(frame) == 2 * len(METRICS) * len(SYSTEMS)
    assert frame.query("slice == 'all' and metric == 'recall@10'")["value"].max() == 0.16
    assert found._repr_html_().count("<tr>") == 1 + len(frame)
