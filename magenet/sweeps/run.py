"""Run a sweep: trial after trial, with results after each, until all are finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magenet.errors import StoppedError, UserError, printable
from magenet.plain_names import duration
from magenet.stop_signals import stoppable
from magenet.sweeps.page import write_page
from magenet.sweeps.rehearsal import rehearse
from magenet.sweeps.results import TABLE, Row, best_row, rows, training_command, write_table
from magenet.sweeps.study import (
    JOURNAL,
    Claim,
    claim,
    open_study,
    others_run,
    require_optuna,
    sweep_lock,
)
from magenet.sweeps.sweep_file import Sweep
from magenet.sweeps.trial import TrialOutcome, run_trial, tell

if TYPE_CHECKING:
    from optuna import Study

PAGE = "sweep.html"

FAILURES = 3
"""Trials in a row that may fail before the sweep stops (our choice; W&B's agent stops, too)."""

STOPPING = "the trial at hand saves a resume point first; once more stops at once"

WAIT = 1.0
"""Seconds between two checks whether a trial of another process has ended."""


def run_sweep(sweep: Sweep, out: Path, options: Sequence[str] = ()) -> None:
    """Train all trials of a sweep that are not finished, and write their results.

    Several processes may run the same sweep in one folder, each its own trials. A process that is
    killed, and started again, goes on with what was not finished.

    Args:
        sweep: The sweep.
        out: Folder of the sweep: the journal, a folder per trial, `trials.csv`, `sweep.html`.
        options: Further options of `magenet fit`, for each trial.

    Raises:
        UsageError: If the sweep's training fails at once, or does not log the metric.
        UserError: If Optuna is missing, the folder holds another sweep, or trial after trial
            fails.
        StoppedError: After Ctrl-C or SIGTERM.
    """
    started = datetime.now()
    require_optuna()
    goal = "maximize" if sweep.maximize else "minimize"
    print(
        f"{sweep.path}: {sweep.method}, {sweep.count()} trials, {goal} {sweep.metric}; results in "
        f"{printable(str(out))}",
        flush=True,
    )
    again = f"stopped; what is finished is in {out / TABLE}; the same command goes on"
    with stoppable(STOPPING, again) as received:
        if not (out / JOURNAL).exists():  # before it: a mistake leaves nothing behind
            print("rehearsal: two steps of one training", flush=True)
            rehearse(sweep, options, received)
        study = open_study(sweep, out, options)
        try:
            _run_trials(study, sweep, out, options, started, received)
        except StoppedError as stop:
            raise StoppedError(again, stop.status) from None
        finally:
            _write_results(study, sweep, out)
    _print_end(rows(study, sweep, out), sweep, out, options)


def _run_trials(
    study: Study,
    sweep: Sweep,
    out: Path,
    options: Sequence[str],
    started: datetime,
    received: Sequence[int],
) -> None:
    """Train trial after trial, until all of them, those of other processes too, are finished.

    Raises:
        UserError: If trial after trial fails.
        StoppedError: After a signal.
    """
    failures = 0
    waiting = False
    while True:
        claimed = claim(study, sweep, out, started)
        if claimed is None:
            if not others_run(study):
                return
            if not waiting:
                print("waiting for the trials of other processes", flush=True)
            waiting = True
            if received:
                raise StoppedError("stopped", 128 + received[0])
            time.sleep(WAIT)
            continue
        waiting = False
        outcome = _train(study, claimed, sweep, options, received)
        _write_results(study, sweep, out)
        _print_outcome(claimed.trial.number + 1, outcome, rows(study, sweep, out), sweep)
        failures = failures + 1 if outcome.state == "failed" else 0
        if failures == FAILURES:
            raise UserError(
                f"{FAILURES} trials in a row failed, the last one because: {outcome.reason}; see "
                f"{claimed.folder}; after a repair the same command goes on"
            )


def _train(
    study: Study, claimed: Claim, sweep: Sweep, options: Sequence[str], received: Sequence[int]
) -> TrialOutcome:
    """Train a trial, and note how it ended."""
    values = ", ".join(f"{key}={value}" for key, value in claimed.trial.params.items())
    print(f"trial {claimed.trial.number + 1} of {sweep.count()}: {values}", flush=True)
    try:
        outcome = run_trial(claimed, sweep, options, received)
        tell(study, claimed, outcome)
    finally:
        claimed.lock.release()  # last, so that no other process takes the trial for unfinished
    return outcome


def _write_results(study: Study, sweep: Sweep, out: Path) -> None:
    """Write the table and the page; one process at a time, so that the latest state stays."""
    with sweep_lock(out):
        trials = rows(study, sweep, out)
        write_table(out / TABLE, trials, sweep)
        write_page(out / PAGE, study, trials, sweep)


def _print_outcome(number: int, outcome: TrialOutcome, trials: Sequence[Row], sweep: Sweep) -> None:
    """Print how a trial ended, the best so far, and an estimate of the time left."""
    seconds = trials[number - 1].seconds
    value = f"{sweep.metric} {outcome.value:.5g}" if outcome.value is not None else "no value"
    parts = [f"trial {number}: {outcome.state}, {value}, {duration(seconds)}"]
    if outcome.reason:
        parts.append(printable(outcome.reason))
    if (best := best_row(trials, sweep.maximize)) is not None:
        parts.append(f"best {best.value:.5g} (trial {best.number})")
    finished = [row for row in trials if row.state in ("complete", "pruned")]
    left = sweep.count() - len(finished)
    if finished and left > 0:
        mean = sum(row.seconds for row in finished) / len(finished)
        parts.append(f"{left} left, about {duration(mean * left)}")
    print("; ".join(parts), flush=True)


def _print_end(trials: Sequence[Row], sweep: Sweep, out: Path, options: Sequence[str]) -> None:
    """Print the best trial and the command that trains it again.

    Raises:
        UserError: If no trial was trained to its end.
    """
    best = best_row(trials, sweep.maximize)
    if best is None:
        raise UserError(f"no trial was trained to its end; {out / TABLE} says why")
    print(
        f"best: trial {best.number}, {sweep.metric} {best.value:.5g}, in {best.folder}\n"
        f"train it again:\n  {training_command(sweep, best, options)}\n"
        f"all trials: {out / TABLE}; importance and parallel coordinates: {out / PAGE}"
    )
