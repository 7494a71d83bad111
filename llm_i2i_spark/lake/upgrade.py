"""Tables that an earlier version made, brought up to the present contract."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import SparkSession

from llm_i2i_spark.base.contract import Table


def upgrade_table(spark: SparkSession, name: str, present: Collection[str], table: Table) -> None:
    """Add columns that the table lacks, and drop constraints that the contract has no more.

    Args:
        spark: the session.
        name: of the table, as SQL statements name it.
        present: the columns that it has.
        table: its contract.
    """
    missing = [f"{one.name} {one.type}" for one in table.columns if one.name not in present]
    if missing:
        spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({', '.join(missing)})")
    if table.retired_checks:
        properties = spark.sql(f"SHOW TBLPROPERTIES {name}").select("key").collect()
        keys = {row["key"] for row in properties}
        for check in table.retired_checks:
            if f"delta.constraints.{check}" in keys:
                spark.sql(f"ALTER TABLE {name} DROP CONSTRAINT {check}")
