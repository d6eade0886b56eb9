"""Reduced pictures of a photograph for the page: before, after, uncertainty and change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from magenet.atomic_write import atomic_write
from magenet.enhancement.outcome import Outcome
from magenet.enhancement.page.pictures import (
    HEAT_SIDE,
    QUALITY,
    THUMBNAIL_QUALITY,
    THUMBNAIL_SIDE,
    heat_map,
    page_pixels,
)

FILES = {
    "before": "before.jpg", "after": "after.jpg", "uncertainty": "uncertainty.png",
    "change": "change.png", "thumbnail": "thumbnail.jpg",
}  # fmt: skip
"""Kinds of pictures, and their files in the folder of a photograph."""


def write_pictures(outcome: Outcome, folder: Path) -> list[str]:
    """Write the pictures of an outcome; a photograph that was not enhanced has no `after`.

    Uncertainty and change are in the colours of :data:`magenet.enhancement.page.pictures.HEAT`.

    Args:
        outcome: What enhancing has given.
        folder: Folder of the photograph.

    Returns:
        The kinds that were written.

    Raises:
        UserError: If one cannot be written.
    """
    before = page_pixels(outcome.before)
    if before is None:
        return []
    pictures = {"before": Image.fromarray(before), "thumbnail": Image.fromarray(before)}
    result = outcome.result
    after = None if result is None else page_pixels(result.image)
    if result is not None and after is not None:
        pictures |= {"after": Image.fromarray(after), "thumbnail": Image.fromarray(after)}
        pictures["change"] = heat_map(mean_change(before, after))
        if outcome.row.get("expected_error") is not None:
            step = max(1, max(result.image.shape) // HEAT_SIDE)
            pictures["uncertainty"] = heat_map(result.uncertainty(step).numpy())
    pictures["thumbnail"].thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    for kind, picture in pictures.items():
        quality = THUMBNAIL_QUALITY if kind == "thumbnail" else QUALITY
        with atomic_write(folder / FILES[kind]) as part:
            if FILES[kind].endswith(".jpg"):
                picture.save(part, "jpeg", quality=quality)
            else:
                picture.save(part, "png")
    return list(pictures)


def mean_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean absolute change of the three colours, float32 `(H, W)` in [0, 1].

    Args:
        before: `(H, W, 3)`.
        after: Of the same shape.
    """
    change = np.abs(after.astype(np.float32) - before.astype(np.float32))
    mean: NDArray[np.float32] = change.mean(axis=2) / np.float32(255)
    return mean
