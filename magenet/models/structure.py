"""Retinal structure preservation (RSP) module."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from magenet.models.stages import enlarge


class StructurePreservation(nn.Module):
    """Retinal structure preservation (RSP): a vessel map and guide features from the encoder.

    A light decoder on the network's own multi-scale encoder features, without a second backbone.
    The map is supervised (see `magenet.losses.structure`), so that the guides encode where vessels
    are. Name and purpose are the paper's; the construction is our choice, after cofe-Net's retinal
    structure activation, which uses a separate ResNet-34.

    Args:
        widths: Channels of the encoder's levels, finest first.
        guide_width: Channels of the guides.
    """

    def __init__(self, widths: Sequence[int], guide_width: int) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(nn.Conv2d(width, guide_width, 1) for width in widths)
        self.refine = nn.ModuleList(
            nn.Conv2d(guide_width, guide_width, 3, padding=1) for _ in widths[:-1]
        )
        self.head = nn.Conv2d(guide_width, 1, 3, padding=1)
        # Vessels cover about a tenth of the field: the initial probability is near it, not 1/2.
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]  # a Conv2d has a bias by default

    def forward(self, encoded: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return the map's logits and the guides.

        Args:
            encoded: Encoder features, `(B, C_l, h_l, w_l)`, finest first.

        Returns:
            Logits at the finest level, `(B, 1, h_0, w_0)`, and the guides of all levels but the
            coarsest, `(B, guide_width, h_l, w_l)`, finest first.
        """
        features = self.reduce[-1](encoded[-1])
        guides: list[Tensor] = []
        for level in range(len(encoded) - 2, -1, -1):
            features = self.reduce[level](encoded[level]) + enlarge(features)
            features = functional.relu(self.refine[level](features))
            guides.insert(0, features)
        return self.head(features), guides
