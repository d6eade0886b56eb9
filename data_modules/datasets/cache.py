"""Disk cache of decoded photographs, cropped to the field of view."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from data_modules.datasets.photographs import Sample
from data_modules.files.errors import PictureError
from magenet.atomic_write import atomic_write

Planes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""A sample as :func:`to_planes` encodes it, `(4 or 5, S, S)`."""

LAYOUT = 2
"""Increment it when decoding, field estimation or cropping change: older cache entries are then
ignored and new ones written; older shards are rejected."""


class Cache:
    """Disk cache of decoded photographs, one file each.

    The key of an entry is a hash of the photograph's files and of the size: a changed file, or
    another size, is another entry. Entries are written atomically, so that any number of workers
    and ranks may fill one folder; an entry that cannot be read is written again. The folder may be
    deleted at any time.

    Args:
        folder: Folder of the cache; shared between runs, sizes and sets.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.paths: dict[tuple[tuple[Path | None, ...], int | str], Path] = {}

    def path(self, files: tuple[Path | None, ...], size: int | str) -> Path:
        """Return the path of a photograph's entry, which need not exist.

        Args:
            files: Files of the photograph and its masks; None for one that it lacks.
            size: Side of the decoded photograph in pixels, or how it is chosen.

        Raises:
            PictureError: If a file cannot be read.
        """
        if (files, size) not in self.paths:
            content = hashlib.blake2b(f"{LAYOUT} {size}".encode(), digest_size=16)
            for file in files:
                try:
                    part = b"" if file is None else file.read_bytes()
                except OSError as error:
                    raise PictureError(f"{file}: cannot be read ({error.strerror})") from None
                content.update(len(part).to_bytes(8, "little") + part)
            name = content.hexdigest()
            self.paths[files, size] = self.folder / name[:2] / f"{name}.npy"
        return self.paths[files, size]

    def sample(
        self, files: tuple[Path | None, ...], size: int | str, decode: Callable[[], Sample]
    ) -> Sample:
        """Read a photograph from the cache, or decode it and add it.

        Args:
            files: See :meth:`path`.
            size: See :meth:`path`.
            decode: Function that returns the sample, as `cut_to_field` does.

        Raises:
            PictureError: If it cannot be decoded, or the cache cannot be written.
        """
        path = self.path(files, size)
        with contextlib.suppress(OSError, ValueError, EOFError):
            return from_planes(np.load(path))
        sample = decode()
        with atomic_write(path, PictureError) as temporary, temporary.open("wb") as stream:
            np.save(stream, to_planes(sample))
        return sample


def to_planes(sample: Sample) -> Planes:
    """Return a sample as planes, uint8 `(4 or 5, S, S)`; the fifth is the vessel mask, if known."""
    planes = [sample["image"], sample["mask_fov"].to(torch.uint8)]
    if bool(sample["vessel_known"]):
        planes.append(sample["mask_vessel"])
    return np.asarray(torch.cat(planes).numpy(), np.uint8)


def from_planes(planes: Planes) -> Sample:
    """Return the sample encoded by :func:`to_planes`; it shares their memory.

    Raises:
        ValueError: If the array does not encode a sample.
    """
    if planes.dtype != np.uint8 or planes.ndim != 3 or len(planes) not in (4, 5):
        raise ValueError("not an entry of the cache")
    tensor = torch.from_numpy(planes)
    known = len(planes) == 5
    return {
        "image": tensor[:3],
        "mask_fov": tensor[3:4].bool(),
        "mask_vessel": tensor[4:5] if known else torch.zeros_like(tensor[:1]),
        "vessel_known": torch.tensor(known),
    }
