"""One trial of a sweep: train, report each value of the metric, stop early if others do better."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from magenet.errors import StoppedError
from magenet.sweeps.study import Claim
from magenet.sweeps.sweep_file import Sweep
from magenet.sweeps.training import LOG, fit_command, logged_values, reason, start

if TYPE_CHECKING:
    from optuna import Study

POLL = 0.5
"""Seconds between two readings of what a training has logged."""


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended.

    Attributes:
        state: `complete`, `pruned` or `failed`.
        value: Best value of the metric; None if it has none.
        reason: Why it failed; empty otherwise.
    """

    state: Literal["complete", "pruned", "failed"]
    value: float | None
    reason: str = ""


def run_trial(
    claim: Claim, sweep: Sweep, options: Sequence[str], received: Sequence[int] = ()
) -> TrialOutcome:
    """Train a trial; one that a killed sweep has left goes on from its last resume point.

    Its value is the best one logged, since that is the checkpoint that a training keeps; the
    pruner, too, sees the best one so far.

    Args:
        claim: The trial.
        sweep: The sweep.
        options: Further options of `magenet fit`.
        received: Signals that have come; the first one stops the training.

    Raises:
        StoppedError: After a signal; the training has saved a resume point, if it could.
    """
    trial, folder, log = claim.trial, claim.folder, claim.folder / LOG
    more = [*options, "--trainer.enable_progress_bar=false"]  # a log is no terminal
    if any(folder.glob("version_*/checkpoints/step_*.ckpt")):
        more.append("--ckpt_path=last")
    before = time.monotonic() - trial.user_attrs.get("seconds", 0.0)
    earlier = len(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
    training = start(fit_command(sweep, trial.params, more, folder), log, claim.lock)
    best = max if sweep.maximize else min
    try:
        ended = False
        while not ended:
            if received:
                training.stop()
                raise StoppedError("stopped", 128 + received[0])
            ended = training.ended(POLL)
            values = logged_values(folder, sweep.metric)
            for count in range(earlier + 1, len(values) + 1):
                trial.report(best(values[:count]), count)
                if not ended and trial.should_prune():
                    training.stop()
                    return TrialOutcome("pruned", best(values[:count]))
            earlier = max(earlier, len(values))
    finally:
        training.end_now()
        trial.set_user_attr("seconds", time.monotonic() - before)
    value = best(values) if values else None
    if training.returncode != 0:
        return TrialOutcome("failed", value, reason(log, training.returncode))
    if value is None:
        return TrialOutcome("failed", None, f"it logged no number as {sweep.metric}")
    return TrialOutcome("complete", value)


def tell(study: Study, claim: Claim, outcome: TrialOutcome) -> None:
    """Note in the journal how a trial ended.

    Args:
        study: The study.
        claim: The trial.
        outcome: How it ended.
    """
    from optuna.trial import TrialState

    if outcome.state == "complete":
        study.tell(claim.trial.number, outcome.value)
        return
    if outcome.reason:
        claim.trial.set_user_attr("reason", outcome.reason)
    state = TrialState.PRUNED if outcome.state == "pruned" else TrialState.FAIL
    study.tell(claim.trial.number, state=state)
