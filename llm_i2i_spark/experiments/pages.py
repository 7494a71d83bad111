"""The pages of experiments as HTML, in the style of the evaluation's report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from llm_i2i_spark import __version__
from llm_i2i_spark.base.pages import render_page

NUMBER = re.compile(r"^[−+-]?\d[\d,.]*(\s?%)?( .*)?$")


def render_experiment(template: str, **values: Any) -> str:
    """A page from a template of the experiments.

    Args:
        template: name of its file.
        values: what it shows, by name.
    """
    shown = {**values, "version": __version__}
    return render_page("llm_i2i_spark.experiments", template, shown, {"numeric": is_numeric})


def is_numeric(cells: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds numbers alone, so that it is set to the right.

    >>> is_numeric([("system", "value"), ("real", "0.1"), ("llm_i2i", "")], 1)
    True
    """
    found = [row[column] for row in cells[1:] if row[column]]
    return bool(found) and all(NUMBER.match(cell) for cell in found)
