"""The discriminator as a function of SQL: how credible it is that someone with a history takes an
item next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf

from llm_i2i_spark.base.sections.lake import LakeConfig
from llm_i2i_spark.lake.batch_inference import task_gpu
from llm_i2i_spark.lake.checkpoints import Checkpoint
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.templates import DISCRIMINATOR

if TYPE_CHECKING:
    from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint

Columns = tuple[pd.Series, pd.Series]


def confidence_function(
    checkpoint: Checkpoint, lake: LakeConfig, batch_tokens: int, device: str
) -> Callable[..., Any]:
    """A pandas UDF `(history array<string>, item string) -> double`.

    It gives p_yes, the sigmoid of the discriminator's Yes-minus-No logit. The `confidence` of the
    table `scored` is calibrated with the generator's log-probability besides, which an arbitrary
    pair does not have.

    Args:
        checkpoint: of the discriminator, readable from every worker.
        lake: where a model that reads titles finds them.
        batch_tokens: tokens of one forward pass at most.
        device: auto, cpu or cuda.

    Returns:
        To be used on columns or registered under a name. A history is oldest first; items that the
        model does not know are left out of it. Null where history or item is null, or where the
        model does not know the item.
    """

    def confidence(batches: Iterator[Columns]) -> Iterator[pd.Series]:
        from llm_i2i_spark.lm.model_cache import cached_checkpoint

        model = cached_checkpoint(
            checkpoint.path, checkpoint.digest, DISCRIMINATOR, device, task_gpu()
        )
        for histories, items in batches:
            yield pd.Series(_p_yes(model, lake, histories.tolist(), items.tolist(), batch_tokens))

    as_function: Any = pandas_udf  # its stubs know no iterators
    made: Callable[..., Any] = as_function(confidence, "double")
    return made


def _p_yes(
    model: LoadedCheckpoint,
    lake: LakeConfig,
    histories: Sequence[Sequence[str] | None],
    items: Sequence[str | None],
    batch_tokens: int,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[n] one a row; not a number where there is nothing to say."""
    from llm_i2i_spark.lm.encoding import ScoringRequest
    from llm_i2i_spark.lm.scoring import score

    texts = _texts(lake, model.manifest["inputs"]["items"]) if model.tokenizer else {}

    def named(item: str) -> Item:
        return Item(item, texts.get(item, item))

    # Rows of one history share a pass over it.
    rows_of: dict[tuple[str, ...], list[int]] = {}
    for row, (history, item) in enumerate(zip(histories, items, strict=True)):
        if history is not None and item is not None and model.vocabulary.index(item) is not None:
            rows_of.setdefault(tuple(one for one in history if one is not None), []).append(row)
    requests = [
        [ScoringRequest(len(history), named(str(items[row]))) for row in rows]
        for history, rows in rows_of.items()
    ]
    shown = [[named(item) for item in history] for history in rows_of]
    logits = score(model, shown, requests, batch_tokens)
    found = np.full(len(items), np.nan)
    for rows, of_history in zip(rows_of.values(), logits, strict=True):
        found[rows] = 1.0 / (1.0 + np.exp(-of_history.astype(np.float64)))
    return found


@lru_cache(maxsize=1)
def _texts(lake: LakeConfig, version: int) -> dict[str, str]:
    """The text of every item that the model was trained with, kept by a worker."""
    from llm_i2i_spark.lake.delta_rs import DeltaRsLake

    rows = DeltaRsLake(lake).read("items", version, ["item_id", "text"])
    return dict(zip(rows["item_id"].to_pylist(), rows["text"].to_pylist(), strict=True))
