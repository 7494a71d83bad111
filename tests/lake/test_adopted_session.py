"""A session that somebody else started does with Parquet pages what our own does: a flipped bit is
an error, in the lake and in the catalogue.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OWNERS_PROGRAM = """
import sys
from pathlib import Path
from pyspark.sql import SparkSession
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.lake.session import delta_package, open_session

folder = Path(sys.argv[1])
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
settings = {
    "spark.jars.packages": delta_package(),
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.warehouse.dir": str(folder / "warehouse"),
}
for key, value in settings.items():
    builder = builder.config(key, value)
owners = builder.getOrCreate()
rows = owners.range(20_000).selectExpr("concat('item ', id) AS title").coalesce(1)
rows.write.option("compression", "uncompressed").parquet(str(folder / "items"))
(file,) = (folder / "items").glob("*.parquet")
content = bytearray(file.read_bytes())
content[content.index(b"item 12345")] ^= 1
file.write_bytes(content)
for checksum in (folder / "items").glob(".*.crc"):
    checksum.unlink()

def read():
    try:
        return owners.read.parquet(str(folder / "items")).where("title LIKE 'item%'").count()
    except Exception as error:
        return "CRC" if "CRC" in str(error) or "checksum" in str(error).lower() else repr(error)

print("before", read())
open_session(SparkConfig(), folder / "spark.log")
print("after", read())
"""


@pytest.mark.e2e
@pytest.mark.faults
def test_a_flipped_bit_is_an_error_once_the_session_is_adopted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNERS_PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert lines == {"before": "19999", "after": "CRC"}, done.stderr[-2000:]
