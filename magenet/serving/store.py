"""Uploaded photographs and their results on disk: a queue that survives a restart."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from magenet.atomic_write import atomic_write
from magenet.enhancement.origin import ReportRow
from magenet.folder_lock import FolderLock
from magenet.serving.limits import Limits
from magenet.serving.private_folder import MARK, private_folder
from magenet.serving.upload import NewUpload, Upload

MOST_ATTEMPTS = 3
"""Times that a photograph is begun to be enhanced before it counts as what ends the server (our
choice)."""


class StoredResult(NamedTuple):
    """What enhancing an upload has given.

    Attributes:
        report: See :attr:`Upload.report`.
        pictures: See :attr:`Upload.pictures`.
        shown_strength: See :attr:`Upload.shown_strength`.
        shown_by: See :attr:`Upload.shown_by`.
    """

    report: ReportRow
    pictures: list[str]
    shown_strength: float | None
    shown_by: str = ""


@dataclass
class Job:
    """Photographs that were uploaded together.

    Attributes:
        id: Random, so that nobody guesses it.
        created: When they arrived, in seconds since 1970.
        uploads: Those that are not deleted, by number.
    """

    id: str
    created: float
    uploads: dict[int, Upload] = field(default_factory=dict)


class Store:
    """All jobs of a server, in memory and on disk.

    A job arrives in one step, by the renaming of its folder, and goes in one. Each photograph has a
    folder, `jobs/<job>/<number>`, with one file that holds all that is known of it; it waits until
    that holds a report. After a restart, however the server ended, what waited waits again, in the
    order of arrival.

    Args:
        folder: Folder of this server alone; see :func:`private_folder`.
        limits: What is held at most, and how long.
        clock: Seconds since 1970.

    Raises:
        UserError: If the folder cannot be used, or another server uses it.
    """

    def __init__(
        self, folder: Path, limits: Limits, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = private_folder(folder)
        self.limits = limits
        self.clock = clock
        self.lock = FolderLock(self.folder, ".serve.lock")
        self.lock.acquire()
        self.jobs: dict[str, Job] = {}
        self.revision = 0
        self.current: Upload | None = None
        self._changed = threading.Condition()
        self._ended = False
        shutil.rmtree(self.folder / "moving", ignore_errors=True)
        self._keep_folders()
        for found in (self.folder / "jobs").iterdir():
            self._load(found)
        self.jobs = dict(sorted(self.jobs.items(), key=lambda item: item[1].created))
        self.remove_expired()

    def end_queue(self) -> None:
        """Let :meth:`take` return None from now on."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Release the folder; nothing more is written to it."""
        self.lock.release()

    # ---- Arrival

    @contextlib.contextmanager
    def arrival(self) -> Iterator[Path]:
        """Yield a folder for photographs that arrive; whatever is not accepted is removed."""
        folder = self.folder / "moving" / secrets.token_hex(12)
        self._keep_folders()
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def require_room(self, count: int, size: int) -> None:
        """Raise if so many photographs of so many bytes do not fit.

        Raises:
            LimitError: If they do not.
        """
        with self._changed:
            held = [upload for job in self.jobs.values() for upload in job.uploads.values()]
            held_size = sum(upload.size for upload in held)
            self.limits.require_room(count, size, len(held), held_size)

    def accept(
        self, folder: Path, arrived: Sequence[NewUpload], strength: float, force: bool
    ) -> Job:
        """Make a job of photographs in a folder of :meth:`arrival`, and let them wait.

        Args:
            folder: The folder.
            arrived: The photographs, each in `<number>/` below it.
            strength: See :class:`Upload`.
            force: Likewise.

        Raises:
            LimitError: If they do not fit.
            UserError: If they cannot be written.
        """
        job = Job(folder.name, self.clock())
        for number, (name, file) in enumerate(arrived):
            size = file.stat().st_size
            upload = Upload(job.id, number, name, file.name, size, strength, force)
            upload.write(file.parent)
            job.uploads[number] = upload
        with atomic_write(folder / "job.json") as part:
            part.write_text(json.dumps({"created": job.created}), encoding="utf-8")
        with self._changed:
            self.require_room(len(arrived), sum(one.size for one in job.uploads.values()))
            self._keep_folders()
            folder.replace(self.folder / "jobs" / job.id)
            self.jobs[job.id] = job
            self._tell()
        return job

    # ---- The queue

    def take(self) -> Upload | None:
        """Wait for the next photograph, and return it as the one that is worked on.

        Returns:
            A copy; None once the queue has ended.
        """
        with self._changed:
            while not self._ended:
                for job in self.jobs.values():
                    for upload in job.uploads.values():
                        if upload.report is None:
                            upload.attempts += 1
                            with contextlib.suppress(Exception):  # of the disk: it then counts less
                                upload.write(self.folder_of(upload))
                            self.current = upload
                            self._tell()
                            return replace(upload)
                self._changed.wait()
            return None

    def finish(self, upload: Upload, enhanced: StoredResult) -> None:
        """Keep what was made of the photograph that was taken, unless it was deleted meanwhile.

        Raises:
            UserError: If it cannot be written; it is known until the server ends.
        """
        with self._changed:
            self.current = None
            kept = self.find(upload.job, upload.number)
            self._tell()
            if kept is None:
                folder = self.folder_of(upload)
                shutil.rmtree(folder, ignore_errors=True)
                with contextlib.suppress(OSError):  # it holds other photographs
                    if upload.job not in self.jobs:
                        folder.parent.rmdir()
                return
            kept.report, kept.pictures, kept.shown_strength, kept.shown_by = enhanced
            kept.attempts = 0
            kept.write(self.folder_of(kept))

    def enhance_again(self, upload: Upload, strength: float, force: bool) -> bool:
        """Let a photograph wait again, to be enhanced in another way.

        Returns:
            Whether it could: not while it is being enhanced.

        Raises:
            UserError: If it cannot be written; it then stays as it is.
        """
        with self._changed:
            if self.current is upload:
                return False
            if self.find(upload.job, upload.number) is upload:  # not deleted meanwhile
                anew = replace(upload, strength=strength, force=force, report=None)
                anew.write(self.folder_of(upload))
                upload.strength, upload.force, upload.report = strength, force, None
                self._tell()
            return True

    # ---- What is held

    def snapshot(self) -> list[Job]:
        """Return all jobs as they are now, copied, in order of arrival."""
        with self._changed:
            return [
                Job(job.id, job.created, {n: replace(u) for n, u in job.uploads.items()})
                for job in self.jobs.values()
                if not self._is_expired(job)
            ]

    def find(self, job: str, number: int) -> Upload | None:
        """Return a photograph; None if there is none."""
        found = self.jobs.get(job)
        return None if found is None or self._is_expired(found) else found.uploads.get(number)

    def status(self, upload: Upload) -> str:
        """Return `waiting`, `working`, or the status in the report on a photograph."""
        if upload.report is not None:
            return str(upload.report["status"])
        current = self.current
        key = (upload.job, upload.number)
        is_current = current is not None and (current.job, current.number) == key
        return "working" if is_current else "waiting"

    def folder_of(self, upload: Upload) -> Path:
        """Return the folder of a photograph and of all that was made of it."""
        return self.folder / "jobs" / upload.job / str(upload.number)

    # ---- Removal

    def remove(self, job: str, number: int | None = None) -> bool:
        """Delete a photograph, or a whole job, with all that was made of it.

        Returns:
            Whether there was one.
        """
        with self._changed:
            found = self.jobs.get(job)
            if found is None or (number is not None and number not in found.uploads):
                return False
            whole = number is None or len(found.uploads) == 1
            folder = self.folder / "jobs" / job / ("" if whole else str(number))
            self._keep_folders()
            away = self.folder / "moving" / secrets.token_hex(12)
            with contextlib.suppress(FileNotFoundError):
                folder.replace(away)  # before it is forgotten: what cannot be moved is still known
            if whole:
                del self.jobs[job]
            if number is not None:
                del found.uploads[number]
            self._tell()
        shutil.rmtree(away, ignore_errors=True)
        return True

    def remove_all(self) -> None:
        """Delete everything."""
        for job in list(self.jobs):
            self.remove(job)

    def remove_expired(self) -> None:
        """Delete the jobs whose time is over.

        Raises:
            OSError: If one cannot be moved, as where it is being read on Windows; the others are
                deleted all the same.
        """
        self._keep_folders()
        failed: OSError | None = None
        for job in list(self.jobs.values()):
            try:
                if self._is_expired(job):
                    self.remove(job.id)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def expires(self, job: Job) -> float:
        """Return when a job is deleted, in seconds since 1970."""
        return job.created + 60.0 * self.limits.keep

    def _is_expired(self, job: Job) -> bool:
        return self.clock() >= self.expires(job)

    def _keep_folders(self) -> None:
        """Have the folders and the mark, which cleaners of temporary files take when unused."""
        with contextlib.suppress(OSError):  # what needs them says so
            (self.folder / MARK).touch()
            for name in ("moving", "jobs"):
                (self.folder / name).mkdir(exist_ok=True)

    def _tell(self) -> None:
        """Note a change; the lock is held."""
        self.revision += 1
        self._changed.notify_all()

    def _load(self, folder: Path) -> None:
        """Take a job over from an earlier server; what is not whole is removed."""
        try:
            created = float(json.loads((folder / "job.json").read_bytes())["created"])
            # A clock that was set back must not keep photographs for longer.
            job = Job(folder.name, min(created, self.clock()))
            numbers = sorted(int(place.name) for place in folder.iterdir() if place.is_dir())
        except (OSError, ValueError, TypeError, KeyError):
            shutil.rmtree(folder, ignore_errors=True)
            return
        for number in numbers:
            place = folder / str(number)
            try:
                upload = Upload.read(place)
            except (OSError, ValueError, TypeError):
                shutil.rmtree(place, ignore_errors=True)
                continue
            if upload.report is None and upload.attempts >= MOST_ATTEMPTS:
                reason = f"the server ended {upload.attempts} times while it enhanced this"
                upload.report = {"status": "failed", "verdict": "", "reasons": [reason]}
            job.uploads[number] = upload
        self.jobs[job.id] = job
