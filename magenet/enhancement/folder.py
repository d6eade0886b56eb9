"""Many photographs enhanced, each with a report beside it; nothing is left half-written."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import find_field
from data_modules.files.output_paths import output_paths, require_outside
from data_modules.files.pictures import PictureError, read_header, read_native, write_photograph
from magenet.enhancement.enhancer import EnhancedPhotograph, NotAFundusError, PhotographEnhancer
from magenet.enhancement.html_report import Entry, PageWriter
from magenet.enhancement.inputs import collect
from magenet.enhancement.memory import memory_of, require_memory, resident
from magenet.errors import StoppedError, UserError
from magenet.files import whole
from magenet.imaging.field_of_view import FieldOfView

ReportRow = dict[str, Any]

Loaded = tuple[Tensor, FieldOfView]
"""A photograph as taken, and its field of view."""

SUMMARY = "enhance.csv"
"""File of one line for each photograph, in the folder of the results."""

PAGE_SIDE = 1024
"""Longer side that a map of uncertainty has at least on the page, in pixels."""

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

    row: ReportRow
    before: Tensor | None = None
    result: EnhancedPhotograph | None = None


@dataclass(frozen=True)
class FolderOptions:
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
    enhancer: PhotographEnhancer, photographs: Sequence[Photograph], task: FolderOptions
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
    places = output_paths(task.folder, photographs)
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


def write_summary(folder: Path, rows: Sequence[ReportRow]) -> None:
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


def _is_done(
    photograph: Photograph, places: dict[str, Path | PictureError], task: FolderOptions
) -> bool:
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
    task: FolderOptions,
) -> Outcome:
    """Enhance one photograph, write it and its report, and return what became of it."""
    start = time.perf_counter()
    row: ReportRow = {
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


def enhance_to_folder(
    inputs: Sequence[str], task: FolderOptions, device: torch.device, html: bool
) -> list[ReportRow]:
    """Enhance what a person points at, with progress, a listing and, if asked for, a page.

    Args:
        inputs: See :func:`magenet.enhancement.inputs.collect`.
        task: What is wanted of every photograph.
        device: Where to compute.
        html: Whether to write `report.html`.

    Returns:
        The report on each photograph, in order.

    Raises:
        UserError: For what concerns all photographs: weights, the folder.
        StoppedError: After Ctrl-C.
    """
    photographs = collect(list(inputs))
    for given in inputs:
        require_outside(task.folder, given)
    enhancer = PhotographEnhancer.from_pretrained(task.weights, device, task.max_memory)
    write_summary(task.folder, [])  # find out now whether the folder can be written to
    rows: list[ReportRow] = []
    outcomes = enhance_all(enhancer, photographs, task)
    with ExitStack() as stack:
        stack.enter_context(_stopped())
        page = PageWriter(task.folder / "report.html") if html else None
        if page is not None:
            stack.callback(page.close)
        stack.callback(lambda: write_summary(task.folder, rows))
        bar = stack.enter_context(tqdm(total=len(photographs), unit="photograph"))
        for photograph in photographs:
            outcome = next(outcomes)  # by hand: a loop's own variable would hold two photographs
            rows.append(outcome.row)
            if outcome.row["status"] in ("failed", "refused"):
                tqdm.write(f"magenet: not enhanced: {outcome.row['reasons'][0]}", file=sys.stderr)
            if page is not None:
                page.add(entry_of(outcome, photograph, task.folder))
            del outcome
            bar.update()
    return rows


def entry_of(outcome: Outcome, photograph: Photograph, folder: Path) -> Entry:
    """Return what the page shows of a photograph; of one enhanced earlier, from its file.

    Args:
        outcome: What became of it.
        photograph: Which one.
        folder: Of the results.
    """
    row, before, result = outcome.row, outcome.before, outcome.result
    after = None if result is None else result.image
    if row["status"] == "skipped":
        with contextlib.suppress(PictureError):  # it was moved since: the line alone is shown
            after = read_native((folder / photograph.name).with_name(row["result"]))
            before = read_native(photograph.image)
    facts = {
        name: row[name]
        for name in (
            "expected_error", "mean_change", "colour_change", "vessel_lost", "vessel_invented",
            "field_confidence", "width", "height", "seconds",
        )
        if row.get(name) is not None
    }  # fmt: skip

    def picture(image: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
        if image is None:
            return None
        planes = [  # one by one, to spare memory
            plane if plane.dtype == torch.uint8 else (plane.float() / 257).round().byte()
            for plane in image
        ]
        return torch.stack(planes, dim=-1).numpy()

    shown, uncertainty_score = None if after is None else before, None
    if result is not None:  # a map of the page's size will do, and a full one would cost memory
        uncertainty_score = result.uncertainty(max(1, max(result.image.shape) // PAGE_SIDE)).numpy()
    return Entry(
        name=row["name"], status=row["status"], verdict=row["verdict"],
        reason="; ".join(row["reasons"]), before=picture(shown),
        after=picture(after),
        uncertainty=uncertainty_score, facts=facts,
    )  # fmt: skip


@contextlib.contextmanager
def _stopped() -> Iterator[None]:
    """Turn Ctrl-C into words for the person who pressed it."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(
            "stopped; what is written is whole, go on with --skip-existing"
        ) from None
