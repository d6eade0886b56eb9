"""Photographs with one grade each: their quality, or their grade of diabetic retinopathy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import SourceDataModule, jitter_light, to_unit
from data_modules.batch import Batch
from data_modules.datasets.manifest import QUALITIES, Photograph
from data_modules.datasets.photographs import AnnotatedDataset, Sample, Split
from data_modules.datasets.sources import ManifestDataset, ManifestPhotographs
from data_modules.orientation import Orientation
from magenet.degradation import CounterRNG
from magenet.errors import UserError
from magenet.imaging.crop import at_side

Grade = Literal["quality", "dr_grade"]

CLASSES = {"quality": len(QUALITIES), "dr_grade": 5}
"""Number of grades."""

DECODED = 2
"""Side at which photographs are decoded, relative to `image_size`: a file of half that side still
has the full resolution of the input, so training can simulate smaller files at the same grade."""


class GradedDataset(AnnotatedDataset):
    """Photographs of a manifest, each with a grade, int64 `label`.

    Args:
        photographs: The photographs.
        labels: Grade of each, from 0.
    """

    def __init__(self, photographs: ManifestDataset, labels: Sequence[int]) -> None:
        super().__init__(photographs)
        self.labels = labels

    def annotation(self, index: int) -> Sample:
        """Return the grade."""
        return {"label": torch.tensor(self.labels[index])}


class GradingDataModule(SourceDataModule):
    """Photographs with their grades.

    Training augments orientation, framing, brightness, gamma and colour, but only so far that the
    grade does not change, and simulates files of up to half the resolution, so that the grade does
    not depend on it.

    Reliability of the labels of the development photographs: no `quality` label is an expert's.
    HYGD's is the score of a published network (FundusQ-Net) with thresholds at 4.5 and 6.5, IDRiD's
    a sharpness heuristic, HRF and CHASE_DB1 are assumed good; only HYGD has rejects, so a grader
    may rely on the camera instead. `dr_grade` is IDRiD's own, from experts.

    Args:
        photographs: Photographs that all have the label.
        label: Label to predict.
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
        # dump_first_batch is fixed, so that it is not an option: nothing is degraded.
        super().__init__(
            photographs, image_size, batch_size, *args, dump_first_batch=False, **kwargs
        )
        self.label = label
        self.class_weights = torch.ones(CLASSES[label])

    def graded(self, split: Split) -> GradedDataset:
        """Return the photographs of one split with their grades.

        Raises:
            UserError: If a photograph has no grade.
        """
        dataset = self.photographs.dataset(split, DECODED * self.image_size)
        labels = [self._grade(photograph) for photograph in dataset.photographs]
        missing = [dataset.name(i) for i, label in enumerate(labels) if label is None]
        if missing:
            raise UserError(
                f"{len(missing)} photograph(s) without a {self.label}, such as {missing[0]}: set "
                f"only_with: {self.label}, and list in labels the CSV files that contain it"
            )
        return GradedDataset(dataset, [label for label in labels if label is not None])

    def _grade(self, photograph: Photograph) -> int | None:
        """Return a photograph's grade, or None if unknown."""
        if self.label == "dr_grade":
            return photograph.dr_grade
        return None if photograph.quality == "unknown" else QUALITIES.index(photograph.quality)

    def train_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the training loader; the class weights are computed from its grades."""
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

        `weight`, `(B,)`, is the inverse class frequency, so that all grades count equally in
        training; its mean over the training photographs is 1.
        """
        image, mask = to_unit(batch["image"]), to_unit(batch["mask_fov"])
        if training:
            rng = CounterRNG(batch["key"], self.seed)
            image, mask = reframe(image, mask, self.image_size, rng)
            orientation = Orientation.draw(rng)
            image, mask = orientation.apply(image), orientation.apply(mask)
            image = jitter_light(image, rng, (0.85, 1.15), (0.85, 1.2))
            cast = rng.uniform("cast", 0.93, 1.07, count=3).to(image.device)
            image = (image * cast[:, :, None, None]).clamp(0, 1)
        else:
            image, mask = (at_side(tensor, self.image_size) for tensor in (image, mask))
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
    """Crop photographs at random, and simulate files of up to half the resolution.

    Args:
        image: `(B, 3, S, S)` in [0, 1].
        mask: Field of view, `(B, 1, S, S)`.
        size: Side of the result, in pixels.
        rng: Generator of the same batch.

    Returns:
        Photographs and masks of that size; masks are fractional at the edge of the field.
    """
    decoded = image.shape[-1]
    sides = (rng.uniform("zoom", 0.9, 1.0) * decoded).round().int().tolist()
    resolutions = (rng.uniform("file", 1 / DECODED, 1.0) * decoded).round().int().tolist()
    offsets = rng.uniform("place", 0.0, 1.0, count=2).tolist()
    resized = []
    for sample, side, resolution, offset in zip(
        torch.cat([image, mask], dim=1), sides, resolutions, offsets, strict=True
    ):
        top, left = (round(share * (decoded - side)) for share in offset)
        crop = sample[None, :, top : top + side, left : left + side]
        resized.append(at_side(at_side(crop, min(resolution, side)), size))
    stacked = torch.cat(resized)
    return stacked[:, :3], stacked[:, 3:]
