"""Results of a sweep: one row per trial, in `trials.csv` and on the screen."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magenet.atomic_write import atomic_write
from magenet.sweeps.parameter import Value
from magenet.sweeps.study import trial_folder
from magenet.sweeps.sweep_file import Sweep
from magenet.sweeps.training import CSV_LOGGER

if TYPE_CHECKING:
    from optuna import Study

TABLE = "trials.csv"


@dataclass(frozen=True)
class Row:
    """What became of one trial.

    Attributes:
        number: Its number, from one on.
        state: `complete`, `pruned`, `failed` or `running`.
        value: Best value of the metric that it logged; None if none.
        parameters: Value of each parameter.
        seconds: Time that it was trained.
        folder: Its folder.
        reason: Why it failed; empty otherwise.
    """

    number: int
    state: str
    value: float | None
    parameters: dict[str, Value]
    seconds: float
    folder: Path
    reason: str


def rows(study: Study, sweep: Sweep, out: Path) -> list[Row]:
    """Return the row of each trial, in the order in which they were started."""
    result = []
    for trial in study.get_trials(deepcopy=False):
        values = list(trial.intermediate_values.values())
        best = (max if sweep.maximize else min)(values) if values else None
        state = {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower())
        attributes = trial.user_attrs
        result.append(
            Row(
                trial.number + 1, state, best, trial.params, attributes.get("seconds", 0.0),
                trial_folder(out, trial.number), attributes.get("reason", ""),
            )
        )  # fmt: skip
    return result


def best_row(trials: Sequence[Row], maximize: bool) -> Row | None:
    """Return the best trial that was trained to its end; None if there is none."""
    complete = [row for row in trials if row.state == "complete" and row.value is not None]
    sign = 1 if maximize else -1
    return max(complete, key=lambda row: sign * (row.value or 0.0), default=None)


def write_table(path: Path, trials: Sequence[Row], sweep: Sweep) -> None:
    """Write the rows as CSV, with a column per parameter.

    Args:
        path: File to write.
        trials: The rows.
        sweep: The sweep.
    """
    header = ["trial", "state", sweep.metric, *sweep.parameters, "seconds", "folder", "reason"]
    with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for row in trials:
            parameters = [row.parameters.get(key, "") for key in sweep.parameters]
            value = "" if row.value is None else row.value
            writer.writerow(
                [row.number, row.state, value, *parameters, round(row.seconds, 1),
                 row.folder.as_posix(), row.reason]
            )  # fmt: skip


def training_command(sweep: Sweep, row: Row, options: Sequence[str]) -> str:
    """Return the command that trains a trial again, for a shell.

    It logs to CSV files alone, since the sweep's own command may log to W&B, too.

    Args:
        sweep: The sweep.
        row: The trial.
        options: Further options of `magenet fit`.
    """
    logger = [f"--trainer.logger={CSV_LOGGER}", "--trainer.logger.save_dir=runs",
              f"--trainer.logger.name=best_of_{sweep.path.stem}", "--loggers=[]"]  # fmt: skip
    return shlex.join([*sweep.words(row.parameters), *options, *logger])
