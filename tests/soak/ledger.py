"""The table of promises: how often each was tried, and how often it failed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from magenet.atomic_write import atomic_write


@dataclass
class Promise:
    """A promise to the user.

    Attributes:
        text: What is promised.
        how: How it is tested.
        tried: Number of attempts to break it.
        failures: What broke it.
    """

    text: str
    how: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def attempt(self, name: object) -> Iterator[None]:
        """Count an attempt; what goes wrong in it is noted, and the soak goes on."""
        self.tried += 1
        try:
            yield
        except Exception as error:
            lines = str(error).strip().splitlines() or ["broken"]
            self.failures.append(f"{name}: {type(error).__name__}: {lines[0]}")

    def count(self, tried: int, failures: list[str]) -> None:
        """Add attempts that were made together."""
        self.tried += tried
        self.failures += failures

    def require_kept(self) -> None:
        """Raise if any attempt broke the promise, or none was made."""
        assert self.tried
        assert not self.failures, self.failures[:10]


class Ledger:
    """All promises of a run, in order."""

    def __init__(self) -> None:
        self.promises: list[Promise] = []

    def promise(self, text: str, how: str) -> Promise:
        """Return a new promise."""
        self.promises.append(Promise(text, how))
        return self.promises[-1]

    def write(self, path: Path, header: str) -> None:
        """Write the table as Markdown."""
        lines = [f"| {p.text} | {p.how} | {p.tried} | {len(p.failures)} |" for p in self.promises]
        table = ["| promise | how tested | tried | failed |", "|---|---|---|---|", *lines]
        with atomic_write(path) as part:
            part.write_text("\n".join([header, "", *table, ""]))
