"""How the evaluated indexes were made: the time that each stage took, the losses of fine-tuning,
the calibration of confidence.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_i2i_spark.base.contract import Scope, scope_key
from llm_i2i_spark.base.contracts import RELIABILITY_CURVE, TABLES, TRAINING_CURVE
from llm_i2i_spark.base.run_record import Histories, commit_of
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.evaluate.systems import System
from llm_i2i_spark.metrics.reliability import Reliability


def branches_of(systems: Iterable[System], stage: str) -> list[str]:
    """The branches of a model stage that some systems are made from, each once."""
    variants = [find_variant(name) for name, _ in systems]
    found = [variant.branch_in(stage) for variant in variants if variant.needs_models]
    return list(dict.fromkeys(found))


def stage_seconds(histories: Histories, systems: Sequence[System]) -> dict[str, float]:
    """Seconds of wall clock that each stage took to make what the systems are made from, in the
    order of the stages; stages of which no commit says it are left out.

    Args:
        histories: of the tables.
        systems: (variant, backbone) pairs.
    """
    # One execution may commit several tables, each with the seconds until then.
    executions: dict[tuple[str, str, frozenset[str]], float] = {}
    for table in TABLES.values():
        if table.stage == "evaluate":
            continue
        history = histories.history(table.name)
        for scope in _scopes(table.name, systems):
            commit = commit_of(history, scope)
            if commit is None or commit.record is None:
                continue
            record = commit.record
            execution = (record.stage, record.run_id, frozenset(record.scopes))
            executions[execution] = max(executions.get(execution, 0.0), commit.seconds or 0.0)
    total: dict[str, float] = defaultdict(float)
    for (stage, _, _), seconds in executions.items():
        total[stage] += seconds
    return {stage: seconds for stage, seconds in total.items() if seconds}


def _scopes(table: str, systems: Sequence[System]) -> list[Scope]:
    contract = TABLES[table]
    if contract.scope == ("branch",):
        return [{"branch": branch} for branch in branches_of(systems, contract.stage)]
    scopes = [contract.scope_of({"variant": name, "backbone": by}) for name, by in systems]
    return list({scope_key(scope): scope for scope in scopes}.values())


def training_losses(folder: str, name: str = "loss") -> list[float]:
    """Mean loss of each epoch of the training that made a checkpoint, in nats; empty where its
    folder is not to be seen from here.

    Args:
        folder: of the checkpoint.
        name: of the loss; `held_out_loss` of a combiner is that on users it does not learn from.
    """
    file = Path(folder) / TRAINING_CURVE
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [float(json.loads(line)[name]) for line in lines]


@dataclass(frozen=True)
class Combining:
    """How the combiner of a blend learned, in nats.

    Attributes:
        losses: mean loss of each epoch on the users it learns from; empty where its folder is not
            to be seen from here.
        held_out_losses: likewise on users it does not learn from.
        mixture_loss: of the mixture alone, on the latter.
        loss: of the epoch that was kept, on the latter.
    """

    losses: list[float]
    held_out_losses: list[float]
    mixture_loss: float
    loss: float

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Combining:
        """From a row of the table `combiners`."""
        fields = json.loads(row["manifest"])
        return cls(
            training_losses(row["path"]),
            training_losses(row["path"], "held_out_loss"),
            fields["mixture_loss"],
            fields["held_out_loss"],
        )


def calibration_reliability(folder: str) -> Reliability | None:
    """How well the confidences of a discriminator are calibrated, measured when it was trained;
    None where its folder is not to be seen from here, or does not say it.

    Args:
        folder: of the checkpoint.
    """
    file = Path(folder) / RELIABILITY_CURVE
    if not file.is_file():
        return None
    return Reliability.from_json(file.read_text(encoding="utf-8"))
