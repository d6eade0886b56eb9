"""Photographs to enhance: a folder, one file, or a manifest."""

from __future__ import annotations

import sys
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.batch import Batch, PredictionItem
from data_modules.datasets.everything import everything_at
from data_modules.datasets.manifest import Manifest, ManifestError
from data_modules.datasets.photographs import read_with_field
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.source import source_of
from data_modules.loading import PhotographLoader, outlive_signals
from magenet.errors import UsageError, printable


class PredictionDataset(Dataset[PredictionItem]):
    """Photographs at their own size; one that cannot be read is an item, not an exception.

    Args:
        manifest: The photographs.
        max_memory: Bytes that a process may use.
        batch_size: Photographs that are in memory at once.
    """

    def __init__(self, manifest: Manifest, max_memory: int, batch_size: int) -> None:
        self.photographs = manifest.photographs
        self.max_memory = max_memory
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, index: int) -> PredictionItem:
        photograph = self.photographs[index]
        source = source_of(photograph)
        try:
            decoded = read_with_field(photograph, self.max_memory, self.batch_size - 1)
        except PictureError as error:
            return photograph, error, source
        return photograph, decoded, source


def collate(items: list[PredictionItem]) -> Batch:
    """Return a batch `photographs`: the items in their order, since sizes differ."""
    return {"photographs": items}


class PredictionDataModule(LightningDataModule):
    """Photographs to enhance, each with its own size and bit depth.

    Args:
        photographs: A folder (with its sub-folders), one picture, or a CSV manifest.
        sets: Data sets of a manifest to take; all if null.
        splits: Splits of a manifest to take; all if null.
        qualities: Qualities of a manifest to take; all if null.
        batch_size: Photographs per batch; the network sees one at a time, but all of them are in
            memory.
        workers: Processes that decode; 0 decodes in the main process.
        max_memory: Memory that a process may use, such as `1.5G`; a photograph that needs more
            fails, with the reason.

    Raises:
        ValueError: If `batch_size` is below 1 or `workers` below 0.
    """

    def __init__(
        self,
        photographs: str,
        sets: list[str] | None = None,
        splits: list[str] | None = None,
        qualities: list[str] | None = None,
        batch_size: int = 1,
        workers: int = 1,
        max_memory: str = "4G",
    ) -> None:
        super().__init__()
        if batch_size < 1 or workers < 0:
            raise ValueError(f"batch_size {batch_size} or workers {workers} is too small")
        self.batch_size = batch_size
        self.workers = workers
        self.photographs = photographs
        self.sets = sets
        self.splits = splits
        self.qualities = qualities
        self.max_memory = parsed_memory(max_memory)

    def setup(self, stage: str) -> None:
        """Raise for stages other than `predict`.

        Raises:
            UsageError: For `fit`, `validate` and `test`.
        """
        if stage != "predict":
            raise UsageError(
                "PredictionDataModule only gives photographs to enhance; for fit, validate and "
                "test choose PairedDataModule or AdaptationDataModule"
            )

    def predict_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the photographs, in their order.

        Raises:
            ManifestError: If the folder, file or manifest is missing or empty, or there are fewer
                photographs than devices.
        """
        found, others = everything_at(self.photographs)
        for other in others:
            print(f"magenet: left out: {printable(str(other))}: no picture", file=sys.stderr)
        if not found:
            raise ManifestError(f"{self.photographs}: no pictures in it")
        manifest = Manifest(found, self.photographs)
        chosen = manifest.select(splits=self.splits, sets=self.sets, qualities=self.qualities)
        ranks = 1 if self.trainer is None else self.trainer.world_size
        if len(chosen) < ranks:
            raise ManifestError(
                f"{self.photographs}: {len(chosen)} photograph(s) for {ranks} devices; use at "
                f"most {len(chosen)} (--trainer.devices, --trainer.num_nodes)"
            )
        # Over several ranks Lightning distributes these in turn, none twice: no padding here.
        return PhotographLoader(
            PredictionDataset(chosen, self.max_memory, self.batch_size),
            batch_size=self.batch_size,
            num_workers=self.workers,
            worker_init_fn=outlive_signals,
            collate_fn=collate,
        )

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Keep photographs on the CPU, where they are resized for the network."""
        return batch
