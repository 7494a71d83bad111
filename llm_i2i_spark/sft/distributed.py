"""The processes that train together: who this one is, what they exchange, and how they find each
other.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from llm_i2i_spark.base.errors import MissingDependencyError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among all that train.

    Attributes:
        rank: 0 .. world - 1; rank 0 alone writes and reports.
        device: where its model is.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def share(self, things: Sequence[T]) -> Sequence[T]:
        """This rank's part of `things`: every world-th from its own number on."""
        return things[self.rank :: self.world]

    def gather(self, mine: Sequence[T], total: int) -> list[T]:
        """Put the results for the parts of `share` back in order, on every rank.

        Args:
            mine: one result for each thing of this rank's part.
            total: number of things in all.
        """
        if self.world == 1:
            return list(mine)
        parts: list[Any] = [None] * self.world
        distributed.all_gather_object(parts, list(mine))
        return [parts[index % self.world][index // self.world] for index in range(total)]

    def from_first(self, thing: T) -> T:
        """What rank 0 holds, on every rank."""
        if self.world == 1:
            return thing
        box: list[Any] = [thing]
        distributed.broadcast_object_list(box, src=0, device=self.device)
        received: T = box[0]
        return received

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all ranks."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until every rank is here."""
        if self.world > 1:
            distributed.barrier()


def join_ranks() -> Ranks:
    """Meet the other ranks: those that a launcher started with this one, or none.

    Raises:
        MissingDependencyError: DeepSpeed is not installed.
    """
    cuda = torch.cuda.is_available()
    if not cuda:
        os.environ["DS_ACCELERATOR"] = "cpu"
    try:
        import deepspeed
        import deepspeed.ops
    except ImportError as error:
        raise MissingDependencyError(
            f"Fine-tuning needs DeepSpeed ({error}): pip install 'llm-i2i-spark[sft]'."
        ) from None
    if "RANK" not in os.environ:
        os.environ.update(
            RANK="0",
            LOCAL_RANK="0",
            WORLD_SIZE="1",
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(free_port()),
        )
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        # Else DeepSpeed tries its compiled operations and builds a shared-memory all-reduce for CPU
        # ranks: a minute of g++ for what gloo does as well. Nothing compiled is needed for ZeRO-2
        # with torch's own AdamW.
        deepspeed.ops.__compatible_ops__ = {}
        deepspeed.init_distributed(
            dist_backend="nccl" if cuda else "gloo", auto_mpi_discovery=False
        )
    _limit_threads(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    return Ranks(distributed.get_rank(), distributed.get_world_size(), device)


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _limit_threads(ranks_here: int) -> None:
    """Never more threads than this rank's share of the cores."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores // ranks_here)))
