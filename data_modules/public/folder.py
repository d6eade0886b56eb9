"""Any folder of photographs, described as a set: what its layout tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from data_modules.datasets.manifest import QUALITIES, Quality
from data_modules.public.entry import Binary, Entry, MaskSource
from data_modules.public.examination import FOLDERS
from data_modules.public.public_set import Listing, PublicSet, pictures
from magenet.errors import UserError

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Split of the photographs below a folder of this name."""

MASKS = {name: column for column, name in FOLDERS.items() if column != "lesion_bitmask"} | {
    column: column for column in FOLDERS if column != "lesion_bitmask"
}
"""Kind of the masks below a folder of this name."""


def folder_set(folder: Path, patient: str | None = None) -> PublicSet:
    """Return a folder as a set.

    Names of sub-folders tell: splits (`train`, `val`, `test` and longer forms), qualities (`good`,
    `usable`, `reject`), masks (`fov`, `vessels`, `disc`, `cup`, or the manifest's column): the mask
    of a photograph has its name, up to the ending, and the same place below the folder of masks.

    Args:
        folder: The folder.
        patient: Regular expression whose first group, in a photograph's path below the folder, is
            its patient; each photograph is one of its own if None.

    Raises:
        UserError: If the expression is none, or has no group.
    """
    try:
        pattern = None if patient is None else re.compile(patient)
    except re.error as error:
        raise UserError(f"--patient {patient}: is no regular expression ({error})") from None
    if pattern is not None and pattern.groups < 1:
        raise UserError(f"--patient {patient}: has no group (...) for the patient")

    def find(source: Path) -> Listing:
        return _list(source, pattern)

    return PublicSet(
        name=folder.resolve().name,
        title="a set of photographs",
        contents="what the folder tells",
        licence="",
        source="",
        citation="",
        layout="pictures",
        published={},
        find=find,
        val_share=0.2,
        test_share=0.2,
    )


def _list(source: Path, patient: re.Pattern[str] | None) -> Listing:
    """List the photographs of a folder; see :func:`folder_set`."""
    photographs: list[Path] = []
    masks: dict[str, list[Path]] = {column: [] for column in FOLDERS}
    for file in pictures(source, recursive=True):
        kinds = [MASKS[part] for part in _places(file, source) if part in MASKS]
        (masks[kinds[0]] if kinds else photographs).append(file)
    found = {
        column: {_key(file, source): file for file in files} for column, files in masks.items()
    }
    entries = []
    unnamed: list[str] = []
    for file in photographs:
        name = file.relative_to(source).as_posix()
        match = patient.search(name) if patient is not None else None
        if patient is not None and (match is None or not match[1]):
            unnamed.append(name)
        key = _key(file, source)
        places = _places(file, source)
        own: dict[str, MaskSource] = {
            column: Binary(files[key]) for column, files in found.items() if key in files
        }
        quality = next((q for q in QUALITIES if q in places), "unknown")
        split = next((SPLITS[place] for place in places if place in SPLITS), "")
        entries.append(
            Entry(
                file,
                name,
                split=split,
                patient=match[1] if match else "",
                quality=cast(Quality, quality),
                masks=own,
            )
        )
    if unnamed:
        raise UserError(
            f"{source}: --patient finds no patient in {len(unnamed)} name(s), such as {unnamed[0]}"
        )
    return Listing(entries, [], [])


def _places(file: Path, source: Path) -> list[str]:
    """Return the folders between the source and a file, in lower case."""
    return [part.lower() for part in file.relative_to(source).parent.parts]


def _key(file: Path, source: Path) -> str:
    """Return what a photograph and its masks have in common: their path without kinds of folder."""
    places = [place for place in _places(file, source) if place not in MASKS and place != "images"]
    return "/".join((*places, file.stem.lower()))
