"""Vessels as lines: thinning, the Dice of centre lines, and which vessels came or went."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from magenet.metrics.planes import check_planes, dilate

_BIT = torch.tensor([[128.0, 1.0, 2.0], [64.0, 0.0, 4.0], [32.0, 16.0, 8.0]])
"""What each neighbour adds to a pixel's code: north is bit 0, the others follow clockwise."""


def _removable(first: bool) -> Tensor:
    """Return which of the 256 neighbourhoods a pass takes away, bool `(256,)`.

    Names follow the paper, but for the order of neighbours.
    """
    table = torch.zeros(256, dtype=torch.bool)
    for code in range(256):
        n, ne, e, se, s, sw, w, nw = (bool(code >> bit & 1) for bit in range(8))
        branches = (
            (not n and (ne or e)) + (not e and (se or s)) + (not s and (sw or w))
            + (not w and (nw or n))
        )  # fmt: skip
        neighbours = min(
            (nw or n) + (ne or e) + (se or s) + (sw or w),
            (n or ne) + (e or se) + (s or sw) + (w or nw),
        )
        kept = (s or sw or not nw) and w if first else (n or ne or not se) and e
        table[code] = branches == 1 and 2 <= neighbours <= 3 and not kept
    return table


_PASSES = torch.stack([_removable(True), _removable(False)])


def skeleton(mask: Tensor) -> Tensor:
    """Return masks thinned to lines one pixel wide, connected as before.

    Args:
        mask: bool `(B, 1, H, W)`.

    Returns:
        bool, same shape, a subset. Thinning a skeleton changes nothing.

    References:
        Guo and Hall, "Parallel thinning with two-subiteration algorithms", CACM 1989, algorithm A1.

    Example:
        >>> bar = torch.zeros(1, 1, 5, 9, dtype=torch.bool)
        >>> bar[..., 1:4, 1:8] = True
        >>> skeleton(bar)[0, 0].int().sum(dim=1).tolist()
        [0, 0, 5, 0, 0]
    """
    weights, passes = _BIT.to(mask.device)[None, None], _PASSES.to(mask.device)
    while True:
        thinner = mask
        for removable in passes:
            code = functional.conv2d(thinner.float(), weights, padding=1).long()
            thinner = thinner & ~removable[code]
        if torch.equal(thinner, mask):
            return mask
        mask = thinner


def centerline_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's clDice of the hard masks, inside the field.

    The harmonic mean of two shares: of the found centre lines that lie on true vessels, and of the
    true centre lines that lie on found ones. Thin vessels count as much as wide ones.

    Args:
        probability: `(B, 1, H, W)` in [0, 1]; at least 0.5 is inside.
        truth: Same shape; at least 0.5 is inside.
        mask: Field of view, same shape, 0 or 1.

    Returns:
        `(B,)` in [0, 1]; NaN where the truth is empty.

    Raises:
        ValueError: If shapes differ.

    References:
        Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
        segmentation", CVPR 2021, section 2.

    Example:
        >>> truth = torch.zeros(1, 1, 8, 8)
        >>> truth[..., 4, :] = 1.0
        >>> found = truth * (torch.arange(8) < 4)
        >>> centerline_dice(found, truth, torch.ones_like(truth))
        tensor([0.6667])
    """
    check_planes(probability, truth, mask)
    own, true = (probability >= 0.5) & (mask > 0), (truth >= 0.5) & (mask > 0)
    precision, sensitivity = _share(skeleton(own), true), _share(skeleton(true), own)
    precision = torch.where(_length(own) > 0, precision, 0.0)  # nothing found is a score, of 0
    both = precision + sensitivity
    return torch.where(both == 0, both, 2 * precision * sensitivity / both).float()


class LengthChange(NamedTuple):
    """Say how much of the vessels' length came or went.

    Attributes:
        lost: `(B,)` in [0, 1], share of the length before.
        invented: `(B,)`, in lengths before; above 1 where more was invented than there had been.
    """

    lost: Tensor
    invented: Tensor


def vessel_length_change(
    before: Tensor, after: Tensor, mask: Tensor, tolerance: int = 2
) -> LengthChange:
    """Return the centre lines that an enhancement lost, and those that it invented.

    Lengths are pixels of the skeleton: a diagonal step counts as one.

    Args:
        before: Vessels of one photograph, `(B, 1, H, W)`; at least 0.5 is inside.
        after: Vessels of the other, same shape.
        mask: Field of view, same shape, 0 or 1.
        tolerance: How far, in pixels, a line may lie off the other's vessels (our choice, for
            fields 512 wide).

    Returns:
        Shares per photograph; NaN where no vessel was there before.

    Raises:
        ValueError: If shapes differ.

    Example:
        >>> before = torch.zeros(1, 1, 8, 8)
        >>> before[..., 4, :] = 1.0
        >>> after = before * (torch.arange(8) < 2)
        >>> vessel_length_change(before, after, torch.ones_like(before))
        LengthChange(lost=tensor([0.5000]), invented=tensor([0.]))
    """
    check_planes(before, after, mask)
    old, new = (before >= 0.5) & (mask > 0), (after >= 0.5) & (mask > 0)
    old_line, new_line = skeleton(old), skeleton(new)
    length = _length(old_line)
    length = torch.where(length > 0, length, torch.nan)
    lost, invented = old_line & ~dilate(new, tolerance), new_line & ~dilate(old, tolerance)
    return LengthChange((_length(lost) / length).float(), (_length(invented) / length).float())


def _length(line: Tensor) -> Tensor:
    """Return how many pixels each has, `(B,)`; in double, so that 0 of 0 becomes NaN."""
    return line.sum(dim=(1, 2, 3)).double()


def _share(line: Tensor, mask: Tensor) -> Tensor:
    """Return the share of each line that lies inside its mask, `(B,)`."""
    return _length(line & mask) / _length(line)
