"""The generator in Spark's Python workers: steps of users in, in-context examples out; and users
in, what similar examples propose out.

An example is compared by two vectors: the generator's hidden state after its history, and the
embedding of its reason, the earlier item that the generator places nearest to the one taken. A
user's second vector is the mean of the embeddings of the history. The cosine of both, joined, is
(1 - w) cos(state) + w cos(reasoning).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_i2i_spark.kernels.nearest_rows import nearest_among, quantize
from llm_i2i_spark.lake.batch_inference import Columns, InferenceTask
from llm_i2i_spark.prompts.items import Item
from llm_i2i_spark.prompts.reasoning import explain_step
from llm_i2i_spark.prompts.templates import GENERATOR
from llm_i2i_spark.retrieve.votes import Proposals, Votes, count_votes

if TYPE_CHECKING:
    from llm_i2i_spark.lm.checkpoint import LoadedCheckpoint

SCORE_BYTES = 128 * 2**20
"""Of the similarities that a task holds at a time."""

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class ExampleTask(InferenceTask):
    """What makes examples of steps; its results are columns of the table `in_context_examples`, and
    `vector array<float>`.

    Attributes:
        reasoning_weight: w, from 0 to 1.
    """

    reasoning_weight: float


class Examples(NamedTuple):
    """All examples, ordered by id.

    Attributes:
        ids: [n] example ids.
        user_ids: [n] whose.
        targets: [n] index in `items` of the item that was taken.
        items: ids of these items, ascending.
        vectors: [n, 2H] of `quantize`.
    """

    ids: list[str]
    user_ids: list[str]
    targets: Int64Array
    items: list[str]
    vectors: NDArray[np.int16]


@dataclass(frozen=True)
class RetrieveTask(ExampleTask):
    """What retrieves examples for users; its results are rows of the table `retrieved`.

    Attributes:
        examples: to choose from.
        neighbors: examples a user.
        temperature: of their votes.
        per_user: items proposed to a user at most.
    """

    examples: Examples
    neighbors: int
    temperature: float
    per_user: int


class Retriever(NamedTuple):
    """What a worker holds.

    Attributes:
        checkpoint: the generator.
        matrix: [n, 2H] the vectors of the examples.
        of_user: indices of each user's own examples.
        item_index: of the items that were taken.
    """

    checkpoint: LoadedCheckpoint
    matrix: Float32Array
    of_user: dict[str, list[int]]
    item_index: dict[str, int]

    @property
    def tokens_read(self) -> int:
        """As `LoadedCheckpoint.tokens_read`."""
        return self.checkpoint.tokens_read


def load_generator(task: ExampleTask, gpu_address: str | None) -> LoadedCheckpoint:
    """The generator's checkpoint, loaded once a worker and device."""
    from llm_i2i_spark.lm.model_cache import cached_checkpoint

    return cached_checkpoint(
        task.checkpoint_path, task.model_digest, GENERATOR, task.device, gpu_address
    )


def load_retriever(task: RetrieveTask, gpu_address: str | None) -> Retriever:
    """The generator's checkpoint and the examples."""
    of_user: dict[str, list[int]] = {}
    for number, user in enumerate(task.examples.user_ids):
        of_user.setdefault(user, []).append(number)
    return Retriever(
        load_generator(task, gpu_address),
        task.examples.vectors.astype(np.float32),
        of_user,
        {item: index for index, item in enumerate(task.examples.items)},
    )


def make_examples(
    batch: pa.RecordBatch, checkpoint: LoadedCheckpoint, task: ExampleTask
) -> Columns:
    """Examples of the steps whose items the generator knows.

    Args:
        batch: `user_id, example_id, history array<struct<item_id, text>>, target struct<item_id,
            text>`.
        checkpoint: of `load_generator`.
        task: settings.

    Returns:
        The task's columns, without the constants of the task.
    """
    from llm_i2i_spark.lm.history_states import history_states

    histories = [_items(history) for history in batch.column("history").to_pylist()]
    targets = _items(batch.column("target").to_pylist())
    placed = _placed(checkpoint, [*histories, targets])
    known = [
        row
        for row, (history, target) in enumerate(zip(histories, targets, strict=True))
        if target.item_id in placed and any(item.item_id in placed for item in history)
    ]
    reasons = [_find_reason(histories[row], targets[row], placed) for row in known]
    states = history_states(checkpoint, [histories[row] for row in known], task.batch_tokens)
    directions = _mean_directions([[reason] for reason in reasons], placed, states.shape[1])
    rows = pa.array(known, pa.int64())
    return {
        "example_id": batch.column("example_id").take(rows),
        "user_id": batch.column("user_id").take(rows),
        "item_id": [targets[row].item_id for row in known],
        "reason_id": [reason.item_id for reason in reasons],
        "reasoning": [
            explain_step(reason.text, targets[row].text)
            for row, reason in zip(known, reasons, strict=True)
        ],
        "vector": list(_joined(states, directions, task.reasoning_weight)),
    }


def retrieve_batch(batch: pa.RecordBatch, retriever: Retriever, task: RetrieveTask) -> Columns:
    """Propose to every user what was taken in the examples most similar to the history; a user's
    own examples do not count.

    Args:
        batch: `user_id, history array<struct<item_id, text>>, owned array<string>`.
        retriever: of `load_retriever`.
        task: settings.

    Returns:
        The columns of the table `retrieved`, without the constants of the task.
    """
    from llm_i2i_spark.lm.history_states import history_states

    users: list[str] = batch.column("user_id").to_pylist()
    histories = [_items(history) for history in batch.column("history").to_pylist()]
    states = history_states(retriever.checkpoint, histories, task.batch_tokens)
    placed = _placed(retriever.checkpoint, histories)
    directions = _mean_directions(histories, placed, states.shape[1])
    queries = quantize(_joined(states, directions, task.reasoning_weight)).astype(np.float32)
    votes = _nearest(queries, users, retriever, task)
    owned = _owned(batch.column("owned").to_pylist(), retriever.item_index)
    return _columns(users, votes, count_votes(votes, owned, task.temperature, task.per_user), task)


def _nearest(
    queries: Float32Array, users: Sequence[str], retriever: Retriever, task: RetrieveTask
) -> Votes:
    """The examples nearest to each query, a block of queries at a time."""
    step = max(SCORE_BYTES // (4 * max(len(retriever.matrix), 1)), 1)
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for start in range(0, len(queries), step):
        own = [retriever.of_user.get(user, []) for user in users[start : start + step]]
        rows = np.repeat(np.arange(len(own)), [len(examples) for examples in own])
        excluded = rows, np.array([one for examples in own for one in examples], np.int64)
        query, found, cosine = nearest_among(
            queries[start : start + step], retriever.matrix, task.neighbors, excluded
        )
        parts.append((query.astype(np.int64) + start, found.astype(np.int64), cosine))
    user, example, similarity = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Votes(user, example, task.examples.targets[example], similarity)


def _columns(
    users: Sequence[str], votes: Votes, proposals: Proposals, task: RetrieveTask
) -> Columns:
    """Rows of the table `retrieved`; no object is made for a vote."""
    structs = task.schema.field("votes").type.value_type
    of_votes = {
        "example_id": pa.array(task.examples.ids, pa.string()).take(
            pa.array(votes.example[proposals.vote])
        ),
        "similarity": pa.array(votes.similarity[proposals.vote]),
        "share": pa.array(proposals.vote_share),
    }
    flat = pa.StructArray.from_arrays(
        [of_votes[field.name] for field in structs], fields=list(structs)
    )
    lists = pa.ListArray.from_arrays(pa.array(proposals.indptr, pa.int32()), flat)
    return {
        "user_id": pa.array(users, pa.string()).take(pa.array(proposals.user)),
        "item_id": pa.array(task.examples.items, pa.string()).take(pa.array(proposals.item)),
        "rank": proposals.rank.astype(np.int32),
        "share": proposals.share,
        "votes": lists.cast(task.schema.field("votes").type),
    }


def _owned(
    owned: Sequence[Sequence[str]], item_index: dict[str, int]
) -> tuple[Int64Array, Int64Array]:
    """User and item of the pairs that must not be proposed, of the items that could be."""
    pairs = [
        (row, item_index[item])
        for row, items in enumerate(owned)
        for item in items
        if item in item_index
    ]
    user, item = np.array(pairs, np.int64).reshape(-1, 2).T
    return user, item


def _items(entries: Sequence[dict[str, str]]) -> list[Item]:
    return [Item(entry["item_id"], entry["text"]) for entry in entries]


def _placed(
    checkpoint: LoadedCheckpoint, histories: Sequence[Sequence[Item]]
) -> dict[str, Float32Array]:
    """Where the generator places the items of some histories, those that it knows."""
    from llm_i2i_spark.lm.history_states import item_directions

    ids = sorted({item.item_id for history in histories for item in history})
    known = {one: index for one in ids if (index := checkpoint.vocabulary.index(one)) is not None}
    directions = item_directions(checkpoint, np.array([*known.values()], np.int64))
    return dict(zip(known, directions, strict=True))


def _find_reason(history: Sequence[Item], target: Item, placed: dict[str, Float32Array]) -> Item:
    """The item of a history that the generator places nearest to the target; of equals the
    latest.
    """
    known = [item for item in reversed(history) if item.item_id in placed]
    cosines = np.stack([placed[item.item_id] for item in known]) @ placed[target.item_id]
    return known[int(np.argmax(cosines))]


def _mean_directions(
    histories: Sequence[Sequence[Item]], placed: dict[str, Float32Array], size: int
) -> Float32Array:
    """[n, size] mean of where the items of each history are placed, of unit length; zeros for a
    history of none.
    """
    from llm_i2i_spark.lm.history_states import unit_rows

    sums = np.zeros((len(histories), size), np.float32)
    for row, history in enumerate(histories):
        for item in history:
            if item.item_id in placed:
                sums[row] += placed[item.item_id]
    return unit_rows(sums)


def _joined(states: Float32Array, directions: Float32Array, weight: float) -> Float32Array:
    """[n, 2H] unit vectors whose cosine is the weighted mean of the cosines of both parts."""
    return np.hstack([sqrt(1 - weight) * states, sqrt(weight) * directions]).astype(np.float32)
