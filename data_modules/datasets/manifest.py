"""Sets of photographs described by a CSV manifest, a plain folder, or a single file."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from data_modules.files.reading import SUFFIXES, header_fault
from magenet.errors import UserError
from magenet.installation import only_in_clone

Quality = Literal["good", "usable", "reject", "unknown"]
QUALITIES = ("good", "usable", "reject")
"""Grades of quality, best first: a grader's classes 0, 1 and 2."""

REPORT_PICTURE = re.compile(
    ".*_files/[0-9a-f]{32}-(before|after|uncertainty)[.](jpg|png)", re.DOTALL
)
"""Folder and file name of a picture that belongs to the page of a report, beside it."""


class ManifestError(UserError):
    """A manifest or folder is wrong; the message says which one, and the line."""


class NotAManifestError(ManifestError):
    """A file is no CSV file with the columns of a manifest, as others beside photographs are."""


@dataclass(frozen=True)
class Photograph:
    """One photograph of a manifest; everything but the picture itself is optional.

    Attributes:
        image: The file.
        name: Name in results: its path below the manifest's folder.
        set: The data set that it belongs to.
        split: Part that it belongs to, such as `train`; empty if the manifest has no such column.
        quality: Graded quality.
        vessel_mask: File of the vessel mask.
        fov_mask: File of the field-of-view mask.
        patient: The patient it belongs to; photographs of one patient are not independent.
        disc_mask: File of the optic disc's mask.
        cup_mask: File of the optic cup's mask.
        lesion_bitmask: File of the lesions: bits 1, 2, 4, 8 for microaneurysm, haemorrhage, hard
            exudate, soft exudate.
        dr_grade: Grade of diabetic retinopathy, 0 to 4.
        fault: Why it cannot be read, where that is known already.
    """

    image: Path
    name: str
    set: str = ""
    split: str = ""
    quality: Quality = "unknown"
    vessel_mask: Path | None = None
    fov_mask: Path | None = None
    patient: str = ""
    disc_mask: Path | None = None
    cup_mask: Path | None = None
    lesion_bitmask: Path | None = None
    dr_grade: int | None = None
    fault: str = ""


FILE_COLUMNS = ("vessel_mask", "fov_mask", "disc_mask", "cup_mask", "lesion_bitmask")
TEXT_COLUMNS = ("set", "split", "patient")
COLUMNS = ("image", "quality", "dr_grade", *TEXT_COLUMNS, *FILE_COLUMNS)
"""All columns of a manifest."""

LABEL_COLUMNS = ("patient", "disc_mask", "cup_mask", "lesion_bitmask", "dr_grade")
"""Columns that a file of labels may add to a manifest."""

MOST_NAMED = 10
"""Greatest number of files that a message names."""


class Manifest:
    """Photographs of a set, in a fixed order.

    Args:
        photographs: The photographs.
        source: The CSV file or folder that they come from, for messages.
    """

    def __init__(self, photographs: Collection[Photograph], source: str | Path) -> None:
        self.photographs = tuple(photographs)
        self.source = str(source)

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)

    @classmethod
    def from_csv(
        cls, path: str | Path, labels: Collection[str | Path] = (), complete: bool = True
    ) -> Manifest:
        """Read a manifest; file names in it are relative to its folder.

        Columns: `image` is required; `set, split, quality, vessel_mask, fov_mask, patient,
        disc_mask, cup_mask, lesion_bitmask, dr_grade` are optional; others are ignored. Spaces
        around a column's name and around a text count for nothing.

        Args:
            path: The CSV file.
            labels: More CSV files whose column `image` names photographs as the manifest does;
                they may give `patient, disc_mask, cup_mask, lesion_bitmask, dr_grade`; their files,
                too, are relative to the manifest's folder. Photographs not in the manifest are
                ignored.
            complete: Whether all files that it names must exist; if not, who reads a photograph
                finds out.

        Raises:
            ManifestError: If a file, a column or an image's name is missing, a quality or a grade
                is unknown, or files that it names are missing (the first ten are named).
        """
        path = Path(path)
        columns, rows = read_rows(path, ("image",))
        _require_spelling(columns, path)
        labels_of_image = _read_labels(labels, path, list(rows.values()))
        photographs = []
        seen: set[str] = set()
        for line, row in rows.items():
            if row["image"] in seen:
                raise ManifestError(f"{path}: line {line} repeats {row['image']}")
            seen.add(row["image"])
            row |= labels_of_image.get(row["image"], {})
            photographs.append(_photograph(row, path, line))
        manifest = cls(photographs, path)
        if complete:
            manifest._require_files()
        return manifest

    @classmethod
    def from_path(cls, path: str | Path, suffixes: Collection[str] = SUFFIXES) -> Manifest:
        """Return the photographs of a folder, a single picture, or a CSV manifest.

        Args:
            path: The folder, picture or manifest.
            suffixes: File name endings that count in a folder.

        Raises:
            ManifestError: If it does not exist, or is empty.
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

        The pictures of a report of `magenet enhance --html` (:data:`REPORT_PICTURE`) are left out.

        Args:
            folder: The folder.
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
            and not REPORT_PICTURE.fullmatch(f"{file.parent.name}/{file.name}")
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
        """Return the photographs of the given splits, sets and qualities; all where None.

        Raises:
            ManifestError: If no photograph matches.
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
        """Check the header of every picture; truncated pixels are only found when decoding.

        Raises:
            ManifestError: If some cannot be read; the message gives their number and the first ten.
        """
        faults = [fault for photograph in self if (fault := header_fault(photograph.image))]
        if faults:
            raise ManifestError(
                f"{self.source}: {len(faults)} picture(s) cannot be used: {listed(faults)}"
            )

    def _require_files(self) -> None:
        """Raise if files do not exist, with their number and the first of them."""
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
                f"{self.source}: {len(missing)} file(s) it names are missing: {listed(missing)}"
            )


def listed(faults: Sequence[str]) -> str:
    """Return the first faults as one text: hundreds of them would bury the message."""
    more = len(faults) - MOST_NAMED
    return "; ".join(faults[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def read_rows(path: Path, required: Sequence[str]) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Return the columns of a CSV file that describes photographs, and its rows by line.

    Spaces around the columns' names are dropped.

    Args:
        path: The file, in UTF-8; a file name in it that is not valid UTF-8 keeps its bytes.
        required: Columns that it must have, with a value in each row; other cells that a short row
            lacks are empty.

    Raises:
        NotAManifestError: If it is no CSV file, or a required column is missing.
        ManifestError: If the file or a required value is missing, the file cannot be read, or a
            required column is written otherwise or separated by something else than commas.
    """
    if not path.is_file():
        raise ManifestError(f"{path}: no such CSV file{only_in_clone(path)}")
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            reader = csv.DictReader(stream, restval="")
            columns = [column.strip() for column in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = {}
            for row in reader:
                rows[reader.line_num] = row  # the reader skips blank lines
    except csv.Error as error:
        raise NotAManifestError(f"{path}: not a CSV file ({error})") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from None
    if not "".join(columns).isprintable():
        raise NotAManifestError(f"{path}: not a CSV file: its first line is no text in UTF-8")
    given = ", ".join(columns) or "none"
    for column in required:
        if column not in columns:
            separated = re.split(r"[,;\t]", given.lower().replace('"', ""))
            kind = ManifestError if column in map(str.strip, separated) else NotAManifestError
            raise kind(f"{path}: the column '{column}' is missing (columns: {given})")
    for line, row in rows.items():
        for column in required:
            if not row[column]:
                raise ManifestError(f"{path}: line {line} has no value in the column '{column}'")
    return columns, rows


def _read_labels(
    files: Collection[str | Path], manifest: Path, manifest_rows: list[dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Return what files of labels add to the rows of a manifest, by image.

    Raises:
        ManifestError: If a file cannot be read, has no column of labels, or a grade is unknown.
    """
    labels: dict[str, dict[str, str]] = {}
    for file in files:
        columns, rows = read_rows(Path(file), ("image",))
        _require_spelling(columns, Path(file))
        given = [column for column in LABEL_COLUMNS if column in columns]
        if not given:
            raise ManifestError(f"{file}: none of the columns {', '.join(LABEL_COLUMNS)} is in it")
        for line, row in rows.items():
            values = {column: _text(row, column) for column in given if _text(row, column)}
            _require_grade(values.get("dr_grade", ""), Path(file), line)
            labels.setdefault(row["image"], {}).update(values)
        images = {row["image"] for row in rows.values()}
        if manifest_rows and not any(row["image"] in images for row in manifest_rows):
            warnings.warn(
                f"{file}: none of its images is in {manifest}, whose first image is "
                f"'{manifest_rows[0]['image']}'",
                stacklevel=3,
            )
    return labels


def _photograph(row: dict[str, str], path: Path, line: int) -> Photograph:
    """Return the photograph that a row of a manifest describes.

    Raises:
        ManifestError: If a quality or a grade is unknown.
    """
    quality = _text(row, "quality") or "unknown"
    if quality not in get_args(Quality):
        raise ManifestError(
            f"{path}: line {line} has quality '{quality}'; use one of "
            f"{', '.join(get_args(Quality))}"
        )
    grade = _text(row, "dr_grade")
    _require_grade(grade, path, line)
    files = {column: path.parent / row[column] for column in FILE_COLUMNS if row.get(column)}
    texts = {column: text for column in TEXT_COLUMNS if (text := _text(row, column))}
    return Photograph(
        image=path.parent / row["image"],
        name=row["image"],
        quality=quality,  # type: ignore[arg-type]  # checked against the literal above
        dr_grade=int(grade) if grade else None,
        **files,  # type: ignore[arg-type]  # files go to file fields by name
        **texts,  # type: ignore[arg-type]  # texts go to text fields by name
    )


def _text(row: dict[str, str], column: str) -> str:
    """Return a cell, a text without the spaces around it; the name of a file may begin with one."""
    cell = row.get(column) or ""
    return cell if column in FILE_COLUMNS else cell.strip()


def _require_spelling(columns: Sequence[str], path: Path) -> None:
    """Raise for a column that is a manifest's but for upper and lower case: it would be ignored.

    Raises:
        ManifestError: If there is one.
    """
    for column in columns:
        if column not in COLUMNS and column.lower() in COLUMNS and column.lower() not in columns:
            raise ManifestError(f"{path}: the column '{column}' must be '{column.lower()}'")


def _require_grade(grade: str, path: Path, line: int) -> None:
    """Raise unless a grade of retinopathy is empty or 0 to 4; the message names file and line."""
    if grade not in ("", "0", "1", "2", "3", "4"):
        raise ManifestError(f"{path}: line {line} has dr_grade '{grade}'; use 0 to 4")
