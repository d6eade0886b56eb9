"""Rehearsal of a sweep: two steps of one training, so that mistakes show before the first trial."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from magenet.errors import StoppedError, UsageError
from magenet.sweeps.sweep_file import Sweep
from magenet.sweeps.training import LOG, fit_command, logged_names, reason, start

SHORT = (
    "--trainer.max_steps=2", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=2",
    "--trainer.val_check_interval=null", "--trainer.check_val_every_n_epoch=1",
    "--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false",
)  # fmt: skip
"""Options that end a training after two steps and a short validation."""


def rehearse(sweep: Sweep, options: Sequence[str], received: Sequence[int] = ()) -> None:
    """Train two steps of the sweep's first point and validate, in a temporary folder.

    All values are given to the command line, which reads each of them; the last one given counts.

    Args:
        sweep: The sweep.
        options: Further options of `magenet fit`.
        received: Signals that have come; the first one ends the rehearsal.

    Raises:
        UsageError: If a parameter is no option, a value is refused, the training fails in another
            way, or it does not log the metric.
        StoppedError: After a signal.
    """
    first = {key: parameter.extremes()[0] for key, parameter in sweep.parameters.items()}
    every = [
        f"--{key}={value}"
        for key, parameter in sweep.parameters.items()
        for value in reversed(parameter.extremes())
    ]
    with tempfile.TemporaryDirectory(prefix="magenet-sweep-") as name:
        folder, log = Path(name, "rehearsal"), Path(name, LOG)
        command = fit_command(sweep, first, [*every, *options, *SHORT], folder)
        training = start(command, log)
        try:
            while not training.ended(0.2):
                if received:
                    raise StoppedError("stopped before the first trial", 128 + received[0])
        finally:
            training.end_now()
        if training.returncode != 0:
            why = reason(log, training.returncode)
            raise UsageError(f"{sweep.path}: a training of this sweep fails: {why}")
        names = logged_names(folder)
    if sweep.metric not in names:
        near = get_close_matches(sweep.metric, names, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(
            f"{sweep.path}: metric.name: a training logs no '{sweep.metric}'{meant}; it logs "
            f"{', '.join(names)}"
        )
