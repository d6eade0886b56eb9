"""The steps of an enhancement as ONNX graphs: what the network sees, the network, the change.

The field of view, the crop to the square around it and the transfer to the photograph's own
resolution are in JavaScript (`page/`): they work on whole photographs, in bands of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.settings import Settings
from magenet.enhancement.shrinkage import rms_inside, split_bands
from magenet.enhancement.uncertainty import uncertainty_score
from magenet.imaging.crop import peak, resize
from magenet.imaging.transfer import spread
from magenet.models import MAGENet
from magenet.models.enhancer import VIEWS
from magenet.onnx_export import write_onnx


class Shown(nn.Module):
    """What the network sees of a photograph: the square around its field, reduced, in views.

    Args:
        side: Side at which the network sees it, in pixels.
        views: Axes along which the photograph is flipped for each view.
    """

    def __init__(self, side: int, views: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.side = side
        self.views = views

    def forward(self, square: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the views, `(N, 3, S, S)` in [0, 1], black outside the field, and its mask.

        Args:
            square: The square around the field, RGBA as a canvas holds it, uint8 `(L, L, 4)`.
            mask: Field of view in it, bool `(L, L)`.

        Returns:
            The views, and the field of view upright, `(1, 1, S, S)`, 0 or 1.
        """
        # Nearest neighbour as `interpolate` rounds it; other runtimes round it otherwise.
        places = torch.arange(self.side, dtype=torch.float32)
        index = (places * (square.shape[0] / self.side)).floor().long()
        inside = mask[index][:, index].float()[None, None]
        reduced = resize(square[..., :3].permute(2, 0, 1), self.side)
        seen = reduced[None].float() / peak(square) * inside
        return torch.cat([seen.flip(axes) for axes in self.views]), inside


class OneView(nn.Module):
    """One view through a network.

    Args:
        network: The network.
    """

    def __init__(self, network: MAGENet) -> None:
        super().__init__()
        self.network = network

    def forward(self, view: Tensor) -> tuple[Tensor, ...]:
        """Return what the third graph needs of a view `(1, 3, S, S)`: the enhanced view first."""
        output = self.network(view)
        if output.log_error is None or output.light_weight is None:  # without a detail stage
            return (output.image,)
        return output.image, output.log_error, output.light_weight


RESULTS = ("change", "light_share", "expected_error")
"""What is returned for a photograph: the change to be added to it, `(3, S, S)`, extrapolated beyond
the field's edge; the share of the network's change of light and colour in it, a scalar; the
expected absolute error, `(1, S, S)` in [0, 1], 0 outside, which is left out where the uncertainty
was never calibrated."""


class ChangeOfViews(nn.Module):
    """The change that flipped views give together, as `PhotographEnhancer.estimate` has it.

    Args:
        settings: How the network is used.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, enhanced: Tensor, seen: Tensor, inside: Tensor) -> tuple[Tensor, ...]:
        """Return :data:`RESULTS` of one photograph.

        Args:
            enhanced: The enhanced views, `(N, 3, S, S)`.
            seen: The upright view, `(1, 3, S, S)`.
            inside: Field of view, `(1, 1, S, S)`, 0 or 1.
        """
        upright = [view.flip(axes) for view, axes in zip(enhanced, VIEWS, strict=True)]
        estimates = torch.stack(upright) * inside
        change = estimates.mean(dim=0) - seen[0]
        score = uncertainty_score(estimates, seen[0], inside)[0]
        share = torch.ones(())
        if self.settings.light is not None:
            light, detail = split_bands(change, inside[0])
            share = interpolated(self.settings.light, rms_inside(light, inside[0]))
            change = share * light + detail
        return _results(change, share, score, inside, self.settings)


class ChangeAtOwnScale(nn.Module):
    """The change of a network that tells its errors, as `PhotographEnhancer.estimate` has it.

    Args:
        settings: How the network is used.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def forward(
        self,
        enhanced: Tensor,
        log_error: Tensor,
        light_weight: Tensor,
        seen: Tensor,
        inside: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return :data:`RESULTS` of one photograph; see :class:`ChangeOfViews`.

        Args:
            enhanced: The enhanced photograph, `(1, 3, S, S)`.
            log_error: See :class:`magenet.models.EnhancerOutput`, `(1, 2, h, w)`.
            light_weight: Likewise, `(1, 1, h, w)`.
            seen: The photograph, `(1, 3, S, S)`.
            inside: Field of view, `(1, 1, S, S)`, 0 or 1.
        """
        change = enhanced[0] * inside[0] - seen[0]
        maps = torch.cat([log_error[:, 1:].exp(), light_weight], dim=1)
        maps = functional.interpolate(maps, seen.shape[-2:], mode="bilinear")[0] * inside[0]
        after, weight = maps.chunk(2)
        # Row by row: one long sum in fp32, as a browser's runtime may take it, is biased.
        share = weight.sum(dim=-1).sum() / inside.sum()
        return _results(change, share, after, inside, self.settings)


def _results(
    change: Tensor, share: Tensor, score: Tensor, inside: Tensor, settings: Settings
) -> tuple[Tensor, ...]:
    """Return :data:`RESULTS` of a change and its uncertainty score."""
    results = (spread(change[None], inside)[0], share)
    if settings.uncertainty is None:
        return results
    return *results, interpolated(settings.uncertainty, score) * inside[0]


def interpolated(curve: CalibrationCurve, value: Tensor) -> Tensor:
    """Return a calibration curve at values, by operations that ONNX has.

    Example:
        >>> curve, value = CalibrationCurve((0.0, 0.1, 0.3), (0.01, 0.05, 0.06)), torch.rand(9)
        >>> torch.allclose(interpolated(curve, value), curve(value))
        True
    """
    points = list(zip(curve.x, curve.y, strict=True))
    segments = [
        (next_y - y) * ((value - x) / (next_x - x)).clamp(0.0, 1.0)
        for (x, y), (next_x, next_y) in pairwise(points)
    ]
    return curve.y[0] + torch.stack(segments).sum(dim=0)


def write_graphs(folder: Path, network: MAGENet, settings: Settings, side: int) -> None:
    """Write `shown.onnx`, `network.onnx` and `change.onnx`.

    The page runs the first, the second for each of its views, and the third on what they gave: an
    input of the third has the name of an output before it.

    Args:
        folder: Folder to write to.
        network: The network.
        settings: How it is used.
        side: Side at which it sees the square around the field, in pixels.
    """
    views = VIEWS[:1] if network.own_scale else VIEWS
    own = torch.export.Dim("own", min=2, max=1 << 15)
    square = torch.zeros(side + 1, side + 1, 4, dtype=torch.uint8)
    write_onnx(
        Shown(side, views), folder / "shown.onnx",
        {"square": square, "mask": square[..., 0] > 0}, ("views", "inside"),
        {"square": {0: own, 1: own}, "mask": {0: own, 1: own}},
    )  # fmt: skip
    view = torch.rand(1, 3, side, side)
    names = ["enhanced", "log_error", "light_weight"][: 3 if network.own_scale else 1]
    write_onnx(OneView(network), folder / "network.onnx", {"view": view}, names, {})
    with torch.inference_mode():
        outputs = OneView(network).eval()(view)
    of_views = [torch.cat([output.clone()] * len(views)) for output in outputs]
    change = ChangeAtOwnScale(settings) if network.own_scale else ChangeOfViews(settings)
    results = RESULTS[: 2 if settings.uncertainty is None else 3]
    write_onnx(
        change, folder / "change.onnx",
        {**dict(zip(names, of_views, strict=True)), "seen": view, "inside": view[:, :1].ceil()},
        results, {},
    )  # fmt: skip
