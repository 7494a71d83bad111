"""What stands behind a neighbour in the index: components, users, their rows, prompts,
models, versions."""

from __future__ import annotations

from llm_i2i_spark.audit.trace.edge import EdgeTrace
from llm_i2i_spark.audit.trace.follow import trace_edge
from llm_i2i_spark.audit.trace.tree import trace_lines

__all__ = ["EdgeTrace", "trace_edge", "trace_lines"]
