"""Publishing an index to a store that serves it, and going back to the one before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from llm_i2i_spark.base.errors import ConfigError, InputDataError, UserError
from llm_i2i_spark.base.files import is_uri
from llm_i2i_spark.base.run_record import new_run_id
from llm_i2i_spark.serving.array_cache import load_arrays
from llm_i2i_spark.serving.base import Exporter, Generation
from llm_i2i_spark.serving.index_arrays import Origin
from llm_i2i_spark.serving.index_frame import select_index
from llm_i2i_spark.serving.index_reader import find_index
from llm_i2i_spark.serving.json_lines import JsonLinesExporter
from llm_i2i_spark.serving.parquet import ParquetExporter
from llm_i2i_spark.serving.redis import RedisExporter
from llm_i2i_spark.serving.sql import SqlExporter

if TYPE_CHECKING:
    from llm_i2i_spark.lake.frames import Frame

EXPORTERS: tuple[type[Exporter], ...] = (
    RedisExporter,
    SqlExporter,
    ParquetExporter,
    JsonLinesExporter,
)
"""Every store that an index can be published to; adding one is adding a file and a line here."""


def exporter_for(target: str | Path) -> Exporter:
    """The exporter of a target, by its scheme or ending.

    Raises:
        ConfigError: there is none, or the target is not of its form.
    """
    for exporter in EXPORTERS:
        if exporter.accepts(str(target)):
            return exporter(str(target))
    if not is_uri(str(target)) and Path(target).is_dir():
        raise ConfigError(
            f"{target} is a folder; name a file in it, such as {target}/index.parquet."
        )
    forms = ", ".join(exporter.form for exporter in EXPORTERS)
    raise ConfigError(f"There is no store for {str(target)!r}; a target looks like {forms}.")


def check(target: str | Path) -> None:
    """Make sure that a target can be reached and written, before anything is computed for it.

    Raises:
        UserError: it cannot; the sentence says what to do.
    """
    exporter_for(target).check()


def publish(
    index: str | Path | Frame,
    target: str | Path,
    variant: str | None = None,
    backbone: str | None = None,
    version: int | None = None,
    run_id: str | None = None,
) -> Generation:
    """Write an index to a store and make it the one that readers see, in one step.

    A publish that is killed leaves the old index in place; what it had written is removed by the
    next one. The index that was live before is kept for `rollback`.

    Args:
        index: a path or URI as `Lookup.open` takes it, read without Spark; or a DataFrame of
            Spark or pandas with the columns of the table `item_index` (`variant` and `backbone` may
            be left out), whose executors write to the store where it takes many writers.
        target: where to, such as `redis://host:6379/0?prefix=i2i`, `jdbc:postgresql://host/db`,
            `index.parquet` or `index.jsonl`.
        variant: of the lists; None for the preferred one (see `Lookup.open`).
        backbone: likewise.
        version: of the table `item_index`; of a DataFrame, the one that it was read at.
        run_id: of a DataFrame, the run that wrote it.

    Returns:
        The record of what is live now.

    Raises:
        UserError: the store or the index is not there, or the index has no neighbours.
        StageError: another publish to the same target has taken over.
    """
    exporter = exporter_for(target)
    exporter.check()
    before = exporter.live()
    published = datetime.now(timezone.utc).isoformat(timespec="seconds")
    origin, write = _source(exporter, index, variant, backbone, version, run_id)
    generation = new_run_id()
    kept = {name for name in (before.generation, before.previous) if name} if before else set()
    exporter.remove(kept)
    exporter.begin(generation)
    try:
        record = Generation(
            generation,
            origin.variant,
            origin.backbone,
            origin.version,
            origin.run_id,
            _filled(write(generation), exporter),
            published,
            before.generation if before else None,
        )
        exporter.switch(record)
    except BaseException:
        with suppress(Exception):
            exporter.remove(kept)
        raise
    exporter.remove({name for name in (generation, record.previous) if name})
    return record


def _filled(rows: int, exporter: Exporter) -> int:
    if rows == 0:
        raise InputDataError(
            f"The index has no neighbours, so nothing was published to {exporter.shown}; what was"
            " served there before still is."
        )
    return rows


def live(target: str | Path) -> Generation | None:
    """The record of what a target serves; None where nothing was published to it.

    Raises:
        UserError: the target cannot be reached.
    """
    exporter = exporter_for(target)
    exporter.check()
    return exporter.live()


def rollback(target: str | Path) -> Generation:
    """Serve the index that was live before the last publish again, in one step.

    Returns:
        The record of what is live now.

    Raises:
        UserError: the target cannot be reached, or no index before the live one is kept there.
    """
    exporter = exporter_for(target)
    exporter.check()
    current = exporter.live()
    if current is None:
        raise UserError(f"Nothing was published to {exporter.shown} yet; publish an index first.")
    before = exporter.find(current.previous) if current.previous else None
    if before is None:
        raise UserError(
            f"{exporter.shown} keeps no index before generation {current.generation}; publish the"
            " one that you want by its item_index version."
        )
    exporter.switch(before)
    return before


def _source(
    exporter: Exporter,
    index: str | Path | Frame,
    variant: str | None,
    backbone: str | None,
    version: int | None,
    run_id: str | None,
) -> tuple[Origin, Callable[[str], int]]:
    """What the index is, and what writes it as a generation."""
    if isinstance(index, (str, Path)):
        arrays = load_arrays(find_index(index, variant, backbone, version))
        return arrays.origin, lambda generation: exporter.write(arrays.batches(), generation)
    frame, chosen_variant, chosen_backbone = select_index(index, variant, backbone)
    origin = Origin("", chosen_variant, chosen_backbone, version, run_id)
    return origin, lambda generation: exporter.write_frame(frame, generation)
