"""The pages of experiments as HTML, in the style of the evaluation's report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from llm_i2i_spark import __version__

NUMBER = re.compile(r"^[−+-]?\d[\d,.]*(\s?%)?( .*)?$")


def render_page(template: str, **values: Any) -> str:
    """A page of one file: styles and plots inside, nothing fetched from elsewhere.

    Args:
        template: name of its file.
        values: what it shows, by name.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    packages = ("llm_i2i_spark.experiments", "llm_i2i_spark.evaluate.report")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["numeric"] = is_numeric
    return environment.get_template(template).render(**values, version=__version__)


def is_numeric(cells: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds numbers alone, so that it is set to the right.

    >>> is_numeric([("system", "value"), ("real", "0.1"), ("llm_i2i", "")], 1)
    True
    """
    found = [row[column] for row in cells[1:] if row[column]]
    return bool(found) and all(NUMBER.match(cell) for cell in found)
