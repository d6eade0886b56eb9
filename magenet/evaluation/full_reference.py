"""Judge that compares with the clean photograph."""

from __future__ import annotations

import torch
from torch import Tensor

from data_modules.batch import Batch
from magenet.evaluation.judge import Judge
from magenet.metrics import (
    brightness_drift,
    colour_difference,
    masked_ms_ssim,
    masked_psnr,
    masked_ssim,
)

MS_SSIM_LEAST = 320
"""Least side, in pixels, at which a round field contains the 176 px window of MS-SSIM."""


class FullReference(Judge):
    """Judge by PSNR, SSIM, MS-SSIM and colour difference, inside the field of view.

    - `psnr`, `ssim`; `psnr_frame`, `ssim_frame` are those of the whole square, whose black corners
      always match: published numbers are often of this kind.
    - `ms_ssim`: from 320 px on; the coarsest window is 176 px wide, and a smaller round field does
      not contain it.
    - `colour`: mean CIEDE2000; `brightness_drift`: mean difference of L*.
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
