"""Enhance many photographs into a folder, each with a report beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import DecodedPhotograph, read_with_field
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import memory_of, resident
from data_modules.files.output_paths import output_paths, require_outside
from data_modules.files.reading import read_header, read_native
from data_modules.files.writing import MetadataChoice, write_photograph
from magenet.atomic_write import atomic_write
from magenet.enhancement.enhancer import EnhancedPhotograph, PhotographEnhancer
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.enhancement.html_report import HEAT_SIDE, Entry, PageWriter
from magenet.enhancement.inputs import collect
from magenet.enhancement.listing import Listing, ReportRow
from magenet.errors import StoppedError

PAGE_COLUMNS = (
    "expected_error", "mean_change", "colour_change", "brightness_drift", "vessel_lost",
    "vessel_invented", "light_share", "field_confidence", "width", "height", "seconds",
)  # fmt: skip
"""Values of a report that the HTML page shows; its legend explains each of them."""

NOT_ENHANCED = ("failed", "refused")
"""Values of `status` of a photograph that has no result."""


@dataclass(frozen=True)
class Options:
    """How photographs are enhanced, by every command.

    Attributes:
        weights: Name of the weights, for the reports.
        strength: Share of the change that is applied, 0 to 1.
        force: Whether to enhance also what does not look like a fundus photograph.
    """

    weights: str
    strength: float = 1.0
    force: bool = False


@dataclass(frozen=True)
class FolderOptions(Options):
    """How a folder of photographs is enhanced.

    Attributes:
        folder: Folder of the results.
        skip_existing: Whether to skip photographs that an earlier run has enhanced with the same
            weights, strength and metadata.
        max_memory: Bytes that the process may use.
        metadata: What results keep of their photograph's metadata; see
            :func:`data_modules.files.writing.read_metadata`.
    """

    folder: Path = Path("enhanced")
    skip_existing: bool = False
    max_memory: int = 1 << 62
    metadata: MetadataChoice = "clinical"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one photograph.

    Attributes:
        row: Its report. `status` is `enhanced`, `refused` (not a fundus photograph), `failed`, or
            `skipped` where an earlier run had enhanced it.
        before: The unenhanced photograph; None where it could not be read, or was skipped.
        result: The enhanced photograph; None where there is none.
    """

    row: ReportRow
    before: Tensor | None = None
    result: EnhancedPhotograph | None = None


def enhance_photograph(
    enhancer: PhotographEnhancer,
    photograph: Photograph,
    decoded: DecodedPhotograph | PictureError,
    options: Options,
) -> Outcome:
    """Enhance one photograph; whatever goes wrong is its outcome, and no exception.

    Args:
        enhancer: What enhances.
        photograph: Which one.
        decoded: Its pixels and field of view, or why they cannot be had.
        options: How.
    """
    start = time.perf_counter()
    row: ReportRow = {
        "name": photograph.name, "status": "failed", "verdict": "", "reasons": [],
        "weights": options.weights, "strength": options.strength,
    }  # fmt: skip
    image, result = None, None
    try:
        if isinstance(decoded, PictureError):
            raise decoded
        image, field = decoded
        row |= {"height": image.shape[-2], "width": image.shape[-1]}
        result = enhancer(image, field, options.strength, options.force)
        report = {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(result.report).items()
        }
        row |= {"status": "enhanced", **report}
    except NotAFundusError as error:
        row |= {"status": "refused", "reasons": [f"{photograph.image}: {error}"]}
    except PictureError as error:
        row["reasons"] = [str(error)]
    except Exception as error:  # of memory, say: one photograph must not cost the others
        row["reasons"] = [f"{photograph.image}: not enhanced ({error})"]
    row["seconds"] = round(time.perf_counter() - start, 2)
    return Outcome(row, image, result)


def write_outcome(
    outcome: Outcome,
    photograph: Photograph,
    path: Path | PictureError,
    metadata: MetadataChoice = "clinical",
) -> Outcome:
    """Write an enhanced photograph and its report, `<name>.json`, each whole or not at all.

    Args:
        outcome: What :func:`enhance_photograph` returned.
        photograph: Which one.
        path: Output path of the picture, or why it has none.
        metadata: What the picture keeps of the photograph's metadata.

    Returns:
        The outcome; it is a failure if the picture cannot be written.

    Raises:
        UserError: If the report cannot be written.
    """
    row, start = dict(outcome.row) | {"metadata": metadata}, time.perf_counter()
    try:
        if isinstance(path, PictureError):
            raise path
        if outcome.result is not None:
            write_photograph(outcome.result.image, path, photograph.image, metadata)
            row["result"] = path.name
    except Exception as error:  # of memory, say: one photograph must not cost the others
        own = isinstance(error, PictureError)
        reason = str(error) if own else f"{photograph.image}: cannot be written ({error})"
        row |= {"status": "failed", "verdict": "", "reasons": [reason]}
        outcome = replace(outcome, result=None)
    row["seconds"] = round(row["seconds"] + time.perf_counter() - start, 2)
    if isinstance(path, Path):
        with atomic_write(report_path(path)) as half:
            half.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return replace(outcome, row=row)


def enhance_all(
    enhancer: PhotographEnhancer, photographs: Sequence[Photograph], options: FolderOptions
) -> Iterator[Outcome]:
    """Enhance photographs one by one; one that fails does not stop the others.

    The next photograph is read while one is enhanced, where both fit into the memory.

    Args:
        enhancer: What enhances.
        photographs: In their order; names are unique.
        options: How.

    Yields:
        The outcome of each, in order.

    Raises:
        UserError: If the folder cannot be written to.
    """
    paths = output_paths(options.folder, photographs)
    queue = deque(p for p in photographs if not _is_done(p, paths, options))
    ahead: Future[DecodedPhotograph] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        for photograph in photographs:
            path = paths[photograph.name]
            if not queue or photograph is not queue[0]:
                assert isinstance(path, Path)  # it was enhanced there
                yield Outcome(json.loads(report_path(path).read_text()) | {"status": "skipped"})
                continue
            queue.popleft()
            reading = ahead or pool.submit(read_with_field, photograph, options.max_memory)
            decoded = _decoded(reading, photograph)
            ahead = None
            if queue and _fit_together(photograph, queue[0], options.max_memory):
                ahead = pool.submit(read_with_field, queue[0], options.max_memory)
            outcomes = [enhance_photograph(enhancer, photograph, decoded, options)]
            outcomes.append(write_outcome(outcomes.pop(), photograph, path, options.metadata))
            del decoded, reading  # whoever takes the outcome holds the photograph alone
            yield outcomes.pop()


def enhance_to_folder(
    inputs: Sequence[str], options: FolderOptions, device: torch.device, html: bool
) -> list[ReportRow]:
    """Enhance what a person points at, with progress, a listing and, if asked for, a page.

    Args:
        inputs: See :func:`magenet.enhancement.inputs.collect`.
        options: How.
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
        require_outside(options.folder, given)
    enhancer = PhotographEnhancer.from_pretrained(options.weights, device, options.max_memory)
    listing = Listing(options.folder)
    listing.start()
    rows: list[ReportRow] = []
    outcomes = enhance_all(enhancer, photographs, options)
    with ExitStack() as stack:
        stack.enter_context(_stopped())
        page = PageWriter(options.folder / "report.html") if html else None
        if page is not None:
            stack.callback(page.close)
        bar = stack.enter_context(tqdm(total=len(photographs), unit="photograph"))
        for photograph in photographs:
            outcome = next(outcomes)  # by hand: a loop's own variable would hold two photographs
            rows.append(outcome.row)
            listing.add(outcome.row)
            if outcome.row["status"] in NOT_ENHANCED:
                tqdm.write(f"magenet: not enhanced: {outcome.row['reasons'][0]}", file=sys.stderr)
            if page is not None:
                page.add(_entry(outcome, photograph, options.folder, page))
            del outcome
            bar.update()
    if page is not None:
        page.remove_old()
    return rows


def report_path(path: Path) -> Path:
    """Return the path of the report on a result."""
    return path.with_name(path.name + ".json")


def _decoded(
    reading: Future[DecodedPhotograph], photograph: Photograph
) -> DecodedPhotograph | PictureError:
    """Return what was read, or why it could not be."""
    try:
        return reading.result()
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


def _is_done(
    photograph: Photograph, paths: dict[str, Path | PictureError], options: FolderOptions
) -> bool:
    """Return whether an earlier run has enhanced a photograph with the same options."""
    path = paths[photograph.name]
    if not options.skip_existing or not isinstance(path, Path) or not path.is_file():
        return False
    try:
        report = json.loads(report_path(path).read_text(encoding="utf-8"))
        wanted = {
            "status": "enhanced", "weights": options.weights, "strength": options.strength,
            "metadata": options.metadata,
        }  # fmt: skip
        return all(report[name] == value for name, value in wanted.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _entry(outcome: Outcome, photograph: Photograph, folder: Path, page: PageWriter) -> Entry:
    """Return a photograph's entry on the page; of one enhanced earlier, from the files."""
    row, before, result = outcome.row, outcome.before, outcome.result
    after = None if result is None else result.image
    identity = ""
    if row.get("result"):
        path = (folder / photograph.name).with_name(row["result"])
        with contextlib.suppress(OSError):  # it was moved since: the line alone is shown
            identity = _file_hash(path, report_path(path))
            if row["status"] == "skipped" and not page.has(photograph.name, identity):
                with contextlib.suppress(PictureError):
                    after = read_native(path)
                    before = read_native(photograph.image)
    facts = {name: row[name] for name in PAGE_COLUMNS if row.get(name) is not None}
    uncertainty = None
    if result is not None and row.get("expected_error") is not None:
        # A map of the page's size will do, and a full one would cost memory.
        uncertainty = result.uncertainty(max(1, max(result.image.shape) // HEAT_SIDE)).numpy()
    return Entry(
        name=row["name"], status=row["status"], verdict=row["verdict"],
        reason="; ".join(row["reasons"]), before=_picture(None if after is None else before),
        after=_picture(after), uncertainty=uncertainty, facts=facts, result=identity,
    )  # fmt: skip


def _file_hash(*paths: Path) -> str:
    """Return the SHA-256 of the contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _picture(image: Tensor | None) -> np.ndarray[Any, Any] | None:
    """Return a photograph as uint8 `(H, W, 3)`."""
    if image is None:
        return None
    planes = [  # one by one, to spare memory
        plane if plane.dtype == torch.uint8 else (plane.float() / 257).round().byte()
        for plane in image
    ]
    return torch.stack(planes, dim=-1).numpy()


@contextlib.contextmanager
def _stopped() -> Iterator[None]:
    """Turn Ctrl-C into a message for the person who pressed it."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(
            "stopped; what is written is whole, go on with --skip-existing"
        ) from None
