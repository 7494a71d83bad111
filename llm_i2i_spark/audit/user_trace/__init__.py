"""Everything that a user's rows touched: synthetic rows, models, entries of the index."""

from __future__ import annotations

from llm_i2i_spark.audit.user_trace.follow import trace_user
from llm_i2i_spark.audit.user_trace.result import UserTrace

__all__ = ["UserTrace", "trace_user"]
