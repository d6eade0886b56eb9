"""What a preparation writes beside masks and photographs: the manifest, pairs, a report."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from data_modules.public.examination import FOLDERS, Examined
from data_modules.public.public_set import PublicSet, Skipped
from data_modules.public.splits import LEFT_OUT
from magenet.imaging.field_of_view import LEAST_CONFIDENCE

MANIFEST, REPORT, PAIRS = "index.csv", "preparation.json", "pairs.csv"
"""Files of a prepared folder: the manifest, what was done, and pairs of one eye where there are."""

VALID = "valid"
"""Folder of the masks of what both photographs of a pair show."""

COLUMNS = (
    "set", "split", "image", "quality", "patient", *FOLDERS, "dr_grade", "part", "width", "height",
    "field_confidence", "sha256", "near_duplicate_of", "licence",
)  # fmt: skip
"""Columns of the manifest. `patient` is the set's own, near-duplicates joined; `field_confidence`
is 1 where the set has a mask of the field of view."""


@dataclass(frozen=True)
class Prepared:
    """What a preparation made.

    Attributes:
        folder: The prepared folder.
        photographs: The photographs in it, with their split.
        members: Group of each; see :func:`data_modules.public.splits.groups`.
        repeats: Of each, the first photograph that it is a near-duplicate of; empty if of none.
        faults: Photographs that could not be used, and why.
        skipped: Files that were left out on purpose, and why.
    """

    folder: Path
    photographs: list[tuple[Examined, str]]
    members: list[str]
    repeats: list[str]
    faults: list[Skipped]
    skipped: list[Skipped]


def write_manifest(public_set: PublicSet, prepared: Prepared, path: Path) -> None:
    """Write the manifest of a prepared folder."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        for (one, split), patient, repeat in zip(
            prepared.photographs, prepared.members, prepared.repeats, strict=True
        ):
            grade = one.entry.dr_grade
            writer.writerow(
                one.masks
                | {
                    "set": public_set.name,
                    "split": split,
                    "image": one.image,
                    "quality": one.entry.quality,
                    "patient": patient,
                    "dr_grade": "" if grade is None else grade,
                    "part": one.entry.part,
                    "width": one.width,
                    "height": one.height,
                    "field_confidence": f"{one.confidence:.3f}",
                    "sha256": one.sha256,
                    "near_duplicate_of": repeat,
                    "licence": public_set.licence,
                }
            )


def write_pairs(prepared: Prepared, path: Path) -> None:
    """Write the test part's pairs, as :func:`data_modules.evaluation.read_pairs` reads them.

    Not the others: the better photograph of each is one that trainings learn from.
    """
    sides: dict[str, dict[bool, tuple[Examined, str]]] = {}
    for (one, split), patient in zip(prepared.photographs, prepared.members, strict=True):
        if one.entry.pair and split == "test":
            sides.setdefault(one.entry.pair, {})[one.entry.quality == "good"] = one, patient
    whole = {pair: both for pair, both in sides.items() if len(both) == 2}
    if not whole:
        return
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        writer = csv.writer(stream)
        writer.writerow(("pair_id", "patient", "low", "high_aligned", "valid_mask"))
        for pair, both in whole.items():
            (low, patient), (high, _) = both[False], both[True]
            valid = _write_shared_field(low, high, path.parent)
            writer.writerow((pair, patient, low.image, high.image, valid))


def _write_shared_field(low: Examined, high: Examined, folder: Path) -> str:
    """Write the part of the field of view that both photographs of a pair show.

    Args:
        low: The poor photograph.
        high: The better one.
        folder: The prepared folder.

    Returns:
        The mask's path in the folder; that of the poor photograph's field if sizes differ.
    """
    fields = [Image.open(folder / one.masks["fov_mask"]).convert("1") for one in (low, high)]
    if fields[0].size != fields[1].size:
        return low.masks["fov_mask"]
    name = f"{VALID}/{low.entry.name}.png"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    ImageChops.logical_and(*fields).save(folder / name, optimize=True)
    return name


def write_report(public_set: PublicSet, prepared: Prepared, missing: list[str], path: Path) -> None:
    """Write what was done as JSON: counts, licence, near-duplicates, what was left out and why."""
    photographs = [one for one, _ in prepared.photographs]
    found = Counter(one.entry.part for one in photographs)
    parts = list(dict.fromkeys((*public_set.published, *found)))
    report = {
        "set": public_set.name,
        "title": public_set.title,
        "licence": public_set.licence,
        "source": public_set.source,
        "citation": public_set.citation,
        "notes": public_set.notes,
        "photographs": {
            part: {"here": found[part], "published": public_set.published.get(part)}
            for part in parts
        },
        "splits": dict(Counter(split for _, split in prepared.photographs)),
        "qualities": dict(Counter(one.entry.quality for one in photographs)),
        "patients": len(set(prepared.members)),
        "masks": {
            column: sum(column in one.entry.masks for one in photographs) for column in FOLDERS
        },
        "uncertain_fields": [one.image for one in photographs if one.confidence < LEAST_CONFIDENCE],
        "near_duplicates": {
            one.image: repeat
            for one, repeat in zip(photographs, prepared.repeats, strict=True)
            if repeat
        },
        LEFT_OUT: [one.image for one, split in prepared.photographs if split == LEFT_OUT],
        "missing": missing,
        "faults": {fault.file: fault.reason for fault in prepared.faults},
        "skipped": {skipped.file: skipped.reason for skipped in prepared.skipped},
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="surrogateescape")


def summary(prepared: Prepared) -> list[str]:
    """Return what a preparation made, in a few lines."""
    splits = Counter(split for _, split in prepared.photographs)
    repeats = sum(bool(repeat) for repeat in prepared.repeats)
    uncertain = sum(one.confidence < LEAST_CONFIDENCE for one, _ in prepared.photographs)
    lines = [
        f"{prepared.folder / MANIFEST}: {len(prepared.photographs)} photographs of "
        f"{len(set(prepared.members))} patients ("
        + ", ".join(f"{split}: {count}" for split, count in sorted(splits.items()))
        + ")",
    ]
    if repeats:
        lines.append(f"{repeats} near-duplicates, each on one side with its first")
    if splits[LEFT_OUT]:
        lines.append(
            f"{splits[LEFT_OUT]} photographs are '{LEFT_OUT}': their patient or near-duplicate is "
            "in a later part"
        )
    if uncertain:
        lines.append(f"{uncertain} fields of view are uncertain: look at their masks")
    if prepared.skipped:
        reasons = Counter(skipped.reason for skipped in prepared.skipped)
        lines += [f"{count} files left out: {reason}" for reason, count in reasons.items()]
    return lines
