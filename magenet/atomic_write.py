"""Atomic writing of files, complete under their own name or absent, and of their folders."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from magenet.errors import UserError

LONGEST_PART = 230
"""Bytes of a file name that leave room for what a hidden name has in addition."""


def make_folder(folder: Path, error_class: type[UserError] = UserError) -> None:
    """Create a folder to write to, and its parents, where they are missing.

    Args:
        folder: The folder.
        error_class: Class of the error.

    Raises:
        UserError: Of the given class, if a file is in its place, or it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        file = next((path for path in (folder, *folder.parents) if os.path.isfile(path)), None)
        if file is not None:
            raise error_class(f"{file}: is a file, not a folder to write to") from None
        raise error_class(f"{folder}: cannot be created ({error.strerror})") from None


@contextlib.contextmanager
def atomic_write(path: str | Path, error_class: type[UserError] = UserError) -> Iterator[Path]:
    """Yield a hidden path beside a file to write to; on exit it replaces the file.

    If writing stops early, by an exception or Ctrl-C, the hidden file is removed and the file
    itself is unchanged. Missing parent folders are created.

    Args:
        path: The file.
        error_class: Class of the error.

    Yields:
        The path to write to.

    Raises:
        UserError: Of the given class, if the file cannot be written: a full disk, a read-only
            folder.

    Example:
        >>> with atomic_write(getfixture("tmp_path") / "a.txt") as part:
        ...     _ = part.write_text("all of it")
        >>> (getfixture("tmp_path") / "a.txt").read_text()
        'all of it'
    """
    path = Path(path)
    name = path.name
    if len(os.fsencode(name)) > LONGEST_PART:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    # Not by the process id: containers on several machines have the same.
    part = path.with_name(f".{name}.{secrets.token_hex(6)}.part")
    try:
        make_folder(path.parent, error_class)
        yield part
        part.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise error_class(f"{path}: cannot be written ({reason})") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
