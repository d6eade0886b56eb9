"""Consistency between teacher and student on real photographs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.losses.masked import mask_like, masked_mean
from magenet.models import EnhancerOutput


def ramp_up(progress: float) -> float:
    """Return the ramp-up of the mean teacher's consistency weight, exp(-5 (1 - t)^2).

    Args:
        progress: Fraction t of the ramp-up completed; clamped to [0, 1].

    Example:
        >>> round(ramp_up(0.0), 4), ramp_up(1.0), ramp_up(7.0)
        (0.0067, 1.0, 1.0)

    References:
        Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """
    return math.exp(-5.0 * (1.0 - min(max(progress, 0.0), 1.0)) ** 2)


class ConsistencyLoss(nn.Module):
    """Mean-teacher consistency: student on the strong view, teacher on the weak view.

    Three terms, after the "multiple consistency" in the paper's title (the abstract does not say
    which; these are our choice): the final image, the earlier stages, the structure map. The maps
    are compared as segmentations are, by cross entropy and Dice: the squared error of two
    probabilities has hardly a gradient where both are near 0 or 1.

    Args:
        stage_weight: Weight of each earlier stage's L1 distance (our choice); 1 for the image.
        structure_weight: Weight of the structure map's cross entropy and Dice loss (our choice).
    """

    def __init__(self, stage_weight: float = 0.5, structure_weight: float = 0.1) -> None:
        super().__init__()
        self.stage_weight = stage_weight
        self.structure_weight = structure_weight

    def forward(
        self, student: EnhancerOutput, teacher: EnhancerOutput, mask: Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted terms `image, stages, structure`, scalars in fp32.

        Args:
            student: Student's output on the strong view, with gradient.
            teacher: Teacher's output on the weak view; it gets no gradient.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        with torch.autocast(mask.device.type, enabled=False):
            # The target is clamped as a photograph is; the student's overshoot must be penalised.
            distances = [
                masked_mean(
                    (estimate.float() - target.detach().float().clamp(0.0, 1.0)).abs(),
                    mask_like(mask, estimate),
                )
                for estimate, target in zip(student.stages, teacher.stages, strict=True)
            ]
            stages = sum(distances[:-1], mask.new_zeros(()))
            structure = mask.new_zeros(())
            if student.structure_logits is not None and teacher.structure_logits is not None:
                structure = structure_distance(
                    student.structure_logits.float(),
                    teacher.structure_logits.detach().float(),
                    mask_like(mask, student.structure_logits),
                )
            return {
                "image": distances[-1],
                "stages": self.stage_weight * stages,
                "structure": self.structure_weight * structure,
            }


def structure_distance(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return the distance of soft segmentations: cross entropy and Dice loss, 0 if they are equal.

    Args:
        logits: `(B, 1, H, W)`, with gradient.
        target: Logits of the target.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    References:
        Hinton et al., "Distilling the knowledge in a neural network", 2015, for soft targets;
        Milletari et al., "V-Net", 3DV 2016, for Dice with squares.
    """
    wanted = target.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits
    cross = entropy(logits, wanted, reduction="none") - entropy(target, wanted, reduction="none")
    found, wanted = logits.sigmoid() * mask, wanted * mask
    both = (found * wanted).sum(dim=(1, 2, 3))
    each = (found.square() + wanted.square()).sum(dim=(1, 2, 3))
    dice = (1.0 - (2.0 * both + 1.0) / (each + 1.0)).mean()  # 1 pixel, for maps without vessels
    return masked_mean(cross, mask) + dice
