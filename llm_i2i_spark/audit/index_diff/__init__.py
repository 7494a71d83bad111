"""What differs between two versions of the index, and why."""

from __future__ import annotations

from llm_i2i_spark.audit.index_diff.diff import diff_index
from llm_i2i_spark.audit.index_diff.result import IndexDiff

__all__ = ["IndexDiff", "diff_index"]
