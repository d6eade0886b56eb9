"""Dust of a camera: what all of its photographs share at the same place of the frame."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from data_modules.datasets.cache import LAYOUT
from data_modules.datasets.manifest import Photograph
from data_modules.files.errors import PictureError
from data_modules.files.reading import is_rotated, read_header, read_photograph
from magenet.atomic_write import atomic_write
from magenet.hashing import file_sha256

LEAST = 40
"""Photographs needed: the retina has to average out (our choice)."""

MOST = 120
"""Photographs used."""

SIDE = 1024
"""Longest side at which dust is looked for, in pixels."""

SURROUND = 25
"""Side of the window that a pixel is compared with, in pixels of :data:`SIDE`: wider than a
grain."""

GRAIN = 0.010
FRINGE = 0.003
"""Relative depths: a grain is at least as deep as the first somewhere, and reaches as far as it is
as deep as the second (our choice: the median of 80 photographs has a noise of 0.002)."""

WIDEST = 25
"""Greatest width of a grain, in pixels of :data:`SIDE`: less than the fovea, which lies at the same
place of many frames."""

DEEPEST = 0.25
"""Greatest relative depth that a grain is given; a mask of dust is 1 there."""


CameraKey = tuple[str, float]
"""By which cameras are told apart: the set of a photograph, and width over height of its frame."""


class Dust:
    """Dust of the cameras of a set of photographs.

    Grains on the optics darken the same places of every frame. The median over many photographs of
    how much darker a place is than its surround shows them, and nothing of the retina, which lies
    elsewhere in each. Cameras are told apart by the set and by the shape of their frames; one with
    fewer than :data:`LEAST` photographs is taken to be clean, and so is a photograph that EXIF
    rotates or mirrors.

    Args:
        photographs: Of any cameras.
        cache: Folder in which the result is kept; not kept if None.

    References:
        Seibert et al., "Flat-field correction technique for digital detectors", SPIE 1998: the
        same from photographs of an even surface, which nobody has of a camera that is in use.
    """

    def __init__(self, photographs: Sequence[Photograph], cache: str | None = None) -> None:
        self.depths: dict[CameraKey, Tensor] = {}
        self.planes: dict[tuple[CameraKey, int, int], Tensor] = {}
        cameras = defaultdict(list)
        for photograph in photographs:
            try:
                header = read_header(photograph.image)
                if is_rotated(photograph.image):  # its dust is elsewhere in the frame
                    continue
            except PictureError:
                continue  # one that a training does not ask for; else it is refused elsewhere
            cameras[_camera(photograph, header.height, header.width)].append(photograph)
        for camera, own in cameras.items():
            if len(own) >= LEAST:
                depth = kept_depth(own[:MOST], None if cache is None else Path(cache))
                if bool(depth.any()):
                    self.depths[camera] = depth

    def plane(self, photograph: Photograph, height: int, width: int) -> Tensor | None:
        """Return the share of the pixel values that dust takes; None for a camera without dust.

        It is kept: a camera's frames have few sizes, and to enlarge it takes longer than to read a
        photograph from the cache.

        Args:
            photograph: A photograph.
            height: Of its frame, in pixels.
            width: Of its frame, in pixels.

        Returns:
            uint8 `(1, height, width)`, 255 for :data:`DEEPEST`.
        """
        camera = _camera(photograph, height, width)
        depth = self.depths.get(camera)
        if depth is None:
            return None
        if (camera, height, width) not in self.planes:
            large = functional.interpolate(depth[None], (height, width), mode="bilinear")[0]
            plane = (large / DEEPEST * 255).round().to(torch.uint8)
            self.planes[camera, height, width] = plane
        return self.planes[camera, height, width]


def kept_depth(photographs: Sequence[Photograph], cache: Path | None) -> Tensor:
    """Return :func:`dust_depth` of photographs, from the cache where it is there."""
    if cache is None:
        images = []
        for photograph in photographs:
            with contextlib.suppress(PictureError):  # see :class:`Dust`: maybe nobody asks for it
                images.append(reduced(read_photograph(photograph.image)))
        return dust_depth(images) if len(images) >= LEAST else torch.zeros(1, 1, 1)
    constants = LAYOUT, SIDE, SURROUND, GRAIN, FRINGE, WIDEST, DEEPEST
    content = hashlib.blake2b(repr(constants).encode(), digest_size=16)
    for photograph in photographs:
        content.update(file_sha256(photograph.image).encode())
    path = cache / f"dust_{content.hexdigest()}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        return torch.from_numpy(np.load(path))
    depth = kept_depth(photographs, None)
    with atomic_write(path, PictureError) as temporary, temporary.open("wb") as stream:
        np.save(stream, depth.numpy())
    return depth


def reduced(image: Tensor) -> Tensor:
    """Return a photograph, uint8 `(3, H, W)`, with :data:`SIDE` pixels along its longer side."""
    scale = SIDE / max(image.shape[-2:])
    if scale >= 1.0:
        return image
    size = [round(side * scale) for side in image.shape[-2:]]
    small = functional.interpolate(image[None].float(), size, mode="bilinear", antialias=True)
    return small[0].round().to(torch.uint8)


def dust_depth(images: Sequence[Tensor]) -> Tensor:
    """Return the depth of the dust that photographs share, `(1, h, w)`, 0 where there is none.

    Args:
        images: uint8 `(3, H, W)` each, frames of one shape.
    """
    largest = max(images, key=lambda image: image.shape[-1])
    scale = min(1.0, SIDE / max(largest.shape[-2:]))
    size = [round(side * scale) for side in largest.shape[-2:]]
    darker = torch.stack([_darker(image, size) for image in images]).median(dim=0).values
    darker = functional.avg_pool2d(darker, 3, 1, 1)
    grains = widest((darker > GRAIN).float())
    return torch.where((grains > 0) & (darker > FRINGE), darker.clamp(max=DEEPEST), 0.0)[0]


def _darker(image: Tensor, size: list[int]) -> Tensor:
    """Return by how much each place is darker than its surround, `(1, 1, h, w)` as a share."""
    small = functional.interpolate(image[None].float() / 255, size, mode="bilinear", antialias=True)
    bright = small[:, :2].mean(dim=1, keepdim=True)  # blue is dark and noisy
    field = (bright > 0.08).float()
    mean, area = (window_mean(part, SURROUND) for part in (bright * field, field))
    share = 1 - bright / (mean / area.clamp(min=1e-3)).clamp(min=0.02)
    inside = window_mean(field, WIDEST) > 0.999  # the rim is darker, too
    return torch.where(inside, share, 0.0)


def widest(picture: Tensor) -> Tensor:
    """Return the greatest value of a square window of :data:`WIDEST` around each pixel."""
    for axis in ((WIDEST, 1), (1, WIDEST)):
        picture = functional.max_pool2d(picture, axis, 1, [length // 2 for length in axis])
    return picture


def window_mean(picture: Tensor, side: int) -> Tensor:
    """Return the mean over a square window around each pixel, 0 beyond the frame."""
    for axis in ((side, 1), (1, side)):
        picture = functional.avg_pool2d(picture, axis, 1, [length // 2 for length in axis])
    return picture


def _camera(photograph: Photograph, height: int, width: int) -> CameraKey:
    """Return the camera of a photograph."""
    return photograph.set, round(width / height, 2)
