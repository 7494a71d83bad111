"""Files of tables that are gone or damaged, and two runs that write one table, as sentences that
say what to do: for readers without a JVM, and from what Spark says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.disk_errors import disk_error
from llm_i2i_spark.base.errors import (
    ConcurrentWriteError,
    DamagedFileError,
    LlmI2iError,
    StageError,
)

_UNREADABLE_FILE = re.compile(
    r"(?:reading file|Checksum error:) (?:file:/*)?(/?.+?\.parquet)\b", re.DOTALL
)


@contextmanager
def readable_file(path: Path) -> Iterator[None]:
    """Turn what pyarrow and the operating system say of a table's data file into one sentence.

    Args:
        path: of the file that is read inside the block.

    Raises:
        DamagedFileError: it is missing, damaged, or may not be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise DamagedFileError(missing_file(path)) from None
    except PermissionError as error:
        raise DamagedFileError(f"The file {path} cannot be read ({error.strerror}).") from error
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DamagedFileError(damaged_file(path)) from error


def missing_file(path: Path) -> str:
    """The sentence for a data file that is not there.

    Args:
        path: of the file, in the folder of its table.
    """
    return f"The file {path} is missing; {_stage_again(path)}."


def damaged_file(path: Path) -> str:
    """The sentence for a data file that is not what was written.

    Args:
        path: of the file, in the folder of its table.
    """
    return (
        f"The file {path} is damaged; move it away with `mv '{path}' '{path}.damaged'`, and"
        f" {_stage_again(path)}."
    )


def _stage_again(path: Path) -> str:
    table = TABLES.get(path.parent.name)
    if table is None:
        return "give the command again"
    return f"run stage {table.stage} again, which makes anew what was in it"


def storage_error(error: Exception) -> LlmI2iError | None:
    """The sentence for an error of a Spark action; None where it is about something else.

    Args:
        error: of a Spark action.
    """
    text = str(error)
    refused = disk_error(error)
    if refused is not None:
        return refused
    if "DELTA_CONCURRENT" in text or "DELTA_METADATA_CHANGED" in text:
        return ConcurrentWriteError(
            "Another run wrote the same table at the same time; start this run again when that one"
            " has ended."
        )
    found = _UNREADABLE_FILE.search(text)
    path = Path("/" + unquote(found[1]).lstrip("/")) if found else None
    if path is None or path.parent.name not in TABLES:
        return None
    return StageError(missing_file(path) if "FILE_NOT_EXIST" in text else damaged_file(path))
