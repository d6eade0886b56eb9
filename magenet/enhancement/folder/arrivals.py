"""Files that arrive in a folder, such as a camera's export folder: which of them are whole.

By looking again and again, since network shares tell nobody of new files.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_modules.datasets.everything import everything_at
from data_modules.datasets.manifest import ManifestError, Photograph
from magenet.enhancement.origin import ReportRow
from magenet.errors import printable

LOOK = 5.0
"""Seconds between two visits, for which a file must be unchanged to be taken (our choice)."""

PATIENCE = 60.0
"""Seconds for which a file that fails must be unchanged to be listed as failed (our choice): a copy
over a network may stall, and a whole file be out of reach for a while."""

NAP = 0.25
"""Seconds after which a signal is noticed, at most (our choice)."""


@dataclass
class Arrival:
    """What is known of a file.

    Attributes:
        signature: Its size in bytes and its time of modification in ns; None if it is no file.
        since: When this signature was first seen, in seconds.
        failed: Whether it has failed with this signature.
        done: Whether its outcome is final.
        announced: Whether it was announced that it is waited for.
    """

    signature: tuple[int, int] | None
    since: float
    failed: bool = False
    done: bool = False
    announced: bool = False


class Arrivals:
    """The photographs in a folder and its sub-folders, as they arrive.

    Args:
        folder: The folder.
        clock: Returns the time, in seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.sleep = sleep
        self.known: dict[str, Arrival] = {}
        self.is_there = True

    def look(self) -> list[Photograph]:
        """Return the photographs that are to be enhanced now.

        These are the ones that have not changed for :data:`LOOK`, or for :data:`PATIENCE` if they
        have failed. What changes later is returned again. While the folder is gone there are none.
        """
        now = self.clock()
        try:
            found = everything_at(self.folder).photographs
        except ManifestError:
            self._tell_folder(False)
            return []
        self._tell_folder(True)
        known, whole = {}, []
        for photograph in found:
            signature = _signature(photograph.image)
            arrival = self.known.get(photograph.name)
            if arrival is None:
                arrival = Arrival(signature, now)
            elif arrival.signature != signature:
                if not arrival.done:
                    _announce(arrival, photograph, "is still being written")
                arrival = Arrival(signature, now, announced=arrival.announced)
            elif not arrival.done and now - arrival.since >= (PATIENCE if arrival.failed else LOOK):
                whole.append(photograph)
            known[photograph.name] = arrival
        self.known = known
        return whole

    def settle(self, photograph: Photograph, row: ReportRow) -> bool:
        """Return whether an outcome is final: a file that fails soon after it came may be a part.

        Args:
            photograph: One that the last :meth:`look` returned.
            row: The report on it.
        """
        arrival = self.known[photograph.name]
        if row["status"] == "failed" and self.clock() - arrival.since < PATIENCE:
            arrival.failed = True
            _announce(arrival, photograph, f"may not be whole yet ({row['reasons'][0]})")
            return False
        arrival.done = True
        return True

    def left(self) -> list[str]:
        """Return the names of the photographs that have no final outcome."""
        return [name for name, arrival in self.known.items() if not arrival.done]

    def rest(self, stopped: Sequence[int]) -> None:
        """Wait until it is time to look again, or until a signal has come.

        Args:
            stopped: The signals that have come.
        """
        end = self.clock() + LOOK
        while not stopped and self.clock() < end:
            self.sleep(NAP)

    def _tell_folder(self, is_there: bool) -> None:
        """Say that the folder is gone, or there again."""
        if is_there != self.is_there:
            say(f"{self.folder}: {'is there again' if is_there else 'is gone; waiting for it'}")
        self.is_there = is_there


def say(message: str) -> None:
    """Say to a person, or to the log of a service, what is done and what is waited for."""
    print(f"magenet: {printable(message)}", file=sys.stderr, flush=True)


def _announce(arrival: Arrival, photograph: Photograph, why: str) -> None:
    """Say that a file is waited for, once."""
    if not arrival.announced:
        say(f"waiting for {photograph.name}: it {why}")
    arrival.announced = True


def _signature(path: Path) -> tuple[int, int] | None:
    """Return the size of a file in bytes and its time of modification in ns; None if it is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
