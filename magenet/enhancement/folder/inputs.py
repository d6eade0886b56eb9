"""Photographs named on the command line."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections import Counter, defaultdict
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path

from data_modules.datasets.everything import everything_at
from data_modules.datasets.manifest import ManifestError, NotAManifestError, Photograph, listed
from magenet.errors import printable


def collect(inputs: list[str], results: Path | None = None) -> list[Photograph]:
    """Return the photographs named on the command line, each once.

    Other files among them, as `photos/*` may give, are left out with a message.

    Args:
        inputs: Files, folders, patterns that the shell did not expand, manifests.
        results: Folder of the results; the results of an earlier run in it are left out.

    Returns:
        Photographs with unique names: see :func:`distinct`. What could be a photograph but cannot
        be read has a `fault`.

    Raises:
        ManifestError: If an input does not exist, a manifest is wrong, or there is no photograph at
            all.
    """
    paths: list[str] = []
    for given in inputs:
        matches = [given]
        if has_magic(given) and not os.path.lexists(given):
            matches = sorted(glob(given, recursive=True))
        if not matches:
            raise ManifestError(f"{given}: no such files")
        paths += matches
    found: dict[Path, Photograph] = {}
    faults = []
    for path in paths:
        try:
            photographs, others = everything_at(path)
        except NotAManifestError as error:
            faults.append(str(error))
            continue
        if others == [str(Path(path))]:
            faults.append(f"{path}: not a picture by its name")
        elif others:
            none = "" if photographs else "no photographs in it, but "
            faults.append(
                f"{path}: {none}{len(others)} file(s) that are no pictures: {listed(others)}"
            )
        kept = [one for one in photographs if results is None or not _is_result(one, results)]
        if len(kept) < len(photographs):
            number = len(photographs) - len(kept)
            faults.append(f"{path}: {number} result(s) of an earlier run in {results}")
        elif not photographs and not others:
            faults.append(f"{path}: no pictures in it")
        for photograph in kept:
            absolute = os.path.abspath if photograph.fault else os.path.realpath
            found.setdefault(Path(absolute(photograph.image)), photograph)
    if not found:
        raise ManifestError("; ".join(faults))
    for fault in faults:
        print(f"magenet: left out: {printable(fault)}", file=sys.stderr)
    return distinct(found)


def distinct(found: dict[Path, Photograph]) -> list[Photograph]:
    """Return photographs with unique names: shared names get as much of their path as needed.

    Names that differ in upper and lower case alone, or in how accents are encoded, count as shared:
    many file systems take them for one.

    Args:
        found: Photographs by their absolute path.
    """
    of_name: defaultdict[str, list[Path]] = defaultdict(list)
    for path, photograph in found.items():
        of_name[_folded(photograph.name)].append(path)
    names = {path: photograph.name for path, photograph in found.items()}
    for same in of_name.values():
        # Of one folder no more of the path would tell them apart.
        length, shared = 2, same if len({path.parent for path in same}) > 1 else []
        while shared:
            ends = Counter(_folded("/".join(path.parts[-length:])) for path in shared)
            for path in shared:
                names[path] = "/".join(path.parts[-length:]).lstrip("/")
            shared = [
                path
                for path in shared
                if ends[_folded("/".join(path.parts[-length:]))] > 1 and length < len(path.parts)
            ]
            length += 1
    counts = Counter(names.values())
    for path, name in names.items():
        if counts[name] > 1:  # the name that another one has without it
            names[path] = "/".join(path.parts).lstrip("/")
    return [replace(photograph, name=names[path]) for path, photograph in found.items()]


def _folded(name: str) -> str:
    """Return a name as file systems compare it that do not tell case or encodings apart."""
    return unicodedata.normalize("NFC", name).casefold()


def _is_result(photograph: Photograph, results: Path) -> bool:
    """Return whether a photograph lies in the folder of the results with a report beside it."""
    if Path(os.path.realpath(results)) not in Path(os.path.realpath(photograph.image)).parents:
        return False
    report = photograph.image.with_name(photograph.image.name + ".json")
    try:
        return report.is_file() and "verdict" in json.loads(report.read_bytes())
    except (OSError, ValueError, TypeError):
        return False
