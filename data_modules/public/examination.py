"""Examination of one photograph of a set: read whole, its field found, its masks drawn."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import find_field
from data_modules.files.errors import PictureError
from data_modules.files.old_formats import OLD_SUFFIXES, read_old_photograph
from data_modules.files.reading import read_photograph
from data_modules.files.writing import write_photograph
from data_modules.public.entry import Entry, Mask
from data_modules.public.near_duplicates import Hash, perceptual_hash
from magenet.hashing import file_sha256

FOLDERS = {
    "fov_mask": "fov",
    "vessel_mask": "vessels",
    "disc_mask": "disc",
    "cup_mask": "cup",
    "lesion_bitmask": "lesions",
}
"""Folder of each kind of mask, by the column of the manifest."""


@dataclass(frozen=True)
class Examined:
    """What an examination found, or why the photograph is left out.

    Attributes:
        entry: What the set says of it.
        fault: Why it is left out; empty if it is not.
        image: Its path in the prepared folder.
        masks: Path of each mask there, by column.
        width: In pixels.
        height: In pixels.
        confidence: Of the field of view; 1 if the set has a mask of it.
        sha256: Of the file in the set.
        bits: Its perceptual hash.
    """

    entry: Entry
    fault: str = ""
    image: str = ""
    masks: dict[str, str] = field(default_factory=dict)
    width: int = 0
    height: int = 0
    confidence: float = 0.0
    sha256: str = ""
    bits: Hash | None = None


class Examination(Dataset[Examined]):
    """Examinations of a set's photographs, each made when it is asked for.

    Args:
        entries: The photographs.
        folder: Folder that is prepared.
    """

    def __init__(self, entries: list[Entry], folder: Path) -> None:
        self.entries = entries
        self.folder = folder

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self.entries)

    def __getitem__(self, index: int) -> Examined:
        """Examine a photograph, and write its masks and a link to it; see :class:`Examined`."""
        entry = self.entries[index]
        try:
            return examine(entry, self.folder)
        except PictureError as error:
            return Examined(entry, fault=str(error))


def examine(entry: Entry, folder: Path) -> Examined:
    """Read a photograph whole, write its masks as PNG, and link it into the prepared folder.

    Raises:
        PictureError: If it or a mask cannot be read, sizes differ, or no field of view is seen.
    """
    old = entry.image.name.lower().endswith(OLD_SUFFIXES)
    image = read_old_photograph(entry.image) if old else read_photograph(entry.image)
    height, width = image.shape[-2:]
    drawn = {column: source.draw(height, width) for column, source in entry.masks.items()}
    files = {column: f"{FOLDERS[column]}/{entry.name}.png" for column in ("fov_mask", *drawn)}
    if "fov_mask" in drawn:
        _write_mask(drawn.pop("fov_mask"), folder / files["fov_mask"])
        field_of_view = find_field(
            Photograph(entry.image, entry.name, fov_mask=folder / files["fov_mask"]), image
        )
    else:
        field_of_view = find_field(Photograph(entry.image, entry.name), image)
        if field_of_view.confidence == 0.0:
            raise PictureError(f"{entry.image}: no field of view can be seen")
        _write_mask(field_of_view.mask[0].numpy(), folder / files["fov_mask"])
    for column, mask in drawn.items():
        _write_mask(mask, folder / files[column])
    return Examined(
        entry,
        image=_link(entry, image if old else None, folder),
        masks=files,
        width=width,
        height=height,
        confidence=field_of_view.confidence,
        sha256=file_sha256(entry.image),
        bits=perceptual_hash(image, field_of_view),
    )


def _write_mask(mask: Mask, path: Path) -> None:
    """Write a mask as PNG: of 1 bit, or of 8 where its bits are kinds of lesion."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path, optimize=True)


def _link(entry: Entry, image: Tensor | None, folder: Path) -> str:
    """Put a photograph into the prepared folder, and return its path there.

    It is a link to the file of the set, relative, so that both may move together; a copy where the
    system has no links; a PNG of `image` if it is given.
    """
    name = f"images/{entry.name}"
    if image is not None:
        write_photograph(image, folder / f"{name}.png")
        return f"{name}.png"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(os.path.relpath(entry.image.resolve(), target.parent.resolve()))
    except (OSError, NotImplementedError, ValueError):  # no links here, or another drive
        shutil.copyfile(entry.image, target)
    return name
