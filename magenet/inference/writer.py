"""Write one enhanced file per photograph, and a report of all of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from data_modules.io import PictureError, write_photograph
from magenet.errors import UserError
from magenet.inference.transfer import transfer

COLUMNS = ("name", "status", "width", "height", "field_confidence", "mean_change", "reason")


class EnhancedPhotographWriter(BasePredictionWriter):
    """Write enhanced photographs under their own names, at their own size, EXIF kept.

    Args:
        folder: Where to write; created if missing. `report.csv` in it lists every photograph.
    """

    def __init__(self, folder: str = "enhanced") -> None:
        super().__init__("batch")
        self.folder = Path(folder)
        self.rows: list[dict[str, Any]] = []

    @property
    def failures(self) -> list[str]:
        """Return why photographs could not be enhanced, one reason a file."""
        return [str(row["reason"]) for row in self.rows if row["status"] == "failed"]

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a new report, and find out now whether it can be written.

        Raises:
            UserError: If the folder cannot be used.
        """
        self.rows = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "report.csv").touch()
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
            self._report(failure.name, "failed", reason=failure.reason)
        for place, original in enumerate(batch["original"]):
            assert prediction is not None  # there are originals, so the network ran
            name = original.photograph.name
            result = transfer(
                prediction[place].cpu(), batch["image"][place].cpu(),
                batch["mask_fov"][place].cpu(), original.image, original.field,
            )  # fmt: skip
            height, width = result.shape[-2:]
            change = (result.float() - original.image.float()).abs()[:, original.field.mask[0]]
            try:
                write_photograph(
                    result, self._target(original.photograph.image, name), original.photograph.image
                )
            except PictureError as error:
                self._report(name, "failed", reason=str(error))
                continue
            self._report(
                name, "enhanced", width=width, height=height,
                field_confidence=round(original.field.confidence, 3),
                mean_change=round(float(change.mean()) / 255, 4),
            )  # fmt: skip

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report."""
        with (self.folder / "report.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(self.rows)

    def _target(self, source: Path, name: str) -> Path:
        """Return where a photograph goes; never over its source, never out of the folder.

        Raises:
            PictureError: If the enhanced file would replace the original.
        """
        parts = [part for part in PurePosixPath(name).parts if part not in ("..", "/", ".")]
        target = self.folder.joinpath(*parts)
        if target.resolve() == source.resolve():
            raise PictureError(
                f"{target}: would replace the photograph itself; choose another folder"
            )
        return target

    def _report(self, name: str, status: str, **columns: Any) -> None:
        """Add a line to the report."""
        self.rows.append({"name": name, "status": status, **columns})
