"""A low photograph, enhanced, against a high one of the same eye."""

from __future__ import annotations

from itertools import product

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor

from magenet.evaluation.judge import Batch, NetworkJudge
from magenet.metrics import colour_difference, masked_dice, masked_psnr, masked_ssim

REACH = 2
"""Pixels that a photograph may be shifted to fit, each way: pairs are aligned to 1 or 2 px."""

SHIFTS = list(product(range(-REACH, REACH + 1), repeat=2))

BLUR = 1.5
"""Sigma that both are blurred by before they are matched, in pixels, for the same reason."""


def matched(image: Tensor, like: Tensor, mask: Tensor) -> Tensor:
    """Return photographs with the best gain and offset for each colour, inside the mask.

    Two photographs of one eye are lit in two ways; without this PSNR compares lamps.

    Args:
        image: `(B, 3, H, W)`.
        like: Same shape; what is to be met.
        mask: `(B, 1, H, W)`, 0 or 1.
    """

    def mean(value: Tensor) -> Tensor:
        area = mask.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
        return (value * mask).sum(dim=(2, 3), keepdim=True) / area

    level, wanted = mean(image), mean(like)
    centred = image - level
    gain = mean(centred * (like - wanted)) / mean(centred.square()).clamp(min=1e-8)
    return (wanted + gain * centred).clamp(0.0, 1.0)


class PairJudge(NetworkJudge):
    """Score against the aligned high photograph, where both show the retina well.

    - `pair_vessel_dice`, `pair_vessel_iou`: of the vessels that a segmenter finds in the result
      and in the high photograph, at most 2 px apart in place: the best of 25 shifts.
    - `pair_psnr`, `pair_ssim`: after a blur of both, at the best shift and with colours matched;
      their ceiling is low, so compare with the untouched photograph.
    - `pair_colour`: mean CIEDE2000 of both as they are; lower is nearer.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "image_high" not in batch:
            return {}
        high, valid = batch["image_high"], batch["mask_valid"]
        own, true = self.seen(image).sigmoid(), (self.seen(high) > 0).float()
        size = 2 * round(3 * BLUR) + 1
        soft, wanted = (gaussian_blur2d(x, (size, size), (BLUR, BLUR)) for x in (image, high))
        # A shift brings pixels in over the border; there both are black.
        dice, psnr = [], []
        for shift in SHIFTS:
            inside = valid * torch.roll(valid, shift, (2, 3))
            dice.append(masked_dice(torch.roll(own, shift, (2, 3)), true, inside))
            fitted = matched(torch.roll(soft, shift, (2, 3)), wanted, inside)
            psnr.append(masked_psnr(fitted, wanted, inside))
        best_dice = torch.stack(dice).amax(dim=0)
        best_psnr, place = torch.stack(psnr).max(dim=0)
        fitting = [SHIFTS[index] for index in place.tolist()]
        moved = torch.stack([torch.roll(x, s, (1, 2)) for x, s in zip(soft, fitting, strict=True)])
        inside = valid * torch.stack(
            [torch.roll(x, s, (1, 2)) for x, s in zip(valid, fitting, strict=True)]
        )
        return {
            "pair_vessel_dice": best_dice,
            "pair_vessel_iou": best_dice / (2.0 - best_dice),
            "pair_psnr": best_psnr,
            "pair_ssim": masked_ssim(matched(moved, wanted, inside), wanted, inside),
            "pair_colour": colour_difference(image, high, valid),
        }
