"""The stages of a run once more, on the versions that they read, and whether the rows are equal."""

from __future__ import annotations

from llm_i2i_spark.audit.replay.replay import replay_run
from llm_i2i_spark.audit.replay.result import RunReplay

__all__ = ["RunReplay", "replay_run"]
