"""Loggers of a run beside the CSV files of its folder, and the name of the run in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import Logger

UNNAMED = ("ckpt_path", "loggers", "trainer.logger", "output", "print_config")
"""Options that do not tell what a run tries."""

LONGEST = 120
"""Characters of a name, at most: W&B allows 128."""


def every_logger(first: Any, more: Sequence[Logger]) -> list[Logger]:
    """Return all loggers of a trainer, those that its options name first.

    Args:
        first: `trainer.logger`: a logger, several, a bool or None.
        more: The others.
    """
    if isinstance(first, Logger):
        return [first, *more]
    return [*(first if isinstance(first, list) else []), *more]


def name_runs(options: Any, arguments: Sequence[str]) -> None:
    """Name the run in each logger by the experiment and what the command line adds to it.

    `phantoms_mean_teacher,tiny,decay=0.2` is a run of this experiment with a layer and an option.
    A logger's own name comes before these.

    Args:
        options: Configuration of the run, whose `loggers` are changed.
        arguments: Of the command line, from the subcommand on.
    """
    added = list(_added(arguments[1:]))
    of_experiment = getattr(options.trainer.logger, "init_args", None)
    experiment = getattr(of_experiment, "name", None) or "run"
    for logger in options.loggers:
        of_logger = getattr(logger, "init_args", {})
        if "name" in of_logger:
            of_logger["name"] = ",".join([of_logger["name"] or experiment, *added])[:LONGEST]


def folder_of_staged_files(loggers: Sequence[Any]) -> str | None:
    """Return the folder for the files that W&B still has to upload, or None without W&B.

    W&B's own choice is the home folder, which may be small, or gone before a run that was offline
    is uploaded.
    """
    for logger in loggers:
        if logger.class_path.endswith("WandbLogger"):  # or the one of numbers alone
            return str(Path(logger.init_args.save_dir or ".", "wandb").absolute())
    return None


def refusal(error: Exception) -> str | None:
    """Return why W&B does not log, and what to do; None for an error that is not W&B's."""
    if not type(error).__module__.startswith("wandb."):
        return None
    return (
        f"Weights & Biases: {' '.join(str(error).split())}; to log without an account or a "
        "connection: WANDB_MODE=offline before the command"
    )


def _added(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the layers and options of a command line, each in a few letters."""
    configs = 0
    for key, value in _options(arguments):
        if key == "config":
            configs += 1
            if configs > 1 and (layer := _layer(Path(value))):
                yield layer
        elif not any(f"{key}.".startswith(f"{unnamed}.") for unnamed in UNNAMED):
            value = re.sub(r"^([A-Za-z_]\w*\.)+(?=\w+$)", "", value)  # a class without its path
            yield re.sub(r"[^\w.=+-]+", "_", f"{key.rpartition('.')[2]}={value}")


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the key and the value of each option, written `--key=value` or `--key value`."""
    words = iter(arguments)
    for word in words:
        if word.startswith("--"):
            key, given, value = word.removeprefix("--").partition("=")
            yield key.rstrip("+"), value if given else next(words, "")


def _layer(path: Path) -> str | None:
    """Return the name of a layer; None for an experiment, which names its runs, or for loggers."""
    if not path.is_file():
        return None
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    logger = content.get("trainer", {}).get("logger")
    is_experiment = isinstance(logger, dict) and "name" in logger.get("init_args", {})
    of_loggers = all(key.startswith("loggers") for key in content)
    return None if is_experiment or of_loggers else path.stem
