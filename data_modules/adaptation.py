"""Batches of synthetic pairs and real photographs for domain adaptation."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.utilities import CombinedLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import FundusDataModule
from data_modules.batch import Batch
from data_modules.datasets.photographs import PhotographSource
from data_modules.detail import DetailDataModule
from data_modules.paired import PairedDataModule
from data_modules.unpaired import StrongView, UnpairedDataModule
from magenet.degradation import Degradation


class AdaptationDataModule(FundusDataModule):
    """Mixed batches `{"synthetic": ..., "real": ...}` for the mean teacher.

    An epoch is one pass over the longer set, counted in batches, if `steps` does not tell it; the
    shorter one is repeated in another order. Validation uses both sets, the test the synthetic one.

    Args:
        synthetic: Clean photographs, to be degraded.
        real: Real photographs, of any quality.
        degradation: Recipe for the clean ones; see :class:`PairedDataModule`.
        strong_view: Module that makes the student's view of the real ones; `StrongView` with its
            defaults if null.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        real_batch_size: Real photographs per batch and device, beside `batch_size` synthetic
            pairs; as many if null.
        windows: Windows of each photograph, for a network at the photographs' own scale: see
            :class:`DetailDataModule`, which then makes the pairs. 0 for none.
        window_size: Side of the windows, in pixels, a multiple of 16; at most that of the batch.
        least_size: Smallest side of a batch with windows, in pixels.
        kwargs: Arguments of :class:`FundusDataModule`, by name.
    """

    def __init__(
        self,
        synthetic: PhotographSource,
        real: PhotographSource,
        degradation: Degradation | None = None,
        strong_view: StrongView | None = None,
        *args: Any,
        real_batch_size: int | None = None,
        windows: int = 0,
        window_size: int = 256,
        least_size: int = 512,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        size, workers, seed = self.image_size, self.workers, self.seed
        shared = (size, self.batch_size, workers, seed)
        scales = {"windows": windows, "window_size": window_size, "least_size": least_size}
        self.paired: PairedDataModule
        if windows:
            self.least_size = least_size
            self.paired = DetailDataModule(synthetic, degradation, *shared, **scales)
        else:
            self.paired = PairedDataModule(synthetic, degradation, *shared)
        self.unpaired = UnpairedDataModule(
            real, strong_view, size, real_batch_size or self.batch_size, workers, seed + 1, **scales
        )

    def setup(self, stage: str) -> None:
        """Set the trainer of both parts, which read its ranks."""
        self.paired.trainer = self.unpaired.trainer = self.trainer

    def train_dataloader(self) -> CombinedLoader:
        """Return the loader of mixed batches."""
        synthetic = self.paired.photographs.dataset("train", self.image_size)
        real = self.unpaired.photographs.dataset("train", self.image_size)
        passes = max(self.paired.steps_for(synthetic), self.unpaired.steps_for(real))
        steps = self.steps or passes
        return CombinedLoader(
            {
                "synthetic": self.paired.training_loader(synthetic, steps),
                "real": self.unpaired.training_loader(real, steps),
            },
            mode="min_size",
        )

    def val_dataloader(self) -> list[StatefulDataLoader[Any]]:
        """Return the loaders of the synthetic and of the real validation photographs."""
        return [self.paired.val_dataloader(), self.unpaired.val_dataloader()]

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the synthetic test photographs, each under all conditions."""
        return self.paired.test_dataloader()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Prepare a batch on its device; the second validation loader yields real photographs."""
        if "real" in batch:
            return super().on_after_batch_transfer(batch, dataloader_idx)
        part = self.unpaired if dataloader_idx == 1 else self.paired
        return part.on_after_batch_transfer(batch, dataloader_idx)

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return a mixed batch as floats, each part prepared by its own module."""
        return {
            "synthetic": self.paired.prepare(batch["synthetic"], training),
            "real": self.unpaired.prepare(batch["real"], training),
        }
