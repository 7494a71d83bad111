"""Reading an index without Spark: the table `item_index` of a lake, or exported Parquet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from numpy.typing import NDArray
from pyarrow.fs import FileSystem

from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import (
    ConfigError,
    DamagedFileError,
    InputDataError,
    TableNotFoundError,
)
from llm_i2i_spark.base.exports import verify_export
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.run_record import commit_of
from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.block_checksums import verify_block_checksums
from llm_i2i_spark.lake.delta_files import file_name, row_masks
from llm_i2i_spark.lake.delta_rs import table_history
from llm_i2i_spark.lake.location import lake_root, missing_table
from llm_i2i_spark.lake.lost_files import is_whole_table, open_table
from llm_i2i_spark.lake.storage_errors import readable_file
from llm_i2i_spark.serving.choice import choose_index
from llm_i2i_spark.serving.index_arrays import Origin
from llm_i2i_spark.serving.rows import INDEX_SCHEMA, NEIGHBOR_SCHEMA, as_lists

TABLE = TABLES["item_index"].name
SCOPE = TABLES["item_index"].scope
ROWS_AT_ONCE = 4_096
NEIGHBORS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class IndexSource:
    """One index that can be read.

    Attributes:
        origin: what it is.
        name: which index it is, whatever its version; fit for a file's name.
        content: digest or version of its rows; fit for a file's name.
        folder: the local folder that it lies in; None where it is remote.
        batches: starts reading its rows, of `rows.INDEX_SCHEMA`.
    """

    origin: Origin
    name: str
    content: str
    folder: Path | None
    batches: Callable[[], Iterator[pa.RecordBatch]]


def index_location(config: LakeConfig) -> str:
    """The root of a lake, as `find_index` takes it.

    Raises:
        ConfigError: the lake is a catalog schema without a root.
    """
    root = lake_root(config)
    if root is None:
        raise ConfigError(
            "A lookup reads Delta files by path, without Spark: set lake.root beside lake.schema,"
            " or write the index to a file with `llm-i2i index-export` and open that."
        )
    return root


def find_index(
    index: str | Path,
    variant: str | None = None,
    backbone: str | None = None,
    version: int | None = None,
) -> IndexSource:
    """The index behind a path or URI.

    Args:
        index: a lake's root or its table `item_index`, both as a local path or a URI; or a local
            Parquet file or folder with the columns item_id, rank, neighbor_id and score.
        variant: of the lists; None for the preferred one (see `choice.choose_index`).
        backbone: likewise.
        version: of the table; None for the latest.

    Raises:
        InputDataError: there is no such file, or its columns do not fit.
        UserError: the table, its version, or the variant and backbone are not there.
    """
    text = str(index)
    if text.startswith("file:/"):
        text = unquote(urlsplit(text).path)
    text = text if is_uri(text) else str(Path(text).expanduser().resolve())
    path = Path(text)
    if path.suffix == ".parquet" and not path.is_dir():
        return _file_source(path, [path])
    for table in (text, f"{text.rstrip('/')}/{TABLE}"):
        if DeltaTable.is_deltatable(table):
            return _table_source(table, variant, backbone, version)
    files = sorted(path.glob("[!._]*.parquet")) if path.is_dir() else []
    if not files:
        if not is_uri(text):
            is_whole_table(str(path / TABLE))  # says so where only the log is gone
        raise missing_table(TABLE, index)
    return _file_source(path, files)


def _table_source(
    uri: str, variant: str | None, backbone: str | None, version: int | None
) -> IndexSource:
    with _readable(version):
        table = DeltaTable(uri, version=version) if is_uri(uri) else open_table(uri, version)
        masks = row_masks(table)
        names = map(file_name, table.file_uris())
        pairs = {pair for name in names for pair in _pairs(f"{uri}/{name}", masks.get(name))}
        history = table_history(uri)
    chosen = choose_index(pairs, variant, backbone)
    scope = dict(zip(SCOPE, chosen, strict=True))
    commit = commit_of(history, scope, table.version())
    run_id = commit.record.run_id if commit and commit.record else None
    written = commit.version if commit else table.version()

    def batches() -> Iterator[pa.RecordBatch]:
        with _readable(version):
            conditions = [(name, "=", value) for name, value in scope.items()]
            fitting = map(file_name, table.file_uris(file_pruning_predicate=conditions))
            for name in sorted(fitting):
                if not is_uri(uri):
                    with readable_file(Path(uri, name)):
                        verify_block_checksums(Path(uri, name))
                yield from _lists(f"{uri}/{name}", masks.get(name), chosen)

    return IndexSource(
        Origin(uri, *chosen, table.version(), run_id),
        "-".join(quote(name, "") for name in chosen),
        f"{table.metadata().id}-v{written}",
        None if is_uri(uri) else Path(uri).parent,
        batches,
    )


@contextmanager
def _readable(version: int | None) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        which = "The latest version" if version is None else f"Version {version}"
        mend = "run stage index again" if version is None else "look up another version"
        raise TableNotFoundError(
            f"{which} of {TABLE} cannot be read ({reason}); {mend}."
        ) from error


def _rows(
    file: str, mask: NDArray[np.bool_] | None, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Columns of a Parquet file, without deleted rows. Page checksums are verified."""
    first = 0
    explained = nullcontext() if is_uri(file) else readable_file(Path(file))
    with explained, _open(file) as parquet:
        for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
            last = first + batch.num_rows
            yield batch if mask is None else batch.filter(pa.array(mask[first:last]))
            first = last


def _open(file: str) -> pq.ParquetFile:
    source: Any = file
    if is_uri(file):
        system, path = FileSystem.from_uri(file)
        source = system.open_input_file(path)
    return pq.ParquetFile(source, page_checksum_verification=True)


def _pairs(file: str, mask: NDArray[np.bool_] | None) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for batch in _rows(file, mask, SCOPE):
        variant, backbone = (batch.column(name).dictionary_encode() for name in SCOPE)
        width = len(backbone.dictionary)
        codes = _codes(variant) * width + _codes(backbone)
        for code in np.unique(codes).tolist():
            found.add(
                (
                    variant.dictionary[code // width].as_py(),
                    backbone.dictionary[code % width].as_py(),
                )
            )
    return found


def _codes(column: pa.DictionaryArray) -> NDArray[np.int32]:
    # to_numpy() imports pandas, which takes longer than to open an index.
    return np.frombuffer(column.indices.buffers()[1], np.int32, len(column))


def _lists(
    file: str, mask: NDArray[np.bool_] | None, chosen: tuple[str, str]
) -> Iterator[pa.RecordBatch]:
    for batch in _rows(file, mask, [*SCOPE, *INDEX_SCHEMA.names]):
        ours = [
            pc.equal(batch.column(name), value) for name, value in zip(SCOPE, chosen, strict=True)
        ]
        rows = batch.filter(pc.and_(*ours)).select(INDEX_SCHEMA.names)
        if rows.num_rows:
            yield rows


def _file_source(path: Path, files: Sequence[Path]) -> IndexSource:
    for file in files:
        if not file.is_file():
            raise InputDataError(
                f"There is no index file {file}; `llm-i2i index-export` writes one of the form it"
                " must have."
            )
        with _readable_export(file):
            missing = set(NEIGHBOR_SCHEMA.names) - set(pq.read_schema(file).names)
        if missing:
            raise InputDataError(
                f"The index file needs the columns {', '.join(NEIGHBOR_SCHEMA.names)} and lacks"
                f" {', '.join(sorted(missing))}."
            )
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    digest = hashlib.sha256(json.dumps(stamps).encode()).hexdigest()

    def batches() -> Iterator[pa.RecordBatch]:
        return as_lists(_neighbors(files))

    return IndexSource(Origin(str(path)), quote(path.name, ""), digest[:32], path.parent, batches)


def _neighbors(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with _readable_export(file):
            verify_export(file)
            with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
                yield from parquet.iter_batches(NEIGHBORS_AT_ONCE, columns=NEIGHBOR_SCHEMA.names)


@contextmanager
def _readable_export(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DamagedFileError(
            f"The index file {file} cannot be read ({reason}): export it again."
        ) from error
