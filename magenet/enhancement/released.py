"""The released enhancer as a network, so that it can be a row of the tables."""

from __future__ import annotations

import torch
from torch import Tensor

from data_modules.files.memory_estimate import parsed_memory
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.imaging.transfer import enhance_at
from magenet.models import Enhancer, EnhancerOutput
from magenet.models.peers.classical import foreground


class ReleasedEnhancer(Enhancer):
    """The network in the package as `magenet enhance` uses it: see :class:`PhotographEnhancer`.

    With :class:`magenet.tasks.ClassicalTask` it is a row of the tables like any other.

    Args:
        weights: See :meth:`magenet.models.MAGENet.from_pretrained`.
        fast: See :meth:`magenet.enhancement.settings.Settings.side`.

    Raises:
        UserError: If the weights cannot be loaded.
    """

    def __init__(self, weights: str = "mage_net", fast: bool = False) -> None:
        super().__init__()
        self.fast = fast
        self.enhancer = PhotographEnhancer.from_pretrained(
            weights, torch.device("cpu"), parsed_memory("8G")
        )
        self.network = self.enhancer.network  # its parameters are this module's

    def forward(self, image: Tensor, mask: Tensor | None = None) -> EnhancerOutput:
        """Enhance photographs of any size, `(B, 3, H, W)` in [0, 1], black outside the field."""
        inside = foreground(image).float() if mask is None else mask
        size = self.enhancer.settings.side(image.shape[-1], self.fast)
        return EnhancerOutput((enhance_at(size, self._enhance, image, inside),))

    def _enhance(self, seen: Tensor, inside: Tensor) -> Tensor:
        """Return photographs at the network's own size enhanced."""
        changes = [
            self.enhancer.estimate(picture.cpu(), mask.cpu()).change
            for picture, mask in zip(seen, inside, strict=True)
        ]
        return seen + torch.stack(changes).to(seen.device)
