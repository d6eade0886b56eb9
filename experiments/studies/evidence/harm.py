"""What becomes of good photographs: they should come back as they were."""

from __future__ import annotations

import torch
from kornia.color import rgb_to_lab
from torch import Tensor

from data_modules.batch import Batch
from experiments.studies.evidence.methods import Method
from magenet.degradation import CounterRNG
from magenet.degradation.camera import Camera
from magenet.degradation.frame import Frame
from magenet.evaluation.lesions import LesionJudge
from magenet.metrics import masked_psnr

SEVERITY = 0.6
"""Of the random camera, as in training at most."""


def good_scores(enhance: Method, clean: Tensor, mask: Tensor) -> dict[str, float]:
    """Return the PSNR in dB of an enhanced good photograph against itself."""
    return {"good photograph, PSNR": float(masked_psnr(enhance(clean, mask), clean, mask))}


def camera_scores(enhance: Method, clean: Tensor, mask: Tensor, key: int) -> dict[str, float]:
    """Return the mean change of chroma of a good photograph of a random camera."""
    rng = CounterRNG(torch.tensor([key]))
    camera = Camera()
    values = camera.draw(rng.fork("camera"), torch.tensor([SEVERITY]))
    seen = (255 * camera.apply(clean.clone(), Frame(mask), values)).round() / 255 * mask
    before, after = (rgb_to_lab(image)[:, 1:] for image in (seen, enhance(seen, mask)))
    shift = ((after - before) * mask).sum(dim=(2, 3)) / mask.sum()
    return {"random camera, chroma shift": float(shift.norm())}


def lesion_scores(enhance: Method, batch: Batch) -> dict[str, float]:
    """Return the contrast of each kind of lesion after enhancing, less that before.

    Args:
        enhance: The method.
        batch: One photograph with its lesions: `image, mask_fov, mask_lesions, lesions_known`.
    """
    judge = LesionJudge()
    judge.start_batch(batch)
    before = judge(batch["image"], batch)
    after = judge(enhance(batch["image"], batch["mask_fov"]), batch)
    return {name: float(after[name] - before[name]) for name in after if name.endswith("_contrast")}
