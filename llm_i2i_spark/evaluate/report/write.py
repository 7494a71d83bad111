"""Where the report of a run stands, and writing it there."""

from __future__ import annotations

from pathlib import Path

from llm_i2i_spark.base.errors import StageError
from llm_i2i_spark.base.files import write_atomically


def report_path(root: str | None, run_id: str) -> str:
    """Where the report of a run stands: `reports/<run_id>/report.html` under the lake's root, or
    the working folder without one.
    """
    return f"{root or Path.cwd()}/reports/{run_id}/report.html"


def write_report(path: str, page: str) -> None:
    """Write the page to a local path or a URI, completely or not at all.

    Raises:
        StageError: the place cannot be written to.
    """
    try:
        write_atomically(path, page)
    except (OSError, ValueError) as error:
        raise StageError(
            f"Stage evaluate could not write the report to {path}: {error}."
        ) from error
