"""A file that holds an index of any program, as rows: Parquet, CSV with a header, JSON lines or a
Delta folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.exports import verify_export
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.lake.row_files import explained_rows, read_row_file, require_row_file


def require_index_file(path: str) -> None:
    """Make sure, before Spark starts, that there is an index file that it can read.

    Raises:
        InputDataError: nothing is there, it is empty, or Spark cannot read files of its name.
        DamagedFileError: it is not what was exported.
    """
    require_row_file(
        path,
        "`llm-i2i index-export` writes one of the form it must have",
        "write the index again",
    )
    if not is_uri(path):
        local = Path(path).expanduser()
        for file in [local] if local.is_file() else sorted(local.glob("[!._]*")):
            if file.is_file():
                verify_export(file)


def read_index_file(spark: SparkSession, path: str) -> DataFrame:
    """The columns of an index file as they are; all of CSV and the simple values of JSON as text.

    Args:
        spark: the session.
        path: a file, a folder of files or a Delta folder, or its URI. The ending says what it is
            (of a folder, that of its first file); without a known one it is Parquet.

    Raises:
        InputDataError: Spark cannot read it.
    """
    with explained_rows("index", path):
        return read_row_file(spark, path)


def read_index_files(
    spark: Callable[[], SparkSession], paths: Sequence[str | Path]
) -> dict[str, DataFrame]:
    """The rows of index files, by name: that of the file without its ending or, where several share
    one, the path.

    Args:
        spark: gives the session, which is started when all files are known to be there.
        paths: as in `read_index_file`.

    Raises:
        InputDataError: a file is not there, or Spark cannot read it.
        ConfigError: there is no file, or one is there twice.
    """
    texts = [str(path) for path in paths]
    if not texts:
        raise ConfigError("There is no index to evaluate: name its file.")
    if len(set(texts)) < len(texts):
        raise ConfigError("An index file is there twice; name each once.")
    for text in texts:
        require_index_file(text)
    stems = Counter(Path(text).stem for text in texts)
    names = [Path(text).stem if stems[Path(text).stem] == 1 else text for text in texts]
    return {name: read_index_file(spark(), text) for name, text in zip(names, texts, strict=True)}
