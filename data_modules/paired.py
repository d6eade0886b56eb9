"""Synthetic pairs: clean photographs, degraded on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import Batch, SourceDataModule, orient, to_unit
from data_modules.datasets.photographs import PhotographDataset, PhotographSource, Sample
from magenet.degradation import (
    TYPES,
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    code,
)  # fmt: skip

NONE = "none"
"""The condition of a photograph that is left as it is: an enhancer should leave it, too."""

CONDITIONS = (*TYPES, "fundus", NONE)
"""What a test shows each photograph under: cofe-Net's seven types, our own mixture, nothing."""

GENTLE = 0.3
"""Share of gently degraded photographs in training and validation (our choice)."""


class EveryCondition(PhotographDataset):
    """Give every photograph once under each condition.

    Args:
        photographs: What to repeat.
        conditions: Of :data:`CONDITIONS`.
    """

    def __init__(self, photographs: PhotographDataset, conditions: Sequence[str]) -> None:
        self.photographs = photographs
        self.conditions = conditions

    def __len__(self) -> int:
        """Return the number of photographs times that of conditions."""
        return len(self.photographs) * len(self.conditions)

    def name(self, index: int) -> str:
        """Return the photograph's name."""
        return self.photographs.name(index // len(self.conditions))

    def patient(self, index: int) -> str:
        """Return the photograph's patient."""
        return self.photographs.patient(index // len(self.conditions))

    def load(self, index: int) -> Sample:
        """Return the photograph with its `condition`."""
        sample = self.photographs.load(index // len(self.conditions))
        sample["condition"] = self.conditions[index % len(self.conditions)]
        return sample


class PairedDataModule(SourceDataModule):
    """Give pairs of clean and degraded photographs.

    Training draws orientation and degradation anew for every sample; in validation a
    photograph's name fixes them, whatever the seed. The test is the same for all networks, whatever
    they were trained on: every photograph under each condition.

    Args:
        photographs: Clean photographs.
        degradation: What spoils them in training and validation; the corrected mixture if null,
            with a share of gently degraded photographs.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        conditions: What a test shows each photograph under: cofe-Net's seven types, `fundus` (our
            mixture), `none`; all if null.
        scored_size: Side of the photographs in a test; a network still sees them at `image_size`
            and its change is carried over, as in a prediction. The same if null.
        kwargs: Arguments of :class:`FundusDataModule`, by name.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        degradation: Degradation | None = None,
        *args: Any,
        conditions: list[str] | None = None,
        scored_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(photographs, *args, **kwargs)
        self.degradation = degradation or FundusDegradation(gentle=GENTLE)
        unknown = [name for name in conditions or () if name not in CONDITIONS]
        if unknown:
            raise ValueError(f"conditions: {unknown[0]!r} is none of {', '.join(CONDITIONS)}")
        self.conditions = conditions or CONDITIONS
        self.scored_size = scored_size or self.image_size
        self.test_types, self.test_mixture = CofeDegradation(), FundusDegradation()

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the test photographs, each under all conditions."""
        photographs = self.photographs.dataset("test", self.scored_size)
        return self.fixed_loader(EveryCondition(photographs, self.conditions))

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats with `image_clean` and `image_degraded` for `image`.

        `parameters` says what was done to each, but in a test: see `magenet.degradation`.
        """
        rng = CounterRNG(batch["key"], self.seed if training else 0)
        masks = [name for name in batch if name.startswith("mask_")]
        tensors = [to_unit(batch[name]) for name in ("image", *masks)]
        if training:
            tensors = orient(tensors, rng)
        prepared = {k: v for k, v in batch.items() if k != "image" and k not in masks}
        prepared.update(zip(masks, tensors[1:], strict=True))
        mask = prepared["mask_fov"]
        # Only the field is compared: black outside in both, as in the published protocols.
        prepared["image_clean"] = tensors[0] * mask
        clean = prepared["image_clean"]
        if "condition" in batch:
            prepared["image_degraded"] = self._tested(clean, mask, rng, batch["condition"])
        else:
            parameters = self.degradation.draw(rng)
            prepared["image_degraded"] = self.degradation.apply(clean, mask, parameters)
            prepared["parameters"] = parameters
        return prepared

    def _tested(self, clean: Tensor, mask: Tensor, rng: CounterRNG, names: list[str]) -> Tensor:
        """Return each photograph under the degradation that the test names for it."""
        degraded = clean.clone()
        codes = torch.tensor([code(name) if name in TYPES else 0 for name in names])
        typed = codes.nonzero()[:, 0]
        mixed = torch.tensor([name == "fundus" for name in names]).nonzero()[:, 0]
        if len(typed):
            degraded[typed] = self.test_types(
                clean[typed], mask[typed], rng.select(typed), codes[typed]
            )
        if len(mixed):
            degraded[mixed] = self.test_mixture(clean[mixed], mask[mixed], rng.select(mixed))
        return degraded
