"""Classical enhancement without learning: the baselines."""

from __future__ import annotations

from abc import abstractmethod

import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from kornia.enhance import equalize_clahe
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional

from magenet.models.enhancer import Enhancer, EnhancerOutput

DARKEST = 0.04
"""Minimum over the retina of the brightest channel: ten levels of 255, above JPEG noise."""


def foreground(image: Tensor) -> Tensor:
    """Estimate the field of view of a photograph as the pixels that are not black.

    A morphological closing fills dark specks, such as vessels, up to 1/32 of the shorter side.

    Args:
        image: `(B, 3, H, W)` in [0, 1], black outside the field.

    Returns:
        bool `(B, 1, H, W)`.
    """
    reach = max(1, min(image.shape[-2:]) // 64)
    bright = (image.amax(dim=1, keepdim=True) > DARKEST).float()
    bright = functional.pad(
        bright, [reach] * 4
    )  # otherwise the surround would be filled along the frame
    grown = functional.max_pool2d(bright, 2 * reach + 1, 1, reach)
    closed: Tensor = -functional.max_pool2d(-grown, 2 * reach + 1, 1, reach)
    return closed[..., reach:-reach, reach:-reach] > 0.5


def blurred(picture: Tensor, field: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian inside the field only (normalised convolution).

    Args:
        picture: `(B, C, H, W)`.
        field: bool `(B, 1, H, W)`.
        sigma: In pixels; the kernel is truncated at three sigma.

    Returns:
        `(B, C, H, W)`; beyond the kernel's reach, the mean of the field.
    """
    inside = field.float()
    count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    mean = (picture * inside).sum(dim=(2, 3), keepdim=True) / count
    size = 2 * max(1, round(3.0 * sigma)) + 1
    both = gaussian_blur2d(
        torch.cat([(picture - mean) * inside, inside], dim=1),
        (size, size), (sigma, sigma), border_type="constant",
    )  # fmt: skip
    # At the rim the weight is 1/2 or more: the small constant only matters far outside.
    result: Tensor = mean + both[:, :-1] / (both[:, -1:] + 1e-4)
    return result


class Classical(Enhancer):
    """Base class: computes in fp32 and does not change pixels outside the field."""

    @abstractmethod
    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return enhanced photographs, not clamped; values outside the field are discarded.

        Args:
            image: `(B, 3, H, W)`, fp32 in [0, 1].
            field: Field of view, bool `(B, 1, H, W)`.
        """

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the enhanced photograph.

        Args:
            image: `(B, 3, H, W)` in [0, 1], black outside the field.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1; :func:`foreground` if None.

        Returns:
            One estimate, `(B, 3, H, W)` in [0, 1]; no structure map.
        """
        with torch.autocast(image.device.type, enabled=False):  # bf16 has 8 bits
            image = image.float()
            field = foreground(image) if mask is None else mask > 0
            enhanced = self.enhance(image, field).clamp(0.0, 1.0)
            return EnhancerOutput((torch.where(field, enhanced, image),))


class Identity(Enhancer):
    """No enhancement: returns the photograph unchanged."""

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the photograph as it is."""
        return EnhancerOutput((image,))


class CLAHE(Classical):
    """Contrast-limited adaptive histogram equalisation (CLAHE) of L in CIELAB.

    The black surround has little effect: it is one value of a tile's histogram, which is clipped.

    Args:
        clip_limit: Clip limit, the largest slope of the local histogram; 2 as usual for fundus
            photographs.
        grid: Tiles along each axis; 8 as usual.

    Example:
        >>> import torch
        >>> CLAHE()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])

    References:
        Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """

    def __init__(self, clip_limit: float = 2.0, grid: int = 8) -> None:
        super().__init__()
        self.clip_limit = clip_limit
        self.grid = grid

    def equalised(self, channel: Tensor) -> Tensor:
        """Equalise one channel, `(B, 1, H, W)` in [0, 1]."""
        grid = (self.grid, self.grid)
        result: Tensor = equalize_clahe(channel.clamp(0.0, 1.0), self.clip_limit, grid)
        return result

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the equalised photograph."""
        lab = rgb_to_lab(image)
        lightness = 100.0 * self.equalised(lab[:, :1] / 100.0)
        enhanced: Tensor = lab_to_rgb(torch.cat([lightness, lab[:, 1:]], dim=1))
        return enhanced


class Setiawan(CLAHE):
    """CLAHE of the green channel alone, where vessels have the most contrast (Setiawan et al.).

    Args:
        clip_limit: Clip limit, the largest slope of the local histogram; 2 as in `CLAHE` (our
            choice).
        grid: Tiles along each axis; 8 as in `CLAHE` (our choice).

    Example:
        >>> import torch
        >>> Setiawan()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])

    References:
        Setiawan et al., "Color retinal image enhancement using CLAHE", ICISS 2013.
    """

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the photograph with its green channel equalised."""
        red, green, blue = image.chunk(3, dim=1)
        return torch.cat([red, self.equalised(green), blue], dim=1)


class BenGraham(Classical):
    """Graham's preprocessing: the difference from the local mean colour, amplified, on grey.

    Deviation: Graham blurs across the rim and then removes the outer tenth of the field; this blur
    stays inside the field, so all of the field is kept.

    Args:
        gain: Factor of the difference from the local mean; 4 as in Graham.
        fineness: Radius of the field over sigma of the blur; 30 as in Graham. The radius is half
            the longer side, as photographs are cropped to the field.

    Example:
        >>> import torch
        >>> BenGraham()(torch.full((1, 3, 45, 33), 0.2)).image.mean()
        tensor(0.5000)

    References:
        Graham, "Kaggle diabetic retinopathy detection competition report", 2015.
    """

    def __init__(self, gain: float = 4.0, fineness: float = 30.0) -> None:
        super().__init__()
        self.gain = gain
        self.fineness = fineness

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the amplified difference from the local mean, on grey."""
        radius = max(image.shape[-2:]) / 2.0
        return self.gain * (image - blurred(image, field, radius / self.fineness)) + 0.5


class UnsharpMask(Classical):
    """Unsharp masking: add the difference from a Gaussian blur.

    Args:
        amount: Factor of the difference; 1 doubles the detail (our choice).
        sigma: Sigma of the blur, relative to the photograph's longer side; the default is 2.6
            pixels at 512 (our choice), about the width of a small vessel.

    Example:
        >>> import torch
        >>> UnsharpMask()(torch.rand(1, 3, 45, 33)).image.shape
        torch.Size([1, 3, 45, 33])
    """

    def __init__(self, amount: float = 1.0, sigma: float = 0.005) -> None:
        super().__init__()
        self.amount = amount
        self.sigma = sigma

    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return the sharpened photograph."""
        sigma = self.sigma * max(image.shape[-2:])
        return image + self.amount * (image - blurred(image, field, sigma))
