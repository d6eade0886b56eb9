"""Real photographs without a clean counterpart, in a weak and a strong view."""

from __future__ import annotations

from typing import Any

from kornia.enhance import adjust_brightness_accumulative, adjust_gamma
from torch import Tensor, nn

from data_modules.base import Batch, SourceDataModule, orient, to_unit
from data_modules.datasets.photographs import PhotographSource
from magenet.degradation import CounterRNG, Degradation, FundusDegradation


class StrongView(nn.Module):
    """Make the student's view of a real photograph: a little more damage, a little other colour.

    The damage is of the kind that the network is meant to undo, so the teacher's estimate from
    the untouched photograph stays a valid target (our choice; Semi-UIR and mean teacher also
    perturb without moving pixels).

    Args:
        degradation: The damage; the corrected mixture at half its severity if null.
        brightness: Greatest change of brightness, as a share.
        gamma: Greatest change of gamma, as a share.
    """

    def __init__(
        self,
        degradation: Degradation | None = None,
        brightness: float = 0.1,
        gamma: float = 0.1,
    ) -> None:
        super().__init__()
        self.degradation = degradation or FundusDegradation(severity=0.5)
        self.brightness = brightness
        self.gamma = gamma

    def forward(self, image: Tensor, mask: Tensor, rng: CounterRNG) -> Tensor:
        """Return the strong view, `(B, 3, S, S)` in [0, 1], pixel for pixel in the same place."""
        rng = rng.fork("strong view")
        view = self.degradation(image, mask, rng)
        factor = rng.uniform("view_brightness", 1 - self.brightness, 1 + self.brightness)
        view = adjust_brightness_accumulative(view, factor.to(image.device))
        gamma = rng.uniform("view_gamma", 1 - self.gamma, 1 + self.gamma)
        strong: Tensor = adjust_gamma(view, gamma.to(image.device))
        return strong


class UnpairedDataModule(SourceDataModule):
    """Give real photographs: `image` as taken and, in training, `image_strong`.

    Args:
        photographs: Real photographs, of any quality.
        strong_view: Makes the second view.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        kwargs: Arguments of :class:`FundusDataModule`, by name.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        strong_view: StrongView | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(photographs, *args, **kwargs)
        self.strong_view = StrongView() if strong_view is None else strong_view

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats, in training oriented and with its strong view."""
        rng = CounterRNG(batch["key"], self.seed)
        image, mask = to_unit(batch["image"]), to_unit(batch["mask_fov"])
        if training:
            image, mask = orient([image, mask], rng)
        prepared: Batch = {"name": batch["name"], "image": image * mask, "mask_fov": mask}
        if training:
            prepared["image_strong"] = self.strong_view(prepared["image"], mask, rng)
        return prepared
