"""Photographs to enhance: a folder, one file, or a manifest."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import Batch, FundusDataModule, to_unit
from data_modules.datasets.manifest import Manifest, ManifestError, Photograph
from data_modules.datasets.photographs import cut_to_field, find_field
from data_modules.files.pictures import PictureError, read_photograph
from magenet.imaging.field_of_view import FieldOfView


class Original:
    """Hold a photograph as taken, beside its small copy in the batch.

    Args:
        photograph: Its file and name.
        image: uint8 `(3, H, W)`.
        field: Its field of view at full size.
    """

    def __init__(self, photograph: Photograph, image: Tensor, field: FieldOfView) -> None:
        self.photograph = photograph
        self.image = image
        self.field = field


class Failure(NamedTuple):
    """Say which photograph could not be read, and why.

    Attributes:
        name: What it is called in results.
        reason: What was wrong.
    """

    name: str
    reason: str


class PredictionDataset(Dataset[Any]):
    """Decode photographs; what cannot be read becomes a failure in its place, not an exception.

    Args:
        manifest: Which photographs.
        image_size: Side of the square that the network sees, in pixels.
    """

    def __init__(self, manifest: Manifest, image_size: int) -> None:
        self.photographs = manifest.photographs
        self.image_size = image_size

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, index: int) -> tuple[Original, Batch] | Failure:
        photograph = self.photographs[index]
        try:
            image = read_photograph(photograph.image)
            field = find_field(photograph, image)
        except PictureError as error:
            return Failure(photograph.name, str(error))
        return Original(photograph, image, field), cut_to_field(image, field, self.image_size)


def collate(items: list[tuple[Original, Batch] | Failure]) -> Batch:
    """Return a batch `image, mask_fov, photographs`.

    `photographs` holds every :class:`Original` or :class:`Failure`, in the order of their names;
    `image` and `mask_fov` stack those that could be read, and are absent where none could.
    """
    batch: Batch = {
        "photographs": [item if isinstance(item, Failure) else item[0] for item in items]
    }
    samples = [item[1] for item in items if not isinstance(item, Failure)]
    if samples:
        for key in ("image", "mask_fov"):
            batch[key] = torch.stack([sample[key] for sample in samples])
    return batch


class PredictionDataModule(FundusDataModule):
    """Give photographs to enhance.

    Args:
        photographs: A folder (with its sub-folders), one picture, or a CSV manifest.
        image_size: Side of the square around the field at which the network works, in pixels; if
            null, the one that the checkpoint was trained at. Results have the photograph's size.
        sets: Data sets of a manifest to take; all if null.
        splits: Parts of a manifest to take; all if null.
        qualities: Qualities of a manifest to take; all if null.
        batch_size: Photographs a batch and device.
        workers: Processes that decode; 0 decodes in the main one.
    """

    def __init__(
        self,
        photographs: str,
        image_size: int | None = None,
        sets: list[str] | None = None,
        splits: list[str] | None = None,
        qualities: list[str] | None = None,
        batch_size: int = 4,
        workers: int = 1,
    ) -> None:
        if image_size is None:
            raise ValueError("the checkpoint does not say its image_size: give --data.image_size")
        super().__init__(image_size, batch_size, workers, seed=0)
        self.photographs = photographs
        self.sets = sets
        self.splits = splits
        self.qualities = qualities

    def setup(self, stage: str) -> None:
        """Refuse anything but prediction.

        Raises:
            ManifestError: If asked to train or to test.
        """
        if stage != "predict":
            raise ManifestError(
                "PredictionDataModule only gives photographs to enhance; for fit, validate and "
                "test choose PairedDataModule or AdaptationDataModule"
            )

    def predict_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the photographs, in the order of their names.

        Raises:
            ManifestError: If there is no such folder, file or manifest, nothing in it, or fewer
                photographs than devices.
        """
        manifest = Manifest.from_path(self.photographs)
        chosen = manifest.select(splits=self.splits, sets=self.sets, qualities=self.qualities)
        ranks, _ = self.ranks()
        if len(chosen) < ranks:
            raise ManifestError(
                f"{self.photographs}: {len(chosen)} photograph(s) for {ranks} devices; use "
                f"--trainer.devices {len(chosen)}"
            )
        # Over several ranks Lightning deals these out in turn, none twice: no padding here.
        return StatefulDataLoader(
            PredictionDataset(chosen, self.image_size),
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
        )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Prepare a batch, which may hold only failures."""
        return self.prepare(batch, training=False)

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch with floats in [0, 1], black outside the field."""
        if "image" in batch:
            mask = to_unit(batch["mask_fov"])
            batch = {**batch, "image": to_unit(batch["image"]) * mask, "mask_fov": mask}
        return batch
