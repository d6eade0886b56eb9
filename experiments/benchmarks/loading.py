"""Photographs loaded a second: without a cache, while it is filled, and from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules import ManifestPhotographs, PairedDataModule
from experiments.benchmarks.setting import Setting, Table
from experiments.benchmarks.timing import interleaved

WORKERS = (0, 1, 2)


class Passes:
    """Passes over photographs on disk with the data module's training loader.

    Args:
        setting: Options of the run.
        kind: `png` or `jpg`.
        workers: Processes that decode.
    """

    def __init__(self, setting: Setting, kind: str, workers: int) -> None:
        self.setting, self.kind, self.workers = setting, kind, workers
        self.folders = 0
        self.plain = self._loader(None)
        self.cached = self.plain

    def _loader(self, cache: str | None) -> StatefulDataLoader[Any]:
        """Return a training loader with or without a cache."""
        source = ManifestPhotographs(str(self.setting.photographs[self.kind]), cache=cache)
        batch = min(4, self.setting.photograph_count)
        return PairedDataModule(
            source, image_size=self.setting.size, batch_size=batch, workers=self.workers
        ).train_dataloader()

    def decode(self) -> None:
        """Decode all photographs; the warm-up round has started the workers."""
        for _ in self.plain:
            pass

    def empty(self) -> None:
        """Switch to an empty cache and to new workers."""
        self.folders += 1
        name = f"cache_{self.kind}_{self.workers}_{self.folders}"
        self.cached = self._loader(str(self.setting.folder / name))

    def fill(self) -> None:
        """Decode all photographs into the empty cache, starting the workers."""
        for _ in self.cached:
            pass

    def again(self) -> None:
        """Load all photographs from the filled cache with the same workers."""
        for _ in self.cached:
            pass


def measure(setting: Setting) -> list[Table]:
    """Return photographs a second by file format, workers and state of the cache."""
    calls: dict[tuple[str, int, str], Callable[[], object]] = {}
    before: dict[tuple[str, int, str], Callable[[], object]] = {}
    for kind in ("png", "jpg"):
        for workers in WORKERS:
            passes = Passes(setting, kind, workers)
            calls[kind, workers, "without cache"] = passes.decode
            before[kind, workers, "first pass"] = passes.empty
            calls[kind, workers, "first pass"] = passes.fill
            calls[kind, workers, "later passes"] = passes.again
    # Calls are made in this order, so that a later pass follows the pass that filled its cache.
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
