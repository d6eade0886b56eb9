"""Errors over the file of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magenet.errors import UserError


class PictureError(UserError):
    """A picture cannot be read or written; the message is "path: reason"."""


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
