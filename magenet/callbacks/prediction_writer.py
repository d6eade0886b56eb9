"""Write one enhanced file per photograph, and a report of all of them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from data_modules.files.output_paths import output_paths, require_outside
from data_modules.files.pictures import PictureError, write_photograph
from data_modules.prediction import Failure, Original
from magenet.callbacks.report_file import ReportFile, Row
from magenet.imaging.transfer import transfer


class EnhancedPhotographWriter(BasePredictionWriter):
    """Write enhanced photographs under their own names, at their own size, EXIF kept.

    Results are made and encoded in threads, while the network works on the next batch.

    Args:
        folder: Where to write; created if missing. `report.csv` in it lists every photograph.
        lossless: Whether to write PNG whatever the photograph was, so that not one bit outside
            the field changes in the file either. A JPEG otherwise stays a JPEG, at quality 95.
        threads: Photographs that are made and encoded at once on each device (our choice: 2).
            Beside them one batch at most waits in memory. More help where the network is fast.
    """

    def __init__(self, folder: str = "enhanced", lossless: bool = False, threads: int = 2) -> None:
        super().__init__("batch")
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.folder = Path(folder)
        self.lossless = lossless
        self.threads = threads
        self.failures: list[str] = []
        self.places: dict[str, Path | PictureError] = {}
        self.pending: deque[Future[Row]] = deque()
        self.pool: ThreadPoolExecutor | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Decide what every result is called, and start a new report.

        Raises:
            UserError: If the folder cannot be used, or lies among the photographs.
        """
        given = getattr(getattr(trainer, "datamodule", None), "photographs", None)
        if given:
            require_outside(self.folder, given)
        loader = trainer.predict_dataloaders
        assert loader is not None  # it is what this run is about
        suffix = ".png" if self.lossless else None
        self.failures = []
        self.places = output_paths(self.folder, loader.dataset.photographs, suffix)
        self.report = ReportFile(self.folder, trainer.global_rank, trainer.world_size)
        self.report.start()
        # Nobody writes a result while another rank still looks at which files are there.
        trainer.strategy.barrier("places")
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="write")

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Tensor | None,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Hand a batch to the threads; a photograph that fails does not stop the others."""
        assert self.pool is not None  # since on_predict_start
        self._collect(self.threads)  # of earlier batches none may wait any more
        read: Iterator[tuple[Tensor, Tensor, Tensor]] = iter(())
        if prediction is not None:
            read = zip(prediction.cpu(), batch["image"].cpu(), batch["mask_fov"].cpu(), strict=True)
        for item in batch["photographs"]:
            if isinstance(item, Failure):
                self.pending.append(self.pool.submit(_failed, item.name, item.reason))
            else:
                self.pending.append(self.pool.submit(self._enhance, item, *next(read)))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finish what is being written; the first rank then speaks for all."""
        self._finish()
        trainer.strategy.barrier("written")
        if trainer.world_size == 1:
            return
        self.failures = []  # the first rank exits with status 1 for all, and tells of them once
        if trainer.is_global_zero:
            rows = self.report.merge(self.places)
            self.failures = [str(row["reason"]) for row in rows if row["status"] == "failed"]

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Finish what is being written when the run stops early, and tell what failed so far."""
        self._finish()
        self.tell()

    def tell(self) -> None:
        """Print which photographs were not enhanced, and why."""
        for failure in self.failures:
            print(f"magenet: not enhanced: {failure}", file=sys.stderr)

    def _enhance(self, original: Original, enhanced: Tensor, seen: Tensor, inside: Tensor) -> Row:
        """Make and write one result, in a thread, and return the photograph's line.

        Args:
            original: The photograph.
            enhanced: See :func:`transfer`.
            seen: See :func:`transfer`.
            inside: See :func:`transfer`.
        """
        name, source = original.photograph.name, original.photograph.image
        place = self.places[name]
        try:
            if isinstance(place, PictureError):
                raise place
            result = transfer(enhanced, seen, inside, original.image, original.field)
            change = (result.float() - original.image.float()).abs()[:, original.field.mask[0]]
            mean_change = round(float(change.mean()) / 255, 4)
            write_photograph(result, place, source)
        except PictureError as error:
            return _failed(name, str(error))
        except Exception as error:  # of memory, say: one photograph must not cost the others
            return _failed(name, f"{source}: cannot be enhanced ({error})")
        height, width = result.shape[-2:]
        return {
            "name": name, "status": "enhanced", "width": width, "height": height,
            "field_confidence": round(original.field.confidence, 3),
            "mean_change": mean_change,
        }  # fmt: skip

    def _collect(self, most: int) -> None:
        """Report photographs in their order: those that are done, and until `most` are pending."""
        while self.pending and (len(self.pending) > most or self.pending[0].done()):
            row = self.pending[0].result()
            self.pending.popleft()  # not before it is done: an interrupt must not lose it
            if row["status"] == "failed":
                self.failures.append(str(row["reason"]))
            self.report.add(row)

    def _finish(self) -> None:
        """Wait for the threads, and report what they did."""
        if self.pool is not None:
            try:
                self._collect(0)
            finally:
                self.pool.shutdown()
                self.pool = None


def _failed(name: str, reason: str) -> Row:
    """Return the line of a photograph that was not enhanced."""
    return {"name": name, "status": "failed", "reason": reason}
