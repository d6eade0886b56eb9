"""One photograph enhanced, at its own size, with what is known about the result."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.memory import require_network_memory
from magenet.enhancement.shrinkage import rms_inside, split_bands
from magenet.enhancement.uncertainty import uncertainty_score
from magenet.errors import UserError
from magenet.imaging.crop import crop, peak, resize
from magenet.imaging.field_of_view import FieldOfView, estimate_field
from magenet.imaging.transfer import enlarged, transfer
from magenet.metrics import FIDELITY_LIMITS, VERDICTS, fidelity
from magenet.models import MAGENet, VesselSegmenter

CHECK_SIZE = 256
"""Side at which it is decided whether this is a fundus photograph, in pixels."""

MOST_NEW_VESSELS = 2.0
"""Length of new vessels, over that of those seen before, from where on a person should look: most
of what can be seen then was not there to be compared with (our choice)."""

LEAST_CONFIDENCE = 0.5
"""Confidence of the field of view below which a person should check the result."""

ERROR_LIMITS = (12.0, 16.0)
"""Expected mean error, in grey levels of 255, from which on a person should check, and from which
on the result should not be used (our choice; the flag's precision: `uncertainty.md`)."""

VIEWS = ((), (-1,), (-2,), (-2, -1))
"""Axes along which the photograph is flipped for each view of it."""


class NotAFundusError(UserError):
    """Say why a photograph is taken for one of something else."""


@dataclass(frozen=True)
class Settings:
    """Say how a network is used, as `config.json` beside its weights does under `use`.

    Attributes:
        size: Side of the square around the field at which the network works, in pixels: every
            eye is shown to it at the scale that it was trained at.
        light: From the size of the change of light and colour to the share of it to apply; see
            :mod:`magenet.enhancement.shrinkage`.
        uncertainty: From doubt to an expected error.
        fundus_check: How fundus photographs look.
    """

    size: int
    light: CalibrationCurve
    uncertainty: CalibrationCurve
    fundus_check: FundusCheck

    @classmethod
    def of(cls, network: MAGENet) -> Self:
        """Return a network's settings.

        Raises:
            UserError: If its `config.json` does not say them.
        """
        use = network.use
        try:
            return cls(
                int(use["size"]),
                CalibrationCurve(**use["light"]),
                CalibrationCurve(**use["uncertainty"]),
                FundusCheck(**use["looks"]),
            )
        except (KeyError, TypeError) as error:
            raise UserError(
                f"the weights' config.json does not say how they are used: {error}"
            ) from None

    def as_config(self) -> dict[str, Any]:
        """Return the settings as `config.json` holds them."""
        return {
            "size": self.size,
            "light": asdict(self.light),
            "uncertainty": asdict(self.uncertainty),
            "looks": asdict(self.fundus_check),
        }


@dataclass(frozen=True)
class Report:
    """Say what was done to a photograph, and whether to trust it.

    Attributes:
        verdict: `ok`, `check` (look before use) or `abstain` (do not use).
        reasons: Why not `ok`; empty otherwise.
        field_confidence: How sure the field of view is, 0 to 1.
        light_share: Share of the network's change of light and colour that was applied, 0 to 1:
            less where there was little to mend, and by the strength.
        expected_error: Mean expected absolute error inside the field, in grey levels of 255, of
            the whole change: whatever the strength.
        mean_change: Mean absolute change inside the field, in grey levels of 255.
        colour_change: Mean CIEDE2000 against the photograph as taken.
        brightness_drift: Mean change of lightness L*.
        vessel_lost: Share of the vessels' length that is gone; NaN where none was seen.
        vessel_invented: Length of vessels that were not seen before, over that of those that
            were: recovered, or invented.
    """

    verdict: str
    reasons: tuple[str, ...]
    field_confidence: float
    light_share: float
    expected_error: float
    mean_change: float
    colour_change: float
    brightness_drift: float
    vessel_lost: float
    vessel_invented: float


@dataclass(frozen=True)
class EnhancedPhotograph:
    """Hold an enhanced photograph.

    Attributes:
        image: Like the photograph, `(3, H, W)`.
        field: Its field of view.
        expected_error: Of the square around the field, float `(1, S, S)` in [0, 1].
        report: What is known about it.
    """

    image: Tensor
    field: FieldOfView
    expected_error: Tensor
    report: Report

    def uncertainty(self, step: int = 1) -> Tensor:
        """Return the expected error of every `step`-th pixel, float32 `(H, W)`, 0 outside."""
        height, width = self.image.shape[-2:]
        square = self.field.square
        rows = torch.arange(0, height, step) - square.top
        columns = torch.arange(0, width, step) - square.left
        whole = enlarged(self.expected_error, rows, columns, square.side)
        return torch.where(self.field.mask[:, ::step, ::step], whole, 0.0)[0]


class Estimate(NamedTuple):
    """Hold what the network says about a photograph, at the size that it works at.

    Attributes:
        change: To be added to the photograph, `(3, S, S)`.
        uncertainty_score: Not calibrated, `(1, S, S)`.
        light_share: Share of the network's change of light and colour in it, 0 to 1.
    """

    change: Tensor
    uncertainty_score: Tensor
    light_share: float


class PhotographEnhancer:
    """Enhance photographs of any size and of 8 or 16 bit, within a bound of memory.

    The square around the field of view is shown to the network at one size, several times, each
    time flipped another way; the mean of what it makes of them is the result, and how much they
    differ says how unsure it is. A change of light as small as that of good photographs is held
    back (:mod:`magenet.enhancement.shrinkage`), the rest is carried to the photograph's own size.

    Args:
        network: With its settings.
        vessels: Segmenter that looks for lost and invented vessels.
        device: Where to compute.
        max_memory: Bytes that the process may use.
    """

    def __init__(
        self, network: MAGENet, vessels: VesselSegmenter, device: torch.device, max_memory: int
    ) -> None:
        self.settings = Settings.of(network)
        self.network, self.vessels = (
            net.requires_grad_(False).eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
            for net in (network, vessels)
        )
        self.device = device
        self.max_memory = max_memory

    @classmethod
    def from_pretrained(cls, weights: str | Path, device: torch.device, max_memory: int) -> Self:
        """Return an enhancer with weights; see :meth:`magenet.models.MAGENet.from_pretrained`.

        Raises:
            UserError: If they cannot be had, or do not say how they are used.
        """
        try:
            network = MAGENet.from_pretrained(weights)
        except Exception as error:  # of the file system, of safetensors, of the hub
            raise UserError(f"weights '{weights}': {error}") from None
        return cls(network, VesselSegmenter.from_pretrained("vessels"), device, max_memory)

    def __call__(
        self,
        image: Tensor,
        field: FieldOfView | None = None,
        strength: float = 1.0,
        force: bool = False,
    ) -> EnhancedPhotograph:
        """Enhance a photograph.

        Args:
            image: uint8 or uint16 `(3, H, W)`.
            field: Its field of view; estimated if None.
            strength: Share of the change that is applied, 0 to 1.
            force: Whether to enhance what does not look like a fundus photograph, too.

        Returns:
            The photograph at its own size; outside the field of view bit for bit as it was.

        Raises:
            NotAFundusError: If it does not look like a fundus photograph.
        """
        field = estimate_field(image) if field is None else field
        inside = resize(crop(field.mask, field.square), self.settings.size).float()
        seen = self._shown(image, field) * inside
        if not force:
            self.require_fundus(seen[None], inside[None], field)
        estimate = self.estimate(seen, inside)
        expected = self.settings.uncertainty(estimate.uncertainty_score) * inside
        enhanced = seen + strength * estimate.change
        result = transfer(enhanced, seen, inside, image, field)
        share = strength * estimate.light_share
        report = self._report(seen, enhanced, inside, expected, share, field)
        return EnhancedPhotograph(result, field, expected, report)

    def estimate(self, seen: Tensor, inside: Tensor) -> Estimate:
        """Return the change that a photograph should get.

        Args:
            seen: `(3, S, S)` in [0, 1], black outside the field.
            inside: Field of view, `(1, S, S)`, 0 or 1.
        """
        with torch.inference_mode():
            estimates = self.views(seen[None], inside[None])
            unsure = uncertainty_score(estimates, seen, inside[None])[0]
            light, detail = split_bands(estimates.mean(dim=0) - seen, inside)
            light_share = float(self.settings.light(rms_inside(light, inside)))
            change = light_share * light + detail
        return Estimate(change, unsure, light_share)

    def views(self, seen: Tensor, inside: Tensor) -> Tensor:
        """Return what the network makes of each flipped view, upright again.

        Args:
            seen: `(1, 3, S, S)` in [0, 1], black outside the field.
            inside: Field of view, `(1, 1, S, S)`, 0 or 1.

        Returns:
            `(N, 3, S, S)` on the CPU, black outside the field.
        """
        require_network_memory(self.network, self.settings.size, self.max_memory)
        half = half_precision(self.device)
        estimates = []
        for axes in VIEWS:
            view = seen.flip(axes).to(self.device).contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                estimate = self.network(view).image
            estimates.append(estimate.float().cpu().flip(axes) * inside)
        return torch.cat(estimates)

    def require_fundus(self, seen: Tensor, inside: Tensor, field: FieldOfView) -> None:
        """Refuse what does not look like a fundus photograph.

        Args:
            seen: `(1, 3, S, S)` in [0, 1], black outside the field.
            inside: Field of view, `(1, 1, S, S)`, 0 or 1.
            field: As found in the whole photograph.

        Raises:
            NotAFundusError: With the reason.
        """
        if field.confidence == 0.0:
            raise NotAFundusError("no field of view can be seen: not a fundus photograph?")
        size = (CHECK_SIZE, CHECK_SIZE)
        small = functional.interpolate(seen, size, mode="bilinear", antialias=True)
        mask = (functional.interpolate(inside, size, mode="area") >= 0.5).float()
        distance = float(self.settings.fundus_check.distance(small * mask, mask))
        if distance > self.settings.fundus_check.limit:
            raise NotAFundusError(
                "does not look like a fundus photograph (its light, colours and sharpness are "
                f"{distance:.0f} away from those of fundus photographs, limit "
                f"{self.settings.fundus_check.limit:.0f}); to enhance it all the same: --force"
            )

    def _shown(self, image: Tensor, field: FieldOfView) -> Tensor:
        """Return the square around the field as the network sees it, float `(3, S, S)`."""
        planes = [
            resize(crop(plane[None], field.square), self.settings.size)[0].float()
            for plane in image  # one colour at a time, to spare memory
        ]
        return torch.stack(planes) / peak(image)

    def _report(
        self,
        seen: Tensor,
        enhanced: Tensor,
        inside: Tensor,
        expected: Tensor,
        share: float,
        field: FieldOfView,
    ) -> Report:
        """Return what is known about a result at the size that the network works at."""
        with torch.inference_mode():
            pictures = torch.stack([seen, enhanced * inside]).to(self.device)
            vessels = (self.vessels(pictures).float() > 0).float().cpu()
        mask, area = inside[None], inside.sum()
        scores = {
            name: round(float(value), 4)
            for name, value in fidelity(
                seen[None],
                (enhanced * inside).clamp(0.0, 1.0)[None],
                vessels[:1],
                vessels[1:],
                mask,
            ).items()
        }
        verdict = int(scores.pop("verdict"))
        reasons = reasons_for(scores)
        error = 255.0 * float(expected.sum() / area)
        if error > ERROR_LIMITS[0]:
            verdict = max(verdict, 2 if error > ERROR_LIMITS[1] else 1)
            reasons.append(f"an error of {error:.0f} grey levels is to be expected")
        if scores["vessel_invented"] > MOST_NEW_VESSELS:
            verdict = max(verdict, 1)
            reasons.append(
                f"vessels of {scores['vessel_invented']:.1f} times the length seen before are new: "
                "recovered, or invented"
            )
        if field.confidence < LEAST_CONFIDENCE:
            verdict = max(verdict, 1)
            reasons.append(f"the field of view is not sure ({field.confidence:.2f})")
        return Report(
            VERDICTS[verdict],
            tuple(reasons),
            round(field.confidence, 3),
            round(share, 3),
            round(error, 2),
            round(255.0 * float(((enhanced - seen).abs() * inside).sum() / area / 3), 2),
            **scores,
        )


def half_precision(device: torch.device) -> bool:
    """Return whether a device computes faster in bf16: GPUs do, and CPUs that multiply in it."""
    if device.type == "cpu":
        can = torch.cpu.get_capabilities()
        return bool(can.get("amx_bf16") or can.get("avx512_bf16"))
    return device.type == "cuda"


def reasons_for(scores: dict[str, float]) -> list[str]:
    """Return in words which limits of fidelity are passed, or that they say nothing."""
    words = {
        "vessel_lost": "{:.0%} of the vessels' length is gone",
        "colour_change": "colours change by {:.0f} (CIEDE2000)",
    }
    reasons = [
        words[name].format(scores[name])
        for name, (check, _) in FIDELITY_LIMITS.items()
        if scores[name] > check
    ]
    if math.isnan(scores["vessel_lost"]):
        reasons.append("no vessels can be seen in the photograph as taken")
    return reasons
