"""The page of a run: curves, scores per type of degradation, sheets, what differs, environment."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from magenet import pages
from magenet.evaluation.summary import LOWER_IS_BETTER, SIGNED
from magenet.evaluation.tables import LABELS
from magenet.hashing import DIGEST
from magenet.installation import BASE
from magenet.plain_names import plain_name
from magenet.run_report.curves import LINES, chart, grouped
from magenet.run_report.differences import differences
from magenet.run_report.run_folder import RunFolder, runs_of

TEMPLATE = Path(__file__).with_name("page.html")

OPEN_TABLES = 2
"""Tables of scores that are shown at once; a click opens the others (our choice)."""

SHEET_SIDE, SHEET_QUALITY = 1800, 85
"""Longest side of a sheet on the page, in pixels, and its quality as JPEG (our choice)."""


def write_report(run: Path, path: Path) -> None:
    """Write the page of a training and its tests, or of a test alone.

    Args:
        run: Folder of the training, or of one of its tests.
        path: File to write.

    Raises:
        UserError: If no run has written to the folder, or the page cannot be written.
    """
    training, tests = runs_of(run)
    shown = training or tests[0]
    base = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    changes = differences(shown.config, base)
    pages.write_page(
        path, TEMPLATE,
        name=escape(shown.name),
        summary=escape(_summary(training, tests)),
        curves=_curves(training),
        tests="\n".join(map(_test, tests)) or "<p>None of its networks is tested yet.</p>",
        differences=_table(("key", "value"), changes) if changes else "<p>Nothing is known.</p>",
        environment=_environment(shown, tests),
    )  # fmt: skip


def _summary(training: RunFolder | None, tests: Sequence[RunFolder]) -> str:
    """Return what was trained and tested, in one sentence."""
    count = f"{len(tests)} {'test' if len(tests) == 1 else 'tests'}"
    if training is None:
        return f"{count} of a method or network whose training is not beside it."
    last = max(step for points in training.log.values() for step, _ in points)
    text = f"Logged up to step {last:,}; {count}."
    checkpoint = training.config.get("checkpoint", {})
    points = training.log.get(checkpoint.get("monitor") or "")
    if not points:
        return text
    choose = max if checkpoint.get("mode") == "max" else min
    step, best = choose(points, key=lambda point: point[1])
    return f"{text} Best {plain_name(checkpoint['monitor'])}: {best:.4g}, at step {step:,}."


def _curves(training: RunFolder | None) -> str:
    """Return a chart of each score of a training, with the names of its lines."""
    if training is None:
        return "<p>The training is not in this folder or beside it.</p>"
    log = {key: points for key, points in training.log.items() if not key.startswith("test")}
    monitor = str(training.config.get("checkpoint", {}).get("monitor") or "")
    figures = []
    for score, lines in grouped(log, monitor).items():
        names = " ".join(
            f'<span class="line{index % LINES}">{escape(name)} {points[-1][1]:.4g}</span>'
            for index, (name, points) in enumerate(lines.items())
        )
        figures.append(
            f"<figure><figcaption><b>{escape(score)}</b> {names}</figcaption>"
            f"{chart(lines, score)}</figure>"
        )
    return "\n".join(figures)


def _test(test: RunFolder) -> str:
    """Return the part of the page on a test: a table for each score, and its sheets."""
    chosen = test.provenance.get("chosen", "unknown")
    name = test.provenance.get("checkpoint", "unknown")
    parts = [
        f"<h3>{escape(test.name)}</h3>",
        f"<p>Checkpoint: {escape(str(name))} ({escape(str(chosen))}).</p>",
    ]
    scores = list(dict.fromkeys(line["score"] for line in test.scores))
    for index, score in enumerate(scores):
        opened = " open" if index < OPEN_TABLES else ""
        parts.append(
            f"<details{opened}><summary>{escape(_direction(score))}</summary>"
            f"{_scores(test.scores, score)}</details>"
        )
    return "\n".join([*parts, *map(_sheet, test.sheets)])


def _direction(score: str) -> str:
    """Return the name of a score, with which values are better."""
    if score in SIGNED:
        return f"{plain_name(score)} (best at 0)"
    lower = score in LOWER_IS_BETTER
    return f"{plain_name(score)} ({'lower' if lower else 'higher'} is better)"


def _scores(summaries: Iterable[dict[str, Any]], score: str) -> str:
    """Return the table of a score: a line for each subject, a column for each degradation.

    A mean is marked as better or worse than doing nothing where the 95 % interval of the mean
    difference excludes 0.
    """
    cells = {(s["subject"], s["condition"]): s for s in summaries if s["score"] == score}
    subjects = list(dict.fromkeys(subject for subject, _ in cells))
    conditions = list(dict.fromkeys(condition for _, condition in cells))
    head = "".join(f"<th>{escape(c.replace('_', ' '))}</th>" for c in conditions)
    lines = [f"<tr><th></th>{head}</tr>"]
    for subject in subjects:
        row = "".join(_cell(cells.get((subject, condition)), score) for condition in conditions)
        lines.append(f"<tr><th>{escape(LABELS.get(subject, subject))}</th>{row}</tr>")
    return f'<div class="panel"><table>{"".join(lines)}</table></div>'


def _cell(summary: dict[str, Any] | None, score: str) -> str:
    """Return a cell: the mean, its interval, and whether it is better than doing nothing."""
    if summary is None:
        return "<td>–</td>"  # noqa: RUF001
    mean, low, high = (summary[key] for key in ("mean", "low", "high"))
    digits = 2 if abs(mean) >= 5 else 3
    text = f"{mean:.{digits}f}"
    if low is not None:
        text += f" <small>[{low:.{digits}f}, {high:.{digits}f}]</small>"
    least: Any = summary.get("difference_low")
    most: Any = summary.get("difference_high")
    kind, meaning = "", f"{summary['photographs']} photographs of {summary['patients']} patients"
    known = least is not None and most is not None and score not in SIGNED
    if known and (least > 0.0 or most < 0.0):
        better = (least > 0.0) != (score in LOWER_IS_BETTER)
        kind = f' class="{"better" if better else "worse"}"'
        meaning += f"; {'better' if better else 'worse'} than doing nothing by "
        meaning += f"{abs(summary['difference']):.3g}"
    return f'<td{kind} title="{escape(meaning)}">{text}</td>'


def _sheet(path: Path) -> str:
    """Return a sheet of photographs as a part of the page, reduced."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except OSError:  # of a run that was killed while it wrote the sheet
        return f"<p>{escape(path.name)} cannot be read.</p>"
    small.thumbnail((SHEET_SIDE, SHEET_SIDE))
    stream = io.BytesIO()
    small.save(stream, "jpeg", quality=SHEET_QUALITY)
    data = base64.b64encode(stream.getvalue()).decode()
    columns = escape(path.stem.replace("_", ", "))
    return (
        f'<figure class="sheet"><img alt="{columns}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{columns}</figcaption></figure>"
    )


def _environment(shown: RunFolder, tests: Sequence[RunFolder]) -> str:
    """Return what training and tests were made with: a column for each run."""
    runs = {shown.name: shown.environment, **{t.name: t.provenance for t in tests}}
    known = {name: facts for name, facts in runs.items() if facts}
    if not known:
        return "<p>It was not recorded: the run is without the callback Provenance.</p>"
    keys = list(dict.fromkeys(key for facts in known.values() for key in facts))
    rows = [
        (key.replace("_", " "), *(_short(key, facts.get(key, "")) for facts in known.values()))
        for key in keys
    ]
    return _table(("", *known), rows)


def _short(key: str, value: object) -> str:
    """Return a fact; of a hash the beginning."""
    return str(value)[:DIGEST] if key.endswith("sha256") else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts."""
    lines = ["".join(f"<th>{escape(text)}</th>" for text in head)]
    lines += ["".join(f"<td>{escape(text)}</td>" for text in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="panel"><table class="texts">{body}</table></div>'
