"""Python API: `magenet.enhance(image)`."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import read_with_field
from data_modules.files.memory_estimate import parsed_memory, resident
from magenet.enhancement.device import device_for
from magenet.enhancement.enhancer import PhotographEnhancer, Report
from magenet.imaging.field_of_view import field_from_mask


class Enhanced(NamedTuple):
    """An enhanced photograph, its uncertainty map and a report.

    Attributes:
        image: Like the photograph given, `(H, W, 3)`, uint8 or uint16; bit for bit the same
            outside the field of view.
        uncertainty: Expected absolute error of each pixel in grey levels of 255, float32
            `(H, W)`; 0 outside the field.
        report: See :class:`magenet.enhancement.enhancer.Report`.
    """

    image: NDArray[Any]
    uncertainty: NDArray[np.float32]
    report: Report


@lru_cache(maxsize=2)
def _enhancer(weights: str, device: str, max_memory: str) -> PhotographEnhancer:
    """Return an enhancer, cached by its arguments.

    Its memory is counted on top of what the process uses at that moment.
    """
    memory = resident() + parsed_memory(max_memory)
    return PhotographEnhancer.from_pretrained(weights, device_for(device), memory)


def enhance(
    image: NDArray[Any] | str | PathLike[str],
    mask: NDArray[np.bool_] | None = None,
    *,
    strength: float = 1.0,
    force: bool = False,
    weights: str | PathLike[str] = "mage_net",
    device: str = "auto",
    max_memory: str = "4G",
) -> Enhanced:
    """Enhance a fundus photograph.

    Args:
        image: RGB, `(H, W, 3)`, uint8 or uint16 (such as `np.asarray` of a Pillow picture); or the
            path of a file.
        mask: Field of view, bool `(H, W)`; estimated if None.
        strength: Share of the change that is applied, 0 to 1.
        force: Whether to also enhance images that do not look like fundus photographs.
        weights: Name of weights in the package, folder, or id of a Hugging Face repository.
        device: `auto`, `cpu`, `cuda` or `mps`.
        max_memory: Memory on top of what the process uses at the first call, such as `1.5G`.

    Returns:
        The enhanced photograph, its uncertainty and a report.

    Raises:
        TypeError: If the image is of another type.
        ValueError: If a shape is wrong, or the strength is out of range.
        UserError: If a file or weights cannot be read, or the image does not look like a fundus
            photograph (`NotAFundusError`).

    Example:
        >>> result = enhance("eye.png")                            # doctest: +SKIP
        >>> result.report.verdict, result.image.shape              # doctest: +SKIP
        ('ok', (1024, 1024, 3))
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength must lie in [0, 1], got {strength}")
    enhancer = _enhancer(str(weights), device, max_memory)
    field = None
    if isinstance(image, (str, PathLike)):
        path = Path(image)
        tensor, field, _ = read_with_field(Photograph(path, path.name), enhancer.max_memory)
    else:
        tensor = _tensor(image)
    if mask is not None:
        if mask.shape != tuple(tensor.shape[-2:]):
            raise ValueError(f"the mask is {mask.shape}, the image {tuple(tensor.shape[-2:])}")
        field = field_from_mask(torch.from_numpy(np.ascontiguousarray(mask, dtype=bool))[None])
    result = enhancer(tensor, field, strength, force)
    uncertainty: NDArray[np.float32] = (255.0 * result.uncertainty()).numpy()
    return Enhanced(result.image.permute(1, 2, 0).numpy(), uncertainty, result.report)


def _tensor(image: NDArray[Any]) -> Tensor:
    """Return an array as a tensor `(3, H, W)`; see :func:`enhance`."""
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16):
        given = getattr(image, "dtype", type(image).__name__)
        raise TypeError(f"enhance needs an array of uint8 or uint16, or a path; got {given}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"enhance needs RGB, (H, W, 3); got {image.shape}")
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
