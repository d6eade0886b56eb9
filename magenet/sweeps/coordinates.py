"""Parallel coordinates of a sweep's trials, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from magenet.sweeps.parameter import Parameter, Value
from magenet.sweeps.results import Row
from magenet.sweeps.sweep_file import Sweep

WIDTH, HEIGHT = 1100, 420
TOP, BOTTOM, SIDE = 50, 390, 90
"""Ends of the axes, and room beside them, in pixels."""

COLOURS = ((38, 70, 140), (0, 150, 140), (245, 190, 40))
"""Colours of the worst, a middling and the best value: light against dark, so that they can be told
apart without seeing colours."""


def axis_position(parameter: Parameter, value: Value) -> float:
    """Return where a value lies on its axis, from 0 to 1.

    The values of a list are equally far from each other; a range is linear or logarithmic.

    Example:
        >>> axis_position(Parameter(low=1e-4, high=1e-2, log=True), 1e-3)
        0.5
    """
    if parameter.choices:
        return parameter.choices.index(value) / max(1, len(parameter.choices) - 1)
    assert not isinstance(value, str)  # it is drawn from a range
    low, high, at = parameter.low, parameter.high, float(value)
    if parameter.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return round((at - low) / (high - low), 9)


def ticks(parameter: Parameter) -> list[tuple[float, str]]:
    """Return position and text of each tick of an axis: all listed values, or five of a range."""
    if parameter.choices:
        return [(axis_position(parameter, v), str(v)) for v in parameter.choices]
    result = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        low, high = parameter.low, parameter.high
        value = low * (high / low) ** share if parameter.log else low + (high - low) * share
        result.append((share, f"{value:.3g}"))
    return result


def colour(share: float) -> str:
    """Return the colour of a value that lies at a share between the worst and the best."""
    place = min(1.0, max(0.0, share)) * (len(COLOURS) - 1)
    first = min(int(place), len(COLOURS) - 2)
    mixed = [
        round(a + (b - a) * (place - first))
        for a, b in zip(COLOURS[first], COLOURS[first + 1], strict=True)
    ]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def parallel_coordinates(trials: Sequence[Row], sweep: Sweep, best: Row | None) -> str:
    """Return the drawing: an axis per parameter that varies, then one of the metric.

    Args:
        trials: The trials; those without a value are left out.
        sweep: The sweep.
        best: The trial to stress.
    """
    drawn = sorted(
        (row for row in trials if row.value is not None and row.state in ("complete", "pruned")),
        key=lambda row: (row is best, (row.value or 0.0) * (1 if sweep.maximize else -1)),
    )  # the best on top
    if not drawn:
        return "<p>No trial has a value yet.</p>"
    varied = {key: p for key, p in sweep.parameters.items() if len(p.extremes()) > 1}
    values = [row.value for row in drawn if row.value is not None]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    places = [SIDE + i * (WIDTH - 2 * SIDE) / max(1, len(varied)) for i in range(len(varied) + 1)]
    metric_ticks = [(s, f"{low + span * s:.4g}") for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    marks = [*(ticks(parameter) for parameter in varied.values()), metric_ticks]
    labels: list[str] = []  # drawn last, so that no line hides them
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Parallel coordinates">']
    for index, (x, name) in enumerate(zip(places, [*varied, sweep.metric], strict=True)):
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{BOTTOM}"/>')
        lift = 18 * (index % 2)  # long names of neighbours do not meet
        parts.append(
            f'<text x="{x:.1f}" y="{TOP - 12 - lift}" text-anchor="middle">'
            f"<title>{escape(name)}</title>{escape(short_name(name))}</text>"
        )
        for share, text in marks[index]:
            labels.append(
                f'<text class="quiet" x="{x + 5:.1f}" y="{_height(share) + 4:.1f}">'
                f"{escape(text)}</text>"
            )
    for row in drawn:
        assert row.value is not None  # by the selection above
        share = (row.value - low) / span
        shares = [axis_position(p, row.parameters[key]) for key, p in varied.items()]
        points = " ".join(
            f"{x:.1f},{_height(s):.1f}" for x, s in zip(places, [*shares, share], strict=True)
        )
        kinds = [row.state, *(["best"] if row is best else [])]
        settings = ", ".join(f"{short_name(k)} {v}" for k, v in row.parameters.items())
        parts.append(
            f'<polyline class="{" ".join(kinds)}" points="{points}" '
            f'stroke="{colour(share if sweep.maximize else 1.0 - share)}"><title>trial '
            f"{row.number}: {escape(sweep.metric)} {row.value:.5g}; {escape(settings)}"
            f"</title></polyline>"
        )
    return "\n".join([*parts, *labels, "</svg>"])


def short_name(key: str) -> str:
    """Return the last part of a dotted option, which is what differs.

    Example:
        >>> short_name("model.init_args.ema_decay"), short_name("val/psnr")
        ('ema_decay', 'val/psnr')
    """
    return key.rpartition(".")[2]


def _height(share: float) -> float:
    """Return the vertical place of a share of an axis; 0 is at its lower end."""
    return BOTTOM - (BOTTOM - TOP) * share
