"""Synthetic pairs at the photographs' own scale, with windows for the detail stage."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from data_modules.base import to_unit
from data_modules.batch import AnyBatch, Batch
from data_modules.datasets.dust import DEEPEST
from data_modules.datasets.photographs import PhotographSource
from data_modules.orientation import Orientation
from data_modules.paired import PairedDataModule
from data_modules.windows import draw_corners, draw_side, require_window_size
from magenet.degradation import CounterRNG, Degradation
from magenet.degradation.camera import Camera
from magenet.degradation.frame import Frame
from magenet.degradation.information import information
from magenet.imaging.crop import at_side

CELLS = 48
"""Cells per side of the smooth target where nothing can be known (our choice): one is wider than
any vessel."""


class DetailDataModule(PairedDataModule):
    """Pairs of clean and degraded photographs at a random scale, with windows of them.

    A batch is reduced to a side drawn anew between `least_size` and its own, so that a network
    meets vessels of every width in pixels; both photographs of a pair are as another camera might
    have taken them. The dust of their camera, where it is known, is in the degraded one only. Where
    the degraded photograph holds no information, the target is neither the clean photograph, which
    nobody could guess, nor a detail, but the degraded one, smooth.

    Args:
        photographs: Clean photographs.
        degradation: See :class:`PairedDataModule`.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        least_size: Smallest side of a training batch, in pixels.
        window_size: Side of the windows, in pixels, a multiple of 16; at most that of the batch.
        windows: Windows of each photograph.
        camera: Greatest severity of the random camera, 0 to 1.
        kwargs: Arguments of :class:`PairedDataModule`, by name.

    Raises:
        ValueError: If the windows are no multiple of 16 px.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        degradation: Degradation | None = None,
        *args: Any,
        least_size: int = 512,
        window_size: int = 256,
        windows: int = 6,
        camera: float = 0.6,
        **kwargs: Any,
    ) -> None:
        require_window_size(window_size)
        super().__init__(photographs, degradation, *args, **kwargs)
        self.least_size = least_size
        self.window_size = window_size
        self.windows = windows
        self.severity = camera
        self.camera = Camera()

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats, with `image_clean`, `image_degraded`, `image_target`."""
        if not training:
            return super().prepare(batch, training)
        rng = CounterRNG(batch["key"], self.seed)
        given: AnyBatch = dict(batch)
        orientation = Orientation.draw(rng)
        image = orientation.apply(given.pop("image"))
        masks = {
            name: to_unit(orientation.apply(value))
            for name, value in given.items()
            if name.startswith("mask_")
        }
        side = draw_side(rng, self.least_size, image.shape[-1])
        window = min(self.window_size, side)
        image = at_side(to_unit(image), side)
        masks = {name: at_side(mask, side) for name, mask in masks.items()}
        mask = masks["mask_fov"] = (masks["mask_fov"] >= 0.5).float()
        dust = DEEPEST * masks.get("mask_dust", torch.zeros_like(mask))
        clear = (image / (1 - dust)).clamp(max=1.0) * mask
        clean = self._through_camera(clear, mask, rng)
        parameters = self.degradation.draw(rng)
        degraded = self.degradation.apply(clean * (1 - dust), mask, parameters)
        known = information(self.degradation, clean, mask, parameters)
        known = functional.interpolate(known, clean.shape[-2:], mode="bilinear")
        return cast(
            Batch,
            given
            | masks
            | {
                "image_clean": clean,
                "image_degraded": degraded,
                "image_target": target(clean, degraded, mask, known),
                "mask_visible": (known >= 0.5).float() * mask,
                "parameters": parameters,
                "window_size": window,
                "window_corner": draw_corners(rng, self.windows, window, side),
            },
        )

    def _through_camera(self, image: Tensor, mask: Tensor, rng: CounterRNG) -> Tensor:
        """Return photographs as taken by random cameras."""
        if self.severity == 0.0:
            return image
        severity = self.severity * rng.uniform("camera_severity", 0.0, 1.0)
        values = self.camera.draw(rng.fork("camera"), severity)
        moved = {
            name: value.to(image.device, non_blocking=image.is_cuda)
            for name, value in values.items()
        }
        return self.camera.apply(image.clone(), Frame(mask), moved)


def target(clean: Tensor, degraded: Tensor, mask: Tensor, known: Tensor) -> Tensor:
    """Return what an enhancer should make of degraded photographs, `(B, 3, H, W)`.

    Args:
        clean: Clean photographs, `(B, 3, H, W)`.
        degraded: The same, degraded.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        known: Information left in the degraded ones, `(B, 1, H, W)` in [0, 1].
    """
    side = clean.shape[-1]
    weight = (1 - known).square() * mask + 1e-6  # of places without information alone
    coarse = functional.adaptive_avg_pool2d(torch.cat([degraded * weight, weight], dim=1), CELLS)
    coarse = functional.interpolate(coarse, (side, side), mode="bilinear")
    smooth = coarse[:, :3] / coarse[:, 3:]
    return torch.lerp(smooth, clean, known) * mask
