"""Photographs streamed from shards in a folder or over the network, for sets larger than a disk."""

from __future__ import annotations

import bisect
import itertools
import sys

from data_modules.datasets.cache import from_planes
from data_modules.datasets.photographs import PhotographDataset, PhotographSource, Sample, Split
from data_modules.datasets.sampling import Plan, ShardSampler
from data_modules.datasets.shards import ShardFile, Stored, read_index, read_shard
from magenet.errors import UserError


class ShardDataset(PhotographDataset):
    """Photographs of shards, read a whole shard at a time.

    Access is random, but only fast in an order that stays within a few shards: that of
    :class:`ShardSampler`, or the stored one. A photograph is released once it has been returned.

    Args:
        location: Location of the set, for messages.
        shards: The shards.
        mixed: Number of shards whose photographs are shuffled together in training.
    """

    def __init__(self, location: str, shards: list[ShardFile], mixed: int) -> None:
        self.location = location
        self.shards = shards
        self.mixed = mixed
        self.starts = [0, *itertools.accumulate(shard.count for shard in shards)]
        self.held: dict[int, dict[int, Stored]] = {}
        self.latest: tuple[int, Stored] | None = None

    def __len__(self) -> int:
        """Return the number of photographs."""
        return self.starts[-1]

    def name(self, index: int) -> str:
        """Return the photograph's name in its original manifest or folder."""
        return self._entry(index).name

    def patient(self, index: int) -> str:
        """Return the photograph's patient; its name if the shards do not hold it."""
        return self._entry(index).patient

    def load(self, index: int) -> Sample:
        """Return a photograph and its masks.

        Raises:
            PictureError: If its shard cannot be read.
        """
        return from_planes(self._entry(index).planes)

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        """Return a photograph; in training its key is a function of its name and the pass."""
        index, pass_index = item if isinstance(item, tuple) else (item, 0)
        sample = super().__getitem__(index)
        sample["key"] = sample["key"] + (pass_index << 32)  # a name's key has 32 bits
        return sample

    def sampler(self, plan: Plan) -> ShardSampler:
        """Return the sampler of a training epoch.

        Raises:
            UserError: If there are fewer shards than workers over all ranks.
        """
        readers = plan.ranks * plan.workers
        if len(self.shards) < readers:
            raise UserError(
                f"{self.location}: {len(self.shards)} shard(s) for training, but {readers} "
                f"worker(s) ({plan.ranks} rank(s) of {plan.workers}) need one each: use fewer "
                "workers (--data.workers), or write smaller shards (magenet shards --shard-size)"
            )
        return ShardSampler(self, [shard.count for shard in self.shards], self.mixed, plan)

    def _shard(self, index: int) -> int:
        """Return the index of the shard that holds a photograph."""
        return bisect.bisect_right(self.starts, index) - 1

    def _entry(self, index: int) -> Stored:
        """Return a photograph as it is stored, from memory or by reading its shard."""
        if self.latest is not None and self.latest[0] == index:
            return self.latest[1]
        number = self._shard(index)
        if index not in self.held.get(number, {}):
            self.held.pop(number, None)
            # A window of that many shards extends into one more at either end. After a resume some
            # photographs of the first shards are never requested: the oldest shard is released.
            while len(self.held) >= self.mixed + 2:
                del self.held[next(iter(self.held))]
            samples = read_shard(self.shards[number])
            self.held[number] = dict(enumerate(samples, start=self.starts[number]))
        entry = self.held[number].pop(index)
        if not self.held[number]:
            del self.held[number]
        self.latest = (index, entry)
        return entry


class StreamedPhotographs(PhotographSource):
    """Photographs streamed from shards written by `magenet shards`.

    Args:
        location: A folder of the set, or its address: `file:`, `http://`, `https://` or `s3://`. A
            `{}` in it stands for the name of a file of the set, which else comes at its end.
        mixed: Number of shards whose photographs are shuffled together in training (our choice); a
            worker holds about as many in memory.

    Raises:
        ValueError: If `mixed` is below 1.
    """

    def __init__(self, location: str, mixed: int = 2) -> None:
        if mixed < 1:
            raise ValueError(f"mixed must be at least 1, got {mixed}")
        self.location = location
        self.mixed = mixed

    def dataset(self, split: Split, image_size: int) -> ShardDataset:
        """Return the photographs of one split; see :meth:`PhotographSource.dataset`.

        Raises:
            UserError: If the set is missing or incomplete, or of another version or size.
        """
        index = read_index(self.location, split, image_size)
        if split == "test" and not index.patients:
            print(
                f"magenet: {self.location}: an earlier version wrote these shards, without "
                "patients: each photograph counts as a patient of its own, and intervals are too "
                "narrow where a patient has several; write the set again with 'magenet shards'",
                file=sys.stderr,
            )
        return ShardDataset(self.location, index.shards, self.mixed)
