"""Targets and loss of the structure preservation module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.checkpoints import read_checkpoint, read_network
from magenet.errors import UserError
from magenet.losses.masked import masked_mean
from magenet.models.low_pass import low_pass
from magenet.models.surround import surround_filled


class Structure(NamedTuple):
    """Target structure maps of a batch.

    Attributes:
        map: Target map, `(B, 1, H, W)` in [0, 1].
        known: Which photographs have one, bool `(B,)`.
    """

    map: Tensor
    known: Tensor


class StructureTarget(nn.Module, ABC):
    """Base class: source of the target structure maps."""

    reads_photographs = False
    """Whether :meth:`read` returns what photographs show."""

    def load(self) -> None:
        """Load files that training needs; called once before it starts."""

    def require_sizes(self, least: int, most: int) -> None:
        """Raise if photographs of these sides cannot be read; called once before training starts.

        Args:
            least: Smallest side of the photographs, in pixels.
            most: Greatest side.
        """

    @abstractmethod
    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """Return the target maps of clean photographs.

        Args:
            clean: `(B, 3, H, W)` in [0, 1].
            vessels: Reference vessel masks, `(B, 1, H, W)` in [0, 1], zero where unknown.
            known: Which photographs have a reference mask, bool `(B,)`.
        """

    def read(self, image: Tensor) -> Tensor | None:
        """Predict the structure in photographs: logits, `(B, 1, H, W)`, differentiable.

        Args:
            image: `(B, 3, H, W)` in [0, 1].

        Returns:
            The logits, or None if this source has no network.
        """
        return None


class VesselMaskTarget(StructureTarget):
    """Reference vessel masks; photographs without one are ignored."""

    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """See :meth:`StructureTarget.forward`."""
        return Structure(vessels, known)


class HighFrequencyTarget(StructureTarget):
    """Fine dark structure of the clean green channel; needs neither labels nor a segmenter.

    Vessels are darker than their surroundings, most of all in green. The map is the relative depth
    of green below its local mean. Reference masks are not used, so that all maps are consistent.

    Args:
        sigma: Sigma of the local mean, relative to the photograph's side; our choice.
        contrast: Relative depth that is mapped to 1; our choice.

    References:
        High-frequency components as self-supervision: GFE-Net, SCR-Net, ArcNet.
    """

    def __init__(self, sigma: float = 0.012, contrast: float = 0.25) -> None:
        super().__init__()
        self.sigma = sigma
        self.contrast = contrast

    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """See :meth:`StructureTarget.forward`."""
        green = surround_filled(clean.float())[:, 1:2]  # the rim is no vessel
        mean = low_pass(green, self.sigma * green.shape[-1])
        depth = (mean - green) / mean.clamp(min=0.02) / self.contrast
        return Structure(depth.clamp(0.0, 1.0), torch.ones_like(known))


class SegmenterTarget(StructureTarget):
    """Reference vessel mask where there is one, else the soft map of a frozen segmenter.

    A segmenter misses vessels at a scale that it was not trained at, and what it misses would be
    taught to be background: it is refused where its checkpoint says other sides than those in use.

    Args:
        segmenter: Network that predicts vessel logits, `(B, 1, H, W)`; frozen here.
        checkpoint: Checkpoint of the `SegmentationTask` that trained it; read when training
            starts. Afterwards its weights are in the trained model's own checkpoint.
    """

    reads_photographs = True

    def __init__(self, segmenter: nn.Module, checkpoint: str | None = None) -> None:
        super().__init__()
        self.segmenter = segmenter.requires_grad_(False).eval()
        self.checkpoint = checkpoint
        self.sizes: tuple[int, int] | None = None

    def train(self, mode: bool = True) -> SegmenterTarget:
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def load(self) -> None:
        """Load the segmenter's weights.

        Raises:
            UserError: If the checkpoint is missing or belongs to another network.
        """
        if self.checkpoint is None:
            return
        hint = "train a segmenter first ('make segmenter'), or choose another structure target"
        read_network(self.segmenter, self.checkpoint, hint)
        content = read_checkpoint(self.checkpoint)
        if (most := content.get("image_size")) is not None:
            self.sizes = (content.get("least_size") or most, most)

    def require_sizes(self, least: int, most: int) -> None:
        """See :meth:`StructureTarget.require_sizes`.

        Raises:
            UserError: If the segmenter was trained on photographs of other sides.
        """
        if self.sizes is None or self.sizes[0] <= least <= most <= self.sizes[1]:
            return
        trained, used = (
            f"{low} px" if low == high else f"{low} to {high} px"
            for low, high in (self.sizes, (least, most))
        )
        raise UserError(
            f"{self.checkpoint}: this segmenter was trained on photographs of {trained}, and would "
            f"miss vessels in those of {used}: train one at that size, or choose another "
            "structure target"
        )

    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """See :meth:`StructureTarget.forward`."""
        with torch.no_grad():
            soft = self.segmenter(clean).float().sigmoid()
        target = torch.where(known[:, None, None, None], vessels, soft)
        return Structure(target, torch.ones_like(known))

    def read(self, image: Tensor) -> Tensor:
        """See :meth:`StructureTarget.read`."""
        logits: Tensor = self.segmenter(image)
        return logits


class StructureLoss(nn.Module):
    """Binary cross-entropy plus Dice loss of the structure map, inside the field (our choice).

    References:
        Milletari et al., "V-Net", 3DV 2016, equation 3, for the Dice loss.
    """

    def forward(self, logits: Tensor, wanted: Structure, mask: Tensor) -> Tensor:
        """Return the loss, a scalar in fp32; zero if no photograph has a target map.

        Args:
            logits: Predicted logits, `(B, 1, H, W)`.
            wanted: Target maps of the same batch.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        with torch.autocast(mask.device.type, enabled=False):
            logits, target = logits.float(), wanted.map.float()
            weight = wanted.known.to(mask.dtype)[:, None, None, None]
            inside = mask * weight
            entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
            probability = logits.sigmoid() * inside
            overlap = (probability * target).sum(dim=(1, 2, 3))
            # Squares as in V-Net: with plain sums a soft map could never reach a loss of zero.
            sizes = (probability.square() + target.square() * inside).sum(dim=(1, 2, 3))
            dice = 1.0 - (2.0 * overlap + 1.0) / (sizes + 1.0)
            return masked_mean(entropy * weight, mask) + (dice * weight.flatten()).mean()
