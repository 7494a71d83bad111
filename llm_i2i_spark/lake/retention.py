"""How long tables keep their old versions: `lake.retention_days`, also where it was changed after
the tables were made.
"""

from __future__ import annotations

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.delta_rs import retention_differs
from llm_i2i_spark.lake.location import local_root, retention_properties
from llm_i2i_spark.lake.tables import Lake


def apply_retention(lake: Lake, config: LakeConfig) -> None:
    """Let the tables that exist keep their old versions for `lake.retention_days`."""
    properties, is_local = retention_properties(config), local_root(config) is not None
    values = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
    for table in TABLES:
        if is_local:
            differs = retention_differs(lake.path(table), properties)
        else:
            differs = lake.exists(table) and not properties.items() <= _shown(lake, table).items()
        if differs:
            lake.spark.sql(f"ALTER TABLE {lake.sql_name(table)} SET TBLPROPERTIES ({values})")


def _shown(lake: Lake, table: str) -> dict[str, str]:
    rows = lake.spark.sql(f"SHOW TBLPROPERTIES {lake.sql_name(table)}").collect()
    return {row["key"]: row["value"] for row in rows}
