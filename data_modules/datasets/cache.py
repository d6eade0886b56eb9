"""Decode once: photographs cut to their field are kept on disk, ready to be mapped into memory."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_modules.files.errors import PictureError
from magenet.files import whole

Sample = dict[str, Any]

LAYOUT = 1
"""Raise it when photographs are decoded, fields estimated or squares cut in another way: entries
made before are then left alone and new ones made; shards made before are refused."""


class Cache:
    """Keep decoded photographs, one file each.

    An entry is found by the content of the photograph's files and by the size wanted: a changed
    file, or another size, is another entry. It appears under its name only when it is complete,
    so that any number of workers and ranks may fill one folder; an entry that cannot be read is
    made anew. The folder may be deleted at any time.

    Args:
        folder: Where entries are kept; shared between runs, sizes and sets.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.places: dict[tuple[tuple[Path | None, ...], int], Path] = {}

    def place(self, files: tuple[Path | None, ...], size: int) -> Path:
        """Return where the entry of a photograph is or will be.

        Args:
            files: The photograph and what belongs to it; None for what it lacks.
            size: Side wanted, in pixels.

        Raises:
            PictureError: If a file cannot be read.
        """
        if (files, size) not in self.places:
            content = hashlib.blake2b(f"{LAYOUT} {size}".encode(), digest_size=16)
            for file in files:
                try:
                    part = b"" if file is None else file.read_bytes()
                except OSError as error:
                    raise PictureError(f"{file}: cannot be read ({error.strerror})") from None
                content.update(len(part).to_bytes(8, "little") + part)
            name = content.hexdigest()
            self.places[files, size] = self.folder / name[:2] / f"{name}.npy"
        return self.places[files, size]

    def sample(
        self, files: tuple[Path | None, ...], size: int, decode: Callable[[], Sample]
    ) -> Sample:
        """Return a photograph as it was decoded earlier, or decode it and keep it.

        Args:
            files: See :meth:`place`.
            size: See :meth:`place`.
            decode: Gives the sample, as `cut_to_field` does.

        Raises:
            PictureError: If it cannot be decoded, or the cache cannot be written.
        """
        path = self.place(files, size)
        with contextlib.suppress(OSError, ValueError, EOFError):
            return from_planes(np.load(path, mmap_mode="r"))
        sample = decode()
        with whole(path, PictureError) as half, half.open("wb") as stream:
            np.save(stream, to_planes(sample))
        return sample


def to_planes(sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a sample as planes, uint8 `(4 or 5, S, S)`: the fifth is the vessels, where known."""
    planes = [sample["image"], sample["mask_fov"].to(torch.uint8)]
    if bool(sample["vessel_known"]):
        planes.append(sample["mask_vessel"])
    return np.asarray(torch.cat(planes).numpy(), np.uint8)


def from_planes(planes: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Sample:
    """Return the sample of :func:`to_planes`.

    Raises:
        ValueError: If it is none.
    """
    if planes.dtype != np.uint8 or planes.ndim != 3 or len(planes) not in (4, 5):
        raise ValueError("not an entry of ours")
    tensor = torch.from_numpy(np.array(planes))
    known = len(planes) == 5
    return {
        "image": tensor[:3],
        "mask_fov": tensor[3:4].bool(),
        "mask_vessel": tensor[4:5] if known else torch.zeros_like(tensor[:1]),
        "vessel_known": torch.tensor(known),
    }
