"""The published figures are those of the paper, and every row that is made has its place there."""

from __future__ import annotations

import re

import pytest

from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.experiments.reproduction.published import published_tables
from llm_i2i_spark.experiments.reproduction.rows import TABLES, rows_of
from tests.conftest import SHARED

DATA = ("beauty", "sports", "toys")
NUMBER = re.compile(r"(?<![\d\w])\.\d{4}")


@pytest.fixture(scope="module")
def notes() -> str:
    """The figures of the paper as facts, beside the repository."""
    path = SHARED / "paper.md"
    if not path.is_file():
        pytest.skip("the notes on the paper (../shared/paper.md) are not on this machine")
    return path.read_text(encoding="utf-8")


def _numbers(text: str) -> list[float]:
    return [float(one) for one in NUMBER.findall(text)]


def test_table_2_is_that_of_the_notes(notes: str) -> None:
    lines = [line for line in notes.splitlines() if re.match(r"\| (\+|BM25|BPR|You|Swing)", line)]
    keys = [
        f"{backbone}/{variant}/all"
        for backbone in ("bm25", "bpr", "youtube_dnn", "swing")
        for variant in ("real", "llm_cf", "llm_i2i")
    ]
    assert len(lines) == len(keys)
    table = published_tables()[2]
    for key, line in zip(keys, lines, strict=True):
        assert [list(table.figures[data][key]) for data in DATA] == [
            _numbers(cell) for cell in line.split("|")[2:5]
        ]


def test_tables_3_to_5_are_those_of_the_notes(notes: str) -> None:
    tables = published_tables()
    tail = _numbers(notes.split("Long tail, Swing")[1].split("\n")[0])
    for place, data in enumerate(DATA):
        rows = tables[4].figures[data]
        found = [*rows["swing/real/long_tail"], *rows["swing/llm_i2i/long_tail"]]
        assert found == tail[8 * place : 8 * place + 8]
        for variant in ("real", "llm_i2i"):
            key = f"swing/{variant}/all"
            assert rows[key] == tables[2].figures[data][key]
    ablation = _numbers(notes.split("Ablation, Toys")[1].split("\n")[0])
    order = ("swing/llm_i2i", "swing/real", "swing/no_generator", "swing/no_long_tail_loss")
    order += ("swing/no_discriminator", "swing/no_threshold", "generated/llm_i2i")
    toys = tables[5].figures["toys"]
    assert [value for key in order for value in toys[f"{key}/all"]] == ablation
    industrial = _numbers(notes.split("Industrial set AEDS")[1].split("\n")[0])
    found = [
        tables[3].value("aeds", f"swing/{variant}/all", metric)
        for variant in ("real", "llm_i2i")
        for metric in ("recall@5", "recall@10", "recall@200")
    ]
    found += [
        tables[4].value("aeds", f"swing/{variant}/long_tail", "recall@10")
        for variant in ("real", "llm_i2i")
    ]
    assert found == industrial[:8]


@pytest.mark.parametrize(
    ("table", "data", "key", "metric", "gain"),
    [
        (2, "beauty", "swing/llm_i2i/all", "recall@10", 13.04),
        (2, "sports", "swing/llm_i2i/all", "recall@10", 15.15),
        (2, "toys", "swing/llm_i2i/all", "recall@10", 19.97),
        (2, "toys", "bpr/llm_i2i/all", "ndcg@10", 113.04),
        (3, "aeds", "swing/llm_i2i/all", "recall@5", 18.57),
        (3, "aeds", "youtube_dnn/llm_i2i/all", "ndcg@200", 22.41),
        (4, "beauty", "swing/llm_i2i/long_tail", "recall@5", -5.86),
        (4, "aeds", "swing/llm_i2i/long_tail", "ndcg@10", 85.71),
        (4, "toys", "swing/llm_i2i/head", "recall@10", 20.22),
    ],
)
def test_gains_that_the_paper_prints_follow_from_its_values(
    table: int, data: str, key: str, metric: str, gain: float
) -> None:
    published = published_tables()[table]
    after = published.value(data, key, metric)
    before = published.value(data, key.replace("llm_i2i", "real"), metric)
    assert after is not None
    assert before is not None
    assert 100 * (after / before - 1) == pytest.approx(gain, abs=0.005)


@pytest.mark.parametrize("number", TABLES)
def test_every_row_stands_in_the_published_table(number: int) -> None:
    table = published_tables()[number]
    (data, *_) = table.figures
    for row in rows_of(number):
        for metric in table.metrics:
            assert table.value(data, row.key, metric) is not None, row
            before = row.baseline
            assert before is None or table.value(data, before.key, metric) is not None, row
    assert {row.key for row in rows_of(number)} == set(table.figures[data])


def test_a_table_that_cannot_be_made_is_refused_with_what_to_do() -> None:
    with pytest.raises(UserError, match="Table 6 is an A/B test: `llm-i2i online` measures one"):
        rows_of(6)
