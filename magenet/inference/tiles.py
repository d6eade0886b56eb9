"""A picture that is too large for the memory, in tiles that cannot be seen afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from magenet.models.attention import ChannelAttention
from magenet.models.enhancer import padded_to

EDGE = 96
"""Pixels at a tile's edge whose surroundings are cut off too much to be used (measured: see
`tests/magenet/inference/test_tiles.py`)."""

RAMP = 64
"""Pixels over which one tile fades into the next."""

OVERLAP = 2 * EDGE + RAMP

ALIGNMENT = 32
"""Tiles begin at multiples of this, so that every network's coarse pixels lie where they would."""

SMALLEST_TILE = 320
"""Below it, a tile would be mostly overlap."""


@contextmanager
def attending_to(network: nn.Module, whole: Tensor) -> Iterator[None]:
    """Let channel attention say of every tile what it says of the whole photograph.

    Channel attention weighs channels by their mean over the picture: of a tile without the disc
    it would say something else than of one with it, and tiles would differ in colour.

    Args:
        network: Its :class:`ChannelAttention` modules are held inside the context.
        whole: The whole photograph at a resolution that fits, `(1, 3, h, w)`.
    """
    weights: dict[nn.Module, Tensor] = {}
    modules = [module for module in network.modules() if isinstance(module, ChannelAttention)]
    handles: list[RemovableHandle] = []

    def remember(module: nn.Module, _: object, weight: Tensor) -> None:
        weights[module] = weight

    def recall(module: nn.Module, _: object, own: Tensor) -> Tensor:
        return weights[module].expand_as(own)

    try:
        handles = [module.register_forward_hook(remember) for module in modules]
        network(whole)
        for handle in handles:
            handle.remove()
        handles = [module.register_forward_hook(recall) for module in modules]
        yield
    finally:
        for handle in handles:
            handle.remove()


def tiled(look: Callable[[Tensor], Tensor], image: Tensor, tile: int) -> Tensor:
    """Return what a network sees in a picture, tile by tile, with smooth weights.

    Args:
        look: Takes `(1, 3, h, w)` and gives `(1, C, h, w)`.
        image: `(1, 3, H, W)`, of any size.
        tile: Greatest side of a tile, in pixels; at least :data:`SMALLEST_TILE`.

    Returns:
        `(1, C, H, W)`.

    Raises:
        ValueError: If the tile is too small.
    """
    if tile < SMALLEST_TILE:
        raise ValueError(f"a tile needs at least {SMALLEST_TILE} px, got {tile}")
    height, width = image.shape[-2:]
    padded = padded_to(image, ALIGNMENT)
    tall, wide = padded.shape[-2:]
    total: Tensor | None = None
    weight = image.new_zeros(1, 1, tall, wide)
    for rows in _spans(tall, tile):
        for columns in _spans(wide, tile):
            seen = look(padded[..., rows, columns])
            own = (_fade(rows, tall)[:, None] * _fade(columns, wide)[None, :]).to(image.device)
            if total is None:
                total = image.new_zeros(1, seen.shape[1], tall, wide)
            total[..., rows, columns] += seen * own
            weight[..., rows, columns] += own
    assert total is not None  # a picture has at least one tile
    return (total / weight)[..., :height, :width]


def _spans(length: int, tile: int) -> list[slice]:
    """Return where tiles lie along an axis; neighbours overlap by :data:`OVERLAP` at least."""
    tile = tile // ALIGNMENT * ALIGNMENT
    if length <= tile:
        return [slice(0, length)]
    step = (tile - OVERLAP) // ALIGNMENT * ALIGNMENT
    starts = [*range(0, length - tile, step), length - tile]
    return [slice(start, start + tile) for start in starts]


def _fade(span: slice, length: int) -> Tensor:
    """Return the weight of a tile's pixels along an axis; the picture's own border keeps its."""
    places = torch.arange(span.start, span.stop, dtype=torch.float32)
    inward = torch.full_like(places, torch.inf)
    if span.start > 0:
        inward = torch.minimum(inward, places - span.start + 0.5)
    if span.stop < length:
        inward = torch.minimum(inward, span.stop - places - 0.5)
    return ((inward - EDGE) / RAMP).clamp(0.0, 1.0)
