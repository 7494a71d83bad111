"""Stage i2i: what it reads and what its results depend on; `execute` does the work."""

from __future__ import annotations

from collections.abc import Sequence

from llm_i2i_spark.base.contract import Scope
from llm_i2i_spark.base.stage import Stage
from llm_i2i_spark.config.config import Config


def _prepare(config: Config, scopes: Sequence[Scope]) -> None:
    for name in dict.fromkeys(scope["backbone"] for scope in scopes):
        config.i2i.parameters(name).start_warmup()


STAGE = Stage(
    name="i2i",
    reads=("fused",),
    settings=("i2i.{backbone}",),
    code=("i2i",),
    code_with_imports=("backbones/{backbone}",),
    prepare=_prepare,
)
