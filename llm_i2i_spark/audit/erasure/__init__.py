"""Forgetting users: a plan of all that holds them, their erasure, and the proof of it."""

from __future__ import annotations

from llm_i2i_spark.audit.erasure.erase import erase_users
from llm_i2i_spark.audit.erasure.holdings import Holdings
from llm_i2i_spark.audit.erasure.lines import erasure_lines, holdings_lines
from llm_i2i_spark.audit.erasure.result import Erasure
from llm_i2i_spark.audit.erasure.survey import survey_lake

__all__ = [
    "Erasure",
    "Holdings",
    "erase_users",
    "erasure_lines",
    "holdings_lines",
    "survey_lake",
]
