"""A photograph's files by path and content, as the report on its result records them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from data_modules.datasets.manifest import Photograph

Source = dict[str, str | int | None]
"""What a report holds of a photograph: `source`, its path, `source_size` in bytes,
`source_sha256`, and `fov_mask_sha256`; None for what cannot be read."""


def source_path(photograph: Photograph) -> str:
    """Return the absolute path of a photograph, without symbolic links."""
    return os.path.realpath(photograph.image)  # Path.resolve raises over a loop of links


def source_of(photograph: Photograph) -> Source:
    """Return what the report holds of the photograph: path, size and SHA-256, also of its mask.

    Call it before the photograph is decoded, and again when the result is written: whoever reuses a
    file name in between would else get the pixels of one patient under the name of another.
    """
    size, content = _size_and_hash(photograph.image)
    mask = None if photograph.fov_mask is None else _size_and_hash(photograph.fov_mask)[1]
    return {
        "source": source_path(photograph), "source_size": size, "source_sha256": content,
        "fov_mask_sha256": mask,
    }  # fmt: skip


def file_hash(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it cannot be read."""
    return _size_and_hash(path)[1]


def _size_and_hash(path: Path) -> tuple[int | None, str | None]:
    """Return a file's size in bytes and SHA-256; None for both if it cannot be read.

    Pipes and devices are not opened: that could wait for ever.
    """
    if not os.path.isfile(path):
        return None, None
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_size, hashlib.file_digest(
                stream, "sha256"
            ).hexdigest()
    except OSError:
        return None, None
