"""Degradation of a folder of photographs, with the parameters of each written beside them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import torch
from tqdm import tqdm

from data_modules.datasets.manifest import Manifest, Photograph
from data_modules.datasets.photographs import find_field
from data_modules.files.errors import PictureError
from data_modules.files.output_paths import output_path, require_outside
from data_modules.files.reading import read_photograph
from data_modules.files.writing import write_photograph
from magenet.atomic_write import make_folder
from magenet.degradation import (
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    Parameters,
)
from magenet.errors import UsageError, UserError, printable
from magenet.hashing import name_key
from magenet.imaging.crop import composite, crop, paste
from magenet.imaging.field_of_view import LEAST_CONFIDENCE

COFE = {"cofe": "offline", "cofe_online": "online", "cofe_published": "published"}
"""Presets that are variants of cofe-Net's degradation; they have no severity."""

PARAMETERS = "params.jsonl"
"""File of the parameters beside the pictures, one JSON object per line."""

DegradationRecord = dict[str, Any]
"""A line of that file: `name`, `preset` and `factors`, and what else is known of the run."""


def degrade_folder(
    photographs_path: str,
    folder: Path,
    preset: str | None,
    severity: float | None,
    seed: int | None,
    replay: Path | None,
) -> int:
    """Degrade all photographs; one that fails is named and does not stop the others.

    Args:
        photographs_path: Folder, picture or CSV manifest.
        folder: Folder of the results.
        preset: A preset's name; `mixed` if None.
        severity: Scales all damage, 0 to 1; 1 if None.
        seed: Seed of the random parameters; 0 if None.
        replay: A parameter file: repeat what its line says on each photograph. Excludes `preset`,
            `severity` and `seed`.

    Returns:
        Exit status: 1 if any failed, else 0.

    Raises:
        UserError: If nothing can be degraded at all.
    """
    if replay is None:
        record_of = _draw_records(
            "mixed" if preset is None else preset,
            1.0 if severity is None else severity,
            0 if seed is None else seed,
        )
        photographs = Manifest.from_path(photographs_path).photographs
    else:
        if (preset, severity, seed) != (None, None, None):
            raise UsageError("--replay excludes --preset, --severity and --seed")
        records = read_lines(replay)
        record_of = _look_up_records(records, replay)
        photographs = Manifest.from_path(photographs_path).photographs
        _require_any_record(photographs, records, replay)
    given = Path(photographs_path)
    is_picture = given.is_file() and given.suffix.lower() != ".csv"
    require_outside(folder, given.parent if is_picture else given)
    failures: list[str] = []
    written: set[Path] = set()
    uncertain = 0
    with _new_parameter_file(folder) as stream:
        for photograph in tqdm(photographs, unit="photograph", disable=not sys.stderr.isatty()):
            name = photograph.name
            try:
                record = record_of(name)
                path = output_path(folder, photograph.image, name, written, ".png")
                if path.exists():
                    raise PictureError(f"{path}: is there already")
                confidence = degrade_photograph(photograph, path, record)
            except PictureError as error:
                reason = str(error)
                failures.append(reason if name in reason else f"{name}: {reason}")
                continue
            written.add(path)
            uncertain += confidence < LEAST_CONFIDENCE
            record = {**record, "field_confidence": round(confidence, 3)}
            stream.write(json.dumps(record) + "\n")
            stream.flush()
    for failure in failures:
        print(f"magenet: not degraded: {printable(str(failure))}", file=sys.stderr)
    pictures = "photograph" if len(written) == 1 else "photographs"
    print(f"{len(written)} {pictures} and {PARAMETERS} in {folder}")
    if uncertain:
        print(
            f"look at {uncertain} of them: their field of view is uncertain "
            f"(field_confidence below {LEAST_CONFIDENCE} in {PARAMETERS})"
        )
    return 1 if failures else 0


def degrade_photograph(photograph: Photograph, path: Path, record: DegradationRecord) -> float:
    """Write a degraded photograph at its own size, its surround bit for bit unchanged.

    Args:
        photograph: The photograph.
        path: File to write, in a lossless format: JPEG would degrade it once more.
        record: With `preset` and `factors`.

    Returns:
        Confidence of the field of view, 0 to 1.

    Raises:
        PictureError: If it cannot be read or written.
    """
    image = read_photograph(photograph.image)
    field = find_field(photograph, image)
    recipe = degradation(record["preset"], 1.0)
    parameters = Parameters.from_records([record["factors"]], recipe.factors)
    square = crop(image, field.square)[None].float() / 255
    mask = crop(field.mask, field.square)[None].float()
    degraded = recipe.apply(square * mask, mask, parameters)[0].mul_(255).round_().to(torch.uint8)
    height, width = image.shape[-2:]
    result = composite(paste(degraded, field.square, height, width), image, field.mask)
    write_photograph(result, path, photograph.image)
    return field.confidence


def degradation(preset: str, severity: float) -> Degradation:
    """Return the recipe of a preset.

    Raises:
        UsageError: If the severity is out of range, or given for a preset that has none.
        ValueError: If there is no such preset.
    """
    if preset in COFE:
        if severity != 1.0:
            raise UsageError(f"--severity: {preset} is as cofe-Net released it and has none")
        return CofeDegradation(variant=COFE[preset])  # type: ignore[arg-type]
    if not 0.0 <= severity <= 1.0:
        raise UsageError(f"--severity must lie in [0, 1], got {severity}")
    return FundusDegradation(preset, severity)


def read_lines(path: Path) -> dict[str, DegradationRecord]:
    """Return the lines of a parameter file by the photograph's name.

    Raises:
        UserError: If it cannot be read, or a line is not one of ours.
    """
    records: dict[str, DegradationRecord] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("is not a JSON object")
            recipe = degradation(record.setdefault("preset", "mixed"), 1.0)
            Parameters.from_records([record["factors"]], recipe.factors)
            if record["name"] in records:
                raise ValueError(f"a second line for '{record['name']}'")
            records[record["name"]] = record
        except KeyError as error:
            raise UserError(f"{path}: line {number}: has no {error}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: line {number}: {error}") from None
    return records


def _draw_records(preset: str, severity: float, seed: int) -> Callable[[str], DegradationRecord]:
    """Return the function that draws the parameters of a photograph from its name.

    Raises:
        UsageError: If an option is out of range.
    """
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"--seed must be a whole number from 0 to {(1 << 63) - 1}, got {seed}")
    recipe = degradation(preset, severity)

    def record_of(name: str) -> DegradationRecord:
        rng = CounterRNG(torch.tensor([name_key(name)]), seed)
        return {
            "name": name, "preset": preset, "severity": severity, "seed": seed,
            "factors": recipe.draw(rng).records()[0],
        }  # fmt: skip

    return record_of


def _look_up_records(
    records: dict[str, DegradationRecord], replay: Path
) -> Callable[[str], DegradationRecord]:
    """Return the function that looks up the parameters of a photograph by its name."""

    def record_of(name: str) -> DegradationRecord:
        if name not in records:
            raise PictureError(f"{name}: {replay} has no line for it")
        return records[name]

    return record_of


def _require_any_record(
    photographs: Sequence[Photograph], records: dict[str, DegradationRecord], replay: Path
) -> None:
    """Raise if the file to replay has no line for any of the photographs."""
    if not any(photograph.name in records for photograph in photographs):
        raise UserError(
            f"{replay}: has no line for any of these photographs; lines are found by "
            f"name, such as '{photographs[0].name}'"
        )


def _new_parameter_file(folder: Path) -> TextIO:
    """Open the parameter file of a folder, which must not exist yet.

    Raises:
        UserError: If it exists, or cannot be written.
    """
    path = folder / PARAMETERS
    make_folder(folder)
    try:
        return path.open("x", encoding="utf-8")
    except FileExistsError:
        raise UserError(f"{path}: is there already; choose another folder") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot write there ({error.strerror})") from None
