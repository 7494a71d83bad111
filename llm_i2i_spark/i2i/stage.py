"""Stage i2i: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.backbones import BACKBONES, find_backbone
from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.base.variants import find_variant
from llm_i2i_spark.config.config import Config


def _prepare(config: Config, scopes: Sequence[Scope]) -> None:
    for name in dict.fromkeys(scope["backbone"] for scope in scopes):
        config.i2i.parameters(name).start_warmup()


def scopes_read(table: str, scope: Scope) -> tuple[dict[str, str], ...]:
    """Which result of a table the similarities of a variant and backbone are made from."""
    if table not in find_backbone(scope["backbone"]).reads:
        return ()
    contract, values = TABLES[table], dict(scope)
    variant = find_variant(scope["variant"])
    if contract.scope == ("branch",):
        branch = {"branch": variant.branch_in(contract.stage)}
        return (branch,) if variant.has_synthetic else ()
    if contract.stage == "combine":
        values["variant"] = variant.name_in(contract.stage)
    return (contract.scope_of(values),)


STAGE = Stage(
    name="i2i",
    reads=tuple(dict.fromkeys(table for each in BACKBONES for table in each.reads)),
    settings=("i2i.{backbone}",),
    code=("i2i",),
    code_with_imports=("backbones/{backbone}",),
    scopes_read=scopes_read,
    prepare=_prepare,
)
