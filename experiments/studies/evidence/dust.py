"""How much of the dust on a camera's optics is left."""

from __future__ import annotations

from torch import Tensor

from experiments.studies.evidence.methods import Method
from magenet.metrics.masks import dilate

NEAR, FAR = 3, 9
"""Distances from a grain of the ring that it is compared with, in pixels."""

DEEP = 0.08
"""Depth of the grains that are measured, as a share of the deepest that dust is given: one that a
reader sees."""


def dust_scores(enhance: Method, image: Tensor, mask: Tensor, dust: Tensor) -> dict[str, float]:
    """Return the darkness of the grains that is left, over what it was; 1 is all of it.

    Args:
        enhance: The method.
        image: A photograph of a camera with dust, `(1, 3, S, S)`.
        mask: Its field of view, `(1, 1, S, S)`.
        dust: Depth of the dust, `(1, 1, S, S)` in [0, 1].
    """
    grains = (dust > DEEP) & (mask > 0)
    ring = dilate(grains, FAR) & ~dilate(dust > 0, NEAR) & (mask > 0)
    if not bool(grains.any()) or not bool(ring.any()):
        return {}
    before, after = (
        1 - float(picture[:, 1:2][grains].mean() / picture[:, 1:2][ring].mean())
        for picture in (image, enhance(image, mask))
    )
    return {"lens dust: darkness left": after / before}
