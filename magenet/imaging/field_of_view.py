"""Field of view: the part of a photograph that shows the retina, and not the black surround.

It is a disc, often clipped by the frame or by black bars (top and bottom on many cameras, left and
right where a photograph was turned); a photograph that was cropped before may show no surround. The
field is estimated here alone; the rest of the project is given the mask (the classical enhancers of
`magenet.models.peers` can do without).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from magenet.imaging.crop import Square, peak

WORKING_SIDE = 320
"""Long side, in pixels, at which the field is estimated, to within 0.3 % of its diameter."""

LEAST_CONFIDENCE = 0.8
"""Confidence below which a person should check the field of view (our choice: 2 of 229 photographs
of four cameras are below it, among them the second worst estimate, IoU 0.92)."""

MINIMUM_FIELD = 0.05
"""Smallest share of the frame that a field of view can cover."""


WHITE = 240
"""Level above which all channels of a white surround are, of 255 (our choice)."""


@dataclass(frozen=True)
class FieldOfView:
    """Field of view of one photograph.

    Attributes:
        mask: Mask of the retina, bool `(1, H, W)`.
        square: The square around the field.
        confidence: Agreement of the photograph with a disc, 0 to 1; below
            :data:`LEAST_CONFIDENCE` a person should check it.
    """

    mask: Tensor
    square: Square
    confidence: float


def field_from_mask(mask: Tensor) -> FieldOfView:
    """Return the field of view of a mask, with confidence 1.

    Args:
        mask: bool `(1, H, W)`.

    Raises:
        ValueError: If the mask is empty.
    """
    rows = mask[0].any(dim=1).nonzero()
    columns = mask[0].any(dim=0).nonzero()
    if rows.numel() == 0:
        raise ValueError("the field-of-view mask is empty")
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    side = max(bottom - top, right - left)
    square = Square((top + bottom - side) // 2, (left + right - side) // 2, side)
    return FieldOfView(mask, square, 1.0)


def estimate_field(image: Tensor) -> FieldOfView:
    """Estimate the field of view of a photograph: round, clipped, dark or already cropped.

    Pixels brighter than the surround give edge points; a circle is fitted to them by RANSAC
    (Fischler and Bolles, CACM 1981; seeded: same photograph, same result), so that shadows at the
    edge, notches and text in the corner do not bias it.

    Args:
        image: uint8 or uint16 `(3, H, W)`.

    Returns:
        The field. Where no edge is found, the whole frame: with confidence 0.6 if it is filled
        (a photograph cropped before), with 0 if nothing is brighter than the surround.

    Example:
        >>> image = torch.zeros(3, 100, 120, dtype=torch.uint8)
        >>> y, x = torch.meshgrid(torch.arange(100), torch.arange(120), indexing="ij")
        >>> disc = (y - 50) ** 2 + (x - 60) ** 2 < 40**2
        >>> image[:, disc] = 150
        >>> field = estimate_field(image)
        >>> bool((field.mask[0] ^ disc).float().mean() < 0.01), field.confidence > 0.9
        (True, True)
    """
    height, width = image.shape[-2:]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = _level(torch.stack([_area(plane, size) for plane in image]) * (255.0 / peak(image)))
    bright = _brighter_than_surround(small)
    share = float(bright.float().mean())
    whole = torch.ones(1, height, width, dtype=torch.bool)
    if share < MINIMUM_FIELD:
        return FieldOfView(whole, field_from_mask(whole).square, 0.0)
    points = _edge_points(bright)
    if len(points) < 0.1 * sum(size):
        return FieldOfView(whole, field_from_mask(whole).square, 0.6 if share > 0.9 else 0.0)
    circle, inliers = _fit_circle(points, size)
    if circle is None:
        return FieldOfView(whole, field_from_mask(whole).square, 0.0)

    circle = _steepest(small, circle)
    top, bottom = _straight_edges(bright, circle)
    left, right = _straight_edges(bright.T, (circle[1], circle[0], circle[2]))
    # Points on a straight edge say nothing about the circle.
    low, high = torch.tensor([top, left]), torch.tensor([bottom, right])
    round_part = ((points >= low + 2) & (points < high - 2)).all(dim=1)
    agreement = float(inliers[round_part].sum()) / max(1, int(round_part.sum()))
    disc = _part(_disc(circle, size), (top, bottom), (left, right))
    overlap = float((disc & bright).sum()) / max(1.0, float((disc | bright).sum()))
    # A dark photograph may have shadow over half its field: the visible edge counts more.
    confidence = max(0.0, min(1.0, 0.7 * agreement + 0.3 * overlap))
    y, x, radius = (value / scale for value in circle)
    disc = _disc((y + 0.5 / scale - 0.5, x + 0.5 / scale - 0.5, radius), (height, width))
    rows, columns = (
        (round(low / scale), round(high / scale)) for low, high in ((top, bottom), (left, right))
    )
    mask = _part(disc, rows, columns)[None]
    if not mask.any():
        return FieldOfView(whole, field_from_mask(whole).square, 0.0)
    return FieldOfView(mask, field_from_mask(mask).square, confidence)


def _area(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """Return one colour `(H, W)` averaged to a smaller size; one at a time, to spare memory."""
    return functional.interpolate(plane[None, None].float(), size=size, mode="area")[0, 0]


def _level(small: Tensor) -> Tensor:
    """Return the greatest channel of `(3, h, w)`, 0 to 255; a white surround or border counts as 0.

    Surround and border are white where all four corners are (prints, slides, published figures).
    """
    white = small.amin(dim=0) > WHITE
    ends = [0, -1]
    return small.amax(dim=0) * ~(white & white[ends][:, ends].all())


def _brighter_than_surround(level: Tensor) -> Tensor:
    """Return the mask of `level` `(h, w)`, 0 to 255, above the surround, speckles removed."""
    height, width = level.shape
    corner = max(2, min(height, width) // 24)
    patches = [
        level[:corner, :corner],
        level[:corner, -corner:],
        level[-corner:, :corner],
        level[-corner:, -corner:],
    ]
    # Some cameras write text in a corner, and a clipped field may fill others: use the darkest two.
    surround = float(torch.stack([patch.median() for patch in patches]).sort().values[:2].mean())
    top = float(torch.quantile(level, 0.95))
    if surround > 0.5 * top:
        # No dark corner: cropped before, unless the photograph is uniform.
        return torch.full_like(level, float(level.std()) > 2.0, dtype=torch.bool)
    threshold = surround + max(6.0, 0.15 * (top - surround))
    above = (level > threshold).float()[None, None]
    return functional.avg_pool2d(above, 5, 1, 2, count_include_pad=False)[0, 0] > 0.5


def _edge_points(bright: Tensor) -> Tensor:
    """Return the outermost bright pixels of rows and columns, `(N, 2)`, not at the frame."""
    height, width = bright.shape
    points = []
    for mask, transposed in ((bright, False), (bright.T, True)):
        rows = mask.any(dim=1).nonzero()[:, 0]
        first = mask.float().argmax(dim=1)[rows]
        last = mask.shape[1] - 1 - mask.flip(1).float().argmax(dim=1)[rows]
        for columns in (first, last):
            pair = (columns, rows) if transposed else (rows, columns)
            points.append(torch.stack(pair, dim=1))
    y, x = torch.cat(points).unbind(dim=1)
    inside = (y > 1) & (y < height - 2) & (x > 1) & (x < width - 2)
    return torch.stack([y, x], dim=1)[inside].float()


def _fit_circle(
    points: Tensor, size: tuple[int, int]
) -> tuple[tuple[float, float, float] | None, Tensor]:
    """Return the circle `(y, x, radius)` with most inliers (RANSAC), and which they are, `(N,)`."""
    none = torch.zeros(len(points), dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    triples = points[torch.randint(len(points), (400, 3), generator=generator)]
    first, rest = triples[:, :1], triples[:, 1:]
    matrix = 2.0 * (rest - first)  # (400, 2, 2)
    right = rest.square().sum(-1) - first.square().sum(-1)  # (400, 2)
    usable = torch.linalg.det(matrix).abs() > 1.0
    if not bool(usable.any()):
        return None, none
    centres = torch.linalg.solve(matrix[usable], right[usable])
    radii = (centres - first[usable, 0]).norm(dim=1)
    short, long = min(size), max(size)
    plausible = (radii > 0.25 * short) & (radii < 0.8 * long)
    if not bool(plausible.any()):
        return None, none
    centres, radii = centres[plausible], radii[plausible]
    residuals = (torch.cdist(centres, points) - radii[:, None]).abs()
    tolerance = 0.008 * long
    best = int((residuals < tolerance).sum(dim=1).argmax())
    inliers = residuals[best] < tolerance
    for _ in range(3):  # least squares over the inliers
        chosen = points[inliers]
        system = torch.cat([2.0 * chosen, torch.ones(len(chosen), 1)], dim=1).double()
        target = chosen.square().sum(dim=1, keepdim=True).double()
        solution = torch.linalg.lstsq(system, target).solution[:, 0]
        y, x = float(solution[0]), float(solution[1])
        radius = float((solution[2] + y * y + x * x).clamp(min=1.0).sqrt())
        distance = (points - torch.tensor([y, x])).norm(dim=1)
        inliers = (distance - radius).abs() < tolerance
        if int(inliers.sum()) < 8:
            return None, none
    return (y, x, radius), inliers


def _steepest(level: Tensor, circle: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the circle with the radius, within 6 %, at which brightness falls fastest.

    Many lenses glow beyond the field's edge, brighter than the surround.
    """
    y, x, radius = circle
    rows = torch.arange(level.shape[0])[:, None] - y
    columns = torch.arange(level.shape[1])[None, :] - x
    distance = (rows.square() + columns.square()).sqrt() / radius
    steps = torch.arange(0.94, 1.04, 0.005)
    rings = [level[(distance >= step) & (distance < step + 0.01)] for step in steps]
    if any(len(ring) == 0 for ring in rings):
        return circle
    profile = torch.stack([ring.mean() for ring in rings])
    fall = profile[:-2] - profile[2:]  # over two steps, since rings overlap by half
    return y, x, radius * float(steps[int(fall.argmax())] + 0.01)


def _straight_edges(bright: Tensor, circle: tuple[float, float, float]) -> tuple[int, int]:
    """Return the first row of the field and the one after its last, `(top, bottom)`.

    Some cameras clip the field at top and bottom and pad with black. Such an edge is straight:
    its row is bright along the whole chord of the circle, unlike the edge of a shadow.
    """
    y, x, radius = circle
    rows = bright.any(dim=1).nonzero()[:, 0]
    columns = bright.any(dim=0).nonzero()[:, 0]  # the chord is clipped, too, where they end
    first, last = int(columns[0]), int(columns[-1])
    edges = [0, len(bright)]
    for end, row, outward in ((0, int(rows[0]), -1), (1, int(rows[-1]), 1)):
        inner = row - 2 * outward
        half_chord = (radius**2 - min(abs(inner - y), radius) ** 2) ** 0.5
        left, right = max(first, round(x - half_chord)), min(last + 1, round(x + half_chord))
        if (
            right - left > 0.3 * 2 * radius
            and float(bright[inner, left:right].float().mean()) > 0.9
        ):
            edges[end] = row if outward < 0 else row + 1
    return edges[0], edges[1]


def _part(disc: Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
    """Return the part of `disc` `(h, w)` from the first row and column to before the last ones."""
    part = torch.zeros_like(disc)
    part[slice(*rows), slice(*columns)] = disc[slice(*rows), slice(*columns)]
    return part


def _disc(circle: tuple[float, float, float], size: tuple[int, int]) -> Tensor:
    """Return a bool `(h, w)` disc, clipped to the frame."""
    y, x, radius = circle
    rows = torch.arange(size[0], dtype=torch.float32)[:, None] - y
    columns = torch.arange(size[1], dtype=torch.float32)[None, :] - x
    return rows.square() + columns.square() <= radius * radius
