"""Where results may go: never over a photograph, never among them, never two in one place."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path, PurePosixPath

from data_modules.datasets.manifest import Photograph
from data_modules.files.pictures import PictureError
from magenet.errors import UserError


def require_outside(folder: str | Path, photographs: str | Path) -> None:
    """Refuse a folder for results that is that of the photographs, or lies inside it.

    Raises:
        UserError: If it does: its pictures would be taken for photographs next time.
    """
    source, target = Path(photographs).resolve(), Path(folder).resolve()
    if source.is_dir() and (source == target or source in target.parents):
        raise UserError(
            f"{folder}: is the photographs' own folder or lies inside it ({source}); its pictures "
            "would be taken for photographs next time. Choose another folder"
        )


def output_path(
    folder: Path, source: Path, name: str, taken: Container[Path], suffix: str | None = None
) -> Path:
    """Return where a photograph's result goes: under its own name, inside the folder.

    Args:
        folder: Of the results.
        source: The photograph's file.
        name: The photograph's name, with any sub-folders.
        taken: Files written so far.
        suffix: Ending of the file, with its dot; the photograph's own if None.

    Raises:
        PictureError: If the place is taken.
    """
    parts = [part for part in PurePosixPath(name).parts if part not in ("..", "/", ".")]
    target = folder.joinpath(*parts)
    if suffix is not None:
        target = target.with_suffix(suffix)
    if target.resolve() == source.resolve():
        raise PictureError(f"{target}: would replace the photograph itself; choose another folder")
    if target in taken:
        raise PictureError(f"{target}: is already taken by the result of another photograph")
    if target.exists() and target.resolve().parent == source.resolve().parent:
        raise PictureError(
            f"{target}: is there already, beside the photograph; choose another folder"
        )
    return target


def output_paths(
    folder: Path, photographs: Iterable[Photograph], suffix: str | None = None
) -> dict[str, Path | PictureError]:
    """Return where each photograph's result goes, or why it can go nowhere, by name.

    Of two photographs that would share a place the first has it, even where it then proves
    unreadable: what a result is called depends on the folder alone, not on who writes it when.

    Args:
        folder: Of the results.
        photographs: All of them, in order.
        suffix: See :func:`output_path`.
    """
    places: dict[str, Path | PictureError] = {}
    taken: set[Path] = set()
    for photograph in photographs:
        try:
            place = output_path(folder, photograph.image, photograph.name, taken, suffix)
        except PictureError as error:
            places[photograph.name] = error
        else:
            places[photograph.name] = place
            taken.add(place)
    return places
