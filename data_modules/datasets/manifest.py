"""One typed description of a set of photographs, from a CSV file or a plain folder."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from data_modules.files.pictures import SUFFIXES, header_fault
from magenet.errors import UserError

Quality = Literal["good", "usable", "reject", "unknown"]
QUALITIES = ("good", "usable", "reject")
"""Grades of quality, best first: what a grader's classes 0, 1 and 2 stand for."""

Split = Literal["train", "val", "test", "pair"]


class ManifestError(UserError):
    """Say which manifest or folder is at fault, and where."""


@dataclass(frozen=True)
class Photograph:
    """Describe one photograph; everything but the picture itself is optional.

    Attributes:
        image: The file.
        name: What it is called in results: its path below the manifest's folder.
        set: The data set it comes from.
        split: What it may be used for; empty where nothing was decided.
        quality: Graded quality.
        vessel_mask: File of the vessel mask.
        fov_mask: File of the field-of-view mask.
        pair_id: Identifier of the real low/high pairs that it belongs to.
        licence: Under which it may be used.
        patient: Whose eye it is; photographs of one patient are not independent of each other.
        disc_mask: File of the optic disc's mask.
        lesion_bitmask: File of the lesions: bits 1, 2, 4, 8 for microaneurysm, haemorrhage, hard
            exudate, soft exudate.
        dr_grade: Grade of diabetic retinopathy, 0 to 4.
    """

    image: Path
    name: str
    set: str = ""
    split: str = ""
    quality: Quality = "unknown"
    vessel_mask: Path | None = None
    fov_mask: Path | None = None
    pair_id: str = ""
    licence: str = ""
    patient: str = ""
    disc_mask: Path | None = None
    lesion_bitmask: Path | None = None
    dr_grade: int | None = None


FILE_COLUMNS = ("vessel_mask", "fov_mask", "disc_mask", "lesion_bitmask")
NAMED = 10
"""Files that a message names at most."""

TEXT_COLUMNS = ("set", "split", "pair_id", "licence", "patient")
LABEL_COLUMNS = ("patient", "disc_mask", "lesion_bitmask", "dr_grade")
"""What a file of labels may add to a manifest."""


class Manifest:
    """Hold the photographs of a set, in a fixed order.

    Args:
        photographs: What it holds.
        source: The CSV file or folder it was made from, for messages.
    """

    def __init__(self, photographs: Collection[Photograph], source: str | Path) -> None:
        self.photographs = tuple(photographs)
        self.source = str(source)

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)

    @classmethod
    def from_csv(cls, path: str | Path, labels: Collection[str | Path] = ()) -> Manifest:
        """Read a manifest; file names in it are relative to its folder.

        Columns: `image` is required; `set, split, quality, vessel_mask, fov_mask, pair_id,
        licence, patient, disc_mask, lesion_bitmask, dr_grade` are optional; others are ignored
        (width and height are the picture's own).

        Args:
            path: The CSV file.
            labels: More CSV files whose column `image` names photographs as the manifest does;
                they may give the last four columns. Photographs not in the manifest are ignored.

        Raises:
            ManifestError: If a file or a column is missing, a quality or a grade is unknown, or
                files that it names are missing (all of them are named).
        """
        path = Path(path)
        _, rows = _read(path)
        added: dict[str, dict[str, str]] = {}
        for file in labels:
            columns, lines = _read(Path(file))
            given = [column for column in LABEL_COLUMNS if column in columns]
            if not given:
                raise ManifestError(
                    f"{file}: none of the columns {', '.join(LABEL_COLUMNS)} is in it"
                )
            for line, row in enumerate(lines, start=2):
                values = {column: row[column] for column in given if row[column]}
                _require_grade(values.get("dr_grade", ""), Path(file), line)
                added.setdefault(row["image"], {}).update(values)
            told = {row["image"] for row in lines}
            if rows and not any(row["image"] in told for row in rows):
                warnings.warn(
                    f"{file}: none of its images is in {path}, which calls its first "
                    f"'{rows[0]['image']}'",
                    stacklevel=2,
                )
        photographs = []
        seen: set[str] = set()
        for line, row in enumerate(rows, start=2):
            if not row["image"]:
                raise ManifestError(f"{path}: line {line} names no image")
            if row["image"] in seen:
                raise ManifestError(f"{path}: line {line} repeats {row['image']}")
            seen.add(row["image"])
            row |= added.get(row["image"], {})
            quality = row.get("quality") or "unknown"
            if quality not in get_args(Quality):
                raise ManifestError(
                    f"{path}: line {line} has quality '{quality}'; use one of "
                    f"{', '.join(get_args(Quality))}"
                )
            grade = row.get("dr_grade") or ""
            _require_grade(grade, path, line)
            files = {
                column: path.parent / row[column] for column in FILE_COLUMNS if row.get(column)
            }
            texts = {column: row[column] for column in TEXT_COLUMNS if row.get(column)}
            photographs.append(
                Photograph(
                    image=path.parent / row["image"],
                    name=row["image"],
                    quality=quality,  # type: ignore[arg-type]  # checked against the literal above
                    dr_grade=int(grade) if grade else None,
                    **files,  # type: ignore[arg-type]  # files go to file fields by name
                    **texts,  # type: ignore[arg-type]  # texts go to text fields by name
                )
            )
        manifest = cls(photographs, path)
        manifest._require_files()
        return manifest

    @classmethod
    def from_path(cls, path: str | Path, suffixes: Collection[str] = SUFFIXES) -> Manifest:
        """Read whatever a person points at: a folder, one picture, or a manifest.

        Args:
            path: What it is.
            suffixes: File name endings that count in a folder.

        Raises:
            ManifestError: If there is no such thing, or nothing in it.
        """
        path = Path(path)
        if path.is_file() and path.suffix.lower() == ".csv":
            return cls.from_csv(path)
        if path.is_file():
            return cls([Photograph(path, path.name)], path)
        if path.is_dir():
            return cls.from_folder(path, suffixes)
        raise ManifestError(f"{path}: no such folder, picture or manifest")

    @classmethod
    def from_folder(cls, folder: str | Path, suffixes: Collection[str] = SUFFIXES) -> Manifest:
        """List the pictures of a folder and of its sub-folders, by name.

        Args:
            folder: Which one.
            suffixes: File name endings that count.

        Raises:
            ManifestError: If the folder is missing or holds no picture.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ManifestError(f"{folder}: no such folder")
        files = sorted(
            file
            for file in folder.rglob("*")
            if file.is_file()
            and file.suffix.lower() in suffixes
            and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        )
        if not files:
            raise ManifestError(f"{folder}: no pictures in it (looked for {', '.join(suffixes)})")
        return cls(
            [Photograph(file, file.relative_to(folder).as_posix()) for file in files], folder
        )

    def select(
        self,
        *,
        splits: Collection[str] | None = None,
        sets: Collection[str] | None = None,
        qualities: Collection[str] | None = None,
    ) -> Manifest:
        """Return the photographs that match everything given.

        Raises:
            ManifestError: If none is left.
        """
        wanted = {"split": splits, "set": sets, "quality": qualities}
        kept = [
            photograph
            for photograph in self
            if all(
                values is None or getattr(photograph, name) in values
                for name, values in wanted.items()
            )
        ]
        if not kept:
            asked = ", ".join(
                f"{name} in {sorted(values)}"
                for name, values in wanted.items()
                if values is not None
            )
            unknown = [
                name
                for name, values in wanted.items()
                if values is not None
                and all(getattr(p, name) in (None, "", "unknown") for p in self)
            ]
            hint = f"; its column '{unknown[0]}' is missing or empty" if unknown else ""
            raise ManifestError(f"{self.source}: no photograph with {asked}{hint}")
        return Manifest(kept, self.source)

    def require_readable(self) -> None:
        """Look at the header of every picture; a picture cut off later is found when decoded.

        Raises:
            ManifestError: If some cannot be read, with their number and the first of them.
        """
        faults = [fault for photograph in self if (fault := header_fault(photograph.image))]
        if faults:
            raise ManifestError(
                f"{self.source}: {len(faults)} picture(s) cannot be used: {_listed(faults)}"
            )

    def _require_files(self) -> None:
        """Raise with the number of files that do not exist, and the first of them."""
        missing = [
            str(file)
            for photograph in self
            for file in (
                photograph.image,
                *(getattr(photograph, column) for column in FILE_COLUMNS),
            )
            if file is not None and not file.is_file()
        ]
        if missing:
            raise ManifestError(
                f"{self.source}: {len(missing)} file(s) it names are missing: {_listed(missing)}"
            )


def _listed(faults: list[str]) -> str:
    """Return the first faults in words: hundreds of them would bury the message."""
    more = len(faults) - NAMED
    return "; ".join(faults[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and rows of a CSV file that describes photographs.

    Raises:
        ManifestError: If it is missing, cannot be read, or has no column `image`.
    """
    if not path.is_file():
        raise ManifestError(f"{path}: no such manifest")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or [])
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: not a CSV file ({error})") from None
    if "image" not in columns:
        raise ManifestError(
            f"{path}: the column 'image' is missing (columns: {', '.join(columns) or 'none'})"
        )
    return columns, rows


def _require_grade(grade: str, path: Path, line: int) -> None:
    """Raise an error that names file and line unless this is no grade, or one from 0 to 4."""
    if grade not in ("", "0", "1", "2", "3", "4"):
        raise ManifestError(f"{path}: line {line} has dr_grade '{grade}'; use 0 to 4")
