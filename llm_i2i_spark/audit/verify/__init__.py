"""Whether a lake is what its logs and contracts say. Nothing is written."""

from __future__ import annotations

from llm_i2i_spark.audit.verify.leftovers import find_leftovers
from llm_i2i_spark.audit.verify.result import Verification
from llm_i2i_spark.audit.verify.tables import verify_table
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import DeltaRsLake

__all__ = ["Verification", "verify_lake"]


def verify_lake(config: LakeConfig, quick: bool = False) -> Verification:
    """Verify every table of a local lake; nothing is written, and no Spark is needed.

    Args:
        config: where the tables are, and how far back they must be readable.
        quick: compare names and sizes of files alone, and read no rows.

    Raises:
        ConfigError: the lake is not a folder of this machine.
    """
    lake = DeltaRsLake(config)
    found = [verify_table(lake, one, config.retention_days, quick) for one in TABLES.values()]
    tables = tuple(one for one in found if one is not None)
    return Verification(str(lake.root), tables, find_leftovers(lake.root))
