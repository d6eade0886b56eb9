"""The scores of the evidence as CSV and as a page: means, and differences from the last method."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magenet.atomic_write import atomic_write
from magenet.errors import UserError
from magenet.evaluation.statistics import (
    LEAST_PATIENTS,
    bootstrap_interval,
    paired_comparison,
)
from magenet.evaluation.tables import Cells

SCORES, PAGE = "scores.csv", "README.md"
"""Files in the folder of the evidence."""

FAST = ", fast"
"""Ending of the name of a method that is used with the option `--fast`."""

REAL, CEILING = "pairs, real", "pairs, ceiling"
"""Parts of the real pairs, and of pairs of two good photographs of one eye."""

UNTOUCHED = "untouched"
"""The method that does nothing."""

SAMPLES = 9999
"""Bootstrap samples of a share of the gap."""


class Row(NamedTuple):
    """A score of a photograph.

    Attributes:
        part: What was measured, and the set that the photograph is from.
        patient: Whose photograph it is.
        method: What enhanced it.
        score: Name of the score, with the number of the draw behind it where there are several.
        value: NaN where it is not defined.
    """

    part: str
    patient: str
    method: str
    score: str
    value: float


def read_rows(folder: Path) -> list[Row]:
    """Return the rows of an earlier run in the folder; none if there was none.

    Raises:
        UserError: If the file is not one of these.
    """
    path = folder / SCORES
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        lines = csv.reader(stream)
        if next(lines, None) != list(Row._fields):
            raise UserError(
                f"{path}: not written by this study; remove it, or choose another --out"
            )
        return [Row(line[0], line[1], line[2], line[3], float(line[4])) for line in lines]


def merged(earlier: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return new rows, and those earlier ones whose method and part were not measured again.

    Methods keep the order in which they were first measured.
    """
    again = {(row.method, row.part.split(",")[0]) for row in rows}
    kept = [row for row in earlier if (row.method, row.part.split(",")[0]) not in again]
    order = list(dict.fromkeys(row.method for row in (*earlier, *rows)))
    return sorted((*kept, *rows), key=lambda row: order.index(row.method))


def pair_table(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Cells]:
    """Return the real pairs as lines of a table, for :func:`magenet.evaluation.tables.as_markdown`.

    Args:
        rows: Scores of all methods.
        labels: Name of the row of each method; others are left out.
    """
    table = []
    for (part, score), methods in _by_score(rows).items():
        for method, own in methods.items():
            if part != REAL or method not in labels:
                continue
            patients = [row.patient for row in own]
            interval = bootstrap_interval([row.value for row in own], patients)
            numbers = {name: str(value) for name, value in interval._asdict().items()}
            counts = {"photographs": str(len(own)), "patients": str(len(set(patients)))}
            head = {"row": labels[method], "condition": "pair", "score": score}
            table.append(head | numbers | counts)
    return table


HEAD = """\
# Evidence

Made by `python -m experiments.studies.evidence`: good val photographs (detail, invention, harm) \
and real pairs of one eye; the modules of `experiments/studies/evidence` say what each score \
means. Scores of each photograph: [scores.csv](scores.csv).

`untouched` does nothing, `mage_net` is the released network and `mage_net_0.1` that of release \
0.1; `fast` is its option `--fast`. "network" among the vessel scores is our segmenter. PSNR and \
SSIM of real pairs are after matching colours. `..._contrast` is the change of a lesion's \
contrast: 0 is unchanged, above 0 easier to see.
"""
"""Head of the page."""


def write(folder: Path, rows: Sequence[Row], head: str = HEAD) -> None:
    """Write the scores and the page, with the differences from the last method that is not fast.

    Args:
        folder: Where.
        rows: The scores.
        head: Title of the page, and what is on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / SCORES) as part, part.open("w", newline="") as stream:
        csv.writer(stream).writerow(Row._fields)
        csv.writer(stream).writerows((*row[:4], f"{row.value:.5g}") for row in rows)
    whole = [row.method for row in rows if not row.method.endswith(FAST)]
    reference = (whole or [rows[-1].method])[-1]
    lines = [
        head,
        f"Mean and 95 % interval over patients, of {LEAST_PATIENTS} patients or more:", "",
        *table(rows), "",
        f"## Difference of {reference} from each other method", "",
        "On the same photographs: mean, 95 % interval, and p of a paired permutation test over "
        "patients, not corrected for their number. Of two patients, as in CHASE_DB1, p is 0.5 at "
        "least.", "",
        *differences(rows, reference),
        *gaps(rows),
    ]  # fmt: skip
    (folder / PAGE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(rows: Sequence[Row]) -> list[str]:
    """Return the scores as a table: mean and 95 % interval over patients.

    Where methods were measured on different numbers of photographs, each cell says on how many.
    """
    found = _by_score(rows)
    named = list(dict.fromkeys(row.method for row in rows))
    lines = [f"| | score | {' | '.join(named)} |", "|---" * (len(named) + 2) + "|"]
    for (part, score), methods in found.items():
        alike = len({len(own) for own in methods.values()}) == 1
        cells = [
            _mean(own) + ("" if alike or not own else f", of {len(own)}")
            for own in (methods.get(method, []) for method in named)
        ]
        lines.append(f"| {part} | {score} | {' | '.join(cells)} |")
    return lines


def differences(rows: Sequence[Row], reference: str) -> list[str]:
    """Return a table of the paired differences of a method from each other one."""
    others = [name for name in dict.fromkeys(row.method for row in rows) if name != reference]
    lines = [f"| | score | {' | '.join(others)} |", "|---" * (len(others) + 2) + "|"]
    for (part, score), methods in _by_score(rows).items():
        own = methods.get(reference, [])
        cells = [_difference(own, methods.get(method, [])) for method in others]
        if any(cells):
            lines.append(f"| {part} | {score} | {' | '.join(cells)} |")
    return lines


def gaps(rows: Sequence[Row]) -> list[str]:
    """Return how much of the gap from doing nothing to the ceiling each method closes, as lines.

    The ceiling is measured on other eyes than the real pairs, so the interval is of bootstrap
    samples of the patients of both; empty where either was not measured.
    """
    lines = []
    for (part, score), methods in _by_score(rows).items():
        of_ceiling = (CEILING, UNTOUCHED, score)
        ceiling = [r for r in rows if r[:1] + r[2:4] == of_ceiling and not isnan(r.value)]
        if part != REAL or not score.startswith("vessel Dice") or not ceiling:
            continue
        start, goal = methods.get(UNTOUCHED, []), _resampled(ceiling)
        for method, own in methods.items():
            if method != UNTOUCHED and len(own) == len(start):
                pairs = zip(own, start, strict=True)
                known = [pair for pair in pairs if not any(isnan(row.value) for row in pair)]
                reached, before = map(_resampled, zip(*known, strict=True))
                shares = (reached - before) / (goal - before)
                low, high = np.quantile(shares[1:], (0.025, 0.975))
                lines.append(f"| {score} | {method} | {shares[0]:.2f} ({low:.2f} to {high:.2f}) |")
    patients = len({row.patient for row in rows if row.part == CEILING})
    head = [
        "", "## Gap to the ceiling", "",
        f"Share of the gap from doing nothing to two good photographs of one eye ({patients} other "
        "patients) that a method closes, with 95 % interval over the patients of both.", "",
        "| score | method | share |", "|---|---|---|",
    ]  # fmt: skip
    return head + lines if lines else []


def _resampled(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return the mean of scores, then of :data:`SAMPLES` bootstrap samples of their patients.

    Samples are the same for all methods on the same photographs.
    """
    values = np.array([row.value for row in rows])
    names, indices = np.unique([row.patient for row in rows], return_inverse=True)
    sums, counts = np.bincount(indices, weights=values), np.bincount(indices)
    generator = np.random.default_rng(len(names))
    drawn = generator.integers(len(names), size=(SAMPLES, len(names)))
    drawn = np.concatenate([np.arange(len(names))[None], drawn])
    means: NDArray[np.float64] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means


def _by_score(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Return the rows by part and score, then by method; draws of a score are together."""
    found: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(dict)
    for row in rows:
        key = row.part, row.score.split(" [")[0]
        found[key].setdefault(row.method, []).append(row)
    return found


def _mean(rows: Sequence[Row]) -> str:
    """Return a mean with its interval; the mean alone where there are few patients."""
    known = [row for row in rows if row.value == row.value]
    if len({row.patient for row in known}) < LEAST_PATIENTS:
        return f"{fmean(row.value for row in known):.3f}" if known else ""
    interval = bootstrap_interval([row.value for row in known], [row.patient for row in known])
    return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _difference(own: Sequence[Row], other: Sequence[Row]) -> str:
    """Return the paired difference of two methods; empty where they were not measured alike."""
    if [(r.patient, r.score) for r in own] != [(r.patient, r.score) for r in other]:
        return ""
    pairs = [
        (a, b) for a, b in zip(own, other, strict=True) if a.value - b.value == a.value - b.value
    ]
    patients = [a.patient for a, _ in pairs]
    if len(set(patients)) < 2:
        return ""
    found = paired_comparison([a.value for a, _ in pairs], [b.value for _, b in pairs], patients)
    interval = "" if isnan(found.low) else f" ({found.low:+.3f} to {found.high:+.3f})"
    return f"{found.difference:+.3f}{interval}, p {found.p:.3f}"
