"""What tests of data sets and data modules share."""

import torch

from data_modules.datasets.photographs import Sample


def same(one: Sample, other: Sample) -> bool:
    """Return whether two samples are equal bit for bit."""
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) if isinstance(one[k], torch.Tensor) else one[k] == other[k]
        for k in one
    )


class Run:
    """What a data module asks its trainer."""

    training, is_global_zero = True, True

    def __init__(
        self, ranks: int = 1, rank: int = 0, epoch: int = 0, log_dir: str | None = None
    ) -> None:
        self.world_size, self.global_rank, self.current_epoch = ranks, rank, epoch
        self.log_dir = log_dir
