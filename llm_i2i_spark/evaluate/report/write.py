"""Where the report of a run stands, and writing it there."""

from __future__ import annotations

import os
from pathlib import Path

from llm_i2i_spark.base.errors import StageError


def report_path(root: str | None, run_id: str) -> str:
    """Where the report of a run stands: `reports/<run_id>/report.html` under the lake's root, or
    the working folder without one.
    """
    return f"{root or Path.cwd()}/reports/{run_id}/report.html"


def write_report(path: str, page: str) -> None:
    """Write the page to a local path or a URI, whole or not at all.

    Raises:
        StageError: the place cannot be written to.
    """
    try:
        if "://" in path:
            from pyarrow.fs import FileSystem

            system, inner = FileSystem.from_uri(path)
            system.create_dir(os.path.dirname(inner), recursive=True)
            with system.open_output_stream(inner) as stream:
                stream.write(page.encode())
            return
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".tmp")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(place)
    except (OSError, ValueError) as error:
        raise StageError(
            f"Stage evaluate could not write the report to {path}: {error}."
        ) from error
