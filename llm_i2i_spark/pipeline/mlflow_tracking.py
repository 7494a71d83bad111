"""A run as MLflow keeps it: options, figures, the exact table versions, models and the report."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_i2i_spark.base.errors import ConfigError
from llm_i2i_spark.base.redaction import redact
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.evaluate.metric_rows import MetricRow
from llm_i2i_spark.pipeline.runner import StageOutcome

if TYPE_CHECKING:
    from mlflow.data.meta_dataset import MetaDataset

    from llm_i2i_spark.lake.tables import Lake

ONE_TRY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""Without these MLflow asks a server that does not answer again and again, for minutes."""
MOST_AT_ONCE = 100
"""Parameters and metrics that every tracking server takes in one request."""
LOGGED_SLICES = ("all", "long_tail")


@contextmanager
def explained_refusal() -> Iterator[None]:
    """Tell an error of MLflow as the user's, with the address that was asked.

    Raises:
        ConfigError: the server cannot be reached or refuses.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        address = redact(mlflow.get_tracking_uri())
        raise ConfigError(
            f"MLflow at {address} refuses ({reason}); set MLFLOW_TRACKING_URI to a server that"
            " answers, or to a database such as sqlite:///mlflow.db."
        ) from error


def require_server() -> None:
    """See, before long work begins, that there is a tracking server to log into.

    Raises:
        ConfigError: there is none.
    """
    from mlflow import MlflowClient

    asked_for = {key: value for key, value in ONE_TRY.items() if key not in os.environ}
    os.environ.update(asked_for)
    try:
        with explained_refusal():
            MlflowClient().search_experiments(max_results=1)
    finally:
        for key in asked_for:
            del os.environ[key]


def log_run(
    lake: Lake,
    config: Config,
    outcomes: Sequence[StageOutcome],
    metrics: Sequence[MetricRow],
    summary: Mapping[str, Any],
) -> str:
    """Log a run into the active MLflow run, or into one that is begun and ended here.

    Args:
        lake: its tables.
        config: its settings; those that differ from the defaults are parameters, all of them the
            artifact `options.yaml`.
        outcomes: an outcome a stage; the versions that were read and written are dataset inputs.
        metrics: rows of its evaluation; `recall` at 10 of variant `real` with backbone `swing` is
            the metric `real/swing/recall_10`, that of the long tail
            `real/swing/long_tail/recall_10`.
        summary: what `summary.json` holds; an artifact.

    Returns:
        The id of the MLflow run.

    Raises:
        ConfigError: the server cannot be reached or refuses.
    """
    import mlflow

    active = mlflow.active_run()
    with (
        explained_refusal(),
        nullcontext(active) if active else mlflow.start_run(run_name=summary["run_id"]) as begun,
    ):
        _log_options(config)
        _log_figures(metrics, summary)
        _log_origin(lake, outcomes, summary)
        for model in _models(lake, outcomes):
            mlflow.create_external_model(
                name=f"{model['branch']}-{model['role']}",
                source_run_id=begun.info.run_id,
                params={key: _text(model[key]) for key in ("model_digest", "path", "base_model")},
            )
        mlflow.log_dict(dict(summary), "summary.json")
        report = summary.get("report")
        if report and Path(report).is_file():
            mlflow.log_artifact(report)
        return str(begun.info.run_id)


def _log_options(config: Config) -> None:
    import mlflow

    settings, defaults = config.settings(), Config().settings()
    changed = {key: value for key, value in settings.items() if value != defaults.get(key)}
    for part in _parts(sorted(changed.items())):
        mlflow.log_params({key: _text(value) for key, value in part})
    mlflow.log_dict(settings, "options.yaml")


def _log_figures(metrics: Sequence[MetricRow], summary: Mapping[str, Any]) -> None:
    import mlflow

    for part in _parts(_figures(metrics, summary)):
        mlflow.log_metrics(dict(part))


def _log_origin(lake: Lake, outcomes: Sequence[StageOutcome], summary: Mapping[str, Any]) -> None:
    """Tags for the run and what lies outside the lake, dataset inputs for the table versions."""
    import mlflow

    mlflow.set_tags(
        {
            "llm_i2i.run_id": summary["run_id"],
            "llm_i2i.code_version": summary["code_version"],
            "llm_i2i.config_digest": summary["config_digest"],
            "llm_i2i.variants": ",".join(summary["variants"]),
            "llm_i2i.backbones": ",".join(summary["backbones"]),
            **_sources(outcomes),
        }
    )
    for (table, version), stage in _versions(outcomes).items():
        # MLflow leaves a version 0 out of what it shows of a Delta table.
        tags = {"version": str(version)}
        mlflow.log_input(_dataset(lake, table, version), context=stage, tags=tags)


def _figures(
    metrics: Sequence[MetricRow], summary: Mapping[str, Any]
) -> Iterator[tuple[str, float]]:
    for row in metrics:
        if row["slice"] in LOGGED_SLICES:
            part = "" if row["slice"] == "all" else f"{row['slice']}/"
            yield f"{row['variant']}/{row['backbone']}/{part}{row['name']}_{row['k']}", row["value"]
    for stage in summary["stages"]:
        for name in ("seconds", "tokens", "device_hours"):
            if name in stage and not stage["up_to_date"]:
                yield f"stages/{stage['stage']}/{name}", stage[name]


def _sources(outcomes: Sequence[StageOutcome]) -> dict[str, str]:
    """Digest of each input outside the lake."""
    return {
        f"llm_i2i.source.{name}": digest
        for outcome in outcomes
        for commit in outcome.commits.values()
        if commit.record
        for name, digest in commit.record.external_inputs.items()
    }


def _versions(outcomes: Sequence[StageOutcome]) -> dict[tuple[str, int], str]:
    """Every version that a stage has read or written: which one wrote it, or first read it."""
    versions: dict[tuple[str, int], str] = {}
    for outcome in outcomes:
        for table, commit in outcome.commits.items():
            for read in commit.record.reads.items() if commit.record else ():
                versions.setdefault(read, f"read by {outcome.stage}")
            versions[table, commit.version] = f"written by {outcome.stage}"
    return versions


def _dataset(lake: Lake, table: str, version: int) -> MetaDataset:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = DeltaDatasetSource(
        path=lake.path(table) if lake.root else None,
        delta_table_name=None if lake.root else lake.sql_name(table),
        delta_table_version=version,
    )
    return MetaDataset(source, name=table)  # type: ignore[abstract]  # it is not


def _models(lake: Lake, outcomes: Sequence[StageOutcome]) -> Iterable[dict[str, Any]]:
    """The fine-tuned models of the lake, as the run has left or found them."""
    for outcome in outcomes:
        if "checkpoints" in outcome.commits:
            rows = lake.read("checkpoints", outcome.commits["checkpoints"].version)
            return [row.asDict() for row in rows.orderBy("branch", "role").collect()]
    return []


def _parts(values: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    rows = list(values)
    for start in range(0, len(rows), MOST_AT_ONCE):
        yield rows[start : start + MOST_AT_ONCE]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
