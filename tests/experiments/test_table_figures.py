"""What is said of a published gain: by its sign, by the interval of ours, over the seeds."""

from __future__ import annotations

import pytest

from llm_i2i_spark.evaluate.figures import Figure
from llm_i2i_spark.experiments.reproduction.figures import (
    FAILS,
    HOLDS,
    NOT_SEEN,
    UNTESTED,
    WITHIN_CHANCE,
    TableFigure,
)
from llm_i2i_spark.experiments.reproduction.published import published_tables
from llm_i2i_spark.experiments.reproduction.rows import TableRow, rows_of
from llm_i2i_spark.experiments.reproduction.table import ReproducedTable


def figure(value: float, gain: tuple[float, float] | None = None) -> Figure:
    made: Figure = {"value": value, "interval": [value - 0.01, value + 0.01]}
    if gain is not None:
        made |= {"relative_gain_interval": list(gain)}
    return made


@pytest.mark.parametrize(
    ("value", "interval", "published", "verdict"),
    [
        (0.12, (0.1, 0.3), 0.11, HOLDS),
        (0.12, (-0.1, 0.5), 0.11, WITHIN_CHANCE),
        (0.12, None, 0.11, UNTESTED[True]),
        (0.08, None, 0.11, UNTESTED[False]),
        (0.08, (-0.5, 0.1), 0.11, NOT_SEEN),
        (0.08, (-0.3, -0.1), 0.11, FAILS),
        (0.08, (-0.3, -0.1), 0.09, HOLDS),
        (0.1, (0.0, 0.0), 0.11, NOT_SEEN),
        (0.1 + 1e-16, (0.0, 1e-16), 0.11, NOT_SEEN),
        (0.12, (0.1, 0.3), 0.1, ""),
        (0.12, (0.1, 0.3), None, ""),
    ],
)
def test_the_verdict_is_by_sign_and_interval(
    value: float, interval: tuple[float, float] | None, published: float | None, verdict: str
) -> None:
    assert TableFigure((figure(value, interval),), (0.1,), published, 0.1).verdict == verdict


def test_over_seeds_stand_the_mean_the_range_and_the_widest_interval() -> None:
    seeds = (figure(0.10, (-0.1, 0.2)), figure(0.14, (0.1, 0.5)), figure(0.12, (0.0, 0.3)))
    found = TableFigure(seeds, (0.1, 0.1, 0.1), 0.115, 0.1)
    assert found.value == pytest.approx(0.12)
    assert found.range == (0.10, 0.14)
    assert found.interval == pytest.approx((0.09, 0.15))
    assert found.gain == pytest.approx(0.2)
    assert found.gain_interval == (-0.1, 0.5)
    assert found.verdict == WITHIN_CHANCE
    assert found.covers_published_gain is True


def test_a_row_that_no_user_has_an_item_for_is_empty_beside_its_published_values() -> None:
    row = TableRow("Swing + LLM-CF", "llm_cf", "swing", mode="soft")
    metrics = published_tables()[2].metrics
    empty = {metric: TableFigure((), (), 0.0481, 0.0506) for metric in metrics}
    table = ReproducedTable("beauty", published_tables()[2], (42,), 10, {row: empty})
    header, line = table.cells(("recall@10",))
    found = dict(zip(header, line, strict=True))
    assert "here" not in found  # columns without a value are left out
    assert (found["published"], found["its gain"]) == ("0.0481", "-4.9%")
    assert table.paragraph() == "No published gain can be compared with one made here."


def test_rows_that_are_nothing_but_the_log_are_named_once() -> None:
    rows = {row: {} for row in rows_of(4)}
    bare = tuple(row for row in rows if row.mode == "hard")
    said = ReproducedTable("toys", published_tables()[4], (42,), 10, rows, bare).paragraph()
    assert said.endswith(
        " The published rule (hard) kept no synthetic row: with it, + LLM-I2I, all items;"
        " + LLM-I2I, long tail; + LLM-I2I, other items are the log as it is."
    )
    assert "kept no" not in ReproducedTable("t", published_tables()[4], (42,), 10, rows).paragraph()


def test_rows_that_are_nothing_but_the_log_do_not_count_as_gains() -> None:
    rows = {
        row: {
            metric: TableFigure((figure(0.2, (0.5, 1.5)),), (0.1,), 0.2, 0.1)
            for metric in published_tables()[4].metrics
        }
        for row in rows_of(4)
        if row.baseline
    }
    bare = tuple(row for row in rows if row.mode == "hard")
    table = ReproducedTable("toys", published_tables()[4], (42,), 10, rows, bare)
    assert table.paragraph().startswith("Of 12 published gains over the log as it is, 12 hold here")


def test_what_fails_is_told_a_row_at_a_time() -> None:
    metrics = published_tables()[4].metrics
    lost, partly = [row for row in rows_of(4) if row.mode == "soft"][:2]
    worse, better = (
        TableFigure((figure(value, bounds),), (0.1,), 0.2, 0.1)
        for value, bounds in ((0.05, (-0.7, -0.3)), (0.2, (0.5, 1.5)))
    )
    rows = {
        lost: dict.fromkeys(metrics, worse),
        partly: {one: worse if one.startswith("ndcg") else better for one in metrics},
    }
    said = ReproducedTable("toys", published_tables()[4], (42,), 10, rows).paragraph()
    assert said.endswith(
        f"What fails: {lost.title} (soft) in every metric;"
        f" {partly.title} (soft) in ndcg@5, ndcg@10."
    )


def test_each_part_is_compared_with_the_whole_method_as_the_paper_does() -> None:
    published = published_tables()[5]
    rows = {
        row: {
            metric: TableFigure(
                (figure(0.2 if row.is_whole else 0.1),),
                published=published.value("toys", row.key, metric),
            )
            for metric in published.metrics
        }
        for row in rows_of(5)
    }
    sentence = ReproducedTable("toys", published, (42,), 10, rows).parts()
    assert "by -50.0% without the generator (published -16.6%)" in sentence
    assert "by -50.0% without Swing (published -2.4%)" in sentence
    assert sentence.count("published") == 5
