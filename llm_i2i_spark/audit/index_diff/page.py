"""A diff of two indexes as a page of one file: styles inside, nothing fetched from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_i2i_spark import __version__
from llm_i2i_spark.base.pages import render_page

if TYPE_CHECKING:
    from llm_i2i_spark.audit.index_diff.result import IndexDiff


def diff_page(diff: IndexDiff) -> str:
    """The page as HTML, in the style of the evaluation's report.

    Args:
        diff: what it shows.
    """
    values = {"diff": diff, "version": __version__}
    return render_page("llm_i2i_spark.audit.index_diff", "index_diff.html.j2", values)
