"""An uploaded photograph: its name, its files, and what is known of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Self

from data_modules.datasets.everything import UNREAD_SUFFIXES
from data_modules.files.reading import NATIVE_SUFFIXES
from magenet.atomic_write import atomic_write
from magenet.enhancement.origin import ReportRow
from magenet.errors import printable

RECORD = "upload.json"
"""File beside a photograph that holds what is known of it."""

LONGEST_NAME = 150
"""Characters of a name that are kept, the last ones (our choice)."""

RESULTS = "enhanced"
"""Folder of the result, in the folder of a photograph."""


class NewUpload(NamedTuple):
    """A photograph that arrives.

    Attributes:
        name: See :func:`shown_name`.
        file: Where it lies.
    """

    name: str
    file: Path


@dataclass
class Upload:
    """A photograph that was uploaded.

    Attributes:
        job: Id of its job.
        number: Its number in the job, from 0.
        name: Its name, as it is shown.
        file: Name of its file, which nobody chose.
        size: Bytes of its file.
        strength: Share of the change to apply, 0 to 1.
        force: Whether to enhance it also if it does not look like a fundus photograph.
        attempts: How often it was begun to be enhanced.
        report: What was done, as :func:`magenet.enhancement.outcome.enhance_photograph`
            reports it; None while it waits.
        pictures: Kinds of the reduced pictures that there are.
        shown_strength: Strength of the enhancement that these show, 0 to 1.
        shown_by: Hashes of the weights and settings that made it.
    """

    job: str
    number: int
    name: str
    file: str
    size: int
    strength: float = 1.0
    force: bool = False
    attempts: int = 0
    report: ReportRow | None = None
    pictures: list[str] = field(default_factory=list)
    shown_strength: float | None = None
    shown_by: str = ""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what a folder holds.

        Raises:
            OSError: If it cannot be read.
            ValueError: If it is damaged.
            TypeError: Likewise.
        """
        values: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return cls(**values)

    def write(self, folder: Path) -> None:
        """Write it to a folder, whole or not at all.

        Raises:
            UserError: If it cannot be written.
        """
        with atomic_write(folder / RECORD) as part:
            part.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @property
    def has_result(self) -> bool:
        """Return whether :data:`RESULTS` holds its enhanced photograph, under its file's name."""
        return self.report is not None and self.report["status"] == "enhanced"


def shown_name(given: str) -> str:
    r"""Return the name under which an uploaded photograph is shown and handed back.

    It can be a path of an archive on any system, and leads nowhere outside its folder.

    Args:
        given: What the client calls it, which may be anything.

    Example:
        >>> shown_name("../../etc/M\xfcller\\OD:1\x1b.jpg"), shown_name("C:\\"), shown_name("..")
        ('etc/Müller/OD_1_x1b.jpg', 'photograph', 'photograph')
    """
    text = re.sub(r"^[A-Za-z]:(?=[\\/])", "", given).replace("\\", "/")
    parts = [part.strip() for part in PurePosixPath(text).parts]
    kept = [re.sub(r'[<>:"|?*\\]', "_", printable(p)) for p in parts if p.strip("./ ")]
    name = "/".join(part.rstrip(". ") for part in kept)
    return name[-LONGEST_NAME:].lstrip("/") or "photograph"


def file_name(name: str) -> str:
    """Return the name of the file of a photograph: of its own name only a known ending stays.

    Example:
        >>> file_name("a/b.JPG"), file_name("index.html"), file_name("IM0001")
        ('given.jpg', 'given', 'given')
    """
    suffix = PurePosixPath(name).suffix.lower()
    return f"given{suffix}" if suffix in (*NATIVE_SUFFIXES, *UNREAD_SUFFIXES) else "given"
