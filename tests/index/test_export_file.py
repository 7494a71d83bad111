"""The exported file: one Parquet file, every neighbour a row, in order, nothing left behind on
failure.
"""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import UserError
from llm_i2i_spark.index import export_file as module
from llm_i2i_spark.index.export_file import export_file
from llm_i2i_spark.lake.tables import contract_schema

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def index(spark):
    items = [str(number) for number in range(1, 24)]
    rows = [
        ("real", "swing", item, [("x", 0.5, 1, 0.0), (f"é{item}", 0.25, 2, 1.0)]) for item in items
    ]
    rows += [("real", "swing", "alone", []), ("llm_i2i", "swing", "1", [("y", 1.0, 1, 1.0)])]
    return spark.createDataFrame(rows, contract_schema(TABLES["item_index"])).repartition(3)


def test_every_neighbor_is_a_row_in_order(index, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ITEMS_A_BATCH", 5)
    path = tmp_path / "new" / "index.parquet"
    assert export_file(index, path, "real", "swing") == 46
    assert [file.name for file in path.parent.iterdir()] == ["index.parquet"]
    table = pq.read_table(path)
    assert table.schema.names == ["item_id", "rank", "neighbor_id", "score"]
    wanted = [
        row for n in range(1, 24) for row in ((str(n), 1, "x", 0.5), (str(n), 2, f"é{n}", 0.25))
    ]
    assert list(zip(*(column.to_pylist() for column in table.columns), strict=True)) == wanted


def test_a_file_is_replaced_only_by_a_whole_one(index, tmp_path, monkeypatch):
    path = tmp_path / "index.parquet"
    assert export_file(index, path, "llm_i2i", "swing") == 1
    before = path.read_bytes()
    with pytest.raises(UserError, match="no lists of variant no_generator"):
        export_file(index, path, "no_generator", "swing")
    monkeypatch.setattr(module, "ITEMS_A_BATCH", -1)
    with pytest.raises(ValueError, match="islice"):
        export_file(index, path, "real", "swing")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["index.parquet"]
