"""Data-parallel training: this process among all ranks, and collective operations between them."""

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
class Distributed:
    """This process among the ranks of a training.

    Attributes:
        rank: 0 .. world_size - 1.
        world_size: number of ranks.
        device: of this rank's model.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, which alone writes and reports."""
        return self.rank == 0

    def shard(self, values: Sequence[T]) -> Sequence[T]:
        """This rank's part of `values`: every world_size-th from index `rank` on."""
        return values[self.rank :: self.world_size]

    def all_gather(self, results: Sequence[T], total: int) -> list[T]:
        """The results of all shards in the order of the values, on every rank.

        Args:
            results: one for each value of this rank's shard.
            total: number of values of all shards.
        """
        if self.world_size == 1:
            return list(results)
        parts: list[Any] = [None] * self.world_size
        distributed.all_gather_object(parts, list(results))
        return [parts[index % self.world_size][index // self.world_size] for index in range(total)]

    def broadcast(self, value: T) -> T:
        """The value of rank 0, on every rank."""
        if self.world_size == 1:
            return value
        box: list[Any] = [value]
        distributed.broadcast_object_list(box, src=0, device=self.device)
        received: T = box[0]
        return received

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum of a tensor over all ranks."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values

    def barrier(self) -> None:
        """Wait until every rank is here."""
        if self.world_size > 1:
            distributed.barrier()

    def join(self) -> None:
        """Have a process group, which DeepSpeed needs even of a single process.

        Raises:
            MissingDependencyError: DeepSpeed is not installed.
        """
        if not distributed.is_initialized():
            _join(self.device)

    def leave(self) -> None:
        """Wait until every rank is done, and end the process group."""
        self.barrier()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def initialize_distributed() -> Distributed:
    """Join the ranks that a launcher started with this process; without a launcher, be alone.

    Raises:
        MissingDependencyError: DeepSpeed is needed and not installed.
    """
    cuda = torch.cuda.is_available()
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    if not (alone or distributed.is_initialized()):
        _join(device)
    _limit_threads(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if alone:
        return Distributed(0, 1, device)
    return Distributed(distributed.get_rank(), distributed.get_world_size(), device)


def _join(device: torch.device) -> None:
    if device.type == "cpu":
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
    # Otherwise DeepSpeed probes its compiled operations and builds a shared-memory all-reduce for
    # CPU ranks: a minute of g++ for what gloo does as well. ZeRO-2 with torch's own AdamW needs
    # nothing compiled.
    deepspeed.ops.__compatible_ops__ = {}
    backend = "gloo" if device.type == "cpu" else "nccl"
    deepspeed.init_distributed(dist_backend=backend, auto_mpi_discovery=False)


def free_port() -> int:
    """A TCP port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _limit_threads(local_world_size: int) -> None:
    """Use no more threads than this rank's share of the machine's cores."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores // local_world_size)))
