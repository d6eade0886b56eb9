"""Terms of light and detail: MPRNet's loss, and the loss of bands."""

from __future__ import annotations

import torch
from torch import Tensor

from magenet.errors import UsageError
from magenet.losses.bands import BandLoss
from magenet.losses.masked import EnhancementLoss
from magenet.losses.term import LossTerm, Restored
from magenet.models.window import whole_window


class BandTerms(LossTerm):
    """Loss of light and of each band of detail: `<name>_light`, `<name>_detail` and others.

    Args:
        weight: Weight of all of them.
        bands: The loss; with its defaults if null.
    """

    def __init__(self, weight: float = 1.0, bands: BandLoss | None = None) -> None:
        super().__init__(weight)
        self.bands = bands or BandLoss()

    def parts(self, restored: Restored) -> dict[str, Tensor]:
        """Return the parts without the weight, scalars in fp32."""
        batch = restored.batch
        height, width = batch["mask_fov"].shape[-2:]
        window = restored.window or whole_window((height, width), len(batch["mask_fov"]), 1)
        found: dict[str, Tensor] = self.bands(
            restored.output, batch["image_degraded"], restored.target, batch["mask_fov"], window,
            batch["image_clean"],
        )  # fmt: skip
        return found

    def forward(self, restored: Restored) -> Tensor:
        """Return the sum of the parts; see :meth:`LossTerm.forward`."""
        return torch.stack(list(self.parts(restored).values())).sum()

    def weighted(self, name: str, restored: Restored) -> dict[str, Tensor]:
        """Return each part; see :meth:`LossTerm.weighted`."""
        return {f"{name}_{k}": self.weight * part for k, part in self.parts(restored).items()}


class RestorationTerms(LossTerm):
    """MPRNet's loss for whole photographs, that of bands for photographs with windows.

    Args:
        edge_weight: Weight of the edges in MPRNet's loss; see :class:`EnhancementLoss`.
        bands: The loss in windows; with its defaults if null. Its parts are logged by their own
            names: `light`, `detail` and so on.
    """

    def __init__(self, edge_weight: float = 0.05, bands: BandLoss | None = None) -> None:
        super().__init__()
        self.whole = EnhancementLoss(edge_weight)
        self.bands = BandTerms(bands=bands)

    def forward(self, restored: Restored) -> Tensor:
        """Return the sum of the parts; see :meth:`LossTerm.forward`."""
        return torch.stack(list(self.weighted("enhancement", restored).values())).sum()

    def weighted(self, name: str, restored: Restored) -> dict[str, Tensor]:
        """Return MPRNet's loss by the term's name, or each part of the bands by its own.

        Raises:
            UsageError: If a network with a detail stage is to learn without windows: its gains and
                errors would learn nothing, and its light be held back.
        """
        if restored.window is not None:
            return self.bands.parts(restored)
        if restored.output.log_error is not None:
            raise UsageError(
                "a network with detail_widths learns in windows: train it on a DetailDataModule, "
                "or an AdaptationDataModule with windows"
            )
        batch = restored.batch
        return {name: self.whole(restored.output, batch["image_clean"], batch["mask_fov"])}
