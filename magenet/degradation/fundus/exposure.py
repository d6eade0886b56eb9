"""Exposure: too little light or too much."""

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
    """Multiply linear light; more of it meets a soft shoulder, as in a camera, and never clips.

    Severity 1 reaches from 2 stops too dark to 1 too bright.
    """

    parameters: ClassVar = {
        "stops": Parameter("factors of 2 of linear light", -6, 6),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Return the exposure in stops: a factor of 2 each."""
        return {"stops": rng.uniform("stops", -2.0, 1.0) * severity}

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return photographs of another exposure."""
        gain = torch.exp2(per_sample(values["stops"]))
        return from_linear(brightened(image.square_(), gain))
