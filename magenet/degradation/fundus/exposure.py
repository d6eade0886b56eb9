"""Exposure: underexposure and overexposure."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import per_sample
from magenet.degradation.frame import Frame
from magenet.degradation.light import brightened, from_linear


class Exposure(Factor):
    """Gain of linear light; overexposure saturates by a soft shoulder, as in a camera.

    At severity 1 exposures range from 2 stops too dark to 1 stop too bright.
    """

    parameters: ClassVar = {
        "stops": Parameter("exposure in stops, factors of 2 of linear light", -6, 6),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the exposure in stops."""
        return {"stops": rng.uniform("stops", -2.0, 1.0) * severity}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Change the exposure of photographs."""
        gain = torch.exp2(per_sample(values["stops"]))
        return from_linear(brightened(image.square_(), gain))
