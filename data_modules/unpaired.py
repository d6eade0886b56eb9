"""Real photographs without a clean counterpart, in a weak and a strong view."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from data_modules.base import SourceDataModule, jitter_light, to_unit
from data_modules.batch import Batch
from data_modules.datasets.photographs import PhotographSource
from data_modules.orientation import Orientation
from data_modules.windows import draw_corners, draw_side, require_window_size
from magenet.degradation import CounterRNG, Degradation, FundusDegradation
from magenet.imaging.crop import at_side


class StrongView(nn.Module):
    """Strong view of a real photograph, for the student: mild degradation and colour jitter.

    The degradation is of the kind that the network learns to undo, so the teacher's estimate from
    the weak view, the unchanged photograph, remains a valid target (our choice; Semi-UIR and mean
    teacher also perturb without moving pixels).

    Args:
        degradation: Recipe; if null, the fundus recipe at severity 0.5.
        brightness: Largest relative change of brightness (our choice).
        gamma: Largest relative change of gamma (our choice).
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
        """Return the strong view, `(B, 3, S, S)` in [0, 1], aligned with `image` pixel by pixel."""
        rng = rng.fork("strong view")
        view = self.degradation.apply(image, mask, self.degradation.draw(rng))
        brightness = (1 - self.brightness, 1 + self.brightness)
        gamma = (1 - self.gamma, 1 + self.gamma)
        return jitter_light(view, rng, brightness, gamma, prefix="view_")


class SameView(StrongView):
    """The photograph itself as the student's view, for a network that learns colours from views."""

    def __init__(self) -> None:
        super().__init__(brightness=0.0, gamma=0.0)

    def forward(self, image: Tensor, mask: Tensor, rng: CounterRNG) -> Tensor:
        """Return `image`."""
        return image


class UnpairedDataModule(SourceDataModule):
    """Real photographs: unenhanced `image` and, in training, its strong view `image_strong`.

    Args:
        photographs: Real photographs, of any quality.
        strong_view: Module that makes the strong view; `StrongView` with its defaults if null.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        windows: Windows of each photograph, at a random scale, for a network at the photographs'
            own scale; 0 for none.
        window_size: Side of the windows, in pixels, a multiple of 16, else a ValueError is raised;
            at most that of the batch.
        least_size: Smallest side of a batch with windows, in pixels.
        kwargs: Arguments of :class:`FundusDataModule`, by name.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        strong_view: StrongView | None = None,
        *args: Any,
        windows: int = 0,
        window_size: int = 256,
        least_size: int = 512,
        **kwargs: Any,
    ) -> None:
        require_window_size(window_size)
        super().__init__(photographs, *args, **kwargs)
        self.windows = windows
        self.window_size = window_size
        self.least_size = least_size
        self.strong_view = StrongView() if strong_view is None else strong_view

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats; in training reoriented and with the strong view."""
        rng = CounterRNG(batch["key"], self.seed)
        image, mask = to_unit(batch["image"]), to_unit(batch["mask_fov"])
        if training:
            orientation = Orientation.draw(rng)
            image, mask = orientation.apply(image), orientation.apply(mask)
            if self.windows:
                side = draw_side(rng, self.least_size, image.shape[-1])
                image = at_side(image, side).clamp(max=1.0)  # averages exceed it by rounding
                mask = (at_side(mask, side) >= 0.5).float()
        prepared: Batch = {"name": batch["name"], "image": image * mask, "mask_fov": mask}
        if training:
            prepared["orientation"] = orientation
            prepared["image_strong"] = self.strong_view(prepared["image"], mask, rng)
            if self.windows:
                window = min(self.window_size, side)
                prepared["window_size"] = window
                prepared["window_corner"] = draw_corners(rng, self.windows, window, side)
        return prepared
