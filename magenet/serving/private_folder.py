"""Folder of a server, which nobody else can read: it holds photographs of patients."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from magenet.errors import UserError

MARK = ".magenet-serve"
"""File that tells that a folder is of a server, which deletes what is in it."""


def default_folder() -> Path:
    """Return the folder of this user among the files for temporary use."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir(), f"magenet-serve-{user}")


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user can enter (0700), or take one that is of a server.

    Args:
        folder: The folder.

    Raises:
        UserError: If it is a link or another user's, holds other files, or cannot be created.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode):
            raise UserError(f"{folder}: is a link; give a folder of your own (--folder)")
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise UserError(f"{folder}: is another user's; give a folder of your own (--folder)")
        if not (folder / MARK).is_file():
            if any(folder.iterdir()):
                raise UserError(
                    f"{folder}: holds other files, and a server deletes what is in its folder: "
                    "give an empty one, or one that is not there yet (--folder)"
                )
            (folder / MARK).touch()
        folder.chmod(0o700)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created ({error.strerror})") from None
    return folder
