"""The multiple consistencies between teacher and student on real photographs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from magenet.losses.masked import mask_like, masked_mean
from magenet.models import EnhancerOutput


def ramp_up(progress: float) -> float:
    """Return the mean teacher's ramp, exp(-5 (1 - t)^2).

    Args:
        progress: Share t of the ramp that has passed; clamped to [0, 1].

    Example:
        >>> round(ramp_up(0.0), 4), ramp_up(1.0), ramp_up(7.0)
        (0.0067, 1.0, 1.0)

    References:
        Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """
    return math.exp(-5.0 * (1.0 - min(max(progress, 0.0), 1.0)) ** 2)


class ConsistencyLoss(nn.Module):
    """Ask the student to give on its strong view what the teacher gives on the weak one.

    Three consistencies, after the title's "multiple consistency" (which ones, the abstract does
    not say; these are our choice): the final image, the earlier stages, the structure map.

    Args:
        stage_weight: Weight of each earlier stage, L1.
        structure_weight: Weight of the structure map, squared error.
    """

    def __init__(self, stage_weight: float = 0.5, structure_weight: float = 0.1) -> None:
        super().__init__()
        self.stage_weight = stage_weight
        self.structure_weight = structure_weight

    def forward(
        self, student: EnhancerOutput, teacher: EnhancerOutput, mask: Tensor
    ) -> dict[str, Tensor]:
        """Return the terms `image, stages, structure`, weighted, scalars in fp32.

        Args:
            student: Output on the strong view, with gradient.
            teacher: Output on the weak view, without.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        with torch.autocast(mask.device.type, enabled=False):
            # A photograph lies in [0, 1]: the target must, the student's overshoot is to be seen.
            distances = [
                masked_mean(
                    (own.float() - other.float().clamp(0.0, 1.0)).abs(), mask_like(mask, own)
                )
                for own, other in zip(student.stages, teacher.stages, strict=True)
            ]
            stages = sum(distances[:-1], mask.new_zeros(()))
            structure = mask.new_zeros(())
            if student.structure is not None and teacher.structure is not None:
                structure = masked_mean((student.structure - teacher.structure).square(), mask)
            return {
                "image": distances[-1],
                "stages": self.stage_weight * stages,
                "structure": self.structure_weight * structure,
            }
