"""Photographs with masks of vessels, of the optic disc or of its cup, to train segmenters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from data_modules.base import SourceDataModule, jitter_light, to_unit
from data_modules.batch import AnyBatch, Batch
from data_modules.datasets.photographs import PhotographSource
from data_modules.orientation import Orientation
from data_modules.windows import draw_corners, draw_side
from magenet.degradation import CounterRNG
from magenet.errors import UserError
from magenet.imaging.crop import at_side

ZOOM = (0.7, 1.15)
"""Range of magnification in training (our choice): fields of view of 30 to 50 degrees."""


def move(tensors: Sequence[Tensor], rng: CounterRNG) -> list[Tensor]:
    """Rotate, scale and shift photographs and masks at random.

    Args:
        tensors: Photographs and their masks, `(B, C, S, S)` each, all transformed alike.
        rng: Generator of the same batch.
    """
    angle = rng.uniform("angle", 0.0, 2 * torch.pi)
    scale = 1.0 / rng.uniform("zoom", *ZOOM)
    shift = [rng.uniform(f"shift_{axis}", -0.1, 0.1) for axis in "xy"]
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack(
        [torch.stack([cosine, -sine, shift[0]], 1), torch.stack([sine, cosine, shift[1]], 1)], 1
    )
    size = list(tensors[0].shape)
    grid = functional.affine_grid(matrix, size, align_corners=False).to(tensors[0].device)
    return [functional.grid_sample(tensor, grid, align_corners=False) for tensor in tensors]


class SegmentationDataModule(SourceDataModule):
    """Clean photographs with the mask of a structure.

    Training augments orientation, magnification, brightness, gamma and colour, but never degrades:
    a segmenter trained on degraded photographs would be insensitive to degradation.

    Args:
        photographs: Photographs that all have the mask (see `only_with`); for the disc and the
            cup with `labels`.
        structure: Structure to segment.
        batch_size: Photographs per batch and device.
        least_size: Smallest side of a training batch, in pixels: each is reduced to a side drawn
            between it and its own, and cut into windows, so that the segmenter reads photographs of
            any size. Whole photographs at `image_size` if null.
        window_size: Side of the windows, in pixels.
        windows: Windows of each photograph.
        kwargs: Other arguments of :class:`FundusDataModule`, by name.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        structure: Literal["vessel", "disc", "cup"] = "vessel",
        *,
        batch_size: int = 4,
        least_size: int | None = None,
        window_size: int = 256,
        windows: int = 8,
        **kwargs: Any,
    ) -> None:
        # Fixed here, so that it is not an option: nothing is degraded.
        super().__init__(photographs, batch_size=batch_size, dump_first_batch=False, **kwargs)
        self.structure = structure
        self.least_size = least_size
        self.window_size = window_size
        self.windows = windows

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch `image, mask_fov, mask_structure, name` as floats.

        Raises:
            UserError: If a photograph has no mask of the structure.
        """
        unknown = torch.zeros(len(batch["name"]))
        given_masks: AnyBatch = dict(batch)
        known = given_masks.get(f"{self.structure}_known", unknown)
        reference = given_masks.get(f"mask_{self.structure}")
        if reference is None or not bool(known.all()):
            names = [n for n, k in zip(batch["name"], known, strict=True) if not k]
            raise UserError(f"no {self.structure} mask: {', '.join(names)} (see only_with, labels)")
        given = (batch["image"], batch["mask_fov"], reference)
        image, mask, structure = (to_unit(tensor) for tensor in given)
        if training:
            rng = CounterRNG(batch["key"], self.seed)
            orientation = Orientation.draw(rng)
            oriented = [orientation.apply(part) for part in (image, mask, structure)]
            # Only half of them: resampling smooths the finest detail, which the others keep.
            chosen = (rng.uniform("moves", 0.0, 1.0) < 0.5)[:, None, None, None].to(image.device)
            image, mask, structure = (
                torch.where(chosen, moved, unmoved)
                for moved, unmoved in zip(move(oriented, rng), oriented, strict=True)
            )
            mask = (mask > 0.5).float()
            gains = [rng.uniform(f"gain_{c}", 0.85, 1.15) for c in "rgb"]
            image = image * torch.stack(gains, 1)[:, :, None, None].to(image.device)
            image = jitter_light(image, rng, (0.7, 1.3), (0.7, 1.4))
        parts = [image * mask, mask, structure]
        if training and self.least_size is not None:
            parts = self._windows_of(parts, rng, self.least_size)
        return dict(  # type: ignore[return-value]  # a Batch
            zip(("image", "mask_fov", "mask_structure"), parts, strict=True), name=batch["name"]
        )

    def _windows_of(self, parts: list[Tensor], rng: CounterRNG, least: int) -> list[Tensor]:
        """Return windows of photographs and masks at a random scale, `(B K, C, side, side)`."""
        side = draw_side(rng, least, parts[0].shape[-1])
        image, mask, structure = (at_side(part, side) for part in parts)
        corners = draw_corners(rng, self.windows, self.window_size, side)
        return [
            torch.stack(
                [
                    picture[:, top : top + self.window_size, left : left + self.window_size]
                    for picture, places in zip(part, corners.tolist(), strict=True)
                    for top, left in places
                ]
            )
            for part in (image, (mask >= 0.5).float(), structure)
        ]
