"""Several scales: what is wider than four pixels is restored in the photograph reduced by half."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from magenet.models.enhancer import EnhancerOutput, resized_to
from magenet.models.information import clipped
from magenet.models.light import retina

COARSEST = 384
"""Least side of a reduced photograph, in pixels; the coarsest scale is below twice as much. On the
real pairs the network sees vessels equally well at 512 and 768 px, and less well at 384 (0.597,
0.598 and 0.586, Dice)."""

COARSER = 0.5
"""Weight of the coarser of two scales where both restore; see :func:`with_coarser`."""


def with_coarser(own: Tensor, image: Tensor, restore: Callable[[Tensor], EnhancerOutput]) -> Tensor:
    """Return photographs restored at their own scale and, what is wider, at coarser ones.

    A detail stage knows details up to 32 px wide. In a large photograph the vessels are wider, and
    reduced by half they look as smaller ones do in it: the same weights serve every scale. What is
    finer than 4 px only the finer of two scales can represent; what is wider both restore, and the
    result is their mean. The finer one restores the blur that we draw better (Dice of vessels of
    degraded HRF photographs 0.58 with it alone, 0.56 with the coarser one alone, 0.58 with the
    mean), the coarser one that of cameras (ridge filter on real pairs 0.529, 0.541 and 0.544; our
    segmenter 0.592, 0.600 and 0.600; all before grain was told apart). Clipped places stay.

    Args:
        own: The photographs restored at their own scale, `(B, 3, H, W)`.
        image: The photographs, `(B, 3, H, W)` in [0, 1].
        restore: Restores other photographs, smaller ones, at all scales.

    References:
        Tao et al., "Scale-recurrent network for deep image deblurring", CVPR 2018, for weights that
        the scales share. There each scale works on the result of the coarser one, which here shows
        more, but also more that is no vessel.
    """
    height, width = own.shape[-2:]
    half = [height // 2, width // 2]
    if min(half) < COARSEST:
        return own
    reduced = resized_to(image, half)
    inside = retina(image)
    area = resized_to(inside, half).clamp(min=1e-3)
    fine = resized_to((own - image) * inside, half) / area  # without the black surround
    other = resized_to(restore(reduced).stages[-1] - reduced - fine, [height, width])
    return own + COARSER * (1 - clipped(image)) * inside * other
