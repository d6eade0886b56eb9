"""Terms that compare pictures: pixels, edges, frequencies, similarity, features of vessels."""

from __future__ import annotations

import torch
from kornia.metrics import ssim
from torch import Tensor

from magenet.losses.masked import charbonnier, laplacian, masked_mean
from magenet.losses.term import PictureTerm, wholly_inside
from magenet.metrics.full_reference import SSIM_WINDOW, windows_inside
from magenet.models import VesselSegmenter

LEAST_FEATURE = 1e-3
"""Added to the mean size of features that distances are divided by."""


class CharbonnierTerm(PictureTerm):
    """Charbonnier loss, a smooth L1; with :class:`EdgeTerm` it is MPRNet's loss.

    Args:
        weight: Weight of the term.
        every_stage: See :class:`PictureTerm`; as in MPRNet.
    """

    def __init__(self, weight: float = 1.0, every_stage: bool = True) -> None:
        super().__init__(weight, every_stage)

    def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See :meth:`PictureTerm.compare`."""
        return charbonnier(estimate - target, mask)


class EdgeTerm(PictureTerm):
    """Charbonnier loss of what a 5-tap blur takes away; see :class:`EnhancementLoss`.

    Args:
        weight: Weight of the term; 0.05 as in MPRNet.
        every_stage: See :class:`PictureTerm`; as in MPRNet.
    """

    def __init__(self, weight: float = 0.05, every_stage: bool = True) -> None:
        super().__init__(weight, every_stage)

    def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See :meth:`PictureTerm.compare`."""
        return charbonnier(laplacian(estimate - target), mask)


class FrequencyTerm(PictureTerm):
    """Absolute error of the Fourier transform: each frequency counts alike, however weak.

    Args:
        weight: Weight of the term; 0.1 as in MIMO-UNet.
        every_stage: See :class:`PictureTerm`.

    References:
        Cho et al., "Rethinking coarse-to-fine approach in single image deblurring", ICCV 2021,
        equation 8; the mask is our choice.
    """

    def __init__(self, weight: float = 0.1, every_stage: bool = False) -> None:
        super().__init__(weight, every_stage)

    def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See :meth:`PictureTerm.compare`."""
        # As there, not divided by the size.
        spectrum = torch.fft.rfft2((estimate - target) * mask, norm="backward")
        return torch.view_as_real(spectrum).abs().mean()


class SSIMTerm(PictureTerm):
    """One minus the structural similarity, over windows wholly inside the field.

    Args:
        weight: Weight of the term; 0.1 is our choice.
        every_stage: See :class:`PictureTerm`.

    References:
        Wang et al., IEEE TIP 2004; see :func:`magenet.metrics.masked_ssim`. Zhao et al., "Loss
        functions for image restoration with neural networks", IEEE TCI 2017, for it as a loss.
    """

    def __init__(self, weight: float = 0.1, every_stage: bool = False) -> None:
        super().__init__(weight, every_stage)

    def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See :meth:`PictureTerm.compare`."""
        inside = windows_inside(mask)  # of a small field maybe none: then nothing counts
        return masked_mean(1.0 - ssim(estimate * mask, target * mask, SSIM_WINDOW, 1.0), inside)


class PerceptualTerm(PictureTerm):
    """Distance of the features that a frozen vessel segmenter sees, at three resolutions.

    The segmenter is the one in the package, so that nothing is downloaded and what is compared is
    what retinas are made of, not what photographs of the world are. Each resolution counts by the
    mean absolute distance over the mean size of the target's features (our choice). The report of
    `magenet enhance` counts vessels by the same segmenter, and so do the tables (their judge of
    vessels has the same weights): for a network trained with this term neither is an independent
    measure.

    Args:
        weight: Weight of the term; 0.1 is our choice.
        every_stage: See :class:`PictureTerm`.

    References:
        Johnson et al., "Perceptual losses for real-time style transfer and super-resolution", ECCV
        2016, section 3.1.
    """

    def __init__(self, weight: float = 0.1, every_stage: bool = False) -> None:
        super().__init__(weight, every_stage)
        self.segmenter = VesselSegmenter.from_pretrained("vessels").requires_grad_(False).eval()

    def train(self, mode: bool = True) -> PerceptualTerm:
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See :meth:`PictureTerm.compare`."""
        with torch.no_grad():
            wanted = self.segmenter.features(target * mask)
        distances = []
        for found, features in zip(self.segmenter.features(estimate * mask), wanted, strict=True):
            inside = wholly_inside(mask, features.shape[-2:])
            size = masked_mean(features.abs(), inside) + LEAST_FEATURE
            distances.append(masked_mean((found - features).abs(), inside) / size)
        return torch.stack(distances).mean()
