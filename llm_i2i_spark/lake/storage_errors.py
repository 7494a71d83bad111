"""What Spark says of files that are gone or damaged, and of two runs that write one table, as
sentences that say what to do.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import StageError

_UNREADABLE_FILE = re.compile(r"reading file (?:file:/*)?(/?.+?\.parquet)\b")


def storage_error(error: Exception) -> StageError | None:
    """The sentence for an error of a Spark action; None where it is about something else.

    Args:
        error: of a Spark action.
    """
    text = str(error)
    if "DELTA_CONCURRENT" in text or "DELTA_METADATA_CHANGED" in text:
        return StageError(
            "Another run wrote the same table at the same time; start this run again when that one"
            " has ended."
        )
    found = _UNREADABLE_FILE.search(text)
    path = Path("/" + unquote(found[1]).lstrip("/")) if found else None
    if path is None or path.parent.name not in TABLES:
        return None
    stage = TABLES[path.parent.name].stage
    if "FILE_NOT_EXIST" in text:
        return StageError(
            f"The file {path} is missing; give the command again, with stage {stage}, which makes"
            " anew what was in it."
        )
    return StageError(
        f"The file {path} is damaged; move it away with `mv '{path}' '{path}.damaged'` and give the"
        f" command again, with stage {stage}, which makes anew what was in it."
    )
