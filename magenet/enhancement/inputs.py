"""Photographs named on the command line."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path

from data_modules.datasets.manifest import Manifest, ManifestError, Photograph
from data_modules.files.reading import NATIVE_SUFFIXES
from magenet.errors import printable


def collect(inputs: list[str]) -> list[Photograph]:
    """Return the photographs named on the command line, each once.

    Other files among them, as `photos/*` may give, are left out with a message.

    Args:
        inputs: Files, folders, patterns that the shell did not expand, manifests.

    Returns:
        Photographs with unique names: see :func:`distinct`.

    Raises:
        ManifestError: If an input does not exist, or there is no photograph at all.
    """
    paths: list[str] = []
    for given in inputs:
        matches = [given]
        if has_magic(given) and not Path(given).exists():
            matches = sorted(glob(given, recursive=True))
        if not matches:
            raise ManifestError(f"{given}: no such files")
        paths += matches
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
        print(f"magenet: left out: {printable(fault)}", file=sys.stderr)
    return distinct(found)


def distinct(found: dict[Path, Photograph]) -> list[Photograph]:
    """Return photographs with unique names: shared names get as much of their path as needed.

    Args:
        found: Photographs by their absolute path.
    """
    counts = Counter(photograph.name for photograph in found.values())
    named = []
    for path, photograph in found.items():
        if counts[photograph.name] > 1:
            same = [other for other, that in found.items() if that.name == photograph.name]
            length = next(
                n
                for n in range(1, len(path.parts) + 1)
                if sum(other.parts[-n:] == path.parts[-n:] for other in same) == 1
            )
            name = "/".join(path.parts[-max(length, 2) :]).lstrip("/")
            named.append(replace(photograph, name=name))
        else:
            named.append(photograph)
    return named
