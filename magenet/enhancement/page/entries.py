"""The HTML report of a folder: each photograph's outcome as an entry of the page."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from tqdm import tqdm

from data_modules.datasets.manifest import Photograph
from data_modules.files.errors import PictureError
from data_modules.files.output_paths import path_below
from data_modules.files.reading import read_native
from magenet.enhancement.decisions import Decision
from magenet.enhancement.origin import ReportRow, report_path
from magenet.enhancement.outcome import Outcome
from magenet.enhancement.page.pictures import HEAT_SIDE, page_pixels
from magenet.enhancement.page.writer import PageEntry, PageWriter
from magenet.errors import printable
from magenet.hashing import DIGEST
from magenet.installation import version

PAGE_COLUMNS = (
    "expected_error", "vessel_lost", "vessel_invented", "harmed_share", "colour_change",
    "brightness_drift", "mean_change", "light_share", "field_confidence", "width", "height",
    "seconds",
)  # fmt: skip
"""Values of a report that the HTML page shows, what decides first; its legend explains them."""

PAGE, INCOMPLETE, EARLIER = "report.html", "report.incomplete.html", "report.earlier.html"
"""Names of the page: of the run that ended last, of one that was stopped, of one before the last.
An earlier page is kept until there is a new one, which takes its pictures over or removes them."""


def about(weights: str, digest: str, strength: float, fast: bool) -> str:
    """Return what makes the results of a run, for the head of its page.

    Args:
        weights: Their name, as it was given.
        digest: SHA-256 of the weights.
        strength: Share of the change that is applied.
        fast: Whether photographs are restored at half of their side.
    """
    now = datetime.now().astimezone()
    return (
        f"{now:%Y-%m-%d %H:%M %Z}, magenet {version()}, weights {weights} "
        f"(SHA-256 {digest[:DIGEST]}), strength {strength:g}{', fast' if fast else ''}"
    )


def set_aside_page(folder: Path) -> None:
    """Rename the page of an earlier run to :data:`EARLIER`: beside new results it looks current.

    That of a run that was stopped is removed. Pages of other programs are left.

    Args:
        folder: Folder of the results.
    """
    with contextlib.suppress(OSError):  # where nothing can be renamed, nothing can be written
        if _is_page(folder / INCOMPLETE):
            (folder / INCOMPLETE).unlink()
        if _is_page(folder / PAGE):
            (folder / PAGE).replace(folder / EARLIER)


def _is_page(path: Path) -> bool:
    """Return whether a file is a page of ours: it has the template's title."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"<title>Enhanced photographs</title>" in stream.read(4096)


class ReportPage:
    """The page, if one is asked for: what goes wrong with it costs the page, not the photographs.

    As a context manager it leaves an incomplete page unless it was finished.

    Args:
        path: File of the page; None for no page.
        made_by: What made the results; see :func:`about`.
        decisions: Decisions to show, by :func:`magenet.enhancement.page.writer.entry_id`.
    """

    def __init__(
        self,
        path: Path | None,
        made_by: str = "",
        decisions: Mapping[str, Decision] = MappingProxyType({}),
    ) -> None:
        self.writer: PageWriter | None = None
        self.failed = False
        if path is not None:
            with self._guarded():
                self.writer = PageWriter(path, made_by, _run_key(path.parent), decisions)

    def __enter__(self) -> ReportPage:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.writer is not None:
            with self._guarded():
                self.writer.close(complete=False)

    def add(self, outcome: Outcome, photograph: Photograph, folder: Path) -> None:
        """Add a photograph."""
        if self.writer is not None:
            with self._guarded():
                self.writer.add(_entry(outcome, photograph, folder, self.writer))

    def publish(self) -> None:
        """Show the photographs so far under the page's name; more can follow."""
        if self.writer is not None:
            with self._guarded():
                self.writer.publish()

    def finish(self, all_added: bool = True) -> None:
        """Complete the page.

        Args:
            all_added: Whether no photograph is left for a later run. If one is, the pictures of
                earlier pages stay for it.
        """
        if self.writer is not None:
            with self._guarded():
                self.writer.close()
                if all_added:
                    self.writer.remove_old()
                self.writer.path.with_name(EARLIER).unlink(missing_ok=True)

    @property
    def others(self) -> list[Decision]:
        """Decisions that are on none of the photographs that were added."""
        if self.writer is None:
            return []
        decided = self.writer.decided
        return [one for key, one in self.writer.decisions.items() if key not in decided]

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Give up the page, with a warning, if anything goes wrong."""
        try:
            yield
        except Exception as error:  # of the disk, of memory, of a picture
            if self.writer is not None:
                self.writer.discard()
                set_aside_page(self.writer.path.parent)  # what it shows so far would seem to be all
            self.writer, self.failed = None, True
            tqdm.write(
                f"magenet: warning: no page: {printable(str(error))}; the photographs are enhanced "
                "without it",
                file=sys.stderr,
            )


def _entry(outcome: Outcome, photograph: Photograph, folder: Path, page: PageWriter) -> PageEntry:
    """Return a photograph's entry on the page; of one enhanced earlier, from the files."""
    row, before, result = outcome.row, outcome.before, outcome.result
    after = page_pixels(None if result is None else result.image)
    identity = row.get("result_sha256") or row.get("source_sha256") or ""
    if row["status"] == "skipped" and not page.has(photograph.name, identity):
        with contextlib.suppress(PictureError):  # it was moved since: the line alone is shown
            # Reduced at once: two whole photographs would be held beside one that is read ahead.
            earlier = path_below(folder, photograph.name).with_name(row["result"])
            after = page_pixels(read_native(earlier))
            before = read_native(photograph.image)
    # A refused photograph is shown as it is: whether that was right can only be seen.
    shown = after is not None or row["status"] == "refused"
    facts = {name: row[name] for name in PAGE_COLUMNS if row.get(name) is not None}
    uncertainty = None
    if result is not None and row.get("expected_error") is not None:
        # A map of the page's size will do, and a full one would cost memory.
        uncertainty = result.uncertainty(max(1, max(result.image.shape) // HEAT_SIDE)).numpy()
    return PageEntry(
        name=row["name"], status=row["status"], verdict=row["verdict"],
        reason="; ".join(row["reasons"]), before=page_pixels(before if shown else None),
        after=after, uncertainty=uncertainty, facts=facts, result=identity,
        links=_links(row, photograph, folder),
    )  # fmt: skip


def _links(row: ReportRow, photograph: Photograph, folder: Path) -> dict[str, str]:
    """Return the addresses of a photograph's files that are there, relative to the page."""
    found = {"photograph": photograph.image}
    if row.get("result"):
        result = path_below(folder, photograph.name).with_name(row["result"])
        found |= {"result": result, "report": report_path(result)}
    return {kind: _address(file, folder) for kind, file in found.items() if os.path.isfile(file)}


def _address(file: Path, folder: Path) -> str:
    """Return the address of a file for a page in a folder: relative, so that both can be moved."""
    file = Path(os.path.abspath(file))
    try:
        relative = Path(os.path.relpath(file, os.path.abspath(folder)))
    except ValueError:  # on another drive of Windows
        return file.as_uri()
    return quote(os.fsencode(relative.as_posix()))


def _run_key(folder: Path) -> str:
    """Return the key under which a browser keeps the decisions on the results in a folder.

    Each decision also has the id of its result, so that of other results in the same folder it has
    none.
    """
    return hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
