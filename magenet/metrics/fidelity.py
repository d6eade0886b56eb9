"""Fidelity: how far an enhanced photograph departs from the unenhanced one."""

from __future__ import annotations

from kornia.color import rgb_to_lab
from torch import Tensor

from magenet.metrics.colour import ciede2000
from magenet.metrics.full_reference import check_photographs
from magenet.metrics.masks import mean_inside
from magenet.metrics.skeleton import vessel_length_change


def fidelity(
    before: Tensor, after: Tensor, vessels_before: Tensor, vessels_after: Tensor, mask: Tensor
) -> dict[str, Tensor]:
    """Return how vessels, colours and lightness changed.

    Args:
        before: Unenhanced photographs, `(B, 3, H, W)` in [0, 1].
        after: Enhanced photographs, same shape.
        vessels_before: Vessels found in `before`, `(B, 1, H, W)`; vessel where at least 0.5.
        vessels_after: Vessels found in `after`.
        mask: Field of view, `(B, 1, H, W)`, 0 or 1.

    Returns:
        `(B,)` each:

        - `vessel_lost`: share of the vessel length before that is gone; NaN where there was none.
        - `vessel_invented`: length of new vessels over the length before. On a photograph of low
          quality some of them are recovered, not invented.
        - `colour_change`: mean CIEDE2000.
        - `brightness_drift`: mean change of lightness L*.
    """
    lost, invented = vessel_length_change(vessels_before, vessels_after, mask)
    check_photographs(after, before, mask)
    lab, lab_before = (rgb_to_lab(image.float()) for image in (after, before))
    return {
        "vessel_lost": lost,
        "vessel_invented": invented,
        "colour_change": mean_inside(ciede2000(lab, lab_before)[:, None], mask),
        "brightness_drift": mean_inside((lab - lab_before)[:, :1], mask),
    }
