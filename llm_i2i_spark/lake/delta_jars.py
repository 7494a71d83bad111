"""That the jars which Spark fetches for Delta are the ones that were published, by their sha256.

`delta_jars.sha256` beside this file names those of the versions that the tests run with. A jar that
it does not name, such as one of a later version, is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from llm_i2i_spark.base.errors import DamagedFileError
from llm_i2i_spark.base.files import sha256_of

KNOWN = Path(__file__).with_suffix(".sha256")
IVY_FOLDER = ".ivy2.5.2"
"""Where Spark 4 keeps what it has fetched, in the home of the user."""
MODULES_OF_SPARK = (
    "com.fasterxml.jackson.core:jackson-annotations",
    "com.fasterxml.jackson.core:jackson-core",
    "com.fasterxml.jackson.core:jackson-databind",
    "com.github.luben:zstd-jni",
    "com.google.code.findbugs:jsr305",
    "commons-logging:commons-logging",
    "commons-pool:commons-pool",
    "io.airlift:aircompressor",
    "org.apache.hadoop:hadoop-client-api",
    "org.apache.hadoop:hadoop-client-runtime",
    "org.apache.logging.log4j:log4j-api",
    "org.apache.logging.log4j:log4j-core",
    "org.apache.logging.log4j:log4j-slf4j2-impl",
    "org.apache.parquet:parquet-column",
    "org.apache.parquet:parquet-common",
    "org.apache.parquet:parquet-encoding",
    "org.apache.parquet:parquet-format-structures",
    "org.apache.parquet:parquet-hadoop",
    "org.apache.parquet:parquet-jackson",
    "org.locationtech.jts:jts-core",
    "org.roaringbitmap:RoaringBitmap",
    "org.roaringbitmap:shims",
    "org.slf4j:slf4j-api",
    "org.xerial.snappy:snappy-java",
)
"""What Delta depends on and Spark has in its own jars, which are the ones that are loaded: it would
be fetched for nothing, 87 of 100 MB, and copied three times at every start. Each by its name: a
group may have others that somebody needs, such as `hadoop-aws`.
"""


@cache
def known_jars() -> Mapping[str, str]:
    """The sha256 of each known jar by its name, with the organisation as Spark writes it and
    without.
    """
    lines = [
        line.split() for line in KNOWN.read_text(encoding="ascii").splitlines() if line[:1] != "#"
    ]
    return {
        name: sha256 for sha256, fetched in lines for name in (fetched, fetched.partition("_")[2])
    }


def fetched_jars(settings: Mapping[str, str]) -> list[Path]:
    """The known jars that lie where Spark looks before it fetches.

    Args:
        settings: of the session that will be started.
    """
    ivy = Path(settings.get("spark.jars.ivy") or Path.home() / IVY_FOLDER)
    return [path for path in (ivy / "jars" / name for name in known_jars()) if path.is_file()]


def verify_jars(paths: Iterable[Path]) -> None:
    """See that those of the jars that are known are what was published.

    Raises:
        DamagedFileError: naming the first that is not.
    """
    for path in paths:
        expected = known_jars().get(path.name)
        if expected is not None and path.is_file() and sha256_of(path) != expected:
            raise DamagedFileError(
                f"The jar {path} is not the one that was published as {path.name} (its sha256 is"
                f" not {expected}): remove it, and `cache` beside its folder where there is one, so"
                " that Spark fetches it again; a jar of your own making needs a name of its own."
            )
