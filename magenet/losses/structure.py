"""What the structure preservation module learns from, and how it is scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn
from torch.nn import functional

from magenet.checkpoints import read_network
from magenet.losses.masked import masked_mean


class Structure(NamedTuple):
    """Hold the wanted structure map.

    Attributes:
        map: `(B, 1, H, W)` in [0, 1].
        known: Which photographs have one, bool `(B,)`.
    """

    map: Tensor
    known: Tensor


class StructureTarget(nn.Module, ABC):
    """Be the source of wanted structure maps."""

    reads_photographs = False
    """Whether :meth:`read` returns what photographs show."""

    def load(self) -> None:
        """Read what a training needs from disk; called once before it starts."""

    @abstractmethod
    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """Return the wanted maps for clean photographs.

        Args:
            clean: `(B, 3, H, W)` in [0, 1].
            vessels: True vessel masks, `(B, 1, H, W)` in [0, 1], zero where unknown.
            known: Which photographs have a true mask, bool `(B,)`.
        """

    def read(self, image: Tensor) -> Tensor | None:
        """Return logits of the structure that photographs show, `(B, 1, H, W)`, with gradient.

        Args:
            image: `(B, 3, H, W)` in [0, 1].

        Returns:
            None if this source knows of masks only.
        """
        return None


class VesselMaskTarget(StructureTarget):
    """Use the true vessel masks; photographs without one do not count."""

    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """See :meth:`StructureTarget.forward`."""
        return Structure(vessels, known)


class HighFrequencyTarget(StructureTarget):
    """Use the fine dark part of the clean photograph's green channel: no label, no segmenter.

    Vessels are darker than their surround, most of all in green. The map is how far green lies
    below its local mean, relative to it. True masks are not used, so that all maps are alike.

    Args:
        sigma: Of the local mean, over the photograph's side; our choice.
        contrast: Relative depth that counts as 1; our choice.

    References:
        The idea of learning from the high-frequency component: GFE-Net, SCR-Net, ArcNet.
    """

    def __init__(self, sigma: float = 0.012, contrast: float = 0.25) -> None:
        super().__init__()
        self.sigma = sigma
        self.contrast = contrast

    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """See :meth:`StructureTarget.forward`."""
        green = clean[:, 1:2].float()
        sigma = self.sigma * green.shape[-1]
        size = 2 * max(1, round(2.5 * sigma)) + 1
        with torch.autocast(clean.device.type, enabled=False):
            mean = gaussian_blur2d(green, (size, size), (sigma, sigma))
        depth = (mean - green) / mean.clamp(min=0.02) / self.contrast
        return Structure(depth.clamp(0.0, 1.0), torch.ones_like(known))


class SegmenterTarget(StructureTarget):
    """Use the true vessel mask where there is one, else a frozen segmenter's soft map.

    Args:
        segmenter: Network that gives vessel logits, `(B, 1, H, W)`; it is frozen here.
        checkpoint: Checkpoint of the `SegmentationTask` that trained it; read when a training
            starts. Afterwards its weights are in the trained model's own checkpoint.
    """

    reads_photographs = True

    def __init__(self, segmenter: nn.Module, checkpoint: str | None = None) -> None:
        super().__init__()
        self.segmenter = segmenter.requires_grad_(False).eval()
        self.checkpoint = checkpoint

    def train(self, mode: bool = True) -> SegmenterTarget:
        """Stay in evaluation mode, whatever is asked."""
        return super().train(False)

    def load(self) -> None:
        """Read the segmenter's weights.

        Raises:
            UserError: If the checkpoint is missing or holds another network.
        """
        if self.checkpoint is None:
            return
        how = "train a segmenter first ('make segmenter'), or choose another structure target"
        read_network(self.segmenter, self.checkpoint, how)

    def forward(self, clean: Tensor, vessels: Tensor, known: Tensor) -> Structure:
        """See :meth:`StructureTarget.forward`."""
        with torch.no_grad():
            soft = self.segmenter(clean).float().sigmoid()
        wanted = torch.where(known[:, None, None, None], vessels, soft)
        return Structure(wanted, torch.ones_like(known))

    def read(self, image: Tensor) -> Tensor:
        """See :meth:`StructureTarget.read`."""
        logits: Tensor = self.segmenter(image)
        return logits


class StructureLoss(nn.Module):
    """Score a structure map by cross-entropy plus Dice, inside the field (our choice).

    References:
        Milletari et al., "V-Net", 3DV 2016, equation 3, for the Dice loss.
    """

    def forward(self, logits: Tensor, wanted: Structure, mask: Tensor) -> Tensor:
        """Return the loss, a scalar in fp32; zero where no photograph has a wanted map.

        Args:
            logits: `(B, 1, H, W)`.
            wanted: Maps of the same batch.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        with torch.autocast(mask.device.type, enabled=False):
            logits, target = logits.float(), wanted.map.float()
            weight = wanted.known.to(mask.dtype)[:, None, None, None]
            inside = mask * weight
            entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
            probability = logits.sigmoid() * inside
            both = (probability * target).sum(dim=(1, 2, 3))
            # Squares as in V-Net: with plain sums a soft map could never reach a loss of zero.
            sizes = (probability.square() + target.square() * inside).sum(dim=(1, 2, 3))
            dice = 1.0 - (2.0 * both + 1.0) / (sizes + 1.0)
            return masked_mean(entropy * weight, mask) + (dice * weight.flatten()).mean()
