"""Files that are whole or not there: never half-written under their own name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from magenet.errors import UserError


@contextlib.contextmanager
def whole(path: str | Path, complaint: type[UserError] = UserError) -> Iterator[Path]:
    """Give a hidden name beside a file to write to; on leaving, that becomes the file.

    Whatever stops the writing, an exception or Ctrl-C, leaves neither the hidden file nor a change
    under the file's own name. Folders above it are made.

    Args:
        path: The file.
        complaint: What to raise.

    Yields:
        Where to write.

    Raises:
        UserError: As the kind asked for, if the system refuses: a full disk, a read-only folder.

    Example:
        >>> with whole(getfixture("tmp_path") / "a.txt") as half:
        ...     _ = half.write_text("all of it")
        >>> (getfixture("tmp_path") / "a.txt").read_text()
        'all of it'
    """
    path = Path(path)
    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield half
        half.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise complaint(f"{path}: cannot be written ({reason})") from None
    finally:
        with contextlib.suppress(OSError):
            half.unlink()
