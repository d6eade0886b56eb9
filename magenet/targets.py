"""Targets that a teacher gives the student on real photographs, and how far to believe them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from data_modules.batch import Batch
from magenet.bank import TargetBank
from magenet.errors import UsageError
from magenet.losses import SeverityMeasure
from magenet.metrics import vessel_clarity
from magenet.models import Enhancer, EnhancerOutput, Window
from magenet.models.enhancer import VIEWS
from magenet.models.severity import CLEAN

BELIEVED_FALL = 0.25
"""Fall of a block's severity over which belief rises from 0.5 to 0.73 (our choice)."""


class Target(NamedTuple):
    """What the student is to agree with.

    Attributes:
        output: Of the teacher.
        weight: How far to believe it, `(B, 1, H, W)` in [0, 1]; None for everywhere alike.
        quality: How far from clean it is, `(B,)`, 0 or more; None without a measure of severity.
    """

    output: EnhancerOutput
    weight: Tensor | None = None
    quality: Tensor | None = None


class TeacherTarget(nn.Module):
    """The teacher's output for a real photograph, made more reliable in one way or another.

    Every way is a switch, and all are off by default: the target is the output for one view.
    Weights below 1 (`uncertainty_scale`, `block_weights`) also lower the whole consistency: its
    mean is over the field, not over the weights.

    Args:
        flips: Whether the outputs for four flipped views are averaged.
        uncertainty_scale: Standard deviation of the views' estimates, in [0, 1], at which a place
            has the weight 1 / e; needs `flips`. All places have the same weight if null.
        severity: Frozen measure that `block_weights` and `bank` need, and a student that is
            conditioned on the quality of its targets.
        block_weights: Whether each block is believed by how much less severely degraded the target
            is there than the photograph.
        permuted: Whether each photograph gets the target of another one of its batch: a control,
            which must not help.
        bank: Whether the student gets the best target so far, which is replaced only where both the
            severity and the clarity of vessels say so. It holds a photograph once, so it is for one
            device.

    Raises:
        ValueError: If `uncertainty_scale` is not positive or given without `flips`, or an option
            that needs `severity` is chosen without it.

    References:
        Zheng and Yang, "Rectifying pseudo label learning via uncertainty estimation for domain
        adaptive semantic segmentation", IJCV 2021, for weights exp(-u) of an uncertainty u; that
        the flipped views disagree as a measure of it is our choice. Fang et al. (CORUN-Colabator),
        NeurIPS 2024, for weights by block. See :class:`magenet.bank.TargetBank` for the bank.
    """

    def __init__(
        self,
        flips: bool = False,
        uncertainty_scale: float | None = None,
        severity: SeverityMeasure | None = None,
        block_weights: bool = False,
        permuted: bool = False,
        bank: bool = False,
    ) -> None:
        super().__init__()
        if uncertainty_scale is not None and (uncertainty_scale <= 0.0 or not flips):
            raise ValueError(
                f"uncertainty_scale must be positive and needs flips, got {uncertainty_scale}"
            )
        if (block_weights or bank) and severity is None:
            raise ValueError("block_weights and bank need a severity measure")
        self.flips = flips
        self.uncertainty_scale = uncertainty_scale
        self.severity = severity
        self.block_weights = block_weights
        self.permuted = permuted
        self.bank = TargetBank() if bank else None

    def load(self) -> None:
        """Load the measure's weights; called once before training starts."""
        if self.severity is not None:
            self.severity.load()

    def forward(self, teacher: Enhancer, batch: Batch, window: Window | None = None) -> Target:
        """Return the targets of a batch of real photographs, without gradient.

        Args:
            teacher: The teacher.
            batch: `image` and `mask_fov`; for the bank also `name` and `orientation`.
            window: Windows that the last estimate is to show; the whole photographs if None.

        Raises:
            UsageError: See :meth:`require_possible`.
        """
        self.require_possible(batch, window)
        image, mask = batch["image"], batch["mask_fov"]
        with torch.no_grad():
            if self.flips:
                output, weight = flipped_output(teacher, image, self.uncertainty_scale, window)
            else:
                output, weight = output_of(teacher, image, window), None
            if self.bank is not None:
                output = self._best(self.bank, output, batch)
            if self.block_weights:
                believed = self._believed(image, output.image * mask)
                weight = believed if weight is None else weight * believed
            if self.permuted:
                # a photograph's windows follow one another, and go to the next one together
                output = output.mapped(lambda part: part.roll(len(part) // len(image), dims=0))
                weight = None if weight is None else weight.roll(1, dims=0)
            quality = None
            if self.severity is not None:
                shown = output.image * mask
                quality = (self.severity.severity(shown, mask) - CLEAN).clamp(min=0.0)
        return Target(output, weight, quality)

    def require_possible(self, batch: Batch, window: Window | None) -> None:
        """Raise for options that a batch of real photographs does not allow.

        Raises:
            UsageError: If there are windows and an option that sees whole photographs, or a single
                photograph, whose target is to be another's.
        """
        if self.permuted and len(batch["image"]) < 2:
            raise UsageError("permuted targets need batches of at least two photographs")
        if window is not None and (self.severity is not None or self.uncertainty_scale is not None):
            raise UsageError("in windows a target has neither uncertainty_scale nor severity")

    def _believed(self, image: Tensor, target: Tensor) -> Tensor:
        """Return how far each block is believed, `(B, 1, H, W)`."""
        assert self.severity is not None  # checked at the start
        fall = (self.severity(image) - self.severity(target)).mean(dim=1, keepdim=True)
        belief = (fall / BELIEVED_FALL).sigmoid()
        return functional.interpolate(belief, image.shape[-2:], mode="bilinear")

    def _best(self, bank: TargetBank, output: EnhancerOutput, batch: Batch) -> EnhancerOutput:
        """Return the best targets so far, oriented as the photographs are."""
        assert self.severity is not None
        mask, orientation = batch["mask_fov"], batch["orientation"]
        shown = output.image.float().clamp(0.0, 1.0) * mask
        scores = [-self.severity.severity(shown, mask), vessel_clarity(shown, mask)]
        upright = output.mapped(orientation.undo)
        return bank.best(batch["name"], upright, scores).mapped(orientation.apply)


def output_of(network: Enhancer, image: Tensor, window: Window | None) -> EnhancerOutput:
    """Return the output of a network, with its last estimate in windows where there are some."""
    return network(image) if window is None else network(image, window=window)


def flipped_output(
    teacher: Enhancer,
    image: Tensor,
    uncertainty_scale: float | None = None,
    window: Window | None = None,
) -> tuple[EnhancerOutput, Tensor | None]:
    """Return the mean of a teacher's outputs for four flipped views, and how far to believe it.

    Args:
        teacher: The teacher.
        image: Photographs, `(B, 3, H, W)` in [0, 1].
        uncertainty_scale: See :class:`TeacherTarget`.
        window: See :meth:`TeacherTarget.forward`.
    """
    outputs = []
    for axes in VIEWS:
        flipped = None if window is None else window.flipped(axes)
        output = output_of(teacher, image.flip(axes), flipped)
        outputs.append(output.mapped(Tensor.float).mapped(partial(torch.flip, dims=axes)))
    stages = [torch.stack(views) for views in zip(*(o.stages for o in outputs), strict=True)]
    maps = [o.structure_logits for o in outputs if o.structure_logits is not None]
    mean = EnhancerOutput(
        tuple(views.mean(dim=0) for views in stages),
        torch.stack(maps).mean(dim=0) if maps else None,
    )
    if uncertainty_scale is None:
        return mean, None
    spread = stages[-1].std(dim=0, unbiased=False).mean(dim=1, keepdim=True)
    return mean, (-spread / uncertainty_scale).exp()
