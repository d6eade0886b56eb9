"""Consistency between teacher and student on real photographs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.losses.masked import averaged_like, mask_like, masked_mean
from magenet.models import EnhancerOutput, Window
from magenet.models.pyramid import reduced

WIDEST = 16
"""Width of the widest detail, in pixels of the photograph (our choice, as in :class:`BandLoss`)."""


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
        light: Whether light and colour are to agree; else detail alone, narrower than
            :data:`WIDEST`. A teacher is surer of where a vessel is than of how light the retina is.
        trim: Share of each photograph's pixels, those that disagree most, that do not count, in
            [0, 1): there a teacher is most often wrong.

    Raises:
        ValueError: If `trim` is not in [0, 1).
    """

    def __init__(
        self,
        stage_weight: float = 0.5,
        structure_weight: float = 0.1,
        light: bool = True,
        trim: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0 <= trim < 1.0:
            raise ValueError(f"trim must lie in [0, 1), got {trim}")
        self.stage_weight = stage_weight
        self.structure_weight = structure_weight
        self.light = light
        self.trim = trim

    def forward(
        self,
        student: EnhancerOutput,
        teacher: EnhancerOutput,
        mask: Tensor,
        weight: Tensor | None = None,
        window: Window | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms `image, stages, structure`, scalars in fp32.

        Args:
            student: Student's output on the strong view, with gradient.
            teacher: Teacher's output on the weak view; it gets no gradient.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
            weight: How far the teacher is to be believed, `(B, 1, H, W)` in [0, 1]; 1 if None.
            window: Windows that both last estimates show; the whole photographs if None.
        """
        with torch.autocast(mask.device.type, enabled=False):
            weight = torch.ones_like(mask) if weight is None else weight
            pairs = list(zip(student.stages, teacher.stages, strict=True))
            stages = sum(
                (self._distance(*pair, mask, weight) for pair in pairs[:-1]), mask.new_zeros(())
            )
            last = (mask, weight) if window is None else (window.cut(mask), window.cut(weight))
            structure = mask.new_zeros(())
            if student.structure_logits is not None and teacher.structure_logits is not None:
                structure = structure_distance(
                    student.structure_logits.float(),
                    teacher.structure_logits.detach().float(),
                    mask_like(mask, student.structure_logits),
                    averaged_like(weight, student.structure_logits),
                )
            return {
                "image": self._distance(*pairs[-1], *last),
                "stages": self.stage_weight * stages,
                "structure": self.structure_weight * structure,
            }

    def _distance(self, estimate: Tensor, target: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
        """Return the mean absolute difference of two estimates, of any stage."""
        inside = mask_like(mask, estimate)
        target = target.detach()
        # The target is clamped as a photograph is; the student's overshoot must be penalised.
        difference = (estimate.float() - target.float().clamp(0.0, 1.0)) * inside
        if not self.light:
            difference = difference - inside * low_pass_inside(
                difference, inside, round(math.log2(WIDEST * estimate.shape[-1] / mask.shape[-1]))
            )
        size = difference.abs()
        if self.trim > 0.0:
            inside = inside * agreeing(size, inside, self.trim)
        return masked_mean(size * averaged_like(weight, estimate), inside)


def low_pass_inside(difference: Tensor, mask: Tensor, levels: int) -> Tensor:
    """Return the part of a map that is coarser than `2**levels` pixels, from inside a mask alone.

    Args:
        difference: `(B, C, H, W)`, 0 outside the mask.
        mask: `(B, 1, H, W)`, 0 or 1.
        levels: Number of times that it is halved.
    """
    coarse, share = difference, mask
    for _ in range(levels):
        coarse, share = reduced(coarse), reduced(share)
    size = difference.shape[-2:]
    coarse, share = (functional.interpolate(c, size, mode="bilinear") for c in (coarse, share))
    # Divided after enlarging: else the surround is mixed into the rim of the field.
    return coarse / share.clamp(min=1e-3)


def agreeing(size: Tensor, mask: Tensor, trim: float) -> Tensor:
    """Return the pixels that are left without those that differ most, `(B, 1, H, W)`, 0 or 1.

    Args:
        size: Absolute differences, `(B, C, H, W)`.
        mask: `(B, 1, H, W)`, 0 or 1.
        trim: Share of the mask's pixels to leave out.
    """
    ranked = size.detach().mean(dim=1, keepdim=True).masked_fill(mask == 0, -1.0)
    outside = (mask == 0).sum(dim=(1, 2, 3))
    kept = outside + ((mask > 0).sum(dim=(1, 2, 3)) * (1.0 - trim)).ceil().long()
    order = ranked.flatten(1).sort(dim=1).values
    limit = order.gather(1, (kept[:, None] - 1).clamp(min=0)).view(-1, 1, 1, 1)
    return (ranked <= limit).to(mask.dtype)


def structure_distance(
    logits: Tensor, target: Tensor, mask: Tensor, weight: Tensor | float = 1.0
) -> Tensor:
    """Return the distance of soft segmentations: cross entropy and Dice loss, 0 if they are equal.

    Args:
        logits: `(B, 1, H, W)`, with gradient.
        target: Logits of the target.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        weight: How far the target is to be believed, `(B, 1, H, W)` in [0, 1].

    References:
        Hinton et al., "Distilling the knowledge in a neural network", 2015, for soft targets;
        Milletari et al., "V-Net", 3DV 2016, for Dice with squares.
    """
    wanted = target.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits
    cross = entropy(logits, wanted, reduction="none") - entropy(target, wanted, reduction="none")
    believed = mask * weight
    found, wanted = logits.sigmoid() * believed, wanted * believed
    both = (found * wanted).sum(dim=(1, 2, 3))
    each = (found.square() + wanted.square()).sum(dim=(1, 2, 3))
    dice = (1.0 - (2.0 * both + 1.0) / (each + 1.0)).mean()  # 1 pixel, for maps without vessels
    return masked_mean(cross * weight, mask) + dice
