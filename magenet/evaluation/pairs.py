"""Judge that compares an enhanced low-quality photograph with a high-quality one of the eye."""

from __future__ import annotations

from itertools import product

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn

from data_modules.batch import Batch
from magenet.evaluation.judge import NetworkJudge, started
from magenet.metrics import colour_difference, masked_dice, masked_psnr, masked_ssim
from magenet.metrics.roc import roc_auc

REACH = 2
"""Largest shift tried in each direction, in pixels: pairs are aligned to 1 or 2 px."""

SHIFTS = list(product(range(-REACH, REACH + 1), repeat=2))

BLUR = 1.5
"""Sigma in pixels of the blur applied to both before comparison, for the same reason."""


def match_colours(image: Tensor, like: Tensor, mask: Tensor) -> Tensor:
    """Fit a gain and an offset for each channel by least squares inside the mask.

    Two photographs of one eye differ in illumination; without this PSNR compares light sources.

    Args:
        image: Photographs to adjust, `(B, 3, H, W)`.
        like: Target, same shape.
        mask: Pixels that count, `(B, 1, H, W)`, 0 or 1.

    Returns:
        Adjusted photographs, `(B, 3, H, W)` in [0, 1].
    """

    def mean(value: Tensor) -> Tensor:
        area = mask.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
        return (value * mask).sum(dim=(2, 3), keepdim=True) / area

    level, target = mean(image), mean(like)
    centred = image - level
    gain = mean(centred * (like - target)) / mean(centred.square()).clamp(min=1e-8)
    return (target + gain * centred).clamp(0.0, 1.0)


def blur(image: Tensor) -> Tensor:
    """Return photographs `(B, 3, H, W)` after a Gaussian blur of :data:`BLUR` pixels."""
    size = 2 * round(3 * BLUR) + 1
    result: Tensor = gaussian_blur2d(image, (size, size), (BLUR, BLUR))
    return result


def shift_each(image: Tensor, shift: Tensor) -> Tensor:
    """Return images `(B, C, H, W)`, each moved by its own shift.

    Args:
        image: The images.
        shift: Indices in :data:`SHIFTS`, `(B,)`.
    """
    shifts = [SHIFTS[index] for index in shift.tolist()]
    return torch.stack([torch.roll(x, s, (1, 2)) for x, s in zip(image, shifts, strict=True)])


class PairVesselJudge(NetworkJudge):
    """Judge of the vessels against the aligned high-quality photograph, where both are valid.

    - `pair_vessel_dice`, `pair_vessel_iou`: agreement of the vessels that a segmenter finds in the
      result and in the high-quality photograph, at the best of 25 shifts of at most 2 px.
    - `pair_vessel_auc`: area under the ROC curve of the result's vessels at that shift: unlike the
      Dice coefficient it does not depend on the segmenter's threshold.

    All are NaN where no vessel is found in the high-quality photograph.

    Args:
        network: Segmenter that returns vessel logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
        name: Second word of the scores' names; another one for a second segmenter.
    """

    advice = "train it first ('make judges')"

    high_vessels: Tensor | None = None
    """Vessels segmented in the high-quality photographs of the batch."""

    def __init__(
        self, network: nn.Module, checkpoint: str | None = None, name: str = "vessel"
    ) -> None:
        super().__init__(network, checkpoint)
        self.name = name

    def start_batch(self, batch: Batch) -> None:
        """Segment the high-quality photographs; see :meth:`Judge.start_batch`."""
        high = batch.get("image_high")
        self.high_vessels = None if high is None else (self.logits(high) > 0).float()

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        if "image_high" not in batch:
            return {}
        valid = batch["mask_valid"]
        vessels, vessels_high = self.logits(image).sigmoid(), started(self.high_vessels)
        # torch.roll wraps pixels around the border, where both photographs are black.
        dice, of_dice = torch.stack([
            masked_dice(
                torch.roll(vessels, shift, (2, 3)),
                vessels_high,
                valid * torch.roll(valid, shift, (2, 3)),
            )
            for shift in SHIFTS
        ]).max(dim=0)  # fmt: skip
        found = shift_each(vessels, of_dice)
        # No vessel in the better photograph says nothing of those in the result.
        known = ((vessels_high > 0) & (valid > 0)).flatten(1).any(dim=1)
        dice = torch.where(known, dice, torch.nan)
        return {
            f"pair_{self.name}_dice": dice,
            f"pair_{self.name}_iou": dice / (2.0 - dice),
            f"pair_{self.name}_auc": roc_auc(
                found, vessels_high > 0, (valid * shift_each(valid, of_dice)) > 0
            ),
        }


class PairJudge(PairVesselJudge):
    """Judge of vessels, as :class:`PairVesselJudge`, and of the image itself.

    - `pair_psnr`, `pair_ssim`: after a blur of both, at the best shift and with colours matched;
      their ceiling is low, so compare with the unenhanced photograph.
    - `pair_colour`: mean CIEDE2000 without blur, shift or matching; lower is better.

    Args:
        network: Segmenter that returns vessel logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network is used as it is if null.
        name: See :class:`PairVesselJudge`.
    """

    high_blurred: Tensor | None = None
    """The high-quality photographs of the batch, blurred."""

    def start_batch(self, batch: Batch) -> None:
        """Segment and blur the high-quality photographs; see :meth:`Judge.start_batch`."""
        super().start_batch(batch)
        high = batch.get("image_high")
        self.high_blurred = None if high is None else blur(high)

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        scores = super().forward(image, batch)
        if not scores:
            return {}
        high, valid = batch["image_high"], batch["mask_valid"]
        soft, target = blur(image), started(self.high_blurred)
        psnr = []
        for shift in SHIFTS:
            inside = valid * torch.roll(valid, shift, (2, 3))
            fitted = match_colours(torch.roll(soft, shift, (2, 3)), target, inside)
            psnr.append(masked_psnr(fitted, target, inside))
        best_psnr, of_psnr = torch.stack(psnr).max(dim=0)
        shown, inside = shift_each(soft, of_psnr), valid * shift_each(valid, of_psnr)
        return scores | {
            "pair_psnr": best_psnr,
            "pair_ssim": masked_ssim(match_colours(shown, target, inside), target, inside),
            "pair_colour": colour_difference(image, high, valid),
        }
