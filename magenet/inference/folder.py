"""Many photographs enhanced, each with a report beside it; nothing is left half-written."""

from __future__ import annotations

import csv
import json
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from data_modules.io import PictureError, read_header, read_native, write_photograph
from data_modules.manifest import Photograph
from data_modules.places import places_for
from data_modules.sources import find_field
from magenet.errors import UserError
from magenet.files import whole
from magenet.fov import FieldOfView
from magenet.inference.memory import memory_of, require_memory, resident
from magenet.inference.photograph import (
    EnhancedPhotograph,
    NotAFundusError,
    PhotographEnhancer,
)

Row = dict[str, Any]

Loaded = tuple[Tensor, FieldOfView]
"""A photograph as taken, and its field of view."""

SUMMARY = "enhance.csv"
"""File of one line for each photograph, in the folder of the results."""

COLUMNS = (
    "name", "status", "verdict", "reason", "width", "height", "field_confidence",
    "light_share", "expected_error", "mean_change", "colour_change",
    "brightness_drift", "vessel_lost", "vessel_invented", "seconds", "result",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Say what became of one photograph.

    Attributes:
        row: Its report: `status` is `enhanced`, `refused` (of something else than a fundus) or
            `failed`; `skipped` where an earlier run had enhanced it.
        before: The photograph; None where it could not be read, or was skipped.
        result: The enhanced one; None where there is none.
    """

    row: Row
    before: Tensor | None = None
    result: EnhancedPhotograph | None = None


@dataclass(frozen=True)
class Task:
    """Say what is wanted of every photograph.

    Attributes:
        folder: Of the results.
        weights: Name of the weights, for the reports.
        strength: Share of the change that is applied.
        force: Whether to enhance what does not look like a fundus photograph, too.
        skip_existing: Whether to leave photographs alone that an earlier run has enhanced, with
            the same weights and strength.
        max_memory: Bytes that the process may use.
    """

    folder: Path
    weights: str
    strength: float
    force: bool
    skip_existing: bool
    max_memory: int


def enhance_all(
    enhancer: PhotographEnhancer, photographs: Sequence[Photograph], task: Task
) -> Iterator[Outcome]:
    """Enhance photographs one by one; one that fails does not stop the others.

    The next photograph is read while one is enhanced, where both fit into the memory. A result
    appears under its name when it is whole, then its report, `<name>.json`.

    Args:
        enhancer: Does it.
        photographs: In their order; no two of one name.
        task: What is wanted.

    Yields:
        What became of each, in order.

    Raises:
        UserError: If the folder cannot be written to.
    """
    places = places_for(task.folder, photographs)
    queue = deque(p for p in photographs if not _is_done(p, places, task))
    ahead: Future[Loaded] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        for photograph in photographs:
            place = places[photograph.name]
            if not queue or photograph is not queue[0]:
                assert isinstance(place, Path)  # it was enhanced there
                yield Outcome(json.loads(report_path(place).read_text()) | {"status": "skipped"})
                continue
            queue.popleft()
            loaded = _loaded(ahead or pool.submit(read, photograph, task.max_memory), photograph)
            ahead = None
            if queue and _fit_together(photograph, queue[0], task.max_memory):
                ahead = pool.submit(read, queue[0], task.max_memory)
            outcomes = [_enhance(enhancer, photograph, loaded, place, task)]
            del loaded  # whoever takes the outcome holds the photograph alone
            yield outcomes.pop()


def read(photograph: Photograph, max_memory: int) -> Loaded:
    """Return a photograph as taken, and its field of view.

    Raises:
        PictureError: If it cannot be read, or would not fit into the memory.
    """
    header = read_header(photograph.image)
    try:
        require_memory(*header, max_memory)
    except UserError as error:
        raise PictureError(f"{photograph.image}: {error}") from None
    image = read_native(photograph.image)
    return image, find_field(photograph, image)


def _loaded(future: Future[Loaded], photograph: Photograph) -> Loaded | PictureError:
    """Return what was read, or why it could not be."""
    try:
        return future.result()
    except PictureError as error:
        return error
    except Exception as error:  # of memory, say: one photograph must not cost the others
        return PictureError(f"{photograph.image}: cannot be read ({error})")


def _fit_together(one: Photograph, other: Photograph, max_memory: int) -> bool:
    """Return whether one photograph can be read while another is enhanced."""
    try:
        needs = sum(memory_of(*read_header(photograph.image)) for photograph in (one, other))
    except PictureError:
        return False
    return resident() + needs <= max_memory


def report_path(place: Path) -> Path:
    """Return where the report on a result is."""
    return place.with_name(place.name + ".json")


def write_summary(folder: Path, rows: Sequence[Row]) -> None:
    """Write :data:`SUMMARY`, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    with (
        whole(folder / SUMMARY) as half,
        # Names that are no text, of other systems, are spelled out.
        half.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream,
    ):
        writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "reason": "; ".join(row["reasons"])} for row in rows)


def _is_done(photograph: Photograph, places: dict[str, Path | PictureError], task: Task) -> bool:
    """Return whether an earlier run has enhanced a photograph, and may be believed."""
    place = places[photograph.name]
    if not task.skip_existing or not isinstance(place, Path) or not place.is_file():
        return False
    try:
        report = json.loads(report_path(place).read_text(encoding="utf-8"))
        wanted = {"status": "enhanced", "weights": task.weights, "strength": task.strength}
        return all(report[name] == value for name, value in wanted.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _enhance(
    enhancer: PhotographEnhancer,
    photograph: Photograph,
    loaded: Loaded | PictureError,
    place: Path | PictureError,
    task: Task,
) -> Outcome:
    """Enhance one photograph, write it and its report, and return what became of it."""
    start = time.perf_counter()
    row: Row = {
        "name": photograph.name, "status": "failed", "verdict": "", "reasons": [],
        "weights": task.weights, "strength": task.strength,
    }  # fmt: skip
    image, result = None, None
    try:
        if isinstance(loaded, PictureError):
            raise loaded
        if isinstance(place, PictureError):
            raise place
        image, field = loaded
        row |= {"height": image.shape[-2], "width": image.shape[-1]}
        result = enhancer(image, field, task.strength, task.force)
        write_photograph(result.image, place, photograph.image)
        report = {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(result.report).items()
        }
        row |= {"status": "enhanced", "result": place.name, **report}
    except NotAFundusError as error:
        row |= {"status": "refused", "reasons": [f"{photograph.image}: {error}"]}
    except PictureError as error:
        row["reasons"] = [str(error)]
    except Exception as error:  # of memory, say: one photograph must not cost the others
        row |= {"status": "failed", "reasons": [f"{photograph.image}: not enhanced ({error})"]}
    row["seconds"] = round(time.perf_counter() - start, 2)
    if isinstance(place, Path):
        with whole(report_path(place)) as half:
            half.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return Outcome(row, image, result if row["status"] == "enhanced" else None)
