"""An evaluation as a value: figures by label, text, frames, comparison."""

from __future__ import annotations

import re

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.evaluate.evaluation import Evaluation
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.evaluate.systems import System
from llm_i2i_spark.metrics import MRR, Recall
from tests.rank_groups import BOTH, means_of, rank_groups, rows_of

METRICS = (Recall(10), MRR())


def evaluation(systems: list[tuple[str, str]] = BOTH) -> Evaluation:
    groups = rank_groups(
        [row[: len(systems)] for row in ([0, 0], [-1, 1], [-1, -1])], [4, 2, 4], [False] * 3
    )
    return Evaluation(
        systems=tuple(System(*system) for system in systems),
        metrics=METRICS,
        protocol="refit",
        means=means_of(groups, METRICS),
        rows=rows_of(groups, METRICS, systems),
    )


def test_a_figure_is_found_by_its_label_and_system() -> None:
    assert evaluation(BOTH[:1])["recall@10"] == pytest.approx(0.4)
    both = evaluation()
    assert both["llm_i2i", "recall@10"] == pytest.approx(0.6)
    assert both["real", "mrr"] == pytest.approx(0.4)
    with pytest.raises(UserError, match=r"Say of which system, such as \['real', 'mrr'\]"):
        both["mrr"]
    with pytest.raises(UserError, match="recall@5 was not evaluated; there are recall@10, mrr"):
        both["real", "recall@5"]
    with pytest.raises(UserError, match="no system bm25; there are real, llm_i2i"):
        both["bm25", "mrr"]


def test_it_prints_a_table_of_every_metric() -> None:
    lines = str(evaluation()).splitlines()
    assert lines[0] == "10 users, protocol refit, whole catalogue ranked"
    assert re.split(r"  +", lines[1].strip()) == [
        "system",
        "value",
        "95 % interval",
        "gain over real",
    ]
    assert [line.split()[0] for line in lines[2:]] == ["all", "llm_i2i", "mrr", "llm_i2i"]
    assert "+0.2000 (+0.0000 to +0.5000), within chance" in lines[3]
    # Columns that nothing stands in are left out.
    alone = str(evaluation(BOTH[:1])).splitlines()
    assert "gain" not in alone[1]
    assert "long tail" not in str(evaluation())
    assert evaluation()._repr_html_().count("<tr>") == len(lines) - 1


def test_rows_become_a_frame_and_systems_a_comparison() -> None:
    found = evaluation()
    frame = found.to_pandas()
    assert list(frame.columns) == list(MetricRow.__annotations__)
    assert len(frame) == len(found.rows)
    assert found.compare("llm_i2i").baseline == "llm_i2i"
    compared = found.compare(("real", "swing"), metrics=[MRR()])
    assert compared.figures.keys() == {"all"}
    assert compared.figures["all"].keys() == {"mrr"}
    assert compared.figures["all"]["mrr"]["llm_i2i"]["value"] == found["llm_i2i", "mrr"]
    with pytest.raises(UserError, match="recall@5 was not evaluated"):
        found.compare(metrics=[Recall(5)])
