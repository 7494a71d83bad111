"""Section `lake`: where the Delta tables are."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from llm_i2i_spark.base.redaction import refuse_login
from llm_i2i_spark.base.sections.section import Section


class LakeConfig(Section):
    """Where the Delta tables are: a folder or object-store prefix, optionally registered in a
    catalog schema.
    """

    root: Annotated[str | None, AfterValidator(refuse_login)] = Field(
        None, description="folder or URI that holds a folder a table; checkpoints and reports too"
    )
    schema_name: str | None = Field(
        None, alias="schema", description="catalog.schema in which the tables are registered"
    )
    retention_days: int = Field(
        90, ge=1, description="how far back time travel and audit must reach"
    )
