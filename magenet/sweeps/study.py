"""Optuna's study of a sweep: its journal, and who trains which trial."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magenet.atomic_write import make_folder
from magenet.errors import UserError
from magenet.folder_lock import FolderInUseError, FolderLock
from magenet.sweeps.sweep_file import Sweep

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

JOURNAL = "journal.log"


@dataclass(frozen=True)
class Claim:
    """A trial that this process trains, and nobody else until it ends.

    Attributes:
        trial: The trial.
        folder: Its folder.
        lock: Lock of the folder.
    """

    trial: Trial
    folder: Path
    lock: FolderLock


def trial_folder(out: Path, number: int) -> Path:
    """Return the folder of a trial, counted from zero; the name counts from one, as people do."""
    return out / f"trial_{number + 1:03d}"


def require_optuna() -> None:
    """Import Optuna, which is an extra.

    Raises:
        UserError: If it is missing.
    """
    try:
        import optuna
    except ImportError:
        raise UserError("magenet sweep needs Optuna: pip install 'magenet[sweep]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def open_study(sweep: Sweep, out: Path, options: Sequence[str]) -> Study:
    """Open the study in a folder, or create it.

    Args:
        sweep: The sweep.
        out: Folder of the sweep.
        options: Further options of `magenet fit`.

    Raises:
        UserError: If the folder holds another sweep.
    """
    import optuna

    from magenet.sweeps.journal import open_journal

    make_folder(out)
    pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if sweep.pruning is not None:
        pruner = optuna.pruners.SuccessiveHalvingPruner(sweep.pruning.first, sweep.pruning.factor)
    with sweep_lock(out):
        study = optuna.create_study(
            storage=open_journal(out / JOURNAL), study_name="sweep", pruner=pruner,
            direction="maximize" if sweep.maximize else "minimize", load_if_exists=True,
        )  # fmt: skip
        asked, stored = _identity(sweep, options), study.user_attrs.get("sweep")
        if stored is None:
            study.set_user_attr("sweep", asked)
        elif differing := [key for key in asked if asked[key] != stored.get(key)]:
            raise UserError(
                f"{out}: holds trials of another sweep ({', '.join(differing)} differ from those "
                f"of {sweep.path}); choose another folder with --out"
            )
    return study


@contextlib.contextmanager
def sweep_lock(out: Path) -> Iterator[None]:
    """Let one process at a time choose a trial or write results; the others wait a moment."""
    from magenet.sweeps.journal import take

    lock = FolderLock(out, ".sweep.lock")
    take(lock)
    try:
        yield
    finally:
        lock.release()


def claim(study: Study, sweep: Sweep, out: Path, started: datetime) -> Claim | None:
    """Return the next trial to train.

    First one that a killed process has left, then a new one. A trial that failed before this
    process started is as if it had never been tried.

    Args:
        study: The study.
        sweep: The sweep.
        out: Folder of the sweep.
        started: When this process started.

    Returns:
        The trial, or None if all are finished or trained by other processes.
    """
    with sweep_lock(out):
        trials = study.get_trials()
        for trial in trials:
            if (left := _adopted(study, sweep, out, trial)) is not None:
                return left
        counted = [trial for trial in trials if not _failed_before(trial, started)]
        if len(counted) >= sweep.count():
            return None
        number = _ask(study, sweep, counted, len(trials))
        folder = trial_folder(out, number)
        make_folder(folder)
        lock = _lock(folder)
        lock.acquire()
        return Claim(_running(study, number), folder, lock)


def others_run(study: Study) -> bool:
    """Return whether other processes train trials."""
    from optuna.trial import TrialState

    return bool(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def _ask(study: Study, sweep: Sweep, counted: list[FrozenTrial], number: int) -> int:
    """Start the next trial, and return its number.

    Args:
        study: The study.
        sweep: The sweep.
        counted: Trials whose points are not tried again.
        number: Number of the next trial. It seeds the sampler, so that a resumed sweep draws what
            an uninterrupted one would have drawn.
    """
    import optuna

    distributions = {key: p.distribution() for key, p in sweep.parameters.items()}
    if sweep.method == "grid":
        tried = [trial.params for trial in counted]
        point = next(point for point in sweep.grid() if point not in tried)
        study.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.RUNNING, params=point, distributions=distributions
            )
        )
        return number
    if sweep.method == "random":
        study.sampler = optuna.samplers.RandomSampler(seed=number)
    else:  # constant_liar: trials that other processes train count as bad meanwhile
        study.sampler = optuna.samplers.TPESampler(seed=number, constant_liar=True)
    return study.ask(distributions).number


def _adopted(study: Study, sweep: Sweep, out: Path, trial: FrozenTrial) -> Claim | None:
    """Return a trial if nobody trains it although it is not finished."""
    from optuna.trial import TrialState

    if trial.state != TrialState.RUNNING:
        return None
    folder = trial_folder(out, trial.number)
    make_folder(folder)
    lock = _lock(folder)
    try:
        lock.acquire()
    except FolderInUseError:
        return None
    # Its process may have finished it since the trials were read: it releases the lock last.
    now = study.get_trials(deepcopy=False)[trial.number]
    if now.state == TrialState.RUNNING and trial.params.keys() == sweep.parameters.keys():
        return Claim(_running(study, trial.number), folder, lock)
    if now.state == TrialState.RUNNING:  # killed while it was drawn
        study.tell(trial.number, state=TrialState.FAIL)
    lock.release()
    return None


def _running(study: Study, number: int) -> Trial:
    """Return a trial to report to."""
    import optuna

    return optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def _lock(folder: Path) -> FolderLock:
    """Return the lock of a trial; its process holds it, and so does its training."""
    return FolderLock(folder, ".trial.lock")


def _failed_before(trial: FrozenTrial, started: datetime) -> bool:
    """Return whether a trial failed before this process started."""
    from optuna.trial import TrialState

    ended = trial.datetime_complete
    return trial.state == TrialState.FAIL and ended is not None and ended < started


def _identity(sweep: Sweep, options: Sequence[str]) -> dict[str, Any]:
    """Return what makes two sweeps the same; more trials may be asked for later."""
    identity = asdict(sweep)
    del identity["path"], identity["trials"]
    identity["options"] = list(options)
    read_back: dict[str, Any] = json.loads(json.dumps(identity))  # tuples become lists
    return read_back
