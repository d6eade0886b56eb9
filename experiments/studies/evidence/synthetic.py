"""Synthetic degradation at the photograph's own scale: what returns to the clean photograph."""

from __future__ import annotations

import torch
from torch import Tensor

from data_modules.batch import Batch
from experiments.studies.evidence.methods import Method
from magenet.degradation import CofeDegradation, CounterRNG, Degradation, FundusDegradation
from magenet.metrics import masked_psnr
from magenet.metrics.masks import dilate

DEGRADATIONS: dict[str, Degradation] = {
    "illumination": CofeDegradation(["illumination"]),
    "blur": CofeDegradation(["blur"]),
    "spots": CofeDegradation(["spots"]),
    "fundus": FundusDegradation(),
}
"""cofe-Net's types alone, and the fundus recipe."""


def degraded_scores(enhance: Method, segment: Method, batch: Batch, key: int) -> dict[str, float]:
    """Return PSNR inside the field, in dB, and the Dice of vessels with an expert's.

    Args:
        enhance: The method.
        segment: Function of photographs and masks that returns logits of vessels.
        batch: A good photograph: `image, mask_fov, mask_vessel`, the last 0 where no expert drew
            any.
        key: Of the degradations.
    """
    clean, mask = batch["image"], batch["mask_fov"]
    vessels = batch["mask_vessel"] >= 0.5
    labelled = bool(vessels.any())
    scores = {}
    for name, degradation in DEGRADATIONS.items():
        seen = degradation(clean.clone(), mask, CounterRNG(torch.tensor([key])))
        result = enhance((255 * seen).round() / 255 * mask, mask)
        scores[f"{name}, PSNR"] = float(masked_psnr(result, clean, mask))
        if labelled:
            scores[f"{name}, vessel Dice"] = dice(segment(result, mask) > 0, vessels, mask)
    if labelled:
        scores["clean, vessel Dice"] = dice(segment(clean, mask) > 0, vessels, mask)
    return scores


def dice(found: Tensor, vessels: Tensor, mask: Tensor) -> float:
    """Return the Dice score of vessels inside the field, off its rim."""
    inside = ~dilate(mask == 0, 8)
    found, vessels = found & inside, vessels & inside
    return float(2 * (found & vessels).sum() / (found.sum() + vessels.sum()))
