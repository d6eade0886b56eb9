"""Vessel centre lines: thinning, clDice, and length lost or invented by an enhancement."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from magenet.metrics.masks import check_masks, dilate, require_numbers

_NEIGHBOURS = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
"""Row and column of a pixel's eight neighbours in the square around it, in the order of the bits of
its 8-bit code: north, then clockwise."""


def _removable(first: bool) -> Tensor:
    """Return which of the 256 neighbourhood codes a pass deletes, bool `(256,)`.

    Conditions are those of the paper; the order of the neighbours is ours.

    Args:
        first: First or second subiteration.
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
    """Thin masks to lines one pixel wide, keeping their connectivity.

    Args:
        mask: bool `(B, 1, H, W)`.

    Returns:
        bool, same shape, a subset of the mask. Thinning is idempotent.

    References:
        Guo and Hall, "Parallel thinning with two-subiteration algorithms", CACM 1989, algorithm A1.

    Example:
        >>> bar = torch.zeros(1, 1, 5, 9, dtype=torch.bool)
        >>> bar[..., 1:4, 1:8] = True
        >>> skeleton(bar)[0, 0].int().sum(dim=1).tolist()
        [0, 0, 5, 0, 0]
    """
    passes = _PASSES.to(mask.device)
    while True:
        thinner = mask
        for removable in passes:
            thinner = thinner & ~removable[_neighbourhood(thinner).int()]
        if torch.equal(thinner, mask):
            return mask
        mask = thinner


def _neighbourhood(mask: Tensor) -> Tensor:
    """Return the code of each pixel's eight neighbours, uint8 like `mask`; outside is not set."""
    height, width = mask.shape[-2:]
    padded = functional.pad(mask.to(torch.uint8), (1, 1, 1, 1))
    code = torch.zeros_like(mask, dtype=torch.uint8)
    for bit, (row, column) in enumerate(_NEIGHBOURS):
        code |= padded[..., row : row + height, column : column + width] << bit
    return code


def centerline_dice(probability: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Return each photograph's clDice of thresholded masks, inside the field of view.

    The harmonic mean of topology precision (the share of predicted centre lines inside the
    reference) and topology sensitivity (the share of reference centre lines inside the prediction).
    Thin vessels count as much as wide ones.

    Args:
        probability: `(B, 1, H, W)` in [0, 1]; at least 0.5 is inside.
        truth: Reference mask, same shape; at least 0.5 is inside.
        mask: Field of view, same shape, 0 or 1.

    Returns:
        `(B,)` in [0, 1]; NaN where the reference is empty.

    Raises:
        ValueError: If shapes differ, or a probability inside the field is NaN.

    References:
        Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
        segmentation", CVPR 2021, section 2.

    Example:
        >>> truth = torch.zeros(1, 1, 8, 8)
        >>> truth[..., 4, :] = 1.0
        >>> predicted = truth * (torch.arange(8) < 4)
        >>> centerline_dice(predicted, truth, torch.ones_like(truth))
        tensor([0.6667])
    """
    check_masks(probability, truth, mask)
    require_numbers(probability, mask)
    predicted, reference = (probability >= 0.5) & (mask > 0), (truth >= 0.5) & (mask > 0)
    precision = _share(skeleton(predicted), reference)
    sensitivity = _share(skeleton(reference), predicted)
    precision = torch.where(_length(predicted) > 0, precision, 0.0)  # no prediction scores 0
    total = precision + sensitivity
    return torch.where(total == 0, total, 2 * precision * sensitivity / total).float()


class LengthChange(NamedTuple):
    """Vessel length lost and invented, relative to the length before.

    Attributes:
        lost: `(B,)` in [0, 1].
        invented: `(B,)`, at least 0; above 1 where the invented length exceeds the length before.
    """

    lost: Tensor
    invented: Tensor


def vessel_length_change(
    before: Tensor, after: Tensor, mask: Tensor, tolerance: int = 2
) -> LengthChange:
    """Return the relative length of vessel centre lines that an enhancement lost and invented.

    Lengths are numbers of skeleton pixels: a diagonal step counts as one.

    Args:
        before: Vessels in the unenhanced photograph, `(B, 1, H, W)`; at least 0.5 is inside.
        after: Vessels in the enhanced photograph, same shape.
        mask: Field of view, same shape, 0 or 1.
        tolerance: Largest distance in pixels between a centre line and the other photograph's
            vessels that still counts as a match (our choice, for fields 512 px wide).

    Returns:
        Lengths lost and invented; NaN where there was no vessel before.

    Raises:
        ValueError: If shapes differ, or a value inside the field is NaN.

    Example:
        >>> before = torch.zeros(1, 1, 8, 8)
        >>> before[..., 4, :] = 1.0
        >>> after = before * (torch.arange(8) < 2)
        >>> vessel_length_change(before, after, torch.ones_like(before))
        LengthChange(lost=tensor([0.5000]), invented=tensor([0.]))
    """
    check_masks(before, after, mask)
    for vessels in (before, after):
        require_numbers(vessels, mask)
    vessels_before, vessels_after = (before >= 0.5) & (mask > 0), (after >= 0.5) & (mask > 0)
    line_before, line_after = skeleton(vessels_before), skeleton(vessels_after)
    length = _length(line_before)
    length = torch.where(length > 0, length, torch.nan)
    lost = line_before & ~dilate(vessels_after, tolerance)
    invented = line_after & ~dilate(vessels_before, tolerance)
    return LengthChange((_length(lost) / length).float(), (_length(invented) / length).float())


def longest_line(mask: Tensor) -> Tensor:
    """Return the length of each photograph's longest connected centre line, branches included.

    Args:
        mask: bool `(B, 1, H, W)`.

    Returns:
        `(B,)`, number of skeleton pixels, those that touch at a corner connected; 0 without any.

    Example:
        >>> mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
        >>> mask[..., 1, :6] = mask[..., 5, :2] = True
        >>> longest_line(mask)
        tensor([6])
    """
    line = skeleton(mask)
    padded = functional.pad(line, (1, 1, 1, 1))  # so that no line reaches another photograph's
    pixels, width = padded.flatten().nonzero()[:, 0], padded.shape[-1]
    label = torch.arange(len(pixels), device=line.device)
    listed = torch.full((padded.numel(),), -1, device=line.device)  # place of a pixel in the list
    listed[pixels] = label
    neighbours = torch.cat([listed[pixels + step] for step in (1, width - 1, width, width + 1)])
    joined = neighbours >= 0
    first, second = label.repeat(4)[joined], neighbours[joined]
    # Labels: a pixel's own place, then the least that its neighbours' labels are labelled with.
    # Jumping from label to label takes the logarithm of the steps that neighbours alone would.
    while True:
        least = label.scatter_reduce(0, first, label[second], "amin")
        least = least.scatter_reduce(0, second, least[first], "amin")
        jumped = least[least]
        if torch.equal(jumped, label):
            break
        label = jumped
    of_each = torch.split(label, line.sum(dim=(1, 2, 3)).tolist())
    return torch.stack([torch.bincount(one, minlength=1).max() for one in of_each])


def _length(line: Tensor) -> Tensor:
    """Return each line's number of pixels, `(B,)`; double, so that 0 / 0 becomes NaN."""
    return line.sum(dim=(1, 2, 3)).double()


def _share(line: Tensor, mask: Tensor) -> Tensor:
    """Return the share of each line that lies inside its mask, `(B,)`."""
    return _length(line & mask) / _length(line)
