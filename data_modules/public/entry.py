"""Entries: what a public set says about each of its photographs, and where its masks are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from data_modules.datasets.manifest import Quality
from data_modules.files.errors import PictureError
from data_modules.files.old_formats import read_levels

Mask = np.ndarray[Any, Any]
"""Mask of a photograph, `(H, W)`: bool, or uint8 where its bits are kinds of lesion."""


class MaskSource(ABC):
    """Where the mask of a photograph comes from."""

    @abstractmethod
    def draw(self, height: int, width: int) -> Mask:
        """Return the mask of a photograph of this size.

        Raises:
            PictureError: If it cannot be read, or has another size.
        """


@dataclass(frozen=True)
class Levels(MaskSource):
    """Mask in the grey levels of a picture.

    Attributes:
        path: The picture; see :func:`data_modules.files.old_formats.read_levels`.
        least: Lowest level inside.
        most: Highest level inside.
    """

    path: Path
    least: int = 1
    most: int = 255

    def draw(self, height: int, width: int) -> Mask:
        """Return the mask, bool `(H, W)`; see :meth:`MaskSource.draw`."""
        levels = _levels(self.path, height, width)
        inside: Mask = (levels >= self.least) & (levels <= self.most)
        return inside


@dataclass(frozen=True)
class Binary(MaskSource):
    """Mask of unknown origin: brighter than middle grey is inside; in one of 0 and 1, not 0.

    Attributes:
        path: The picture; see :func:`data_modules.files.old_formats.read_levels`.
    """

    path: Path

    def draw(self, height: int, width: int) -> Mask:
        """Return the mask, bool `(H, W)`; see :meth:`MaskSource.draw`."""
        levels = _levels(self.path, height, width)
        inside: Mask = levels > (127 if levels.max(initial=0) > 1 else 0)
        return inside


def _levels(path: Path, height: int, width: int) -> Mask:
    """Return the grey levels of a mask.

    Raises:
        PictureError: If it cannot be read, or has another size than its photograph.
    """
    levels = read_levels(path)
    if levels.shape != (height, width):
        raise PictureError(
            f"{path}: is a mask of {levels.shape[1]}x{levels.shape[0]} px for a photograph of "
            f"{width}x{height} px"
        )
    return levels


@dataclass(frozen=True)
class Outline(MaskSource):
    """Mask inside an outline: a text file with a point, x and y in pixels, on each line.

    Attributes:
        path: The file.
    """

    path: Path

    def draw(self, height: int, width: int) -> Mask:
        """Return the mask, bool `(H, W)`; see :meth:`MaskSource.draw`."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")
            points = [(float(x), float(y)) for x, y in (line.split() for line in lines if line)]
        except (OSError, ValueError) as error:
            raise PictureError(f"{self.path}: is no outline ({error})") from None
        if len(points) < 3 or not np.isfinite(points).all():
            raise PictureError(f"{self.path}: is no outline (three points are needed)")
        picture = Image.new("1", (width, height))
        ImageDraw.Draw(picture).polygon(points, fill=1)
        return np.array(picture)


@dataclass(frozen=True)
class Lesions(MaskSource):
    """Mask of lesions: bits 1, 2, 4, 8 for microaneurysm, haemorrhage, hard and soft exudate.

    Attributes:
        kinds: Mask of each kind, in that order; None where the photograph shows none.
    """

    kinds: Sequence[MaskSource | None]

    def draw(self, height: int, width: int) -> Mask:
        """Return the mask, uint8 `(H, W)`; see :meth:`MaskSource.draw`."""
        bits = np.zeros((height, width), np.uint8)
        for kind, source in enumerate(self.kinds):
            if source is not None:
                bits |= source.draw(height, width).astype(np.uint8) << kind
        return bits


@dataclass(frozen=True)
class Entry:
    """One photograph of a set.

    Attributes:
        image: The file.
        name: Its name in the manifest, with `/`.
        part: Part of the set in which it is counted.
        split: `train`, `val` or `test` where the set says it; else empty.
        patient: The patient it belongs to; empty if the set does not say.
        quality: Graded quality, if the set says it.
        masks: Source of each mask, by the column of the manifest.
        dr_grade: Grade of diabetic retinopathy, 0 to 4.
        pair: Pair of photographs of one eye that it belongs to; the one of better quality is
            aligned to the other.
    """

    image: Path
    name: str
    part: str = "all"
    split: str = ""
    patient: str = ""
    quality: Quality = "unknown"
    masks: Mapping[str, MaskSource] = field(default_factory=dict)
    dr_grade: int | None = None
    pair: str = ""
