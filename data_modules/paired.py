"""Synthetic pairs: clean photographs, degraded on the device."""

from __future__ import annotations

from typing import Any

import torch
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import Batch, SourceDataModule, orient, to_unit
from data_modules.sources import PhotographDataset, PhotographSource, Sample
from magenet.degradation import TYPES, Degradation, Draws

MASKS = ("mask_fov", "mask_vessel")


class EveryType(PhotographDataset):
    """Give every photograph once for each of the seven types of degradation.

    Args:
        photographs: What to repeat.
    """

    def __init__(self, photographs: PhotographDataset) -> None:
        self.photographs = photographs

    def __len__(self) -> int:
        """Return seven times the number of photographs."""
        return len(self.photographs) * len(TYPES)

    def name(self, index: int) -> str:
        """Return the photograph's name."""
        return self.photographs.name(index // len(TYPES))

    def load(self, index: int) -> Sample:
        """Return the photograph with the code of its type, 1 to 7."""
        sample = self.photographs.load(index // len(TYPES))
        sample["type"] = torch.tensor(index % len(TYPES) + 1)
        return sample


class PairedDataModule(SourceDataModule):
    """Give pairs of clean and degraded photographs.

    Training draws orientation and degradation anew for every sample; in validation a
    photograph's name fixes them; the test shows every photograph under each of the seven types.

    Args:
        photographs: Clean photographs.
        degradation: What spoils them.
        image_size: Side of the square that photographs are cut and resized to, in pixels.
        batch_size: Photographs a batch and device.
        workers: Processes that decode; 0 decodes in the main one.
        seed: Seed of orders, orientations and degradations.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        degradation: Degradation | None = None,
        image_size: int = 256,
        batch_size: int = 8,
        workers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(photographs, image_size, batch_size, workers, seed)
        self.degradation = Degradation() if degradation is None else degradation

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the test photographs, each under all seven types."""
        return self.fixed_loader(EveryType(self.photographs.dataset("test", self.image_size)))

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats with `image_clean` and `image_degraded` for `image`."""
        draws = Draws(batch["key"], self.seed)
        tensors = [to_unit(batch[name]) for name in ("image", *MASKS)]
        if training:
            tensors = orient(tensors, draws)
        prepared = {k: v for k, v in batch.items() if k != "image" and k not in MASKS}
        prepared.update(zip(MASKS, tensors[1:], strict=True))
        mask = prepared["mask_fov"]
        # Only the field is compared: black outside in both, as in the published protocols.
        prepared["image_clean"] = tensors[0] * mask
        prepared["image_degraded"] = self.degradation(
            prepared["image_clean"], mask, draws, batch.get("type")
        )
        return prepared
