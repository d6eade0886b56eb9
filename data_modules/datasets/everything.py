"""All that a person points at: photographs, what could be one but cannot be read, and the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from data_modules.datasets.manifest import REPORT_PICTURE, Manifest, ManifestError, Photograph
from data_modules.files import dicom
from data_modules.files.reading import NATIVE_SUFFIXES

UNREAD_SUFFIXES = (
    ".heic", ".heif", ".avif", ".gif", ".jp2", ".j2k", ".jxl", ".jfif", ".psd", ".dng", ".cr2",
    ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2",
)  # fmt: skip
"""File name endings of pictures that are not read."""

MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of the pictures that are read."""


class Everything(NamedTuple):
    """What was found at a path.

    Attributes:
        photographs: Photographs by name; those that cannot be read have a `fault`.
        others: Files that are no pictures.
    """

    photographs: list[Photograph]
    others: list[str]


def everything_at(path: str | Path) -> Everything:
    """Return all of a folder with its sub-folders, of a manifest, or a single file.

    In a folder, names that start with a dot are hidden and count for nothing, as do the pictures of
    a report's page (:data:`REPORT_PICTURE`). No pipe or device is
    opened, and no link to a folder is followed.

    Raises:
        ManifestError: If it does not exist, or a manifest cannot be read.
    """
    path = Path(path)
    if os.path.isdir(path):
        return _folder(path)
    if os.path.isfile(path) and path.suffix.lower() == ".csv":
        return Everything(list(Manifest.from_csv(path, complete=False)), [])
    if not os.path.lexists(path):
        raise ManifestError(f"{path}: no such folder, picture or manifest")
    photograph = photograph_at(path, path.name)
    return Everything([], [str(path)]) if photograph is None else Everything([photograph], [])


def photograph_at(path: Path, name: str) -> Photograph | None:
    """Return the photograph that a path may be, with a `fault` if it cannot be read, or None."""
    suffix = path.suffix.lower()
    if not os.path.isfile(path):
        if suffix not in (*NATIVE_SUFFIXES, *UNREAD_SUFFIXES):
            return None
        missing = "is a link to a file that is missing"
        fault = "is a pipe or a device, not a picture" if os.path.exists(path) else missing
    elif suffix in NATIVE_SUFFIXES:
        fault = ""
    elif suffix in UNREAD_SUFFIXES:
        fault = f"is a {suffix} picture, which is not read: save it as PNG or TIFF"
    else:
        try:
            with path.open("rb") as stream:
                start = stream.read(max(map(len, MAGIC)))
        except OSError as error:
            fault = f"cannot be read ({error.strerror})"
        else:
            if dicom.is_dicom(path) and name.rpartition("/")[2] != "DICOMDIR":
                return Photograph(path, name)
            if not start.startswith(MAGIC):
                return None
            fault = "is a picture by its content, but not by its name: give it the right ending"
    return Photograph(path, name, fault=fault)


def _folder(folder: Path) -> Everything:
    """Return all of a folder and of its sub-folders, by path."""
    found: dict[Path, Photograph | None] = {}

    def unreadable(error: OSError) -> None:
        path = Path(error.filename)
        fault = f"is a folder that cannot be read ({error.strerror})"
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        found[path] = Photograph(path, name, fault=fault)

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            path = Path(parent, name)
            if os.path.islink(path):
                fault = "is a link to a folder, which is not followed: give that folder, too"
                found[path] = Photograph(path, path.relative_to(folder).as_posix(), fault=fault)
        for name in files:
            of_a_report = REPORT_PICTURE.fullmatch(f"{Path(parent).name}/{name}")
            if not name.startswith(".") and not of_a_report:
                path = Path(parent, name)
                found[path] = photograph_at(path, path.relative_to(folder).as_posix())
    ordered = sorted(found.items())
    return Everything(
        [photograph for _, photograph in ordered if photograph is not None],
        [str(path) for path, photograph in ordered if photograph is None],
    )
