"""Errors over the file of a picture."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magenet.errors import UserError


class PictureError(UserError):
    """A picture cannot be read or written; the message is "path: reason"."""


def require_file(path: str | Path) -> None:
    """Raise unless a path is that of a regular file; nothing is opened, so no pipe can block.

    Raises:
        PictureError: If it is missing, empty, a folder, a pipe or a device.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        known = error.errno in (errno.ENOENT, errno.ENOTDIR)
        raise PictureError(f"{path}: {'no such file' if known else error.strerror}") from None
    except ValueError:  # a null character
        raise PictureError(f"{path}: no such file") from None
    if stat.S_ISDIR(found.st_mode):
        raise PictureError(f"{path}: is a folder, not a picture")
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(f"{path}: is a pipe or a device, not a picture")
    if found.st_size == 0:
        raise PictureError(f"{path}: is empty")


@contextmanager
def require_16_bit_extra(path: str | Path) -> Iterator[None]:
    """Turn a failed import into an error that names the extra `16bit`.

    Raises:
        PictureError: If an import fails.
    """
    try:
        yield
    except ImportError:
        raise PictureError(
            f"{path}: photographs of 16 bit need: pip install 'magenet[16bit]'"
        ) from None
