"""Targets that a teacher gives the student on real photographs, and how far to believe them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from magenet.enhancement.enhancer import VIEWS
from magenet.models import Enhancer, EnhancerOutput


class Target(NamedTuple):
    """What the student is to agree with.

    Attributes:
        output: Of the teacher.
        weight: How far to believe it, `(B, 1, H, W)` in [0, 1]; None for everywhere alike.
    """

    output: EnhancerOutput
    weight: Tensor | None = None


def flipped_target(teacher: Enhancer, image: Tensor, doubt: float | None = None) -> Target:
    """Return the mean of a teacher's outputs for four flipped views.

    Args:
        teacher: The teacher.
        image: Photographs, `(B, 3, H, W)` in [0, 1].
        doubt: Standard deviation of the views' estimates, in [0, 1], at which a place is believed
            to 1 / e; believed everywhere if None.

    References:
        Zheng and Yang, "Rectifying pseudo label learning via uncertainty estimation for domain
        adaptive semantic segmentation", IJCV 2021, for weights exp(-u) of an uncertainty u; that
        the flipped views disagree as a measure of it is our choice.
    """
    outputs = []
    for axes in VIEWS:
        output: EnhancerOutput = teacher(image.flip(axes))
        logits = output.structure_logits
        outputs.append(
            EnhancerOutput(
                tuple(stage.float().flip(axes) for stage in output.stages),
                None if logits is None else logits.float().flip(axes),
            )
        )
    stages = [torch.stack(views) for views in zip(*(o.stages for o in outputs), strict=True)]
    maps = [o.structure_logits for o in outputs if o.structure_logits is not None]
    mean = EnhancerOutput(
        tuple(views.mean(dim=0) for views in stages),
        torch.stack(maps).mean(dim=0) if maps else None,
    )
    if doubt is None:
        return Target(mean)
    spread = stages[-1].std(dim=0, correction=0).mean(dim=1, keepdim=True)
    return Target(mean, (-spread / doubt).exp())
