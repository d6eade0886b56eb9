"""Against the clean photograph that a degraded one was made of."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.evaluation.judge import Batch, Judge
from magenet.metrics import (
    brightness_drift,
    colour_difference,
    masked_ms_ssim,
    masked_psnr,
    masked_ssim,
)

MS_SSIM_LEAST = 320
"""Side from which a round field holds the 176 px window of MS-SSIM's coarsest scale for sure."""


class FullReference(Judge):
    """Score by PSNR, SSIM, MS-SSIM and colour, inside the field.

    `psnr_frame, ssim_frame` count the whole square, whose black corners are perfect for free:
    published numbers are often of that kind. `ms_ssim` is given from 320 px on: a window of its
    coarsest scale is 176 px wide, which a smaller round field does not hold. `colour` is the mean
    CIEDE2000, `brightness_drift` that of L*.
    """

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if "image_clean" not in batch:
            return {}
        clean, mask = batch["image_clean"], batch["mask_fov"]
        frame = torch.ones_like(mask)
        scores = {
            "psnr": masked_psnr(image, clean, mask),
            "ssim": masked_ssim(image, clean, mask),
            "psnr_frame": masked_psnr(image, clean, frame),
            "ssim_frame": masked_ssim(image, clean, frame),
            "colour": colour_difference(image, clean, mask),
            "brightness_drift": brightness_drift(image, clean, mask),
        }
        if image.shape[-1] >= MS_SSIM_LEAST:
            scores["ms_ssim"] = masked_ms_ssim(image, clean, mask)
        return scores
