"""Synthetic pairs: clean photographs, and the same photographs degraded on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import SourceDataModule, to_unit
from data_modules.batch import AnyBatch, Batch
from data_modules.datasets.photographs import PhotographDataset, PhotographSource, Sample
from data_modules.orientation import Orientation
from magenet.degradation import (
    TYPES,
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    type_code,
)  # fmt: skip

NONE = "none"
"""Condition without degradation: an enhancer should not change these photographs either."""

CONDITIONS = (*TYPES, "fundus", NONE)
"""Conditions of a test: cofe-Net's seven types, the fundus recipe, no degradation."""

GENTLE = 0.3
"""Fraction of gently degraded photographs in training and validation (our choice)."""


class EveryCondition(PhotographDataset):
    """Data set that repeats every photograph under each condition.

    Args:
        photographs: Photographs to repeat.
        conditions: Some of :data:`CONDITIONS`.
    """

    def __init__(self, photographs: PhotographDataset, conditions: Sequence[str]) -> None:
        self.photographs = photographs
        self.conditions = conditions

    def __len__(self) -> int:
        """Return the number of photographs times the number of conditions."""
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


class ConditionDegradation:
    """Degradation of a test: of each photograph by its own condition, one of :data:`CONDITIONS`."""

    def __init__(self) -> None:
        self.types, self.fundus = CofeDegradation(), FundusDegradation()

    def __call__(
        self, clean: Tensor, mask: Tensor, rng: CounterRNG, conditions: Sequence[str]
    ) -> Tensor:
        """Return degraded photographs, `(B, 3, H, W)` in [0, 1].

        Args:
            clean: Clean photographs, `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
            rng: Generator of the photographs.
            conditions: Condition of each.
        """
        degraded = clean.clone()
        codes = torch.tensor([type_code(name) if name in TYPES else 0 for name in conditions])
        typed = codes.nonzero()[:, 0]
        fundus = torch.tensor([name == "fundus" for name in conditions]).nonzero()[:, 0]
        if len(typed):
            degraded[typed] = self.types(clean[typed], mask[typed], rng.select(typed), codes[typed])
        if len(fundus):
            degraded[fundus] = self.fundus(clean[fundus], mask[fundus], rng.select(fundus))
        return degraded


class PairedDataModule(SourceDataModule):
    """Pairs of clean and degraded photographs.

    In training, orientation and degradation are drawn anew for every sample; in validation they are
    determined by the photograph's name, whatever the seed. The test is the same for all networks,
    whatever they were trained on: every photograph under each condition.

    Args:
        photographs: Clean photographs.
        degradation: Recipe for training and validation; if null, the fundus recipe with `gentle`
            set to 0.3.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        validation_degradation: Recipe for validation alone, so that trainings with different
            recipes are compared under one; that of training if null.
        conditions: Conditions of a test: cofe-Net's seven types, `fundus` (the fundus recipe),
            `none`; all if null.
        scored_size: Side of the photographs in a test, in pixels; the network still processes them
            at `image_size`, and its change is transferred, as in prediction. `image_size` if null.
        kwargs: Arguments of :class:`FundusDataModule`, by name.

    Raises:
        ValueError: If a condition is unknown.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        degradation: Degradation | None = None,
        *args: Any,
        validation_degradation: Degradation | None = None,
        conditions: list[str] | None = None,
        scored_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(photographs, *args, **kwargs)
        self.degradation = degradation or FundusDegradation(gentle=GENTLE)
        self.validation_degradation = validation_degradation or self.degradation
        unknown = [name for name in conditions or () if name not in CONDITIONS]
        if unknown:
            raise ValueError(f"conditions: {unknown[0]!r} is none of {', '.join(CONDITIONS)}")
        self.conditions = conditions or CONDITIONS
        self.scored_size = scored_size or self.image_size
        self.by_condition = ConditionDegradation()

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the test photographs, each under all conditions."""
        photographs = self.photographs.dataset("test", self.scored_size)
        return self.fixed_loader(EveryCondition(photographs, self.conditions))

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats, with `image_clean` and `image_degraded` instead of `image`.

        `parameters` holds the degradation of each, except in a test; see `magenet.degradation`.
        """
        rng = CounterRNG(batch["key"], self.seed if training else 0)
        given: AnyBatch = dict(batch)
        image = to_unit(given.pop("image"))
        masks = {name: to_unit(v) for name, v in given.items() if name.startswith("mask_")}
        if training:
            orientation = Orientation.draw(rng)
            image = orientation.apply(image)
            masks = {name: orientation.apply(mask) for name, mask in masks.items()}
        mask = masks["mask_fov"]
        clean = image * mask  # only the field is compared, as in the published protocols
        prepared = cast(Batch, given | masks | {"image_clean": clean})
        if "condition" in batch:
            prepared["image_degraded"] = self.by_condition(clean, mask, rng, batch["condition"])
        else:
            recipe = self.degradation if training else self.validation_degradation
            parameters = recipe.draw(rng)
            prepared["image_degraded"] = recipe.apply(clean, mask, parameters)
            prepared["parameters"] = parameters
        return prepared
