"""Degrade the photographs of a folder, with a file of what was done to each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from data_modules.datasets.manifest import Manifest, Photograph
from data_modules.datasets.photographs import find_field
from data_modules.files.errors import PictureError
from data_modules.files.output_paths import output_path, require_outside
from data_modules.files.pictures import read_photograph
from data_modules.files.writing import write_photograph
from magenet.degradation import (
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    Parameters,
)
from magenet.errors import UserError
from magenet.hashing import name_key
from magenet.imaging.crop import composite, crop, paste

COFE = {"cofe": "offline", "cofe_online": "online", "cofe_published": "published"}
"""Presets that are cofe-Net's variants; they know no severity."""

PARAMETERS = "params.jsonl"
"""File of the parameters beside the pictures, one JSON object a line."""

LEAST_CONFIDENCE = 0.8
"""Below it, a field of view should be looked at; as in the report of `predict`."""

DegradationRecord = dict[str, Any]


def degradation(preset: str, severity: float) -> Degradation:
    """Return the recipe of a preset.

    Raises:
        UserError: If the severity is out of range, or given to a preset that knows none.
        ValueError: If there is no such preset.
    """
    if preset in COFE:
        if severity != 1.0:
            raise UserError(f"--severity: {preset} is as cofe-Net released it and knows none")
        return CofeDegradation(variant=COFE[preset])  # type: ignore[arg-type]
    if not 0.0 <= severity <= 1.0:
        raise UserError(f"--severity must lie in [0, 1], got {severity}")
    return FundusDegradation(preset, severity)


def read_lines(path: Path) -> dict[str, DegradationRecord]:
    """Return the lines of a parameter file by the photograph's name.

    Raises:
        UserError: If it cannot be read, or a line is not one of ours.
    """
    lines: dict[str, DegradationRecord] = {}
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file") from None
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            if not isinstance(line, dict):
                raise ValueError("is not a JSON object")
            recipe = degradation(line.setdefault("preset", "mixed"), 1.0)
            Parameters.from_records([line["factors"]], recipe.factors)
            if line["name"] in lines:
                raise ValueError(f"a second line for '{line['name']}'")
            lines[line["name"]] = line
        except KeyError as error:
            raise UserError(f"{path}: line {number}: has no {error}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: line {number}: {error}") from None
    return lines


def spoil(photograph: Photograph, target: Path, line: DegradationRecord) -> float:
    """Write one photograph spoiled: at its own size, the surround bit for bit as it was.

    Args:
        photograph: Which one.
        target: Where to; a lossless format, since a JPEG would spoil it once more.
        line: With `preset` and `factors`.

    Returns:
        How sure the field of view is, 0 to 1.

    Raises:
        PictureError: If it cannot be read or written.
    """
    image = read_photograph(photograph.image)
    field = find_field(photograph, image)
    recipe = degradation(line["preset"], 1.0)
    parameters = Parameters.from_records([line["factors"]], recipe.factors)
    square = crop(image, field.square)[None].float() / 255
    mask = crop(field.mask, field.square)[None].float()
    spoiled = recipe.apply(square * mask, mask, parameters)[0].mul_(255).round_().to(torch.uint8)
    height, width = image.shape[-2:]
    result = composite(paste(spoiled, field.square, height, width), image, field.mask)
    write_photograph(result, target, photograph.image)
    return field.confidence


def degrade_folder(
    photographs_path: str,
    folder: Path,
    preset: str | None,
    severity: float | None,
    seed: int | None,
    replay: Path | None,
) -> int:
    """Spoil all photographs; one that fails is named and does not stop the others.

    Args:
        photographs_path: Folder, picture or CSV manifest.
        folder: Where to write.
        preset: A preset's name; `mixed` if None.
        severity: Scales all damage, 0 to 1; 1 if None.
        seed: Another seed, other damage; 0 if None.
        replay: A parameter file: do to each photograph what its line says. Excludes the others.

    Returns:
        Exit status: 1 if any failed, else 0.

    Raises:
        UserError: If nothing can be done at all.
    """
    known = None if replay is None else read_lines(replay)
    if known is not None and (preset, severity, seed) != (None, None, None):
        raise UserError("--replay says it all: leave --preset, --severity and --seed out")
    preset = "mixed" if preset is None else preset
    severity = 1.0 if severity is None else severity
    seed = 0 if seed is None else seed
    if not 0 <= seed < 1 << 63:
        raise UserError(f"--seed must be a whole number from 0 to {(1 << 63) - 1}, got {seed}")
    recipe = degradation(preset, severity)
    photographs = Manifest.from_path(photographs_path).photographs
    if known is not None and not any(photograph.name in known for photograph in photographs):
        raise UserError(
            f"{replay}: has no line for any of these photographs; lines are found by "
            f"name, such as '{photographs[0].name}'"
        )
    given_path = Path(photographs_path)
    single = given_path.is_file() and given_path.suffix.lower() != ".csv"
    require_outside(folder, given_path.parent if single else given_path)
    notes = folder / PARAMETERS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: is not a folder to write to ({error.strerror})") from None
    try:
        stream = notes.open("x", encoding="utf-8")
    except FileExistsError:
        raise UserError(f"{notes}: is there already; choose another folder") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot write there ({error.strerror})") from None
    failures: list[str] = []
    written: set[Path] = set()
    uncertain = 0
    with stream:
        for photograph in tqdm(photographs, unit="photograph", disable=not sys.stderr.isatty()):
            name = photograph.name
            rng = CounterRNG(torch.tensor([name_key(name)]), seed)
            try:
                if known is None:
                    line = {
                        "name": name, "preset": preset, "severity": severity,
                        "seed": seed, "factors": recipe.draw(rng).records()[0],
                    }  # fmt: skip
                elif name in known:
                    line = known[name]
                else:
                    raise PictureError(f"{name}: {replay} has no line for it")
                target = output_path(folder, photograph.image, name, written, ".png")
                if target.exists():
                    raise PictureError(f"{target}: is there already")
                confidence = spoil(photograph, target, line)
            except PictureError as error:
                told = str(error)
                failures.append(told if name in told else f"{name}: {told}")
                continue
            written.add(target)
            uncertain += confidence < LEAST_CONFIDENCE
            line = {**line, "field_confidence": round(confidence, 3)}
            stream.write(json.dumps(line) + "\n")
            stream.flush()
    for failure in failures:
        print(f"magenet: not degraded: {failure}", file=sys.stderr)
    print(f"{len(written)} photographs and {PARAMETERS} in {folder}")
    if uncertain:
        print(
            f"look at {uncertain} of them: their field of view is uncertain "
            f"(field_confidence below {LEAST_CONFIDENCE} in {PARAMETERS})"
        )
    return 1 if failures else 0
