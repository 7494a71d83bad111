"""Breaking lineage: rows that are read more than once are written once, next to the lake, and read
from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pyspark.sql import DataFrame

from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.phases import reached
from llm_i2i_spark.base.unfinished import owned
from llm_i2i_spark.lake.leftovers import STAGING_FOLDER
from llm_i2i_spark.lake.spark_progress import show_task_progress
from llm_i2i_spark.lake.tables import Lake

STAGING = {
    "compression": "lz4_raw",
    "parquet.enable.dictionary": "false",
    "parquet.column.statistics.enabled": "false",
    # A row may be tens of megabytes, and a reader holds a row group.
    "parquet.block.size": str(1 << 25),
    "parquet.page.size.row.check.min": "1",
}
"""How files are written that are read once or twice and then removed."""


@contextmanager
def materialized(lake: Lake, frame: DataFrame, title: str) -> Iterator[DataFrame]:
    """The same rows, computed once, for the length of the block.

    A Parquet folder under the lake's root where it is local storage (it survives a lost executor
    and takes no executor memory); cached blocks where there is no root that this process could
    clean up.

    Args:
        lake: whose root holds the folder.
        frame: what to compute.
        title: words for the progress bar.
    """
    if lake.root is None or is_uri(lake.root):
        cached = frame.persist()
        try:
            yield cached
        finally:
            cached.unpersist()
        return
    with owned(lambda: _new_folder(Path(f"{lake.root}/{STAGING_FOLDER}"))) as folder:
        rows = str(folder / "rows")
        try:
            with show_task_progress(lake.spark, title):
                frame.write.options(**STAGING).parquet(rows)
            reached("rows staged")
            yield lake.spark.read.schema(frame.schema).parquet(rows)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder(staging: Path) -> Path:
    folder = staging / uuid4().hex
    folder.mkdir(parents=True)
    return folder
