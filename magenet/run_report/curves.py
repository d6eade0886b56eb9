"""Curves of what was logged, as SVG: one chart per score, one line per subject."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from magenet.plain_names import plain_name
from magenet.run_report.run_folder import Points

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 66, 10, 12, 24
"""Room around the lines, in pixels."""

MOST_POINTS = 400
"""Points of a line at most; more cannot be told apart (our choice)."""

LOG_RANGE = 30.0
"""Ratio of the greatest to the smallest value from which an axis is logarithmic (our choice)."""

LINES = 4
"""Styles of lines, `line0` and so on, in the page's template."""


def grouped(log: Mapping[str, Points], first: str = "") -> dict[str, dict[str, Points]]:
    """Return what was logged by score, and in it by subject.

    A score of several subjects (`val/psnr`, `val_teacher/psnr`) is one group. Scores of the
    validation come first, led by the one that chose the checkpoint, then the loss.

    Args:
        log: Points by key, as they were logged.
        first: Key of the score that chose the checkpoint.

    Example:
        >>> log = {"train/loss": [(0, 1.0)], "val/psnr": [(9, 2.0)], "val_teacher/psnr": [(9, 3.0)]}
        >>> {score: list(lines) for score, lines in grouped(log).items()}
        {'PSNR': ['network', 'teacher'], 'loss': ['training']}
    """
    score_of = {key: key.rpartition("/")[2] for key in log}

    def rank(key: str) -> tuple[bool, bool, bool, bool, str]:
        validated = key.startswith("val")
        chose = score_of[key] == first.rpartition("/")[2] and validated
        is_rate = "/" not in key
        return not chose, not validated, key != "train/loss", is_rate, key

    groups: dict[str, dict[str, Points]] = {}
    for key in sorted(log, key=rank):
        stage = key.rpartition("/")[0]
        part, _, subject = stage.partition("_")
        line = subject or {"val": "network", "train": "training"}.get(part, part or "value")
        groups.setdefault(plain_name(f"{part}/{score_of[key]}"), {})[line] = log[key]
    return groups


def chart(lines: Mapping[str, Points], title: str) -> str:
    """Return a chart.

    Args:
        lines: Points of each line by its name, at least one.
        title: What is shown, for who does not see the chart.
    """
    values = [value for points in lines.values() for _, value in points]
    last = max(step for points in lines.values() for step, _ in points)
    low, high = min(values), max(values)
    log = low > 0.0 and high / low >= LOG_RANGE
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    middle = (low * high) ** 0.5 if log else (low + high) / 2
    for value in dict.fromkeys((low, middle, high)):
        y = _height(value, low, high, log)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    parts += [
        f'<text x="{LEFT}" y="{HEIGHT - 6}">0</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">step {last:,}</text>',
    ]
    for index, (name, points) in enumerate(lines.items()):
        kind = f"line{index % LINES}"
        places = [
            (
                round(LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, last), 1),
                _height(value, low, high, log),
            )
            for step, value in thinned(points)
        ]
        title = f"<title>{escape(name)}: {points[-1][1]:.4g} at step {points[-1][0]:,}</title>"
        if len(places) == 1:
            ((x, y),) = places
            parts.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="4">{title}</circle>')
        else:
            path = " ".join(f"{x},{y}" for x, y in places)
            parts.append(f'<polyline class="{kind}" points="{path}">{title}</polyline>')
    return "\n".join([*parts, "</svg>"])


def thinned(points: Points) -> Points:
    """Return at most :data:`MOST_POINTS` points, evenly chosen, the last among them."""
    step = math.ceil(len(points) / MOST_POINTS)
    return points[::-1][::step][::-1]


def _height(value: float, low: float, high: float, log: bool) -> float:
    """Return where a value lies, in pixels from the top."""
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    share = 0.5 if high == low else (value - low) / (high - low)
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 1)
