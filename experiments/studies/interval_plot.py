"""Plot of means with intervals, a row a method and a panel a score, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from magenet.evaluation.statistics import Interval


class Panel(NamedTuple):
    """Panel of the figure.

    Attributes:
        score: Score that it shows.
        title: First line above it.
        subtitle: Second line above it.
        step: Distance between two ticks.
    """

    score: str
    title: str
    subtitle: str
    step: float


WIDTH, LABEL_WIDTH, PANEL_WIDTH, BETWEEN = 800, 176, 278, 46
TOP, ROW_HEIGHT, BOTTOM = 62, 25, 40
"""Measures of the figure, in pixels at full size."""

TEXT, QUIET, GRID, BAND, OURS, OTHERS = (
    "#1c2530", "#596575", "#e3e7ec", "#eef1f4", "#0b6a88", "#6b7683",
)  # fmt: skip


def interval_plot(
    title: str,
    panels: Sequence[Panel],
    found: Mapping[tuple[str, str], Interval],
    baseline: str,
    colours: Mapping[str, str],
    chosen: str | None = None,
) -> str:
    """Return a plot as SVG: a mean and its interval per row, in one panel per score.

    A dashed line and a band mark the mean and the interval of the baseline.

    Args:
        title: Read by screen readers.
        panels: From left to right; there is room for two.
        found: By row and score; rows in the order in which they first occur.
        baseline: Row that the others are compared with.
        colours: Of the rows; :data:`OTHERS` if not given.
        chosen: Row to emphasise.
    """
    rows = list(dict.fromkeys(row for row, _ in found))
    height = TOP + len(rows) * ROW_HEIGHT + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="system-ui, Helvetica, Arial, DejaVu Sans, sans-serif" '
        'font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for index, row in enumerate(rows):
        weight = ' font-weight="600"' if row == chosen else ""
        parts.append(
            f'<text class="row" x="{LABEL_WIDTH - 10}" y="{_middle(index) + 4.5:g}" '
            f'text-anchor="end" fill="{colours.get(row, OTHERS)}"{weight}>{escape(row)}</text>'
        )
    for number, panel in enumerate(panels):
        left = LABEL_WIDTH + number * (PANEL_WIDTH + BETWEEN)
        shown = {row: found[row, panel.score] for row in rows}
        parts += _panel(panel, shown, left, height, baseline, colours, chosen)
    return "\n".join((*parts, "</svg>", ""))


def _middle(index: int) -> float:
    """Return the y coordinate of the middle of a row, in pixels."""
    return TOP + (index + 0.5) * ROW_HEIGHT


def _panel(
    panel: Panel,
    rows: Mapping[str, Interval],
    left: float,
    height: float,
    baseline: str,
    colours: Mapping[str, str],
    chosen: str | None,
) -> list[str]:
    """Return the elements of one panel."""
    first = math.floor(min(one.low for one in rows.values()) / panel.step)
    last = math.ceil(max(one.high for one in rows.values()) / panel.step)
    scale = PANEL_WIDTH / ((last - first) * panel.step)

    def x(value: float) -> float:
        return round(left + (value - first * panel.step) * scale, 1)

    bottom = height - BOTTOM
    low, mean, high = (x(value) for value in (
        rows[baseline].low, rows[baseline].mean, rows[baseline].high
    ))  # fmt: skip
    parts = [
        f'<text x="{left:g}" y="22" font-weight="600" fill="{TEXT}">{escape(panel.title)}</text>',
        f'<text x="{left:g}" y="41" fill="{QUIET}">{escape(panel.subtitle)}</text>',
        f'<rect x="{low}" y="{TOP}" width="{high - low:.1f}" height="{bottom - TOP}" '
        f'fill="{BAND}"/>',
    ]
    for tick in range(first, last + 1):
        value = tick * panel.step
        parts += [
            f'<path d="M{x(value)} {TOP}V{bottom}" stroke="{GRID}"/>',
            f'<text x="{x(value)}" y="{bottom + 19}" text-anchor="middle" font-size="12" '
            f'fill="{QUIET}">{value:g}</text>',
        ]
    parts.append(
        f'<path class="nothing" d="M{mean} {TOP}V{bottom}" stroke="{TEXT}" stroke-dasharray="4 3"/>'
    )
    for index, (row, one) in enumerate(rows.items()):
        y = _middle(index)
        colour = colours.get(row, OTHERS)
        thick, radius = (3, 5.5) if row == chosen else (1.75, 4)
        parts += [
            f'<path class="interval" d="M{x(one.low)} {y:g}H{x(one.high)}" '
            f'stroke="{colour}" stroke-width="{thick}"/>',
            f'<circle class="mean" cx="{x(one.mean)}" cy="{y:g}" r="{radius}" fill="{colour}"/>',
        ]
    return parts
