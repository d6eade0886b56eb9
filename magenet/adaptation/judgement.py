"""Judgement: adapted against released weights, on photographs that neither was trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule
from magenet.adaptation.training import released_degradation
from magenet.atomic_write import atomic_write
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
from magenet.evaluation.statistics import Comparison, paired_comparison
from magenet.imaging.crop import at_side
from magenet.imaging.transfer import enhance_at
from magenet.metrics import colour_difference, masked_psnr, vessel_length_change
from magenet.models import MAGENet, VesselSegmenter

SIGNIFICANCE = 0.05
"""Greatest p-value of a gain in PSNR."""

LEAST_GAIN = 0.1
"""Least gain in PSNR, in dB, that is worth other weights (our choice)."""

DRAWS = 6
"""Degradations of each held-out photograph in the comparison (our choice)."""

MOST_VESSELS_CHANGED = 0.03
"""Share of the vessel length that adapted weights may lose, or find where there are none, more than
the released ones, or find less than they (our choice)."""

MOST_COLOUR_LOST = 0.3
"""CIEDE2000 by which colours may be further from the clean photograph's (our choice)."""


class HeldOutComparison(NamedTuple):
    """Comparison of adapted with released weights on photographs that neither was trained on.

    Attributes:
        better: Whether to use them.
        psnr: Gain in dB on good held-out photographs, degraded and enhanced, with its interval.
        colour: Change of their distance to the clean photographs' colours, CIEDE2000.
        vessel_new: Change of the length of vessels found in them that the clean photographs do not
            show, as a share of that of the clean ones.
        vessel_lost: Change of the share of vessel length lost on all held-out photographs.
        vessel_found: Change of the length of vessels found in them, as a share of what the released
            network lets find: it falls if the adapted one takes a camera's haze for normal.
    """

    psnr: Comparison
    colour: Comparison
    vessel_new: Comparison
    vessel_lost: Comparison
    vessel_found: Comparison

    @property
    def faults(self) -> list[str]:
        """Return what speaks against the adapted weights, in words; nothing if they are better."""
        kept = MOST_VESSELS_CHANGED
        criteria = {
            f"no sure gain in PSNR (p = {self.psnr.p:.2g}, asked: p < {SIGNIFICANCE} and at least "
            f"{LEAST_GAIN} dB)": self.psnr.low > 0.0
            and self.psnr.p < SIGNIFICANCE
            and self.psnr.difference >= LEAST_GAIN,
            f"colours may be further away (limit {MOST_COLOUR_LOST})": self.colour.high
            < MOST_COLOUR_LOST,
            f"vessels may appear where there are none (limit {kept:.0%})": self.vessel_new.high
            < kept,
            f"vessels may be lost (limit {kept:.0%})": self.vessel_lost.high < kept,
            f"fewer vessels may be found (limit {kept:.0%}): this camera's haze may have been "
            "taken for normal": self.vessel_found.low > -kept,
        }
        return [fault for fault, met in criteria.items() if not met]

    @property
    def better(self) -> bool:
        """Return whether to use them."""
        return not self.faults


def compare_held_out(
    before: MAGENet, after: MAGENet, manifest: Path, device: torch.device, max_memory: int
) -> HeldOutComparison:
    """Compare two networks, used as `magenet enhance` uses them, on held-out photographs.

    Args:
        before: The released network.
        after: The adapted one.
        manifest: Of the judging, see
            :func:`magenet.adaptation.manifests.write_manifests`.
        device: Where to compute.
        max_memory: Bytes that the process may use.

    Raises:
        UserError: If vessels are found in the photographs of fewer than two patients.
    """
    vessels = VesselSegmenter.from_pretrained("vessels")
    enhancers = [
        PhotographEnhancer(network, Settings.of(network), vessels, device, max_memory)
        for network in (before, after)
    ]
    with torch.inference_mode():
        on_pairs = _compare_on_pairs(enhancers, manifest)
        return HeldOutComparison(*on_pairs, *_compare_vessels(enhancers, manifest))


def write_comparison(
    comparison: HeldOutComparison, training: Mapping[str, str | int], path: Path
) -> None:
    """Write the comparison, with what the training was, as JSON.

    Args:
        comparison: Of the two networks.
        training: Numbers and names that describe it.
        path: File to write, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    record = {
        "better": comparison.better, "faults": comparison.faults, **training,
        "psnr_gain": comparison.psnr._asdict(),
        "colour_distance_change": comparison.colour._asdict(),
        "vessel_new_change": comparison.vessel_new._asdict(),
        "vessel_lost_change": comparison.vessel_lost._asdict(),
        "vessel_found_change": comparison.vessel_found._asdict(),
    }  # fmt: skip
    with atomic_write(path) as part:
        part.write_text(json.dumps(record, indent=1) + "\n")


def summary(comparison: HeldOutComparison) -> str:
    """Return the comparison in two lines, with 95 % intervals."""
    psnr, colour, new, lost, found = comparison
    return (
        f"on degraded copies of held-out good photographs: PSNR {psnr.difference:+.2f} dB "
        f"[{psnr.low:+.2f}, {psnr.high:+.2f}], "
        f"colour distance {colour.difference:+.2f} [{colour.low:+.2f}, {colour.high:+.2f}], "
        f"vessel length where there is none {new.difference:+.1%} [{new.low:+.1%}, {new.high:+.1%}]"
        "\non all held-out photographs: "
        f"vessel length lost {lost.difference:+.1%} [{lost.low:+.1%}, {lost.high:+.1%}], "
        f"found {found.difference:+.1%} [{found.low:+.1%}, {found.high:+.1%}]"
    )


def _compare_on_pairs(
    enhancers: list[PhotographEnhancer], manifest: Path
) -> tuple[Comparison, Comparison, Comparison]:
    """Compare PSNR, colours and new vessels of good photographs, degraded and enhanced.

    Colours and vessels are measured at the smallest side that the networks see.
    """
    measures: list[list[list[float]]] = [[[], [], []] for _ in enhancers]
    patients: list[str] = []
    released = enhancers[0]
    good = ManifestPhotographs(
        str(manifest), qualities=["good"], own_scale=released.network.own_scale
    )
    side, size = released.settings.sides()
    module = PairedDataModule(good, released_degradation(), size, batch_size=1, workers=0)
    for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
        for draw in range(DRAWS):
            pair = module.prepare(batch | {"key": batch["key"] + draw}, training=False)
            clean, mask = pair["image_clean"], pair["mask_fov"]
            patients += batch["patient"]
            inside = (at_side(mask, side) >= 0.5).float()
            shown = at_side(clean, side) * inside
            vessels = released.find_vessels(shown)
            for scores, enhancer in zip(measures, enhancers, strict=True):
                enhanced = _enhance(enhancer, pair["image_degraded"], mask)
                reduced = at_side(enhanced, side) * inside
                change = vessel_length_change(vessels, enhancer.find_vessels(reduced), inside)
                scores[0].append(float(masked_psnr(enhanced, clean, mask)))
                scores[1].append(float(colour_difference(reduced, shown, inside)))
                scores[2].append(float(change.invented))
    before, after = measures
    psnr, colour, new = (
        _compare(one, other, patients) for one, other in zip(after, before, strict=True)
    )
    return psnr, colour, new


def _compare_vessels(
    enhancers: list[PhotographEnhancer], manifest: Path
) -> tuple[Comparison, Comparison]:
    """Compare the vessel length that is lost and that is found, on all held-out photographs.

    Vessels are sought at the smallest side that the networks see: that of the segmenter.
    """
    lost: list[list[float]] = [[] for _ in enhancers]
    found: list[list[float]] = [[] for _ in enhancers]
    patients: list[str] = []
    released = enhancers[0]
    every = ManifestPhotographs(
        str(manifest), qualities=["usable"], own_scale=released.network.own_scale
    )
    side, size = released.settings.sides()
    module = PairedDataModule(every, image_size=size, batch_size=1, workers=0)
    for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
        mask = batch["mask_fov"].float()
        image = batch["image"].float() / 255 * mask
        inside = (at_side(mask, side) >= 0.5).float()
        patients += batch["patient"]
        # All enhancers have the same segmenter.
        vessels_before = released.find_vessels(at_side(image, side) * inside)
        for index, enhancer in enumerate(enhancers):
            enhanced = at_side(_enhance(enhancer, image, mask), side) * inside
            change = vessel_length_change(vessels_before, enhancer.find_vessels(enhanced), inside)
            lost[index].append(float(change.lost))
            found[index].append(float(1 - change.lost + change.invented))
    # Of each photograph's own: where few vessels show at first, their number rises many times.
    share = [after / before if before else math.nan for before, after in zip(*found, strict=True)]
    return _compare(lost[1], lost[0], patients), _compare(share, [1.0] * len(share), patients)


def _compare(one: list[float], other: list[float], patients: list[str]) -> Comparison:
    """Compare scores, which are NaN on photographs in which no vessels are found."""
    try:
        return paired_comparison(one, other, patients)
    except ValueError:
        raise UserError(
            "vessels are found in the held-out photographs of fewer than two patients: what the "
            "adapted weights do to vessels cannot be said, and none are written. Give more or "
            "sharper photographs"
        ) from None


def _enhance(enhancer: PhotographEnhancer, image: Tensor, mask: Tensor) -> Tensor:
    """Return `image` `(1, 3, S, S)` enhanced, black outside the field of view `(1, 1, S, S)`."""

    def through(seen: Tensor, inside: Tensor) -> Tensor:
        return seen + enhancer.estimate(seen[0], inside[0]).change

    size = enhancer.settings.side(image.shape[-1])
    return enhance_at(size, through, image, mask).clamp(0.0, 1.0) * mask
