"""The network in the package as `magenet enhance` uses it, for the tests of everybody."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.enhancement.device import device_for
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.memory import parsed_memory
from magenet.imaging.transfer import enhance
from magenet.models import Enhancer, EnhancerOutput
from magenet.models.peers.classical import lit


class ReleasedEnhancer(Enhancer):
    """Enhance as `magenet enhance` does: several views, small changes held back, its own size.

    With :class:`magenet.tasks.ClassicalTask` it is a row of the tables like any other.

    Args:
        weights: See :meth:`magenet.models.MAGENet.from_pretrained`.

    Raises:
        UserError: If the weights cannot be had.
    """

    def __init__(self, weights: str = "mage_net") -> None:
        super().__init__()
        self.enhancer = PhotographEnhancer.from_pretrained(
            weights, device_for("cpu"), parsed_memory("8G")
        )
        self.network = self.enhancer.network

    def forward(self, image: Tensor) -> EnhancerOutput:
        """Enhance photographs of any size, `(B, 3, H, W)` in [0, 1], black outside the field."""
        self.enhancer.device = image.device
        mask = lit(image).float()
        size = self.enhancer.settings.size
        return EnhancerOutput((enhance(self._each, image, mask, size),))

    def _each(self, seen: Tensor) -> Tensor:
        """Return photographs of the network's own size enhanced."""
        inside = lit(seen).float()
        return torch.stack(
            [
                picture + self.enhancer.estimate(picture, own).change.to(picture.device)
                for picture, own in zip(seen, inside, strict=True)
            ]
        )
