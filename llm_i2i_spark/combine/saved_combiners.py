"""Whether the folders of committed combiners are still there."""

from __future__ import annotations

from pathlib import Path

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.base.manifest import is_complete
from llm_i2i_spark.base.run_record import Histories
from llm_i2i_spark.lake.delta_rs import DeltaRsLake


def lost_combiner(lake: Histories, version: int, scope: Scope) -> str | None:
    """What is gone of the combiner of a scope, in words; None where all of it is there.

    Args:
        lake: with the table `combiners`; only a local one can be looked at.
        version: not used: it is one of the first table of the stage, and this one is read as it is
            now.
        scope: variant and backbone.
    """
    if not isinstance(lake, DeltaRsLake):
        return None
    try:
        rows = lake.read("combiners", None, ["path"], scope).to_pylist()
    except UserError as error:
        return str(error).rstrip(".")
    for row in rows:
        if not is_complete(Path(row["path"])):
            return f"files of the combiner in {row['path']} are missing"
    return None
