"""Output paths: never over a photograph, never in their folder, never two of the same path."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from pathlib import Path, PurePosixPath

from data_modules.datasets.manifest import Photograph
from data_modules.files.errors import PictureError
from data_modules.files.reading import NATIVE_SUFFIXES
from magenet.errors import UserError

LONGEST_NAME = 255
"""Bytes of a file name that file systems allow."""


def require_outside(folder: str | Path, photographs: str | Path) -> None:
    """Raise if the folder of the results is the photographs' own folder, or lies inside it.

    Raises:
        UserError: If it does: the results would be taken for photographs in the next run. Or if it
            is a file.
    """
    source, target = Path(photographs).resolve(), Path(folder).resolve()
    if target.is_file():
        raise UserError(f"{folder}: is a file, not a folder to write to")
    if source.is_dir() and (source == target or source in target.parents):
        raise UserError(
            f"{folder}: is the photographs' own folder or lies inside it ({source}); its pictures "
            "would be taken for photographs in the next run. Choose another folder"
        )


def path_below(folder: Path, name: str) -> Path:
    """Return the path that a photograph's name, with any sub-folders, has inside a folder."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("..", "/", ".")]
    return folder.joinpath(*parts)


def output_path(
    folder: Path, source: Path, name: str, taken: Container[Path], suffix: str | None = None
) -> Path:
    """Return the output path of a photograph: its own name, inside the folder of the results.

    Args:
        folder: Folder of the results.
        source: The photograph's file.
        name: The photograph's name, with any sub-folders.
        taken: Output paths of other photographs.
        suffix: Ending of the file, with its dot; the photograph's own if None.

    Raises:
        PictureError: If the path is taken, or would replace a photograph.
    """
    target = path_below(folder, name)
    if suffix is not None:
        # What follows the last dot of a DICOM file that is named by its UID is no ending.
        is_ending = target.suffix.lower() in NATIVE_SUFFIXES
        target = target.with_suffix(suffix) if is_ending else Path(f"{target}{suffix}")
    # By realpath, since Path.resolve raises over a loop of links.
    own, target_itself = (Path(os.path.realpath(path)) for path in (source, target))
    if target_itself == own:
        raise PictureError(f"{target}: would replace the photograph itself; choose another folder")
    if target in taken:
        raise PictureError(f"{target}: is already taken by the result of another photograph")
    report = target.with_name(target.name + ".json")
    if len(os.fsencode(report.name)) > LONGEST_NAME:
        raise PictureError(f"{source}: its name is too long for its report, {LONGEST_NAME} bytes")
    if os.path.isdir(report) or os.path.isdir(target):
        raise PictureError(f"{report if os.path.isdir(report) else target}: is a folder there")
    if target.exists() and target_itself.parent == own.parent:
        raise PictureError(
            f"{target}: is there already, beside the photograph; choose another folder"
        )
    return target


def output_paths(
    folder: Path, photographs: Iterable[Photograph], suffix: str | None = None
) -> dict[str, Path | PictureError]:
    """Return each photograph's output path, or the error why it has none, by name.

    Of two photographs with the same output path the first gets it, even if it cannot be read
    later: the name of a result depends on the folder alone, not on the order of writing.

    Args:
        folder: Folder of the results.
        photographs: All of them, in order.
        suffix: See :func:`output_path`.
    """
    paths: dict[str, Path | PictureError] = {}
    taken: set[Path] = set()
    for photograph in photographs:
        try:
            path = output_path(folder, photograph.image, photograph.name, taken, suffix)
        except PictureError as error:
            paths[photograph.name] = error
        else:
            paths[photograph.name] = path
            taken |= {path, path.with_name(path.name + ".json")}
    folders = {parent for path in taken for parent in path.parents}
    for name, found in paths.items():
        if isinstance(found, Path):
            for file in (found, found.with_name(found.name + ".json")):
                if file in folders:
                    paths[name] = PictureError(f"{file}: is the folder of other results")
    return paths
