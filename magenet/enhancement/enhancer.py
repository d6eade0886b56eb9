"""One photograph enhanced at its own size, with a report on the result."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from data_modules.files.memory_estimate import BAND_COLUMN, MEBIBYTE
from magenet.allocator import make_room, resident
from magenet.enhancement.device import half_precision
from magenet.enhancement.fundus_check import CHECK_SIZE
from magenet.enhancement.settings import Settings
from magenet.enhancement.shrinkage import rms_inside, split_bands
from magenet.enhancement.uncertainty import harm_probability, uncertainty_score
from magenet.enhancement.verdict import decide_verdict
from magenet.enhancement.vessel_evidence import vessel_evidence
from magenet.errors import UserError
from magenet.imaging.crop import crop, peak, resize
from magenet.imaging.field_of_view import FieldOfView, estimate_field
from magenet.imaging.transfer import enlarged, transfer
from magenet.metrics import fidelity
from magenet.models import Enhancer, EnhancerOutput, MAGENet, VesselSegmenter
from magenet.models.enhancer import VIEWS
from magenet.models.pretrained import tensor_hash

REPORT_SIDE = 512
"""Greatest side at which the report measures vessels and colours, in pixels: that at which the
package's segmenter was trained."""

SEGMENTER_BYTES_PER_PIXEL = 1250
"""Memory of the report per pixel of its 512 px at most, scores included: measured up to 980, in
fp32 and in bf16 on a processor that emulates it; 600 on one that has it."""

LEAST_ERROR = 1e-4
"""Added to errors that are compared, in [0, 1]: none is believed to be nothing."""


@dataclass(frozen=True)
class Report:
    """What was done to a photograph, and whether to use the result.

    Attributes:
        verdict: `ok`, `check` (look before use) or `abstain` (do not use).
        reasons: Why the verdict is not `ok`, and what the result lacks, such as further pages.
        field_confidence: Confidence of the field of view, 0 to 1.
        light_share: Share of the network's change of light and colour that was applied, 0 to 1:
            its shrinkage times the strength, the mean over the field where it differs.
        expected_error: Mean expected absolute error inside the field, in grey levels of 255, of the
            whole change whatever the strength; NaN where it was never calibrated.
        harmed_share: Expected share of the field that the whole change makes worse; NaN likewise.
        mean_change: Mean absolute change inside the field, in grey levels of 255.
        colour_change: Mean CIEDE2000 from the unenhanced photograph.
        brightness_drift: Mean change of lightness L*.
        vessel_lost: Share of the vessel length that is gone; NaN where no vessel was found before.
        vessel_invented: Length of new vessels (recovered or invented), over the length before.
    """

    verdict: str
    reasons: tuple[str, ...]
    field_confidence: float
    light_share: float
    expected_error: float
    harmed_share: float
    mean_change: float
    colour_change: float
    brightness_drift: float
    vessel_lost: float
    vessel_invented: float


@dataclass(frozen=True)
class EnhancedPhotograph:
    """An enhanced photograph.

    Attributes:
        image: `(3, H, W)`, of the type of the photograph.
        field: Its field of view.
        expected_error: Expected absolute error over the square around the field, float
            `(1, S, S)` in [0, 1]; NaN where it was never calibrated.
        report: What was done to it.
    """

    image: Tensor
    field: FieldOfView
    expected_error: Tensor
    report: Report

    def uncertainty(self, step: int = 1) -> Tensor:
        """Return the expected error of every `step`-th pixel.

        Returns:
            float32 `(ceil(H / step), ceil(W / step))` in [0, 1], 0 outside the field.
        """
        height, width = self.image.shape[-2:]
        square = self.field.square
        rows = torch.arange(0, height, step) - square.top
        columns = torch.arange(0, width, step) - square.left
        whole = enlarged(self.expected_error, rows, columns, square.side)
        return torch.where(self.field.mask[:, ::step, ::step], whole, 0.0)[0]


class Estimate(NamedTuple):
    """The network's estimate for a photograph, at the size that the network sees.

    Attributes:
        change: To be added to the photograph, `(3, S, S)`.
        uncertainty_score: Not calibrated, `(1, S, S)`; None for a single pass.
        light_share: Share of the network's change of light and colour in it, 0 to 1.
        harm: Probability that a place is made worse, not calibrated, `(1, S, S)`; None where the
            network does not tell the error of the photograph.
    """

    change: Tensor
    uncertainty_score: Tensor | None
    light_share: float
    harm: Tensor | None = None


class PhotographEnhancer:
    """Enhance photographs of any size, 8 or 16 bit, within a bound of memory.

    A network that works at the photograph's own scale sees the square around the field of view
    once, holds its change of light back where it is unsure, and tells its expected error. One that
    works at one size sees it in four flipped views: their mean is the estimate, their disagreement
    its uncertainty, and a change of light as small as that of good photographs is shrunk, where the
    settings hold the calibration of the weights (:mod:`magenet.enhancement.shrinkage`). The change
    is then transferred to the photograph. This is what `magenet enhance`, `magenet predict`,
    `magenet.enhance` and the tables' released row all use.

    Args:
        network: The enhancement network.
        settings: How it is used.
        vessels: Segmenter that finds lost and new vessels.
        device: Where to compute.
        max_memory: Bytes that the process may use.
        raw: Whether to apply one pass of the network as it is: no views, no shrinkage, and no
            expected error.
        half: Whether to compute in bf16; where the device is faster in it if None.
    """

    def __init__(
        self,
        network: Enhancer,
        settings: Settings,
        vessels: VesselSegmenter,
        device: torch.device,
        max_memory: int,
        raw: bool = False,
        half: bool | None = None,
    ) -> None:
        self.settings = settings
        self.network: Enhancer = network.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.vessels: torch.nn.Module = (
            vessels.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        )
        self.given_device = device
        self.max_memory = max_memory
        self.raw = raw
        self.given_half = half

    @property
    def device(self) -> torch.device:
        """Return where the network is: as a part of another module it may have been moved."""
        parameter = next(self.network.parameters(), None)
        return self.given_device if parameter is None else parameter.device

    @property
    def half(self) -> bool:
        """Return whether to compute in bf16, where the network is now."""
        return half_precision(self.device) if self.given_half is None else self.given_half

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of the weights, and of the settings that they are used with."""
        settings = json.dumps({**self.settings.as_config(), "raw": self.raw}, sort_keys=True)
        return {
            "weights_sha256": tensor_hash(self.network.state_dict()),
            "settings_sha256": hashlib.sha256(settings.encode("ascii")).hexdigest(),
        }

    @classmethod
    def from_pretrained(
        cls, weights: str | Path, device: torch.device, max_memory: int, raw: bool = False
    ) -> Self:
        """Return an enhancer with weights; see :meth:`magenet.models.MAGENet.from_pretrained`.

        Raises:
            UserError: If they cannot be loaded, or lack their settings.
        """
        try:
            network = MAGENet.from_pretrained(weights).requires_grad_(False)
        except Exception as error:  # of the file system, of safetensors, of the hub
            reason = str(error).removeprefix(f"{weights}: ")
            raise UserError(f"weights '{weights}': {reason}") from None
        vessels = VesselSegmenter.from_pretrained("vessels").requires_grad_(False)
        return cls(network, Settings.of(network), vessels, device, max_memory, raw)

    def __call__(
        self,
        image: Tensor,
        field: FieldOfView | None = None,
        strength: float = 1.0,
        force: bool = False,
        fast: bool = False,
    ) -> EnhancedPhotograph:
        """Enhance a photograph.

        Args:
            image: uint8 or uint16 `(3, H, W)`.
            field: Its field of view; estimated if None.
            strength: Share of the change that is applied, 0 to 1.
            force: Whether to enhance also what does not look like a fundus photograph.
            fast: Whether to restore it at half of the side, see :meth:`Settings.side`; what is
                finer then stays as it is.

        Returns:
            The photograph at its own size; outside the field of view bit for bit as it was.

        Raises:
            NotAFundusError: If it does not look like a fundus photograph.
        """
        field = estimate_field(image) if field is None else field
        if not force:
            seen, inside = self._shown(image, field, CHECK_SIZE)
            self.settings.fundus_check.require(seen[None], inside[None], field)
        seen, inside = self._shown(image, field, self.settings.side(field.square.side, fast))
        estimate = self.estimate(seen, inside)
        expected = self._expected_error(estimate, inside)
        harmed = self._harmed_share(estimate, inside)
        enhanced = seen + strength * estimate.change
        share = strength * estimate.light_share
        # Before the transfer: judges need memory, too, and a result is as large as its photograph.
        report = self._report(seen, enhanced, inside, expected, harmed, share, field)
        # The passes have freed more than they gave back.
        make_room(BAND_COLUMN * max(image.shape[-2:]) + image.nbytes, self.max_memory)
        result = transfer(enhanced, seen, inside, image, field)
        return EnhancedPhotograph(result, field, expected, report)

    def estimate(self, seen: Tensor, inside: Tensor) -> Estimate:
        """Return the change that a photograph should get.

        Args:
            seen: `(3, S, S)` in [0, 1], black outside the field.
            inside: Field of view, `(1, S, S)`, 0 or 1.
        """
        if self.network.own_scale:
            return self._one_pass(seen, inside)
        with torch.inference_mode():
            estimates = self.views(seen[None], inside[None])
            change = estimates.mean(dim=0) - seen
            if self.raw:
                return Estimate(change, None, 1.0)
            score = uncertainty_score(estimates, seen, inside[None])[0]
            if self.settings.light is None:
                return Estimate(change, score, 1.0)
            light, detail = split_bands(change, inside)
            light_share = float(self.settings.light(rms_inside(light, inside)))
            return Estimate(light_share * light + detail, score, light_share)

    def _one_pass(self, seen: Tensor, inside: Tensor) -> Estimate:
        """Return the change of a network that predicts the errors of the photograph and its own."""
        with torch.inference_mode():
            output = self._through_network(seen[None], inside[None])
            change = output.image.float().cpu()[0] * inside - seen
            if self.raw or output.log_error is None or output.light_weight is None:
                return Estimate(change, None, 1.0)
            maps = torch.cat([output.log_error.float().exp(), output.light_weight.float()], dim=1)
            upsampled = functional.interpolate(maps.cpu(), seen.shape[-2:], mode="bilinear")[0]
            before, after, weight = (upsampled * inside).chunk(3)
            light_share = float(weight.sum() / inside.sum())
            harm = harm_probability(before + LEAST_ERROR, after + LEAST_ERROR) * inside
            return Estimate(change, after, light_share, harm)

    def views(self, seen: Tensor, inside: Tensor) -> Tensor:
        """Return the network's estimate from each flipped view, flipped back.

        Args:
            seen: `(1, 3, S, S)` in [0, 1], black outside the field.
            inside: Field of view, `(1, 1, S, S)`, 0 or 1.

        Returns:
            `(N, 3, S, S)` on the CPU, black outside the field; `N` is 1 for a raw enhancer.
        """
        estimates = []
        for axes in VIEWS[:1] if self.raw else VIEWS:
            view, mask = (tensor.flip(axes) for tensor in (seen, inside))
            estimate = self._through_network(view, mask).image
            estimates.append(estimate.float().cpu().flip(axes) * inside)
        return torch.cat(estimates)

    def _through_network(self, seen: Tensor, inside: Tensor) -> EnhancerOutput:
        """Return the network's output for photographs `(1, 3, S, S)`, on its device."""
        side = seen.shape[-1]
        self._require_memory("this network", side, self.network.forward_memory(side * side))
        view, mask = (
            tensor.to(self.device).contiguous(memory_format=torch.channels_last)
            for tensor in (seen, inside)
        )
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            return self.network(view, mask)

    def find_vessels(self, images: Tensor) -> Tensor:
        """Return the vessels of photographs `(B, 3, S, S)` in [0, 1]: `(B, 1, S, S)`, 0 or 1."""
        side = images.shape[-1]
        self._require_memory("the report", side, SEGMENTER_BYTES_PER_PIXEL * side * side)
        with (
            torch.inference_mode(),
            # also where not half: a Trainer may have switched it on
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.half),
        ):
            # one picture at a time, to spare memory
            found = [self.vessels(image[None].to(self.device)) > 0 for image in images]
        return torch.cat(found).float().cpu()

    def _require_memory(self, what: str, side: int, need: int) -> None:
        """Raise if something that needs so many bytes more does not fit into the memory."""
        if self.device.type == "cuda":  # its memory is its own, and it says when it is full
            return
        if not make_room(need, self.max_memory):
            least = math.ceil((resident() + need) / MEBIBYTE)
            raise UserError(
                f"--max-memory: {self.max_memory / MEBIBYTE:.0f} MiB are too little for {what} "
                f"at {side} px; give {least}M at least"
            )

    def _shown(self, image: Tensor, field: FieldOfView, side: int) -> tuple[Tensor, Tensor]:
        """Return the square around the field, `(3, S, S)` in [0, 1], and its mask."""
        inside = resize(crop(field.mask, field.square), side).float()
        planes = [
            resize(crop(plane[None], field.square), side)[0].float()
            for plane in image  # one colour at a time, to spare memory
        ]
        return torch.stack(planes) / peak(image) * inside, inside

    def _expected_error(self, estimate: Estimate, inside: Tensor) -> Tensor:
        """Return the calibrated uncertainty, `(1, S, S)` in [0, 1], NaN where there is none."""
        if estimate.uncertainty_score is None or self.settings.uncertainty is None:
            return torch.where(inside > 0, torch.nan, 0.0)
        return self.settings.uncertainty(estimate.uncertainty_score) * inside

    def _harmed_share(self, estimate: Estimate, inside: Tensor) -> float:
        """Return the expected share of the field that is made worse, NaN where it is unknown."""
        if estimate.harm is None or self.settings.harm is None:
            return math.nan
        return float(self.settings.harm(estimate.harm.sum() / inside.sum()))

    def _report(
        self,
        seen: Tensor,
        enhanced: Tensor,
        inside: Tensor,
        expected: Tensor,
        harmed: float,
        share: float,
        field: FieldOfView,
    ) -> Report:
        """Return the report on a result at the size that the network sees."""
        area = inside.sum()
        error = 255.0 * float(expected.sum() / area)
        mean_change = 255.0 * float(((enhanced - seen).abs() * inside).sum() / area / 3)
        before, after, mask = _at_most(seen, enhanced * inside, inside, REPORT_SIDE)
        vessels = self.find_vessels(torch.cat([before, after]))
        with torch.inference_mode():
            scores = fidelity(before, after.clamp(0.0, 1.0), vessels[:1], vessels[1:], mask)
        evidence = vessel_evidence(before, vessels[:1], mask)
        verdict, reasons = decide_verdict(scores, error, harmed, field.confidence, evidence)
        return Report(
            verdict,
            reasons,
            round(field.confidence, 3),
            round(share, 3),
            round(error, 2),
            round(harmed, 4),
            round(mean_change, 2),
            **{name: round(float(score), 4) for name, score in scores.items()},
        )


def _at_most(before: Tensor, after: Tensor, mask: Tensor, side: int) -> list[Tensor]:
    """Return two pictures and their mask as batches of one, no larger than a side."""
    tensors = [before[None], after[None], mask[None]]
    if mask.shape[-1] <= side:
        return tensors
    size = (side, side)
    small = [functional.interpolate(t, size, mode="bilinear", antialias=True) for t in tensors]
    inside = (small[2] >= 0.5).float()
    return [small[0] * inside, small[1] * inside, inside]
