"""The configuration of a run: saved beside its results; the link `latest` to a training's."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only

LATEST = "latest"
"""Name of the link to the latest training, in the folder of all runs."""

TRAINED = "train/"
"""Start of the columns that only a training's log has."""


METRICS = "metrics.csv"
"""Log of a run in its folder."""


def runs_folder(logger: Any) -> Path:
    """Return the folder of an experiment's runs, or of the one that its logger names.

    Args:
        logger: Arguments of Lightning's CSV logger, which names a run of version 3 `version_3`.

    Raises:
        AttributeError, TypeError: If they are those of another logger.
    """
    folder, version = Path(logger.save_dir, logger.name), logger.version
    if version is None:
        return folder
    return folder / (version if isinstance(version, str) else f"version_{version}")


def keep_earlier_run(options: Any, subcommand: str | None) -> None:
    """Let a run replace no training's log where a configuration names its folder (`version`).

    Lightning's CSV logger deletes the log that it finds in its folder. A saved configuration names
    the folder of its training: a test by it gets a folder of its own. A training that goes on, or
    starts anew, in a folder keeps the log that is there beside its own.

    Args:
        options: Of the subcommand.
        subcommand: `fit`, `validate`, `test` or `predict`.
    """
    arguments: Any = getattr(options.trainer.logger, "init_args", None)
    version = getattr(arguments, "version", None)
    if version is None:
        return
    log = runs_folder(arguments) / METRICS
    if not log.is_file():
        return
    if subcommand != "fit":
        if TRAINED in log.read_text(encoding="utf-8").partition("\n")[0]:
            arguments.version = None
    elif rank_zero_only.rank == 0:  # type: ignore[attr-defined]  # set by Lightning
        moment = time.strftime("%Y-%m-%dT%H-%M-%S", time.localtime(log.stat().st_mtime))
        log.rename(log.with_name(f"{log.stem}_until_{moment}{log.suffix}"))


class RunConfigCallback(SaveConfigCallback):
    """Save a run's configuration beside its results, and in the loggers that are not CSV."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save, unless the run has no folder of its own; let `latest` lead to a training's."""
        if not trainer.loggers:
            return
        super().setup(trainer, pl_module, stage)
        run = trainer.log_dir  # asked for by every process: they agree on it
        if stage == "fit" and trainer.is_global_zero and trainer.logger and run:
            link_latest(Path(trainer.logger.save_dir or "."), Path(run))

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save in the loggers; called on the first rank only."""
        options = self.config.as_dict()
        options.pop("config", None)  # the files that the options were read from
        for logger in trainer.loggers:
            if not isinstance(logger, CSVLogger):
                logger.log_hyperparams(options)


def link_latest(folder: Path, run: Path) -> None:
    """Let the link `latest` in a folder lead to a run's own folder, wherever both are moved.

    Without a word where there are no links, or something else has this name.

    Args:
        folder: Folder of the link, such as `runs`.
        run: Folder of the run.
    """
    link, part = folder / LATEST, folder / f".{LATEST}.{os.getpid()}.part"
    if link.exists() and not link.is_symlink():
        return
    with contextlib.suppress(OSError):
        part.symlink_to(os.path.relpath(run, folder), target_is_directory=True)
        part.replace(link)
