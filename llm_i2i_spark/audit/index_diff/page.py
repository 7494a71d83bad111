"""A diff of two indexes as a page of one file: styles inside, nothing fetched from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark import __version__

if TYPE_CHECKING:
    from llm_i2i_spark.audit.index_diff.result import IndexDiff


def diff_page(diff: IndexDiff) -> str:
    """The page as HTML, in the style of the evaluation's report.

    Args:
        diff: what it shows.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    packages = ("llm_i2i_spark.audit.index_diff", "llm_i2i_spark.evaluate.report")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("index_diff.html.j2")
    return page.render(diff=diff, version=__version__)
