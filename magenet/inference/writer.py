"""Write one enhanced file per photograph, and a report of all of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from data_modules.io import PictureError, write_photograph
from data_modules.places import place_for, require_outside
from magenet.errors import UserError
from magenet.inference.transfer import transfer

COLUMNS = ("name", "status", "width", "height", "field_confidence", "mean_change", "reason")


class EnhancedPhotographWriter(BasePredictionWriter):
    """Write enhanced photographs under their own names, at their own size, EXIF kept.

    Args:
        folder: Where to write; created if missing. `report.csv` in it lists every photograph.
        lossless: Whether to write PNG whatever the photograph was, so that not one bit outside
            the field changes in the file either. A JPEG otherwise stays a JPEG, at quality 95.
    """

    def __init__(self, folder: str = "enhanced", lossless: bool = False) -> None:
        super().__init__("batch")
        self.folder = Path(folder)
        self.lossless = lossless
        self.failures: list[str] = []
        self.written: set[Path] = set()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a new report, and find out now whether it can be written.

        Raises:
            UserError: If the folder cannot be used, or lies among the photographs.
        """
        self.failures, self.written = [], set()
        given = getattr(getattr(trainer, "datamodule", None), "photographs", None)
        if given:
            require_outside(self.folder, given)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._report_path.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(COLUMNS)
        except OSError as error:
            raise UserError(f"{self.folder}: cannot write there ({error.strerror})") from None

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
        """Write a batch; a photograph that fails is reported and does not stop the others."""
        for failure in batch["failures"]:
            self._fail(failure.name, failure.reason)
        for place, original in enumerate(batch["original"]):
            assert prediction is not None  # there are originals, so the network ran
            name = original.photograph.name
            result = transfer(
                prediction[place].cpu(), batch["image"][place].cpu(),
                batch["mask_fov"][place].cpu(), original.image, original.field,
            )  # fmt: skip
            try:
                source = original.photograph.image
                suffix = ".png" if self.lossless else None
                target = place_for(self.folder, source, name, self.written, suffix)
                write_photograph(result, target, source)
            except PictureError as error:
                self._fail(name, str(error))
                continue
            self.written.add(target)
            height, width = result.shape[-2:]
            change = (result.float() - original.image.float()).abs()[:, original.field.mask[0]]
            self._report(
                name=name, status="enhanced", width=width, height=height,
                field_confidence=round(original.field.confidence, 3),
                mean_change=round(float(change.mean()) / 255, 4),
            )  # fmt: skip

    @property
    def _report_path(self) -> Path:
        """Return where the report is."""
        return self.folder / "report.csv"

    def _fail(self, name: str, reason: str) -> None:
        """Note that a photograph could not be enhanced."""
        self.failures.append(reason)
        self._report(name=name, status="failed", reason=reason)

    def _report(self, **columns: Any) -> None:
        """Add a line to the report, on disk at once."""
        with self._report_path.open("a", newline="", encoding="utf-8") as stream:
            csv.DictWriter(stream, COLUMNS, restval="").writerow(columns)
