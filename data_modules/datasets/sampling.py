"""Which photographs an epoch gives, in which order, to which rank."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler


@dataclass(frozen=True)
class Plan:
    """Say how much of a data set an epoch takes, and who takes it.

    Attributes:
        steps: Batches an epoch, the same on every rank.
        batch_size: Photographs a batch and rank.
        workers: Processes that make a rank's batches in turn, 1 at least.
        seed: Seed of the orders.
        ranks: Number of ranks.
        rank: The own one.
    """

    steps: int
    batch_size: int
    workers: int
    seed: int
    ranks: int = 1
    rank: int = 0


class StretchedSampler(DistributedSampler[tuple[int, int]]):
    """Give a fixed number of `(index, key)` an epoch, in a new random order on each pass.

    A set shorter than the epoch is gone through again in another order, never in the same one;
    a longer one gives another part each epoch. The key counts samples over the whole training,
    across epochs and ranks, so that the randomness of a sample depends on its place alone.

    Args:
        dataset: Has the length that indices are drawn from.
        count: Samples an epoch, over all ranks; a multiple of the number of ranks.
        seed: Seed of the orders.
        ranks: Number of ranks.
        rank: The own one.
    """

    def __init__(
        self, dataset: Dataset[Any], count: int, seed: int, ranks: int = 1, rank: int = 0
    ) -> None:
        super().__init__(dataset, num_replicas=ranks, rank=rank, shuffle=True, seed=seed)
        self.length = len(dataset)  # type: ignore[arg-type]  # torch's Dataset promises none
        self.count = count

    def __len__(self) -> int:
        """Return the samples an epoch of this rank."""
        return self.count // self.num_replicas

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield `(index, key)`."""
        first = self.epoch * self.count
        current = -1
        for place in range(self.rank, len(self) * self.num_replicas, self.num_replicas):
            cycle, position = divmod(first + place, self.length)
            if cycle != current:
                generator = torch.Generator().manual_seed(self.seed * 1_000_003 + cycle)
                order = torch.randperm(self.length, generator=generator)
                current = cycle
            yield int(order[position]), first + place


class ShardSampler(DistributedSampler[tuple[int, int]]):
    """Give a fixed number of `(index, turn)` an epoch, such that each worker reads few shards.

    The shards are shuffled anew for each turn (pass over the set) and dealt, one after the other
    and on from turn to turn, to all workers of all ranks: in each turn every photograph is given
    exactly once, and no worker falls behind by more than a shard. A worker's photographs are then
    mixed over a window of `mixed` shards. All of it is a function of (seed, turn), so that any
    place in any epoch is found without reading anything.

    Args:
        dataset: What the indices belong to.
        counts: Photographs of each shard; indices count on from shard to shard.
        mixed: Width of the window, in shards of the largest size.
        plan: What an epoch takes. There must be a shard for each worker of each rank.
    """

    def __init__(
        self, dataset: Dataset[Any], counts: Sequence[int], mixed: int, plan: Plan
    ) -> None:
        super().__init__(dataset, num_replicas=plan.ranks, rank=plan.rank, seed=plan.seed)
        self.counts = torch.tensor(counts)
        self.starts = self.counts.cumsum(0) - self.counts
        self.window = mixed * max(counts)
        self.plan = plan

    def __len__(self) -> int:
        """Return the samples an epoch of this rank."""
        return self.plan.steps * self.plan.batch_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield `(index, turn)`: batch after batch, each from the next worker's shards."""
        workers, batch_size = self.plan.workers, self.plan.batch_size
        first = self.epoch * self.plan.steps
        # Batches count on over the epochs, else the first worker's shards would get ahead. Where
        # workers do not divide steps, the next process goes on with them and reads a few again.
        given = [len(range(worker, first, workers)) * batch_size for worker in range(workers)]
        streams = [self._stream(worker, given[worker]) for worker in range(workers)]
        for batch in range(first, first + self.plan.steps):
            yield from itertools.islice(streams[batch % workers], batch_size)

    def _stream(self, worker: int, given: int) -> Iterator[tuple[int, int]]:
        """Yield what a worker gives, without end, after the number it has given already."""
        readers = self.plan.ranks * self.plan.workers
        reader = self.plan.rank * self.plan.workers + worker
        for turn in itertools.count():
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + turn)
            order = torch.randperm(len(self.counts), generator=generator)
            own = order[(reader - turn * len(order)) % readers :: readers]
            count = int(self.counts[own].sum())
            if given < count:
                for index in self._mixed(own, generator)[given:].tolist():
                    yield index, turn
            given = max(0, given - count)

    def _mixed(self, shards: Tensor, generator: torch.Generator) -> Tensor:
        """Return the indices of shards, each moved back by up to the window.

        A photograph is thus given after all that are stored a window or more before it: a shard
        is needed for a while and then never again.
        """
        spans = zip(self.starts[shards].tolist(), self.counts[shards].tolist(), strict=True)
        indices = torch.cat([torch.arange(start, start + count) for start, count in spans])
        moves = torch.rand(int(self.counts.sum()), generator=generator, dtype=torch.float64)
        places = torch.arange(len(indices)) + self.window * moves[indices]
        return indices[places.argsort(stable=True)]
