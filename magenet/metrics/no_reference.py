"""No-reference scores, to monitor real photographs."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from magenet.metrics.masks import mean_inside


def local_contrast(image: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's root mean square deviation of green from its local mean.

    Green shows vessels best. The deviation is divided by the mean level, so that brightening alone
    does not raise it. Noise and sharpening do: monitor it, do not rank by it.

    Args:
        image: `(B, 3, H, W)` in [0, 1].
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)`, at least 0, relative to the mean level.
    """
    green, mask = image[:, 1:2].float(), mask.float()
    size = 2 * max(2, image.shape[-1] // 32) + 1
    area = functional.avg_pool2d(mask, size, 1, size // 2)
    mean = functional.avg_pool2d(green * mask, size, 1, size // 2) / area.clamp(min=1e-3)
    spread = mean_inside((green - mean).square(), mask).sqrt()
    return spread / mean_inside(green, mask).clamp(min=0.02)
