"""Random camera: what differs between two cameras that photograph the same retina well."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import GRID, enlarge, per_sample
from magenet.degradation.frame import Frame

CROSSTALK = ("red_green", "red_blue", "green_red", "green_blue", "blue_red", "blue_green")


class Camera(Factor):
    """White balance, crosstalk of the colours, tone curve and vignetting of another camera.

    It is not a degradation: applied to a clean photograph before it is degraded, it teaches that
    these are the camera's own, and to be kept. At severity 1 the gains of two colours differ by up
    to a factor of 2, and the exponent of the tone curve is 0.7 to 1.4.
    """

    parameters: ClassVar = {
        "red": Parameter("gain of linear light, red", 0, 4),
        "green": Parameter("gain of linear light, green", 0, 4),
        "blue": Parameter("gain of linear light, blue", 0, 4),
        **{
            name: Parameter(
                f"part of {name.split('_')[1]} in {name.split('_')[0]}, linear light", -0.5, 0.5
            )
            for name in CROSSTALK
        },
        "exponent": Parameter("exponent of pixel values: above 1 darker", 0.3, 3),
        "vignette": Parameter("light lost at the field's edge, fraction of linear light", 0, 1),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the camera; its overall brightness stays near that of the photograph."""
        shift = rng.uniform("shift", -0.35, 0.35, 3) * severity[:, None]
        shift = shift - shift.mean(dim=1, keepdim=True)
        gains = torch.exp(shift + (rng.uniform("gain", -0.25, 0.25) * severity)[:, None])
        mixed = rng.uniform("crosstalk", -0.08, 0.15, len(CROSSTALK)) * severity[:, None]
        return {
            **dict(zip(("red", "green", "blue"), gains.unbind(dim=1), strict=True)),
            **dict(zip(CROSSTALK, mixed.unbind(dim=1), strict=True)),
            "exponent": torch.exp(rng.uniform("exponent", math.log(0.7), math.log(1.4)) * severity),
            "vignette": rng.uniform("vignette", 0.0, 0.35) * severity,
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return photographs as this camera would have taken them."""
        x, y = frame.axes(GRID)
        squared = 4 * (x.square() + y.square())  # 1 at the field's edge
        kept = 1 - values["vignette"][:, None, None] * squared.clamp(max=1.5)
        light = image.square_()
        matrix = torch.stack(
            [
                torch.stack([1 - values["red_green"] - values["red_blue"], values["red_green"],
                             values["red_blue"]], dim=1),
                torch.stack([values["green_red"], 1 - values["green_red"] - values["green_blue"],
                             values["green_blue"]], dim=1),
                torch.stack([values["blue_red"], values["blue_green"],
                             1 - values["blue_red"] - values["blue_green"]], dim=1),
            ],
            dim=1,
        )  # fmt: skip
        gains = torch.stack([values[name] for name in ("red", "green", "blue")], dim=1)
        light = torch.einsum("brc,bchw->brhw", matrix * gains[:, :, None], light)
        light = (light * enlarge(kept, *frame.size)).clamp_(min=0.0)
        # A shoulder, so that a camera that was well exposed does not clip.
        light = torch.where(
            light > KNEE, 1 - (1 - KNEE) * torch.exp((KNEE - light) / (1 - KNEE)), light
        )
        return light.clamp_(1e-8, 1.0).pow_(0.5 * per_sample(values["exponent"])) * frame.mask


KNEE = 0.7
"""Linear light above this approaches 1 exponentially and never reaches it."""
