"""Whether the rows of a local table are what its contract says, and whether every page of its files
is as it was written. No Spark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError

from llm_i2i_spark.base.contract import Table
from llm_i2i_spark.lake.delta_files import file_name
from llm_i2i_spark.lake.lost_files import open_table

MAY_REPEAT = ("quarantine",)
"""Tables in which two rows of a key are no mistake: a log may hold the same bad row twice."""
_TYPES = {"integer": "int", "long": "bigint"}
"""Delta's names of types that Spark's DDL calls otherwise."""


def column_problems(path: str, contract: Table) -> tuple[list[str], list[str]]:
    """Columns that do not fit a contract: those that are wrong, and those that are missing, as in
    tables of an earlier version, which the next write adds.

    Args:
        path: local folder of the table.
        contract: of the table.
    """
    fields = {
        one.name: _text(json.loads(one.type.to_json())) for one in open_table(path).schema().fields
    }
    wrong = [
        f"column {one.name} is {fields[one.name]}, not {one.type}"
        for one in contract.columns
        if one.name in fields and fields[one.name] != _plain(one.type)
    ]
    wrong += [f"column {name} is not in the contract" for name in fields.keys() - contract.names]
    missing = [f"no column {name} yet" for name in contract.names if name not in fields]
    return wrong, missing


def row_problems(path: str, contract: Table) -> tuple[int, list[str]]:
    """The rows of the latest version, and what their contract does not allow among them: a null, a
    condition that does not hold, two rows of one key.

    Args:
        path: local folder of the table.
        contract: of the table.

    Returns:
        (rows, sentences): both from one look at the columns that the contract speaks of.
    """
    table = open_table(path)
    there = {one.name for one in table.schema().fields}
    conditions = {
        f"null in {one.name}": f'"{one.name}" IS NULL'
        for one in contract.columns
        if not one.nullable and one.name in there
    }
    conditions |= {
        f"{name} does not hold ({rule})": f"NOT coalesce(({rule}), false)"
        for name, rule in contract.checks.items()
    }
    counts = [f"count(*) FILTER (WHERE {one})" for one in conditions.values()]
    names = ", ".join(f"{one} AS c{number}" for number, one in enumerate(["count(*)", *counts]))
    (row,) = _query(table, f"SELECT {names} FROM rows")
    total, *found = row.values()
    problems = [
        f"{count:,} rows: {what}" for what, count in zip(conditions, found, strict=True) if count
    ]
    if contract.name in MAY_REPEAT:
        return total, problems
    key = ", ".join(f'"{name}"' for name in contract.key if name in there)
    repeated = f"SELECT 1 FROM rows GROUP BY {key} HAVING count(*) > 1"
    (again,) = _query(table, f"SELECT count(*) AS n FROM ({repeated})")
    if again["n"]:
        problems.append(f"{again['n']:,} keys ({', '.join(contract.key)}) have several rows")
    return total, problems


def page_problems(path: str) -> Iterator[str]:
    """The data files of the latest version with a damaged page: every page is read, and compared
    with its checksum where the writer left one.

    Args:
        path: local folder of the table.

    Yields:
        A sentence a file.
    """
    for name in sorted(map(file_name, open_table(path).file_uris())):
        try:
            with pq.ParquetFile(f"{path}/{name}", page_checksum_verification=True) as file:
                for group in range(file.num_row_groups):
                    file.read_row_group(group)
        except (OSError, pa.ArrowException) as error:
            yield f"{name} is damaged ({str(error).splitlines()[0]})"


def _query(table: DeltaTable, statement: str) -> list[dict[str, Any]]:
    rows = QueryBuilder().register("rows", table).execute(statement).read_all()
    found: list[dict[str, Any]] = pa.table(rows).to_pylist()
    return found


QUERY_ERRORS = (DeltaError, OSError)
"""What a query over a table with lost or damaged files raises."""


def _text(kind: Any) -> str:
    """A type of Delta's schema as Spark's DDL says it."""
    if isinstance(kind, str):
        return _TYPES.get(kind, kind)
    if kind["type"] == "array":
        return f"array<{_text(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_text(kind['keyType'])},{_text(kind['valueType'])}>"
    fields = ",".join(f"{one['name']}:{_text(one['type'])}" for one in kind["fields"])
    return f"struct<{fields}>"


def _plain(kind: str) -> str:
    return kind.replace(" ", "")
