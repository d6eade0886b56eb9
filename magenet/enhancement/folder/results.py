"""Enhance many photographs into a folder, each with a report beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import (
    DecodedFrames,
    DecodedPhotograph,
    read_frames_with_field,
)
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import held_by, memory_of
from data_modules.files.output_paths import output_paths
from data_modules.files.reading import read_header
from data_modules.files.source import Source, file_hash, source_of
from data_modules.files.writing import MetadataChoice, write_frames, write_photograph
from magenet.allocator import make_room, return_freed_memory
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.shard import WHOLE, Shard
from magenet.enhancement.frames import EnhancedFrames, FrameError
from magenet.enhancement.origin import (
    ReportRow,
    claimed_paths,
    is_whole,
    processing_of,
    read_report,
    write_report,
)
from magenet.enhancement.outcome import (
    Options,
    Outcome,
    enhance_photograph,
    settings_of,
    unfinished,
)
from magenet.threads import use_one_thread


@dataclass(frozen=True)
class FolderOptions(Options):
    """How a folder of photographs is enhanced.

    Attributes:
        folder: Folder of the results.
        skip_existing: Whether to skip photographs that an earlier run has enhanced with the same
            weights and options, if neither the photograph nor the result has changed since.
        overwrite: Whether to replace also results of other photographs and of unknown origin.
        max_memory: Bytes that the process may use.
        metadata: What results keep of their photograph's metadata; see
            :func:`data_modules.files.writing.read_metadata`.
    """

    folder: Path = Path("enhanced")
    skip_existing: bool = False
    overwrite: bool = False
    max_memory: int = 1 << 62
    metadata: MetadataChoice = "clinical"


class Prepared(NamedTuple):
    """A photograph before it is enhanced.

    Attributes:
        source: What its report holds of it, see :func:`data_modules.files.source.source_of`.
        decoded: Its pixels and field of view, those of several frames, or why they cannot be had.
        report: The report on its result, where that is to be skipped.
    """

    source: Source
    decoded: DecodedPhotograph | DecodedFrames | PictureError
    report: ReportRow | None = None


def write_outcome(
    outcome: Outcome,
    photograph: Photograph,
    path: Path | PictureError,
    source: Source,
    metadata: MetadataChoice = "clinical",
    frames: EnhancedFrames | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Write an enhanced photograph and its report, `<name>.json`, each whole or not at all.

    Whenever this is stopped, no result stands beside the report on another photograph, and a
    result that its report does not hold the hash of is not whole. A photograph that fails leaves
    an earlier result of its own with its report as they were. A photograph whose file is no longer
    the one that was decoded fails, and keeps no result: its metadata would be those of another.

    Args:
        outcome: What :func:`enhance_photograph` returned.
        photograph: Which one.
        path: Output path of the picture, or why it has none.
        source: What :func:`data_modules.files.source.source_of` returned before it was decoded.
        metadata: What the picture keeps of the photograph's metadata.
        frames: The results, where a file holds several; each is enhanced when it is to be written.
        overwrite: Whether to replace the result of another photograph.

    Returns:
        The outcome; it is a failure if the picture or the report cannot be written.
    """
    start = time.perf_counter()
    row = outcome.row | {"metadata": metadata} | source
    try:
        if isinstance(path, PictureError):
            raise path
        if frames is not None:
            results = _then(frames, lambda: _require_own(path, row, overwrite))
            write_frames(results, path, photograph.image, metadata, processing_of(row))
            outcome = frames.outcome()
            row |= outcome.row
        elif outcome.result is not None:
            _require_own(path, row, overwrite)
            image = outcome.result.image
            write_photograph(image, path, photograph.image, metadata, processing_of(row))
        if outcome.result is not None:
            row |= {"result": path.name, "result_sha256": file_hash(path)}
            if source_of(photograph)["source_sha256"] != row["source_sha256"]:
                raise PictureError(f"{photograph.name}: changed while it was enhanced; try again")
        row["seconds"] = round(row["seconds"] + time.perf_counter() - start, 2)
        if outcome.result is not None:
            write_report(path, row)
    except Exception as error:  # of memory, say: one photograph must not cost the others
        if "result_sha256" in row and isinstance(path, Path):  # written, but without a report
            path.unlink(missing_ok=True)
        if isinstance(error, FrameError):
            row |= error.row
        else:
            own = isinstance(error, PictureError)
            reason = str(error) if own else f"{photograph.name}: cannot be written ({error})"
            row = _failed(row, reason)
        outcome = replace(outcome, result=None)
    if isinstance(path, Path) and outcome.result is None:
        row = _without_result(row, path)
    return replace(outcome, row=row)


def enhance_all(
    enhancer: PhotographEnhancer,
    photographs: Sequence[Photograph],
    options: FolderOptions,
    shard: Shard = WHOLE,
) -> Iterator[Outcome]:
    """Enhance photographs one by one; one that fails does not stop the others.

    The next photograph is read while one is enhanced, where both fit into the memory.

    Args:
        enhancer: What enhances.
        photographs: In their order; names are unique.
        options: How.
        shard: Which of them.

    Yields:
        The outcome of each, in order.
    """
    paths = output_paths(options.folder, photographs)  # of all: no two shards have the same
    photographs = shard.of(photographs)
    paths = claimed_paths(paths, photographs, options.overwrite)
    settings = settings_of(enhancer, options)
    ahead: Future[Prepared] | None = None
    try:
        with ThreadPoolExecutor(1, "read", use_one_thread) as pool:
            for number, photograph in enumerate(photographs):
                path = paths[photograph.name]
                reading = ahead or pool.submit(_prepare, photograph, path, settings, options)
                source, decoded, report = reading.result()
                del reading
                ahead = None
                for other in photographs[number + 1 : number + 2]:
                    if _fit_together(photograph, other, options.max_memory):
                        ahead = pool.submit(_prepare, other, paths[other.name], settings, options)
                if report is not None:
                    yield Outcome(report | {"name": photograph.name, "status": "skipped"})
                    continue
                if isinstance(decoded, DecodedFrames):
                    yield _enhance_frames(enhancer, photograph, decoded, path, options, source)
                    continue
                outcomes = [enhance_photograph(enhancer, photograph, decoded, options)]
                del decoded  # whoever takes the outcome holds the photograph alone
                make_room(_encoding(photograph), options.max_memory)  # of what enhancing freed
                outcomes.append(
                    write_outcome(
                        outcomes.pop(),
                        photograph,
                        path,
                        source,
                        options.metadata,
                        overwrite=options.overwrite,
                    )
                )
                yield outcomes.pop()
    finally:  # also where the last outcome is not followed by another request
        return_freed_memory()  # a server or `--watch` may wait for long


def _enhance_frames(
    enhancer: PhotographEnhancer,
    photograph: Photograph,
    decoded: DecodedFrames,
    path: Path | PictureError,
    options: FolderOptions,
    source: Source,
) -> Outcome:
    """Enhance and write a file of several frames, one at a time."""
    frames = EnhancedFrames(
        decoded, lambda frame: enhance_photograph(enhancer, photograph, frame, options)
    )
    row = unfinished(enhancer, photograph, options) | {"seconds": 0.0}
    return write_outcome(
        Outcome(row), photograph, path, source, options.metadata, frames, options.overwrite
    )


def _prepare(
    photograph: Photograph, path: Path | PictureError, settings: ReportRow, options: FolderOptions
) -> Prepared:
    """Read a photograph, unless it has no output path, or a result that is to be skipped."""
    source = source_of(photograph)
    if isinstance(path, PictureError):
        return Prepared(source, path)
    if options.skip_existing:
        report = {"fast": False, **read_report(path)}  # one of release 0.2 does not say it
        wanted = {"status": "enhanced", "metadata": options.metadata, **source, **settings}
        known = all(name in report and report[name] == value for name, value in wanted.items())
        if known and source["source_sha256"] is not None and is_whole(path, report):
            return Prepared(source, PictureError("not read"), report)
    try:
        return Prepared(source, read_frames_with_field(photograph, options.max_memory))
    except PictureError as error:
        return Prepared(source, error)
    except Exception as error:  # of memory, say: one photograph must not cost the others
        return Prepared(source, PictureError(f"{photograph.image}: cannot be read ({error})"))


def _require_own(path: Path, row: ReportRow, overwrite: bool) -> None:
    """Make a path that of a photograph's result before anything is written there.

    Raises:
        PictureError: If the report cannot be written, or the result of another photograph came
            since the paths were given out, as where a file system takes two names for one.
    """
    source = read_report(path).get("source")
    if source != row["source"]:
        if path.exists() and not overwrite:
            raise PictureError(
                f"{path.name}: came there meanwhile; choose another folder"
                if source is None
                else f"{path.name}: the result of {Path(source).name} is there, whose name this "
                "file system takes for the same; rename one of the two"
            )
        path.unlink(missing_ok=True)
        write_report(path, _failed(row, "the run ended while the result was written"))


def _then(frames: Iterable[Tensor], end: Callable[[], None]) -> Iterator[Tensor]:
    """Yield frames, then call a function: one that fails calls nothing."""
    yield from frames
    end()


def _failed(row: ReportRow, reason: str) -> ReportRow:
    """Return the report on a photograph whose result cannot be written."""
    kept = {name: value for name, value in row.items() if not name.startswith("result")}
    return kept | {"status": "failed", "verdict": "", "reasons": [reason]}


def _without_result(row: ReportRow, path: Path) -> ReportRow:
    """Write the report on a photograph that has no result, unless an earlier result is there.

    Returns:
        The report, which also says what became of an earlier result.
    """
    reason, *others = row["reasons"]
    if os.path.lexists(path):
        return row | {"reasons": [f"{reason} (an earlier {path.name} is kept)", *others]}
    try:
        write_report(path, row)
    except PictureError as error:
        return row | {"reasons": [f"{reason}; {error}", *others]}
    return row


def _encoding(photograph: Photograph) -> int:
    """Return the memory of the encoder for a photograph's result, in bytes."""
    try:
        return read_header(photograph.image).encoding
    except PictureError:
        return 0


def _fit_together(one: Photograph, other: Photograph, max_memory: int) -> bool:
    """Return whether one photograph can be read while another is enhanced."""
    try:
        headers = [read_header(photograph.image) for photograph in (one, other)]
    except PictureError:
        return False
    needs = sum(memory_of(header) for header in headers)
    needs += sum(held_by(header) for header in headers if header.frames > 1)  # the worst frame
    return make_room(needs, max_memory)
