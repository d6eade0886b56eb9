"""No-reference quality in the manner of NIQE, fitted on good fundus photographs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from kornia.color import rgb_to_grayscale
from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Tensor
from torch.nn import functional

from magenet.atomic_write import atomic_write
from magenet.errors import UserError
from magenet.installation import only_in_clone

FEATURES = 36
"""Features of a patch: 18 at each of two scales."""

SHARP = 0.75
"""Least sharpness of a patch used in a fit, as a share of the photograph's sharpest (paper)."""

SHAPES = torch.arange(0.2, 10.0, 0.001, dtype=torch.float64)
"""Search grid for the shape of a generalised Gaussian, that of the authors' code."""

TINY = 1e-12
"""Floor of a mean square, which is 0 for a flat patch."""


@dataclass(frozen=True)
class NaturalnessModel:
    """Natural image quality evaluator (NIQE) with a model of good fundus photographs.

    NIQE's own model was fitted on everyday scenes. Fit and score photographs of one size, best
    512 px or more: the statistics depend on the scale. Do not rank by this score alone: it compares
    local statistics, not the position of vessels, and a wrong but plausible texture or the noise of
    another camera changes it as much as a better photograph does.

    Args:
        mean: Mean of the features, `(36,)`.
        covariance: Covariance of the features, `(36, 36)`.
        patch: Side of the patches in px, even.

    References:
        Mittal, Soundararajan, Bovik, "Making a 'completely blind' image quality analyzer", IEEE
        SPL 2013.
    """

    mean: Tensor
    covariance: Tensor
    patch: int

    @classmethod
    def fit(
        cls, images: Iterable[Tensor], masks: Iterable[Tensor], patch: int = 96
    ) -> NaturalnessModel:
        """Fit a model to the sharpest patches of each photograph.

        Args:
            images: `(N, 3, H, W)` in [0, 1], or an iterable of `(3, H, W)` where memory is short.
            masks: Fields of view, `(N, 1, H, W)` or an iterable of `(1, H, W)`, 0 or 1.
            patch: Side of the patches in px, even; 96 is the paper's. 48 suits 256 px.

        Raises:
            ValueError: If there are too few patches for a covariance, shapes differ, or the side
                is odd.
        """
        chosen = []
        for image, mask in zip(images, masks, strict=True):
            features, sharpness, _ = _patches(image[None], mask[None], patch)
            if len(features):
                chosen.append(features[sharpness >= SHARP * sharpness.max()])
        count = sum(map(len, chosen))
        if count <= FEATURES:
            raise ValueError(
                f"{count} sharp patches of {patch} px lie inside the fields, but a fit needs "
                f"{FEATURES + 1}: give more or larger photographs, or smaller patches"
            )
        features = torch.cat(chosen)
        return cls(features.mean(dim=0), features.mT.cov(), patch)

    def score(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return each photograph's distance from the fitted model.

        Args:
            image: `(B, 3, H, W)` in [0, 1], of the size that the model was fitted on.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.

        Returns:
            `(B,)`, at least 0, lower is better; NaN where fewer than two patches lie wholly inside
            the field.

        Raises:
            ValueError: If shapes differ.
        """
        features, _, owner = _patches(image, mask, self.patch)
        mean, covariance = self.mean.to(features.device), self.covariance.to(features.device)
        result = features.new_full((len(image),), torch.nan)
        for index in range(len(image)):
            patches = features[owner == index]
            if len(patches) >= 2:
                offset = patches.mean(dim=0) - mean
                inverse = torch.linalg.pinv((patches.mT.cov() + covariance) / 2, hermitian=True)
                result[index] = (offset @ inverse @ offset).clamp(min=0.0).sqrt()
        return result.float()

    @property
    def state(self) -> dict[str, Tensor]:
        """Return the model as plain tensors."""
        return {
            "mean": self.mean,
            "covariance": self.covariance,
            "patch": torch.tensor(self.patch),
        }

    def save(self, path: str | Path) -> None:
        """Write the model to a file.

        Raises:
            UserError: If it cannot be written.
        """
        with atomic_write(path) as part, part.open("wb") as stream:
            torch.save(self.state, stream)

    @classmethod
    def load(cls, path: str | Path) -> NaturalnessModel:
        """Read a model that :meth:`save` wrote.

        Raises:
            UserError: If the file is missing, cannot be read, or is no such model.
        """
        path = Path(path)
        if not path.is_file():
            where = only_in_clone(path) or "; fit one and save it there"
            raise UserError(f"{path}: no such naturalness model{where}")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # torch.load raises many kinds of errors for damaged files
            raise UserError(f"{path}: not a readable naturalness model") from None
        shapes = {"mean": (FEATURES,), "covariance": (FEATURES, FEATURES), "patch": ()}
        if not isinstance(state, dict) or shapes != {
            name: tuple(getattr(value, "shape", (-1,))) for name, value in state.items()
        }:
            raise UserError(f"{path}: not a naturalness model; fit one and save it there")
        return cls(state["mean"], state["covariance"], int(state["patch"]))


def _patches(image: Tensor, mask: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return features `(M, 36)`, sharpness `(M,)` and image index `(M,)` of patches in the fields.

    Patches do not overlap; their grid is centred in the photograph.

    Raises:
        ValueError: If shapes do not match or the side is odd.
    """
    if image.ndim != 4 or mask.shape != (len(image), 1, *image.shape[-2:]):
        raise ValueError(f"cannot score {tuple(image.shape)} inside {tuple(mask.shape)}")
    if side < 2 or side % 2:
        raise ValueError(f"the side of a patch must be even, got {side}")
    grey, inside = rgb_to_grayscale(image.double()), mask.double()
    chosen = _grid(inside, side, 2).amin(dim=(3, 4)) > 0
    normal, deviation = _normalised(grey, inside)
    fine, sharpness = _grid(normal, side, 2)[chosen], _grid(deviation, side, 2)[chosen]
    # Deviation: the second scale averages 2x2 pixels; the authors' code resizes bicubically.
    normal, _ = _normalised(functional.avg_pool2d(grey, 2), -functional.max_pool2d(-inside, 2))
    coarse = _grid(normal, side // 2, 1)[chosen]
    features = torch.cat([_statistics(fine), _statistics(coarse)], dim=1)
    return features, sharpness.mean(dim=(1, 2)), chosen.nonzero()[:, 0]


def _grid(plane: Tensor, side: int, step: int) -> Tensor:
    """Split `(B, 1, H, W)` into `(B, rows, columns, side, side)`, at an offset divisible by `step`.

    A step of 2 at full size and of 1 at half size give the same patches.
    """
    height, width = plane.shape[-2:]
    rows, columns = height // side, width // side
    top = (height - rows * side) // (2 * step) * step
    left = (width - columns * side) // (2 * step) * step
    plane = plane[:, 0, top : top + rows * side, left : left + columns * side]
    return plane.reshape(len(plane), rows, side, columns, side).transpose(2, 3)


def _normalised(grey: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean-subtracted, contrast-normalised luminance, and the local standard deviation.

    Deviation: a window that crosses the field's edge counts only its part inside, so that the
    black surround is not an edge.

    Args:
        grey: `(B, 1, H, W)` in [0, 1].
        inside: Same shape, 0 or 1.

    References:
        Mittal et al. 2013, equations 1 to 3: 7x7 Gaussian window, sigma 7/6 (authors' code), and
        a constant of 1 grey level of 255.
    """
    kernel = get_gaussian_kernel1d(7, 7 / 6, device=grey.device, dtype=grey.dtype)

    def blurred(value: Tensor) -> Tensor:
        result: Tensor = filter2d_separable(value, kernel, kernel, "constant")
        return result

    weight = blurred(inside).clamp(min=1e-6)
    mean = blurred(grey * inside) / weight
    variance = blurred(grey.square() * inside) / weight - mean.square()
    deviation = variance.clamp(min=0.0).sqrt()
    return (grey - mean) / (deviation + 1 / 255), deviation


def _statistics(patches: Tensor) -> Tensor:
    """Return the 18 features of patches `(M, S, S)` at one scale: `(M, 18)`.

    Shape and scale of the values, then shape, mean and both scales of the products of neighbours:
    horizontal, vertical and along both diagonals.

    Deviation: products stay inside the patch; the authors' code wraps around its edges.
    """
    upper, lower = patches[:, :-1], patches[:, 1:]
    products = (
        patches[:, :, :-1] * patches[:, :, 1:],
        upper * lower,
        upper[:, :, :-1] * lower[:, :, 1:],
        upper[:, :, 1:] * lower[:, :, :-1],
    )
    parts = [_symmetric(patches.flatten(1))]
    parts += [_asymmetric(product.flatten(1)) for product in products]
    return torch.cat(parts, dim=1)


def _symmetric(values: Tensor) -> Tensor:
    """Fit a generalised Gaussian to each row of `(M, n)`: shape and scale, `(M, 2)`."""
    power = values.square().mean(dim=1).clamp(min=TINY)
    shape = _shape(values.abs().mean(dim=1).square() / power)
    return torch.stack([shape, power.sqrt() * _spread(shape)], dim=1)


def _asymmetric(values: Tensor) -> Tensor:
    """Fit an asymmetric generalised Gaussian to each row of `(M, n)`.

    Returns:
        Shape, mean, left and right scale, `(M, 4)`.

    References:
        Mittal et al. 2013, equations 6 to 8; moments matched as in Lasmar, Stitou, Berthoumieu,
        "Multiscale skewed heavy tailed model for texture analysis", ICIP 2009.
    """
    power = values.square().mean(dim=1).clamp(min=TINY)
    left, right = (
        (side.square().sum(dim=1) / (side > 0).sum(dim=1).clamp(min=1)).clamp(min=TINY).sqrt()
        for side in (values.neg().relu(), values.relu())
    )
    skew = left / right
    correction = (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    shape = _shape(values.abs().mean(dim=1).square() / power * correction)
    left, right = left * _spread(shape), right * _spread(shape)
    mean = (right - left) * ((2 / shape).lgamma() - (1 / shape).lgamma()).exp()
    return torch.stack([shape, mean, left, right], dim=1)


def _shape(ratio: Tensor) -> Tensor:
    """Return the grid's shape whose ratio of squared mean magnitude to power is nearest, `(M,)`."""
    shapes = SHAPES.to(ratio.device)
    ratios = (2 * (2 / shapes).lgamma() - (1 / shapes).lgamma() - (3 / shapes).lgamma()).exp()
    # The ratio increases with the shape: midpoints between grid values separate the nearest ones.
    return shapes[torch.searchsorted((ratios[1:] + ratios[:-1]) / 2, ratio)]


def _spread(shape: Tensor) -> Tensor:
    """Return a generalised Gaussian's scale divided by its standard deviation, `(M,)`."""
    return (((1 / shape).lgamma() - (3 / shape).lgamma()) / 2).exp()
