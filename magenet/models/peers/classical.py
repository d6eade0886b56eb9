"""Enhancers without learning: what any network must beat."""

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
"""Brightest channel that the retina has at least: ten levels of 255, above the noise of JPEG."""


def lit(image: Tensor) -> Tensor:
    """Return where a photograph is not black: the field of view, as well as pixels alone tell.

    Specks in the field are closed, up to a 32nd of the shorter side, since dark vessels belong.

    Args:
        image: `(B, 3, H, W)` in [0, 1], black outside the field.

    Returns:
        bool `(B, 1, H, W)`.
    """
    reach = max(1, min(image.shape[-2:]) // 64)
    bright = (image.amax(dim=1, keepdim=True) > DARKEST).float()
    bright = functional.pad(bright, [reach] * 4)  # or the surround would close along the frame
    grown = functional.max_pool2d(bright, 2 * reach + 1, 1, reach)
    closed: Tensor = -functional.max_pool2d(-grown, 2 * reach + 1, 1, reach)
    return closed[..., reach:-reach, reach:-reach] > 0.5


def blurred(picture: Tensor, field: Tensor, sigma: float) -> Tensor:
    """Return a Gaussian blur that takes nothing from the surround.

    Args:
        picture: `(B, C, H, W)`.
        field: bool `(B, 1, H, W)`.
        sigma: In pixels; cut off at three sigma.

    Returns:
        `(B, C, H, W)`; beyond the blur's reach, the mean of the field.
    """
    inside = field.float()
    count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    mean = (picture * inside).sum(dim=(2, 3), keepdim=True) / count
    size = 2 * max(1, round(3.0 * sigma)) + 1
    both = gaussian_blur2d(
        torch.cat([(picture - mean) * inside, inside], dim=1),
        (size, size), (sigma, sigma), border_type="constant",
    )  # fmt: skip
    # At the rim a blur covers half of the field or more: what is added here is for far outside.
    result: Tensor = mean + both[:, :-1] / (both[:, -1:] + 1e-4)
    return result


class Classical(Enhancer):
    """Be an enhancer that computes in fp32 and changes nothing outside the field."""

    @abstractmethod
    def enhance(self, image: Tensor, field: Tensor) -> Tensor:
        """Return enhanced photographs, not yet clamped; what they say of the surround is dropped.

        Args:
            image: `(B, 3, H, W)`, fp32 in [0, 1].
            field: Field of view, bool `(B, 1, H, W)`.
        """

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the enhanced photograph.

        Args:
            image: `(B, 3, H, W)` in [0, 1], black outside the field.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1; :func:`lit` if None.

        Returns:
            One estimate, `(B, 3, H, W)` in [0, 1]; no structure map.
        """
        with torch.autocast(image.device.type, enabled=False):  # bf16 has 8 bits
            image = image.float()
            field = lit(image) if mask is None else mask > 0
            enhanced = self.enhance(image, field).clamp(0.0, 1.0)
            return EnhancerOutput((torch.where(field, enhanced, image),))


class Identity(Enhancer):
    """Do nothing."""

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Return the photograph as it is."""
        return EnhancerOutput((image,))


class CLAHE(Classical):
    """Equalise lightness locally with limited contrast, in Lab colour.

    The black surround hardly counts: in a tile's histogram it is one value, which is cut off.

    Args:
        clip_limit: Greatest slope of the local histogram; 2 as usual for fundus photographs.
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
        """Return one channel equalised, `(B, 1, H, W)` in [0, 1]."""
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
    """Equalise the green channel alone, where vessels have the most contrast.

    Args:
        clip_limit: Greatest slope of the local histogram; 2 as in `CLAHE` (our choice).
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
    """Take the local mean colour away and stretch what is left around grey.

    Deviation: Graham blurs across the rim and then cuts the outer tenth of the field off; this
    blur stays inside the field, so all of it is kept.

    Args:
        gain: What the difference to the local mean is multiplied by; 4 as by Graham.
        fineness: Radius of the field over sigma of the blur; 30 as by Graham. The radius is half
            the longer side, as photographs are cut to the field.

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
        """Return the photograph on grey."""
        radius = max(image.shape[-2:]) / 2.0
        return self.gain * (image - blurred(image, field, radius / self.fineness)) + 0.5


class UnsharpMask(Classical):
    """Add what a blur takes away.

    Args:
        amount: How much of it; 1 doubles the detail (our choice).
        sigma: Of the blur, over the photograph's longer side; the default is 2.6 pixels at 512
            (our choice), about a small vessel's width.

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
