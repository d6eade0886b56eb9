"""The one worker of a server: enhances what waits, one photograph after the other."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data_modules.datasets.everything import photograph_at
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.results import FolderOptions, enhance_all
from magenet.enhancement.origin import ReportRow
from magenet.errors import UserError, printable
from magenet.serving.pictures import write_pictures
from magenet.serving.store import Store, StoredResult
from magenet.serving.upload import RESULTS, Upload

Enhance = Callable[[Upload, Path], StoredResult]
"""What enhances an upload in its folder."""

PATHS = ("source", "weights", "result")
"""Values of a report that are paths of this machine, or may be one."""


class UploadEnhancer:
    """Enhances uploads as `magenet enhance` does.

    Args:
        enhancer: What enhances.
        options: How; folder, strength and force are those of each upload.
    """

    def __init__(self, enhancer: PhotographEnhancer, options: FolderOptions) -> None:
        self.enhancer = enhancer
        self.options = replace(options, overwrite=True)  # all that is there is of this upload

    def __call__(self, upload: Upload, folder: Path) -> StoredResult:
        """Enhance an upload, and write its result and its pictures.

        Args:
            upload: The upload.
            folder: Its folder.
        """
        given, results = folder / upload.file, folder / RESULTS
        shutil.rmtree(results, ignore_errors=True)  # of another strength, or cut off
        photograph = photograph_at(given, given.name)
        if photograph is None:
            return StoredResult(failed(upload, "not a picture by its name and content"), [], None)
        options = replace(
            self.options, folder=results, strength=upload.strength, force=upload.force
        )
        (outcome,) = enhance_all(self.enhancer, [photograph], options)
        report = shown_report(outcome.row, upload, folder)
        # The page shows less strength than that of its pictures, never more, and not what other
        # weights made before the server was started anew.
        by, shown = " ".join(self.enhancer.hashes.values()), upload.shown_strength
        if shown is not None and upload.strength <= shown and upload.shown_by == by:
            return StoredResult(report, upload.pictures, shown, by)
        pictures = write_pictures(outcome, folder)
        return StoredResult(report, pictures, upload.strength if "after" in pictures else None, by)


def shown_report(row: ReportRow, upload: Upload, folder: Path) -> ReportRow:
    """Return a report for people elsewhere: with the upload's name, without paths.

    Args:
        row: The report.
        upload: The upload that it is on.
        folder: Its folder.
    """

    def shown(reason: str) -> str:
        text = reason.removeprefix(f"{upload.file}: ")
        return printable(text.replace(f"{folder}/", "").replace(upload.file, upload.name))

    kept = {name: value for name, value in row.items() if name not in PATHS}
    return kept | {"name": upload.name, "reasons": [shown(reason) for reason in row["reasons"]]}


def failed(upload: Upload, reason: str) -> ReportRow:
    """Return the report on an upload that was not enhanced."""
    return {"name": upload.name, "status": "failed", "verdict": "", "reasons": [reason]}


class Worker:
    """Thread that enhances what waits in a store, until it is stopped.

    Args:
        store: The store.
        enhance: What enhances one; whatever it raises costs that photograph alone.
    """

    def __init__(self, store: Store, enhance: Enhance) -> None:
        self.store = store
        self.enhance = enhance
        self.thread = threading.Thread(target=self._run, name="enhance", daemon=True)

    def start(self) -> None:
        """Start."""
        self.thread.start()

    def stop(self) -> None:
        """Wait until the photograph at hand is finished, and take no other."""
        self.store.end_queue()
        self.thread.join()

    def _run(self) -> None:
        while (upload := self.store.take()) is not None:
            folder = self.store.folder_of(upload)
            try:
                enhanced = self.enhance(upload, folder)
            except Exception as error:  # of memory, of the disk
                reason = f"not enhanced ({error})".replace(f"{folder}/", "")
                enhanced = StoredResult(failed(upload, reason), [], None)
            try:
                self.store.finish(upload, enhanced)
            except UserError as error:  # the disk is full
                print(f"magenet: {printable(str(error))}", file=sys.stderr)
