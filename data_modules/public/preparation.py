"""Preparation of a public set or of any folder: its manifest, with masks, hashes and splits."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader
from tqdm import tqdm

from data_modules.datasets.manifest import listed
from data_modules.files.output_paths import require_outside
from data_modules.public.entry import Entry
from data_modules.public.examination import Examination, Examined
from data_modules.public.near_duplicates import near_pairs
from data_modules.public.prepared import (
    MANIFEST,
    PAIRS,
    REPORT,
    Prepared,
    write_manifest,
    write_pairs,
    write_report,
)
from data_modules.public.public_set import Listing, NotTheSetError, PublicSet, Skipped
from data_modules.public.splits import assign, groups
from magenet.errors import UserError


def prepare(
    public_set: PublicSet, source: Path, folder: Path, partial: bool = False, workers: int = 1
) -> Prepared:
    """Prepare a set: a folder that :class:`data_modules.ManifestPhotographs` reads as it is.

    The set itself is only read. Photographs are linked, not copied, under short names that do not
    depend on where the set lies, since names key random numbers; those in formats that only old
    sets have (PPM) become PNG. All masks are written anew as PNG, which checks their sizes; where
    the set has no field of view, it is estimated. The folder appears when it is complete.

    Args:
        public_set: The set.
        source: Folder that it was unpacked to.
        folder: Folder to prepare.
        partial: Whether to prepare what is there if the set is incomplete.
        workers: Processes that decode; 0 decodes in this one.

    Raises:
        UserError: Before anything is written, if the source is not the set, is incomplete, or the
            folder exists; later, if nothing in it can be used or the disk is full.
    """
    _require_new(folder, source)
    listing = list_photographs(public_set, source)
    if not partial:
        require_complete(public_set, source, listing)
    _require_different(listing.entries)
    with _appearing(folder) as place:
        examined = _examine(listing.entries, place, workers)
        prepared = _deal_out(public_set, folder, examined, listing.skipped)
        write_manifest(public_set, prepared, place / MANIFEST)
        write_pairs(prepared, place / PAIRS)
        write_report(public_set, prepared, listing.missing, place / REPORT)
    return prepared


def list_photographs(public_set: PublicSet, source: Path) -> Listing:
    """Return the photographs of a set's folder.

    Raises:
        UserError: If the folder is missing, cannot be read, or does not hold the set.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    try:
        listing = public_set.find(source)
        if not listing.entries and not listing.missing:
            raise NotTheSetError("photographs")
    except NotTheSetError as error:
        obtained = f". Where to obtain it: {public_set.source}" if public_set.source else ""
        raise UserError(
            f"{source}: does not hold {public_set.title}: not found: {error}. It should hold "
            f"{public_set.layout}{obtained}"
        ) from None
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error})") from None
    return listing


def require_complete(public_set: PublicSet, source: Path, listing: Listing) -> None:
    """Raise if photographs are missing that the set's tables name, or that its publication counts.

    Raises:
        UserError: If they are; the message tells how many of each part are there.
    """
    found = Counter(entry.part for entry in listing.entries)
    short = any(found[part] < count for part, count in public_set.published.items())
    if not short and not listing.missing:
        return
    parts = ", ".join(
        f"{part}: {found[part]} of {count}" for part, count in public_set.published.items()
    )
    names = f"; missing: {listed(listing.missing)}" if listing.missing else ""
    raise UserError(
        f"{source}: {public_set.title} is not complete ({parts or 'some files'}){names}. Get the "
        "rest, or add --partial to prepare what is there"
    )


def _require_new(folder: Path, source: Path) -> None:
    """Raise if the folder to prepare exists, or lies in the set.

    Raises:
        UserError: If it does.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: exists; name a new folder")
    if folder.is_dir() and next(folder.iterdir(), None) is not None:
        raise UserError(f"{folder}: exists and is not empty; name a new folder, or remove it")
    # A new folder takes its place at the end; the terminal would stay in the old one.
    if folder.resolve() == Path.cwd():
        raise UserError(f"{folder}: is the folder that you are in; name a new folder")
    require_outside(folder, source)


def _require_different(entries: list[Entry]) -> None:
    """Raise if two photographs would have one name, or one is there twice.

    Raises:
        UserError: If they would.
    """
    first: dict[str, Path] = {}
    for entry in entries:
        other = first.get(entry.name.casefold())  # as file systems of macOS and Windows see it
        if other == entry.image:
            raise UserError(f"{entry.image}: a table of the set names it twice; remove one line")
        if other is not None:
            raise UserError(f"{entry.image} and {other}: have one name, {entry.name}; remove one")
        first[entry.name.casefold()] = entry.image


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder beside the one to prepare, which it becomes at the end.

    Raises:
        UserError: If it cannot be written.
    """
    place = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.part")
    try:
        place.mkdir(parents=True)
        yield place
        if folder.is_dir():
            folder.rmdir()  # empty, else it had been refused
        place.rename(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _examine(entries: list[Entry], place: Path, workers: int) -> list[Examined]:
    """Return the examinations of all photographs, in their order."""
    loader: DataLoader[Examined] = DataLoader(
        Examination(entries, place), batch_size=None, num_workers=workers, collate_fn=_unchanged
    )
    shown = sys.stderr.isatty()
    return list(tqdm(loader, total=len(entries), unit="photograph", disable=not shown))


def _unchanged(examined: Any) -> Any:
    """Return an examination as it is: a loader would make tensors of it."""
    return examined


def _deal_out(
    public_set: PublicSet, folder: Path, examined: list[Examined], skipped: list[Skipped]
) -> Prepared:
    """Return the usable photographs with splits, near-duplicates and patients on one side.

    Raises:
        UserError: If none can be used.
    """
    usable = [one for one in examined if not one.fault]
    faults = [Skipped(one.entry.name, one.fault) for one in examined if one.fault]
    if not usable:
        raise UserError(
            f"{folder}: no photograph can be used: {listed([fault.reason for fault in faults])}"
        )
    pairs = near_pairs([one.bits for one in usable if one.bits is not None])
    names = [one.entry.name for one in usable]
    members = groups(names, [one.entry.patient for one in usable], pairs)
    splits = assign(
        [one.entry.split for one in usable], members, public_set.val_share, public_set.test_share
    )
    repeats = [""] * len(usable)
    for first, second in pairs:
        repeats[second] = repeats[second] or repeats[first] or usable[first].image
    photographs = list(zip(usable, splits, strict=True))
    return Prepared(folder, photographs, members, repeats, faults, skipped)
