"""Photographs with one grade each: their quality, or the grade of diabetic retinopathy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from kornia.enhance import adjust_brightness_accumulative, adjust_gamma
from torch import Tensor
from torch.nn import functional
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import Batch, SourceDataModule, orient, to_unit
from data_modules.datasets.manifest import QUALITIES, Photograph
from data_modules.datasets.photographs import PhotographDataset, Sample, Stage
from data_modules.datasets.sources import ManifestDataset, ManifestPhotographs
from magenet.degradation import CounterRNG
from magenet.errors import UserError

Grade = Literal["quality", "dr_grade"]

CLASSES = {"quality": len(QUALITIES), "dr_grade": 5}
"""How many grades there are."""

DECODED = 2
"""Photographs are decoded at so many times the side that is given: a file half as large then still
holds all that is given, and smaller files can be had in training without a lower grade."""


class GradedDataset(PhotographDataset):
    """Give the photographs of a manifest and their fields, each with a grade, long `label`.

    Args:
        photographs: The photographs.
        labels: The grade of each.
    """

    def __init__(self, photographs: ManifestDataset, labels: Sequence[int]) -> None:
        self.photographs = photographs
        self.labels = labels

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self.photographs)

    def name(self, index: int) -> str:
        """Return the photograph's name in the manifest."""
        return self.photographs.name(index)

    def patient(self, index: int) -> str:
        """Return the patient in the manifest."""
        return self.photographs.patient(index)

    def load(self, index: int) -> Sample:
        """Return uint8 `image`, bool `mask_fov` and `label`; see :meth:`ManifestDataset.load`."""
        sample = self.photographs.load(index)
        kept = {name: sample[name] for name in ("image", "mask_fov")}
        return kept | {"label": torch.tensor(self.labels[index])}


class GradingDataModule(SourceDataModule):
    """Give photographs and their grades.

    Training varies orientation, framing, brightness, gamma and colour, but only as much as leaves
    the grade as it is, and takes photographs as if their files had been up to half as large, so
    that the grade does not depend on that.

    What the labels of the photographs for development are worth: `quality` is nowhere an expert's
    word. HYGD's is the score of a published network (FundusQ-Net) cut at 4.5 and 6.5, IDRiD's a
    heuristic of sharpness, HRF and CHASE_DB1 are assumed good; only HYGD has rejects, so that a
    grader may lean on the camera. `dr_grade` is IDRiD's own, from experts.

    Args:
        photographs: Photographs that all have the label.
        label: Which grade.
        image_size: Side of the square that photographs are cropped and resized to, in pixels:
            the grader's input size.
        batch_size: Photographs per batch and device.
        args: Further arguments of :class:`FundusDataModule`, by position from `workers` on.
        kwargs: Further arguments of :class:`FundusDataModule`, by name.
    """

    photographs: ManifestPhotographs

    def __init__(
        self,
        photographs: ManifestPhotographs,
        label: Grade,
        image_size: int = 256,
        batch_size: int = 16,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            photographs, image_size, batch_size, *args, dump_first_batch=False, **kwargs
        )
        self.label = label
        self.class_weights = torch.ones(CLASSES[label])

    def graded(self, stage: Stage) -> GradedDataset:
        """Return the photographs of one part with their grades.

        Raises:
            UserError: If one has none.
        """
        dataset = self.photographs.dataset(stage, DECODED * self.image_size)
        labels = [self._grade(photograph) for photograph in dataset.photographs]
        missing = [dataset.name(i) for i, label in enumerate(labels) if label is None]
        if missing:
            raise UserError(
                f"{len(missing)} photograph(s) without a {self.label}, {missing[0]} for one: "
                f"give only_with: {self.label}, and in labels the files that tell it"
            )
        return GradedDataset(dataset, [label for label in labels if label is not None])

    def _grade(self, photograph: Photograph) -> int | None:
        """Return a photograph's grade, or None where it is not known."""
        if self.label == "dr_grade":
            return photograph.dr_grade
        return None if photograph.quality == "unknown" else QUALITIES.index(photograph.quality)

    def train_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the training photographs, whose grades set the weights."""
        dataset = self.graded("train")
        counts = torch.bincount(torch.tensor(dataset.labels), minlength=len(self.class_weights))
        self.class_weights = len(dataset) / (counts.clamp(min=1) * int((counts > 0).sum()))
        return self.training_loader(dataset)

    def val_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the validation photographs."""
        return self.fixed_loader(self.graded("val"))

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the test photographs."""
        return self.fixed_loader(self.graded("test"))

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch `image, mask_fov, label, weight, name, patient`.

        `weight`, `(B,)`, makes grades count alike in a training however often they occur; its mean
        over the training photographs is 1.
        """
        image, mask = to_unit(batch["image"]), to_unit(batch["mask_fov"])
        if training:
            rng = CounterRNG(batch["key"], self.seed)
            image, mask = reframe(image, mask, self.image_size, rng)
            image, mask = orient([image, mask], rng)
            device = image.device
            image = adjust_brightness_accumulative(
                image, rng.uniform("brightness", 0.85, 1.15).to(device)
            )
            image = adjust_gamma(image, rng.uniform("gamma", 0.85, 1.2).to(device))
            cast = rng.uniform("cast", 0.93, 1.07, count=3).to(device)
            image = (image * cast[:, :, None, None]).clamp(0, 1)
        else:
            image, mask = (_resized(tensor, self.image_size) for tensor in (image, mask))
        mask = (mask > 0.5).float()
        weights = self.class_weights.to(image.device)
        return {
            "name": batch["name"],
            "patient": batch["patient"],
            "image": image * mask,
            "mask_fov": mask,
            "label": batch["label"],
            "weight": weights[batch["label"]],
        }


def reframe(image: Tensor, mask: Tensor, size: int, rng: CounterRNG) -> tuple[Tensor, Tensor]:
    """Zoom in a little, and take each photograph as if its file had been up to half as large.

    Args:
        image: `(B, 3, S, S)` in [0, 1].
        mask: Its field of view, `(B, 1, S, S)`.
        size: Side wanted, in pixels.
        rng: Of the same batch.

    Returns:
        Both at that size; the mask has shares of a pixel at its edge.
    """
    given = image.shape[-1]
    sides = (rng.uniform("zoom", 0.9, 1.0) * given).round().int().tolist()
    files = (rng.uniform("file", 1 / DECODED, 1.0) * given).round().int().tolist()
    places = rng.uniform("place", 0.0, 1.0, count=2).tolist()
    framed = []
    for whole, side, file, place in zip(
        torch.cat([image, mask], dim=1), sides, files, places, strict=True
    ):
        top, left = (round(share * (given - side)) for share in place)
        part = whole[None, :, top : top + side, left : left + side]
        framed.append(_resized(_resized(part, min(file, side)), size))
    both = torch.cat(framed)
    return both[:, :3], both[:, 3:]


def _resized(picture: Tensor, side: int) -> Tensor:
    """Return `(B, C, side, side)`, anti-aliased as `magenet.imaging.crop.resize` does."""
    if picture.shape[-1] == side:
        return picture
    return functional.interpolate(picture, (side, side), mode="bilinear", antialias=True)
