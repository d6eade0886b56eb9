"""Writer of the photographs that `magenet predict` enhances, with reports and a listing."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter

from data_modules.datasets.manifest import Photograph
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import Header, memory_of, parsed_memory
from data_modules.files.output_paths import output_paths, require_outside
from data_modules.files.reading import read_header
from data_modules.files.writing import MetadataChoice
from magenet.allocator import make_room
from magenet.enhancement.folder.listing import Listing
from magenet.enhancement.folder.results import write_outcome
from magenet.enhancement.origin import ReportRow, claimed_paths
from magenet.enhancement.outcome import NOT_ENHANCED, Outcome
from magenet.errors import StoppedError, printable
from magenet.tasks.enhancement import EnhancementTask, PredictionOptions
from magenet.threads import use_one_thread


class Pending(NamedTuple):
    """A result that waits to be written.

    Attributes:
        outcome: Its outcome once it is written.
        encoding: Memory of its encoder, in bytes.
    """

    outcome: Future[Outcome]
    encoding: int


class EnhancedPhotographWriter(BasePredictionWriter):
    """Writer of enhanced photographs as `magenet enhance` does it, from any number of devices.

    Each result has the name, size and bit depth of its photograph, with its report beside it
    (`.json`); `enhance.csv` lists all of them. Results are encoded in threads while the network
    works on the next photographs.

    Args:
        folder: Folder of the results; created if missing.
        lossless: Whether to always write PNG, so that no bit outside the field of view changes in
            the file either. A JPEG otherwise stays a JPEG, at quality 95.
        threads: Number of photographs encoded at once on each device (our choice: 2). At most as
            many more and a batch wait to be written, fewer where the next photographs would not
            fit into `max_memory` beside them. More threads help where the network is fast.
        strength: Share of the change that is applied, 0 to 1.
        force: Whether to also enhance images that do not look like fundus photographs.
        raw: Whether to use a single pass of the network, without flipped views or an
            expected error.
        size: Side of the square around the field that the network sees, in pixels; the size that
            the checkpoint was trained at if null.
        max_memory: Memory that a process may use, such as `1.5G`.
        overwrite: Whether to also replace results of other photographs, and files of unknown
            origin.
        metadata: What results keep of their photograph's metadata; see
            :func:`data_modules.files.writing.read_metadata`.

    Raises:
        ValueError: If `threads` or `strength` is out of range.
    """

    def __init__(
        self,
        folder: str = "enhanced",
        lossless: bool = False,
        threads: int = 2,
        strength: float = 1.0,
        force: bool = False,
        raw: bool = False,
        size: int | None = None,
        max_memory: str = "4G",
        overwrite: bool = False,
        metadata: MetadataChoice = "clinical",
    ) -> None:
        super().__init__("batch")
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength must lie in [0, 1], got {strength}")
        self.folder = Path(folder)
        self.lossless = lossless
        self.metadata = metadata
        self.threads = threads
        self.overwrite = overwrite
        self.options = PredictionOptions(
            "checkpoint", strength, force, raw=raw, size=size, max_memory=parsed_memory(max_memory)
        )
        self.failures: list[str] = []
        self.paths: dict[str, Path | PictureError] = {}
        self.pending: deque[Pending] = deque()
        self.pool: ThreadPoolExecutor | None = None
        self.listing: Listing | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose every output path, start a new listing, and set the task's options.

        Raises:
            UserError: If the folder cannot be used, lies among the photographs, or another process
                writes to it.
        """
        given = getattr(getattr(trainer, "datamodule", None), "photographs", None)
        if given:
            require_outside(self.folder, given)
        loader = trainer.predict_dataloaders
        assert loader is not None  # a run without photographs does not start
        assert isinstance(pl_module, EnhancementTask)  # checked by the command line
        pl_module.prediction = self.options
        suffix = ".png" if self.lossless else None
        self.failures = []
        self.listing = Listing(self.folder, trainer.global_rank, trainer.world_size)
        if trainer.is_global_zero:  # it makes sure that no other run writes here
            self.listing.start()
        trainer.strategy.barrier("listing")
        if not trainer.is_global_zero:
            self.listing.start()
        self.photographs, self.batch_size = loader.dataset.photographs, loader.dataset.batch_size
        # Lightning distributes them to the ranks in turn.
        self.own = self.photographs[trainer.global_rank :: trainer.world_size]
        paths = output_paths(self.folder, self.photographs, suffix)
        self.paths = claimed_paths(paths, self.photographs, self.overwrite)
        # No rank writes a result while another still checks which files exist.
        trainer.strategy.barrier("paths")
        self.pool = ThreadPoolExecutor(self.threads, "write", use_one_thread)

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: list[Outcome],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Submit the outcomes of a batch to the threads, and wait until the next one fits beside.

        Raises:
            StoppedError: After SIGTERM, which Lightning only notes.
        """
        assert self.pool is not None  # since on_predict_start
        self._collect(self.threads)  # at most as many of earlier batches are pending as threads
        photographs = [(photograph, source) for photograph, _, source in batch["photographs"]]
        batch["photographs"].clear()  # Lightning would hold them until it has the next batch
        for photograph, source in photographs:
            header = _header(photograph)
            future = self.pool.submit(
                write_outcome, prediction.pop(0), photograph, self.paths[photograph.name],
                source, self.metadata, overwrite=self.overwrite,
            )  # fmt: skip
            self.pending.append(Pending(future, 0 if header is None else header.encoding))
        first = (batch_idx + 1) * self.batch_size
        self._make_room(self.own[first : first + self.batch_size])
        if trainer.received_sigterm:
            raise StoppedError("stopped by SIGTERM; what is written is whole", 128 + signal.SIGTERM)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finish writing; the first rank then merges the listing and reports for all."""
        self._finish()
        trainer.strategy.barrier("written")
        self.failures = []  # the first rank exits with status 1 for all, and names them once
        if trainer.is_global_zero:
            assert self.listing is not None  # since on_predict_start
            rows = self.listing.finish(self.photographs).given
            self.failures = [row["reason"] for row in rows if row["status"] in NOT_ENHANCED]

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Finish writing when the run stops early, and print what failed so far."""
        try:
            self._finish()
        finally:
            if self.listing is not None:
                self.listing.close()
        self.report_failures()

    def report_failures(self) -> None:
        """Print which photographs were not enhanced, and why."""
        for failure in self.failures:
            print(f"magenet: not enhanced: {printable(failure)}", file=sys.stderr)

    def _collect(self, most: int) -> None:
        """Add written photographs to the listing in order, until at most `most` are pending."""
        while self.pending and (len(self.pending) > most or self.pending[0].outcome.done()):
            row: ReportRow = self.pending[0].outcome.result().row
            self.pending.popleft()  # not before it is written: an interrupt must not lose it
            if row["status"] in NOT_ENHANCED:
                self.failures.append(row["reasons"][0])
            assert self.listing is not None  # since on_predict_start
            self.listing.add(row)

    def _make_room(self, upcoming: Sequence[Photograph]) -> None:
        """Let results be written until photographs fit into the memory beside those that wait.

        Args:
            upcoming: The photographs of the next batch.
        """
        headers = [header for photograph in upcoming if (header := _header(photograph))]
        need = sum(memory_of(header) for header in headers)
        while self.pending and headers:
            encoders = sum(one.encoding for one in self.pending)
            if make_room(need + encoders, self.options.max_memory):
                return
            self._collect(len(self.pending) - 1)

    def _finish(self) -> None:
        """Wait for the threads, and add what they wrote to the listing."""
        if self.pool is not None:
            try:
                self._collect(0)
            finally:
                self.pool.shutdown()
                self.pool = None


def _header(photograph: Photograph) -> Header | None:
    """Return the header of a photograph, or None if it cannot be decoded."""
    try:
        return None if photograph.fault else read_header(photograph.image)
    except PictureError:
        return None
