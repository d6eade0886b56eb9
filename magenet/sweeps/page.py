"""Page of a sweep: parallel coordinates, importance and a table, in one file without scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from magenet import pages
from magenet.sweeps.coordinates import parallel_coordinates, short_name
from magenet.sweeps.results import Row, best_row
from magenet.sweeps.sweep_file import Sweep

if TYPE_CHECKING:
    from optuna import Study

TEMPLATE = Path(__file__).with_name("page.html")

FEWEST = 4
"""Trials trained to their end without which no importance is given (our choice)."""

NOTE = (
    "Share of each parameter in what sets the best tenth of the trials apart (PED-ANOVA, Watanabe "
    "et al., IJCAI 2023), from those trained to their end. With few trials it is a hint, no "
    "measurement."
)


def write_page(path: Path, study: Study, trials: Sequence[Row], sweep: Sweep) -> None:
    """Write the page.

    Args:
        path: File to write.
        study: The study.
        trials: Row of each trial.
        sweep: The sweep.
    """
    best = best_row(trials, sweep.maximize)
    states = Counter(row.state for row in trials)
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    goal = "maximize" if sweep.maximize else "minimize"
    shares = importance(study)
    pages.write_page(
        path,
        TEMPLATE,
        name=escape(sweep.path.stem),
        summary=escape(f"{sweep.method}, {goal} {sweep.metric}; {counts}."),
        metric=escape(sweep.metric),
        coordinates=parallel_coordinates(trials, sweep, best),
        importance_note=escape(NOTE),
        importance=_bars(shares) if shares else _too_few(),
        table=_table(trials, sweep, best),
    )


def importance(study: Study) -> dict[str, float]:
    """Return the importance of each parameter that varies, the greatest first; they add to 1.

    Empty if fewer than :data:`FEWEST` trials were trained to their end, or their values are equal.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < FEWEST or len({trial.value for trial in complete}) == 1:
        return {}
    shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return shares if sum(shares.values()) > 0.0 else {}


def _bars(shares: Mapping[str, float]) -> str:
    """Return importances as a bar chart."""
    step, left, longest = 26, 260, 700
    parts = [
        f'<svg viewBox="0 0 1100 {step * len(shares) + 8}" role="img" aria-label="Importance">'
    ]
    for index, (key, share) in enumerate(shares.items()):
        y = step * index + 6
        parts.append(
            f'<text x="{left - 10}" y="{y + 13}" text-anchor="end"><title>{escape(key)}</title>'
            f"{escape(short_name(key))}</text>"
            f'<rect x="{left}" y="{y}" width="{longest * share:.1f}" height="16"/>'
            f'<text x="{left + longest * share + 8:.1f}" y="{y + 13}">{share:.2f}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _too_few() -> str:
    """Return what stands in the place of importances that cannot be told."""
    return f"<p>It takes {FEWEST} trials, trained to their end, with values that differ.</p>"


def _table(trials: Sequence[Row], sweep: Sweep, best: Row | None) -> str:
    """Return the rows of the table, the best value first, those without a value last."""
    sign = -1.0 if sweep.maximize else 1.0
    ordered = sorted(
        trials,
        key=lambda row: (row is not best, row.value is None, sign * (row.value or 0.0)),
    )
    names = ["trial", "state", sweep.metric, *map(short_name, sweep.parameters), "time", "reason"]
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"]
    for row in ordered:
        value = "" if row.value is None else f"{row.value:.5g}"
        parameters = [_number(row.parameters.get(key, "")) for key in sweep.parameters]
        cells = [
            str(row.number), row.state, value, *parameters, f"{row.seconds:.0f} s", row.reason,
        ]  # fmt: skip
        kind = ' class="best"' if row is best else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>")
    return "\n".join(lines)


def _number(value: object) -> str:
    """Return a parameter's value, short if it is a drawn number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
