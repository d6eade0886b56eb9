"""Predictions of a network about its own errors, beside these errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule
from experiments.configurations import comparison_recipe, photographs_folder
from experiments.studies.patients import patients_of
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.uncertainty import HARM, local_mean

SETS = ["hrf", "chase_db1", "idrid"]
"""Sets whose good photographs are clear: those of HYGD have shadows and haze, whose removal would
count as harm."""

SIZE = 1024
"""Greatest side of the photographs, in pixels."""

DRAWS = 2
"""Degradations of each photograph; undegraded it is measured, too."""

PLACES = 400
"""Places inside the field of each photograph that are measured."""


class Measured(NamedTuple):
    """Predictions and errors of n photographs, errors in [0, 1].

    Attributes:
        patient: Number of the patient, int64 `(n,)`.
        degraded: Whether the photograph was degraded, bool `(n,)`.
        score: Uncertainty score at :data:`PLACES`, `(n, PLACES)`.
        change: Mean absolute change around these places, an alternative score.
        error: Mean absolute error around these places.
        harm: Mean probability of harm, `(n,)`.
        harmed: Share of the field that is made worse, `(n,)`.
    """

    patient: Tensor
    degraded: Tensor
    score: Tensor
    change: Tensor
    error: Tensor
    harm: Tensor
    harmed: Tensor


def draws() -> Iterator[tuple[int, bool, dict[str, Tensor]]]:
    """Yield the good val photographs of clear sets, degraded :data:`DRAWS` times, and as they are.

    Yields:
        Number of its patient, whether it is degraded, and its pair.
    """
    good = ManifestPhotographs(
        str(photographs_folder() / "index.csv"), SETS, qualities=["good"], own_scale=True,
        cache="runs/cache",
    )  # fmt: skip
    module = PairedDataModule(good, comparison_recipe(), SIZE, batch_size=1, workers=0)
    patients, numbers = patients_of(photographs_folder()), dict[str, int]()
    for batch in tqdm(module.val_dataloader(), "photographs"):
        number = numbers.setdefault(patients[batch["name"][0]], len(numbers))
        for draw in range(DRAWS):
            prepared: Any = module.prepare(batch | {"key": batch["key"] + draw}, training=False)
            names = ("image_degraded", "image_clean", "mask_fov")
            pair = {name: prepared[name][0] for name in names}
            yield number, True, pair
        yield number, False, pair | {"image_degraded": pair["image_clean"]}


def measure(enhancer: PhotographEnhancer) -> Measured:
    """Return the predictions and errors of an enhancer whose network tells its errors."""
    rows = []
    generator = torch.Generator().manual_seed(0)
    for number, degraded, pair in draws():
        seen, clean, mask = pair["image_degraded"], pair["image_clean"], pair["mask_fov"]
        estimate = enhancer.estimate(seen, mask)
        assert estimate.uncertainty_score is not None  # the network tells it
        assert estimate.harm is not None
        enhanced = (seen + estimate.change).clamp(0.0, 1.0)
        before, after, change = (
            local_mean(difference.abs().mean(dim=0)[None, None], mask[None])[0]
            for difference in (seen - clean, enhanced - clean, estimate.change)
        )
        inside = mask.flatten().nonzero()[:, 0]
        places = inside[torch.randint(len(inside), (PLACES,), generator=generator)]
        harmed = (after - before > HARM).flatten()[inside].float().mean()
        at_places = (
            plane.flatten()[places] for plane in (estimate.uncertainty_score, change, after)
        )
        harm = estimate.harm.flatten()[inside].mean()
        rows.append((torch.tensor(number), torch.tensor(degraded), *at_places, harm, harmed))
    return Measured(*(torch.stack(column) for column in zip(*rows, strict=True)))
