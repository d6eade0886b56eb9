"""Shards: one run over many photographs by several processes that do not know of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from magenet.errors import UsageError

SHARDS = ".enhance.shards"
"""Folder within that of the results where each shard has a listing."""

Item = TypeVar("Item")


class Shard(NamedTuple):
    """Part of a run: every `total`-th photograph, from the `number`-th on.

    Neighbours in a list are of one patient and alike in size, so that shards take about as long.

    Attributes:
        number: 1 to `total`.
        total: Number of shards.

    Example:
        >>> Shard(2, 3).of(["a", "b", "c", "d", "e"]), str(Shard(2, 3))
        (['b', 'e'], '2of3')
    """

    number: int
    total: int

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return the shard that a person gave as `number/total`.

        Raises:
            UsageError: If it is none.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        shard = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.total:
            raise UsageError(f"--shard must be like 2/4, the second of four parts, got {text!r}")
        return shard

    def __str__(self) -> str:
        return f"{self.number}of{self.total}"

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of this shard, in their order."""
        return list(items[self.number - 1 :: self.total])

    def folder(self, results: Path) -> Path:
        """Return the folder of this shard's listing, given that of the results."""
        return results if self.total == 1 else results / SHARDS / str(self)

    def all(self) -> list[Shard]:
        """Return all shards of the run."""
        return [Shard(number, self.total) for number in range(1, self.total + 1)]


WHOLE = Shard(1, 1)
"""All photographs."""
