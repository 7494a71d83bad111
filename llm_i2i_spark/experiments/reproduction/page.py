"""The page of a reproduction: a table a section, with gains beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark.experiments.pages import render_experiment
from llm_i2i_spark.experiments.sweeps.page import plot_sweep

if TYPE_CHECKING:
    from llm_i2i_spark.experiments.reproduction.result import Reproduction
    from llm_i2i_spark.experiments.reproduction.table import ReproducedTable

PLOTTED = "recall@10"


def render_reproduction(result: Reproduction) -> str:
    """The page as HTML."""
    from llm_i2i_spark.experiments.reproduction.published import DATA_TITLES
    from llm_i2i_spark.experiments.reproduction.shapes import figure_sentence

    figures = [
        {
            "title": f"Figure {number}, {sweep.points.title}: {DATA_TITLES.get(data, data)}",
            "sweep": sweep,
            "series": list(sweep.series),
            "plot": plot_sweep(sweep, "all"),
            "sentence": figure_sentence(sweep),
            "cells": sweep.cells(),
        }
        for (number, data), sweeps in result.figures.items()
        for sweep in sweeps
    ]
    tables = [{"table": table, "plot": plot_table(table)} for table in result.tables]
    return render_experiment("reproduction.html.j2", result=result, tables=tables, figures=figures)


def plot_table(table: ReproducedTable) -> str | None:
    """The gains of a table beside the published ones, as SVG; None where it has none. Rows that are
    nothing but the log as it is are left out.
    """
    from llm_i2i_spark.experiments.plots import plot_gains_beside

    gains = {
        f"{row.title}, {row.mode}" if row.mode else row.title: figures[PLOTTED]
        for row, figures in table.rows.items()
        if row not in table.bare
        and figures[PLOTTED].gain is not None
        and figures[PLOTTED].published_gain is not None
    }
    if not gains:
        return None
    return plot_gains_beside(
        list(gains),
        [one.published_gain for one in gains.values()],
        [one.gain for one in gains.values()],
        [one.gain_interval for one in gains.values()],
        f"Gains in {PLOTTED} of table {table.published.number} on {table.data}",
    )
