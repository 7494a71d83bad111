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
GROUPS_OF_SPARK = (
    "com.fasterxml.jackson.core",
    "com.github.luben",
    "com.google.code.findbugs",
    "commons-logging",
    "commons-pool",
    "io.airlift",
    "org.apache.hadoop",
    "org.apache.logging.log4j",
    "org.apache.parquet",
    "org.locationtech.jts",
    "org.roaringbitmap",
    "org.slf4j",
    "org.xerial.snappy",
)
"""What Delta depends on and Spark has in its own jars. Those are the ones that are loaded, so the
others, 87 of 100 MB, would be fetched for nothing, and copied three times at every start.
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
