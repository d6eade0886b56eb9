"""Grain: what a camera's noise reduction and compression leave of its noise."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameter, Values
from magenet.degradation.fields import per_sample
from magenet.degradation.frame import Frame
from magenet.degradation.fundus.noise import normal

OCTAVES = 3
"""Octaves of grain: clumps of 2, 4 and 8 px."""

SEED_STEP = 0x9E3779B9
"""Added to the seed from one octave to the next."""

DEVIATION = 1.011
"""Standard deviation of the sum of all octaves of standard normal numbers, enlarged."""


class Grain(Factor):
    """Gaussian noise of pixel values in clumps of 2, 4 and 8 px, of about equal contrast.

    A sensor's noise is independent between pixels (:class:`Noise`), and an enhancer that has seen
    no other takes all that is wider than a pixel for the retina. In dark places of HYGD, where no
    retina can be seen, details of 2, 4, 8 and 16 px have 0.45, 0.6, 0.58 and 0.46 grey levels. At
    severity 1 the standard deviation is 0.5 to 2.5 grey levels (our choice).
    """

    parameters: ClassVar = {
        "sigma": Parameter("standard deviation of pixel values", 0, 0.1),
        "seed": Parameter("seed of the clumps", 0, (1 << 32) - 1, whole=True),
    }

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw the strength and the seed."""
        return {
            "sigma": rng.uniform("sigma", 0.002, 0.01) * severity,
            "seed": rng.bits("clumps"),
        }

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Add grain to photographs."""
        field = clumps(values["seed"], image)
        return image.addcmul_(field, per_sample(values["sigma"] / DEVIATION)).clamp_(0.0, 1.0)


def clumps(seed: Tensor, like: Tensor) -> Tensor:
    """Return the sum of the octaves, `(B, C, H, W)`.

    Args:
        seed: int64 `(B,)`.
        like: Tensor of the shape wanted.
    """
    height, width = like.shape[-2:]
    sides = [(-(-height // 2**k), -(-width // 2**k)) for k in range(OCTAVES + 1)]
    field = like.new_zeros(*like.shape[:2], *sides[OCTAVES])
    for octave in range(OCTAVES, 0, -1):
        field = field + normal((seed + octave * SEED_STEP) & 0xFFFFFFFF, field)
        rows, columns = field.shape[-2:]
        field = functional.interpolate(field, (2 * rows, 2 * columns), mode="bilinear")
        wide, tall = sides[octave - 1][1], sides[octave - 1][0]
        field = field[..., :tall, :wide]
    return field
