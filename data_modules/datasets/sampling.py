"""Samplers: which photographs an epoch yields, in which order, on which rank."""

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
    """Length of an epoch, and its division among ranks and workers.

    Attributes:
        steps: Batches per epoch, the same on every rank.
        batch_size: Photographs per batch and rank.
        workers: Processes that make a rank's batches round-robin, at least 1.
        seed: Seed of the shuffling.
        ranks: Number of ranks.
        rank: Index of this rank.
    """

    steps: int
    batch_size: int
    workers: int
    seed: int
    ranks: int = 1
    rank: int = 0


class FixedLengthSampler(DistributedSampler[tuple[int, int]]):
    """Sampler of a fixed number of `(index, key)` per epoch, in a new order on each pass.

    A set shorter than the epoch is repeated, each time in another order; a longer one is spread
    over several epochs. The key counts samples over the whole training, across epochs and ranks, so
    that the random numbers of a sample depend on its position in the training alone.

    Args:
        dataset: Data set to sample from; only its length is used.
        count: Samples per epoch, over all ranks; a multiple of the number of ranks.
        seed: Seed of the shuffling.
        ranks: Number of ranks.
        rank: Index of this rank.
    """

    def __init__(
        self, dataset: Dataset[Any], count: int, seed: int, ranks: int = 1, rank: int = 0
    ) -> None:
        super().__init__(dataset, num_replicas=ranks, rank=rank, shuffle=True, seed=seed)
        self.length = len(dataset)  # type: ignore[arg-type]  # Dataset declares no __len__
        self.count = count

    def __len__(self) -> int:
        """Return the number of samples per epoch on this rank."""
        return self.count // self.num_replicas

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield `(index, key)`."""
        first = self.epoch * self.count
        current = -1
        for position in range(self.rank, len(self) * self.num_replicas, self.num_replicas):
            pass_index, offset = divmod(first + position, self.length)
            if pass_index != current:
                generator = torch.Generator().manual_seed(self.seed * 1_000_003 + pass_index)
                order = torch.randperm(self.length, generator=generator)
                current = pass_index
            yield int(order[offset]), first + position


class DealtSampler(DistributedSampler[int]):
    """Sampler that deals the samples to the ranks in turn, in their order, each exactly once.

    PyTorch's own repeats samples until all ranks have equally many, and a mean over all ranks then
    counts these twice.

    Args:
        dataset: Data set to sample from; only its length is used.
        ranks: Number of ranks.
        rank: Index of this rank.
    """

    def __init__(self, dataset: Dataset[Any], ranks: int, rank: int) -> None:
        super().__init__(dataset, num_replicas=ranks, rank=rank, shuffle=False)
        self.dealt = range(rank, len(dataset), ranks)  # type: ignore[arg-type]  # as above

    def __len__(self) -> int:
        """Return the number of samples on this rank."""
        return len(self.dealt)

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this rank."""
        return iter(self.dealt)


class ShardSampler(DistributedSampler[tuple[int, int]]):
    """Sampler of a fixed number of `(index, pass)` per epoch, so that a worker reads few shards.

    The shards are shuffled anew for each pass over the set and assigned to all workers of
    all ranks round-robin, which continues from pass to pass: in each pass every photograph is
    yielded exactly once, and no worker falls behind by more than a shard. A worker's photographs
    are then shuffled within a window of `mixed` shards. The order is a function of (seed, pass), so
    that training can resume at any position without reading shards.

    Args:
        dataset: Data set that the indices refer to.
        counts: Number of photographs in each shard; indices continue from shard to shard.
        mixed: Width of the window, in shards of the largest size.
        plan: Length and division of an epoch; every worker of every rank needs a shard.
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
        """Return the number of samples per epoch on this rank."""
        return self.plan.steps * self.plan.batch_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield `(index, pass)`: batch after batch, each from the next worker's shards."""
        workers, batch_size = self.plan.workers, self.plan.batch_size
        first = self.epoch * self.plan.steps
        # Batches are numbered across epochs, otherwise the first worker's shards would get ahead.
        # If workers do not divide steps, the next process takes over and reads a few shards again.
        done = [len(range(worker, first, workers)) * batch_size for worker in range(workers)]
        streams = [self._stream(worker, done[worker]) for worker in range(workers)]
        for batch in range(first, first + self.plan.steps):
            yield from itertools.islice(streams[batch % workers], batch_size)

    def _stream(self, worker: int, done: int) -> Iterator[tuple[int, int]]:
        """Yield a worker's samples, without end, after skipping the `done` first ones."""
        readers = self.plan.ranks * self.plan.workers
        reader = self.plan.rank * self.plan.workers + worker
        for pass_index in itertools.count():
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + pass_index)
            order = torch.randperm(len(self.counts), generator=generator)
            shards = order[(reader - pass_index * len(order)) % readers :: readers]
            count = int(self.counts[shards].sum())
            if done < count:
                for index in self._mixed(shards, generator)[done:].tolist():
                    yield index, pass_index
            done = max(0, done - count)

    def _mixed(self, shards: Tensor, generator: torch.Generator) -> Tensor:
        """Return the indices of shards, shuffled by delaying each by up to the window.

        A photograph thus comes after all that are stored a window or more before it: a shard is
        needed for a while and then never again.
        """
        spans = zip(self.starts[shards].tolist(), self.counts[shards].tolist(), strict=True)
        indices = torch.cat([torch.arange(start, start + count) for start, count in spans])
        delays = torch.rand(int(self.counts.sum()), generator=generator, dtype=torch.float64)
        positions = torch.arange(len(indices)) + self.window * delays[indices]
        return indices[positions.argsort(stable=True)]
