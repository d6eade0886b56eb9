"""Synthetic pairs: clean photographs, degraded on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import Batch, SourceDataModule, orient, to_unit
from data_modules.sources import PhotographDataset, PhotographSource, Sample
from magenet.degradation import (
    TYPES,
    CofeDegradation,
    Degradation,
    Draws,
    FundusDegradation,
    code,
)  # fmt: skip

MASKS = ("mask_fov", "mask_vessel")


DEGRADATIONS = (*TYPES, "fundus")
"""What a test shows each photograph under: cofe-Net's seven types, and our own mixture."""


GENTLE = 0.3
"""Share of gently degraded photographs in training and validation (our choice)."""


class EveryDegradation(PhotographDataset):
    """Give every photograph once for each of :data:`DEGRADATIONS`.

    Args:
        photographs: What to repeat.
    """

    def __init__(self, photographs: PhotographDataset) -> None:
        self.photographs = photographs

    def __len__(self) -> int:
        """Return the number of photographs times that of degradations."""
        return len(self.photographs) * len(DEGRADATIONS)

    def name(self, index: int) -> str:
        """Return the photograph's name."""
        return self.photographs.name(index // len(DEGRADATIONS))

    def load(self, index: int) -> Sample:
        """Return the photograph with the name of its `degradation`."""
        sample = self.photographs.load(index // len(DEGRADATIONS))
        sample["degradation"] = DEGRADATIONS[index % len(DEGRADATIONS)]
        return sample


class PairedDataModule(SourceDataModule):
    """Give pairs of clean and degraded photographs.

    Training draws orientation and degradation anew for every sample; in validation a
    photograph's name fixes them, whatever the seed. The test is the same for all networks, whatever
    they were trained on: every photograph under each of :data:`DEGRADATIONS`.

    Args:
        photographs: Clean photographs.
        degradation: What spoils them in training and validation; the corrected mixture if null,
            with a share of gently degraded photographs.
        image_size: Side of the square that photographs are cut and resized to, in pixels.
        batch_size: Photographs a batch and device.
        workers: Processes that decode; 0 decodes in the main one.
        seed: Seed of orders, orientations and degradations.
        dump_first_batch: Whether to write the first training batch as a picture.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        degradation: Degradation | None = None,
        image_size: int = 256,
        batch_size: int = 8,
        workers: int = 1,
        seed: int = 0,
        dump_first_batch: bool = False,
    ) -> None:
        super().__init__(photographs, image_size, batch_size, workers, seed, dump_first_batch)
        self.degradation = degradation or FundusDegradation(gentle=GENTLE)
        self.test_types, self.test_mixture = CofeDegradation(), FundusDegradation()

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the test photographs, each under all degradations."""
        return self.fixed_loader(
            EveryDegradation(self.photographs.dataset("test", self.image_size))
        )

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats with `image_clean` and `image_degraded` for `image`.

        `parameters` says what was done to each, but in a test: see `magenet.degradation`.
        """
        draws = Draws(batch["key"], self.seed if training else 0)
        tensors = [to_unit(batch[name]) for name in ("image", *MASKS)]
        if training:
            tensors = orient(tensors, draws)
        prepared = {k: v for k, v in batch.items() if k != "image" and k not in MASKS}
        prepared.update(zip(MASKS, tensors[1:], strict=True))
        mask = prepared["mask_fov"]
        # Only the field is compared: black outside in both, as in the published protocols.
        prepared["image_clean"] = tensors[0] * mask
        clean = prepared["image_clean"]
        if "degradation" in batch:
            prepared["image_degraded"] = self._tested(clean, mask, draws, batch["degradation"])
        else:
            parameters = self.degradation.draw(draws)
            prepared["image_degraded"] = self.degradation.apply(clean, mask, parameters)
            prepared["parameters"] = parameters
        return prepared

    def _tested(self, clean: Tensor, mask: Tensor, draws: Draws, names: list[str]) -> Tensor:
        """Return each photograph under the degradation that the test names for it."""
        degraded = clean.clone()
        codes = torch.tensor([code(name) if name in TYPES else 0 for name in names])
        typed, mixed = (codes > 0).nonzero()[:, 0], (codes == 0).nonzero()[:, 0]
        if len(typed):
            degraded[typed] = self.test_types(
                clean[typed], mask[typed], draws.at(typed), codes[typed]
            )
        if len(mixed):
            degraded[mixed] = self.test_mixture(clean[mixed], mask[mixed], draws.at(mixed))
        return degraded
