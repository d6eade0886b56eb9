"""Motion: movement of the eye or the camera during the exposure."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.frame import Frame
from magenet.degradation.frequency import filtered
from magenet.degradation.light import from_linear


class Motion(Factor):
    """Blur along a straight line.

    At severity 1 the length is 0.6 to 2 % of the field's diameter: 3 to 10 pixels of 512.
    """

    parameters: ClassVar = {
        "length": Parameter("length of the line, field diameters", 0, 0.03),
        "angle": Parameter("angle of the line, radians", -7, 7),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the line's length in field diameters and its angle in radians."""
        return {
            "length": rng.uniform("length", 0.006, 0.020) * severity,
            "angle": rng.uniform("angle", 0.0, math.pi),
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Blur photographs along the line."""
        length, angle = values["length"][:, None, None], values["angle"][:, None, None]

        def transfer(x: Tensor, y: Tensor) -> Tensor:
            return torch.sinc(length * (x * angle.cos() + y * angle.sin()))

        return from_linear(filtered(image.square_(), frame, transfer))
