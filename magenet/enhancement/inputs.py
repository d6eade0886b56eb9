"""The photographs that a person points at on the command line."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path

from data_modules.datasets.manifest import Manifest, ManifestError, Photograph
from data_modules.files.pictures import NATIVE_SUFFIXES


def collect(inputs: list[str]) -> list[Photograph]:
    """Return the photographs that a person points at, each once.

    Args:
        inputs: Files, folders, patterns that the shell did not expand, manifests.

    What is no photograph among others, as `photos/*` gives it, is left out and said.

    Returns:
        Photographs that all have names of their own: those of one name in several folders have
        their folder's before it.

    Raises:
        ManifestError: If one leads to nothing.
    """
    paths: list[str] = []
    for given in inputs:
        some = [given]
        if has_magic(given) and not Path(given).exists():
            some = sorted(glob(given, recursive=True))
        if not some:
            raise ManifestError(f"{given}: no such files")
        paths += some
    found: dict[Path, Photograph] = {}
    faults = []
    for path in paths:
        try:
            if Path(path).is_file() and Path(path).suffix.lower() not in (*NATIVE_SUFFIXES, ".csv"):
                raise ManifestError(f"{path}: not a picture by its name")
            for photograph in Manifest.from_path(path, NATIVE_SUFFIXES):
                found.setdefault(photograph.image.resolve(), photograph)
        except ManifestError as error:
            if not Path(path).exists():
                raise
            faults.append(str(error))
    if not found:
        raise ManifestError("; ".join(faults))
    for fault in faults:
        print(f"magenet: left out: {fault}", file=sys.stderr)
    return distinct(found)


def distinct(found: dict[Path, Photograph]) -> list[Photograph]:
    """Return photographs with a name each: as much of their path as tells them apart.

    Args:
        found: Photographs by their full path.
    """
    names = Counter(photograph.name for photograph in found.values())
    named = []
    for path, photograph in found.items():
        if names[photograph.name] > 1:
            others = [p for p, other in found.items() if other.name == photograph.name]
            parts = next(
                n
                for n in range(1, len(path.parts) + 1)
                if sum(p.parts[-n:] == path.parts[-n:] for p in others) == 1
            )
            name = "/".join(path.parts[-max(parts, 2) :]).lstrip("/")
            named.append(replace(photograph, name=name))
        else:
            named.append(photograph)
    return named
