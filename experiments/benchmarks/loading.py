"""Photographs loaded a second: decoded each time, while the cache fills, and from the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules import ManifestPhotographs, PairedDataModule
from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.timing import interleaved

WORKERS = (0, 1, 2)


class Passes:
    """Go through some photographs on disk, by the data module's own training loader.

    Args:
        setting: The options.
        kind: `png` or `jpg`.
        workers: Processes that decode.
    """

    def __init__(self, setting: Setting, kind: str, workers: int) -> None:
        self.setting, self.kind, self.workers = setting, kind, workers
        self.folders = 0
        self.plain = self._loader(None)
        self.cached = self.plain

    def _loader(self, cache: str | None) -> StatefulDataLoader[Any]:
        """Return a loader."""
        source = ManifestPhotographs(str(self.setting.photographs[self.kind]), cache=cache)
        batch = min(4, self.setting.photograph_count)
        return PairedDataModule(
            source, image_size=self.setting.size, batch_size=batch, workers=self.workers
        ).train_dataloader()

    def decode(self) -> None:
        """Decode all; the workers have been started by the round to warm up."""
        for _ in self.plain:
            pass

    def empty(self) -> None:
        """Take an empty cache; the workers that filled the last one end."""
        self.folders += 1
        name = f"cache_{self.kind}_{self.workers}_{self.folders}"
        self.cached = self._loader(str(self.setting.folder / name))

    def fill(self) -> None:
        """Decode all into the empty cache; workers are started anew."""
        for _ in self.cached:
            pass

    def again(self) -> None:
        """Load all from the cache just filled, by the same workers."""
        for _ in self.cached:
            pass


def measure(setting: Setting) -> list[Table]:
    """Return photographs a second by kind of file, workers and state of the cache."""
    calls: dict[tuple[str, int, str], Callable[[], object]] = {}
    before: dict[tuple[str, int, str], Callable[[], object]] = {}
    for kind in ("png", "jpg"):
        for workers in WORKERS:
            passes = Passes(setting, kind, workers)
            calls[kind, workers, "without cache"] = passes.decode
            before[kind, workers, "first pass"] = passes.empty
            calls[kind, workers, "first pass"] = passes.fill
            calls[kind, workers, "later passes"] = passes.again
    # A later pass follows the first pass that filled its cache: in the order of the calls.
    times = interleaved(calls, setting.device, setting.seconds, before=before)
    count = setting.photograph_count
    table = Table(
        f"Loading photographs of {setting.photograph_size} px for training at {setting.size} px",
        {
            "without cache": "photographs a second: read, decoded, field found, cut and resized, "
            f"collated, over a pass of {count}, workers running already.",
            "first pass": "the same while an empty cache is filled; starting the workers and "
            "hashing the files counts.",
            "later passes": "the same from that cache, by the same workers.",
        },
    )
    for kind in ("png", "jpg"):
        for workers in WORKERS:
            table.rows[f"{kind}, {workers} workers"] = {
                column: times[kind, workers, column].rate(count) for column in table.columns
            }
    return [table]
