"""Python API: `magenet.enhance(image)`."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import read_with_field
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import Header, parsed_memory, require_memory
from data_modules.files.reading import read_header, require_shape
from magenet.allocator import make_room, resident, return_freed_memory
from magenet.enhancement.device import device_for
from magenet.enhancement.enhancer import PhotographEnhancer, Report
from magenet.errors import UserError
from magenet.imaging.field_of_view import field_from_mask

UNCERTAINTY_BYTES = 12
"""Bytes per pixel of the uncertainty map while it is enlarged: two neighbours and their mean."""


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
    return_freed_memory()
    memory = resident() + parsed_memory(max_memory)
    return PhotographEnhancer.from_pretrained(weights, device_for(device), memory)


def enhance(
    image: NDArray[Any] | str | PathLike[str],
    mask: NDArray[np.bool_] | None = None,
    *,
    strength: float = 1.0,
    force: bool = False,
    fast: bool = False,
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
        fast: Whether to restore at half the resolution (512 to 1024 px along a side): finer detail
            stays as it is. No difference with weights of release 0.1.
        weights: Name of weights in the package, folder, or id of a Hugging Face repository.
        device: `auto`, `cpu`, `cuda` or `mps`.
        max_memory: Memory on top of what the process uses at the first call, such as `1.5G`.

    Returns:
        The enhanced photograph, its uncertainty and a report.

    Raises:
        TypeError: If the image is of another type.
        ValueError: If a shape is wrong, or the strength is out of range.
        UserError: If a file or weights cannot be read, or the image does not look like a fundus
            photograph (`NotAFundusError`), has sides below 32 px, is more than four times as long
            as wide, or needs more memory than `max_memory`.

    Example:
        >>> result = enhance("eye.png")                            # doctest: +SKIP
        >>> result.report.verdict, result.image.shape              # doctest: +SKIP
        ('ok', (1024, 1024, 3))
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength must lie in [0, 1], got {strength}")
    enhancer = _enhancer(str(weights), device, max_memory)
    field = None
    notes: tuple[str, ...] = ()
    if isinstance(image, (str, PathLike)):
        path = Path(image)
        _require_memory(str(path), read_header(path), enhancer.max_memory)
        tensor, field, notes = read_with_field(Photograph(path, path.name), enhancer.max_memory)
    else:
        _require_memory("the array", _header(image), enhancer.max_memory)
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    if mask is not None:
        if mask.shape != tuple(tensor.shape[-2:]):
            raise ValueError(f"the mask is {mask.shape}, the image {tuple(tensor.shape[-2:])}")
        field = field_from_mask(torch.from_numpy(np.ascontiguousarray(mask, dtype=bool))[None])
    result = enhancer(tensor, field, strength, force, fast)
    make_room(UNCERTAINTY_BYTES * tensor[0].numel(), enhancer.max_memory)
    uncertainty: NDArray[np.float32] = (255.0 * result.uncertainty()).numpy()
    report = replace(result.report, reasons=(*result.report.reasons, *notes))
    return Enhanced(result.image.permute(1, 2, 0).numpy(), uncertainty, report)


def _header(image: NDArray[Any]) -> Header:
    """Return the header that a file of an array would have; see :func:`enhance`."""
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16):
        given = getattr(image, "dtype", type(image).__name__)
        raise TypeError(f"enhance needs an array of uint8 or uint16, or a path; got {given}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"enhance needs RGB, (H, W, 3); got {image.shape}")
    height, width, _ = image.shape
    require_shape("the array", width, height)
    return Header(width, height, image.itemsize, decoding=0, encoding=0)


def _require_memory(name: str, header: Header, max_memory: int) -> None:
    """Raise if a photograph with its uncertainty map does not fit into the memory."""
    after = UNCERTAINTY_BYTES * header.width * header.height  # the map, not an encoder
    try:
        require_memory(header._replace(encoding=after), max_memory)
    except UserError as error:
        raise PictureError(f"{name}: {error}") from None
