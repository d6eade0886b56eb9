"""Adversarial term: enhanced real photographs are to look like clean ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from magenet.losses.masked import masked_mean
from magenet.losses.term import LossTerm, Restored, in_windows, wholly_inside


class ReversedGradient(torch.autograd.Function):
    """Identity whose gradient has the other sign."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return the values."""
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the gradient with the other sign."""
        return -gradients[0]


class AdversarialTerm(LossTerm):
    """Critic that tells clean photographs from enhanced real ones, and is to be misled.

    The critic sees patches, and is trained together with the enhancer in one pass: the gradient is
    reversed between the two, so that what the critic descends the enhancer climbs. It is random at
    the start, and needs no download. It needs mixed batches, whose real photographs the enhancer
    sees: a mean teacher on :class:`data_modules.AdaptationDataModule`; until the consistency losses
    begin it rests. The clean photographs are those of the pairs.

    Args:
        weight: Weight of the term; 0.01 is our choice.
        width: Channels of the critic's first layer; they double at each further one (our choice).
        layers: Layers that halve the resolution; three see patches of 22 px (our choice).

    References:
        Ganin et al., "Domain-adversarial training of neural networks", JMLR 2016, for the reversed
        gradient. Isola et al., "Image-to-image translation with conditional adversarial networks",
        CVPR 2017, section 3.2.2, for patches. Miyato et al., "Spectral normalization for generative
        adversarial networks", ICLR 2018.
    """

    needs_real = True

    def __init__(self, weight: float = 0.01, width: int = 32, layers: int = 3) -> None:
        super().__init__(weight)
        self.cell = 2**layers
        self.patch = 1 + 3 * (self.cell - 1)
        widths = [3, *(width * 2**index for index in range(layers))]
        blocks: list[nn.Module] = []
        for low, high in pairwise(widths):
            blocks += [spectral_norm(nn.Conv2d(low, high, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.critic = nn.Sequential(*blocks, spectral_norm(nn.Conv2d(widths[-1], 1, 1)))

    def forward(self, restored: Restored) -> Tensor | None:
        """Return the critic's cross entropy; see :meth:`LossTerm.forward`."""
        if restored.real is None:
            return None
        output, batch = restored.real
        mask = in_windows(batch, batch["mask_fov"])
        pairs = restored.batch  # their targets are smooth where nothing is known; no retina is
        clean, inside = (in_windows(pairs, pairs[key]) for key in ("image_clean", "mask_fov"))
        with torch.autocast(mask.device.type, enabled=False):
            shown = output.stages[-1].float() * mask
            enhanced: Tensor = ReversedGradient.apply(shown)  # type: ignore[no-untyped-call]
            shown_clean = clean.float() * inside
            return self._entropy(-1.0, shown_clean, inside) + self._entropy(1.0, enhanced, mask)

    def _entropy(self, sign: float, image: Tensor, mask: Tensor) -> Tensor:
        """Return the mean cross entropy of patches in the field; `sign` is -1 for clean ones.

        A patch that overlaps the field's rim would show the camera's outline, which no enhancer can
        change.
        """
        logits = self.critic(image)
        overlap = (self.patch - self.cell) // 2
        mask = -functional.max_pool2d(-mask, 2 * overlap + 1, 1, overlap)
        inside = wholly_inside(mask, logits.shape[-2:])
        return masked_mean(functional.softplus(sign * logits), inside)
