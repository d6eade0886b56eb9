"""Run an experiment: `magenet fit|validate|test|predict`, on Lightning's command line."""

from __future__ import annotations

import logging
import os
import pickle
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from jsonargparse import set_parsing_settings
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
    SaveConfigCallback,
)
from lightning.pytorch.loggers import WandbLogger
from omegaconf.errors import OmegaConfBaseException

from data_modules import *  # noqa: F403  # so that bare class names are known on the command line
from magenet.allocator import keep_freed_memory
from magenet.callbacks.prediction_writer import EnhancedPhotographWriter
from magenet.callbacks.resume_point import ResumePoint
from magenet.errors import UsageError, UserError
from magenet.evaluation import Scores
from magenet.tasks.base import LOOK_EVERY
from magenet.tasks.enhancement import EnhancementTask


class OneLineParser(LightningArgumentParser):
    """Report a mistake on the command line in one line."""

    def error(self, message: str, ex: Exception | None = None) -> None:  # type: ignore[override]
        """Print the first line that says something, and exit with status 2."""
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith(("Parser key", "Problem"))] or lines
        first = " ".join(lines[:1] if lines[:1] == told[:1] else [*lines[:1], *told[:1]])
        sys.stderr.write(f"magenet: error: {first}\n")
        sys.exit(2)


class RunConfigCallback(SaveConfigCallback):
    """Keep a run's configuration beside its results, and in Weights & Biases where that is used."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save, unless the run has no folder of its own."""
        if trainer.loggers:
            super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Tell Weights & Biases; called on the first rank only."""
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update(self.config.as_dict(), allow_val_change=True)


class MageNetCLI(LightningCLI):
    """LightningCLI with our checkpointing, our writer, and errors for people."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `--checkpoint.*`, `--resume_point.*`, `--output.*` and `--scores.*`."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val/psnr",
                "checkpoint.mode": "max",
                "checkpoint.filename": "best",
            }
        )
        parser.add_lightning_class_args(ResumePoint, "resume_point")
        parser.add_lightning_class_args(EnhancedPhotographWriter, "output")
        parser.add_lightning_class_args(Scores, "scores")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and look at the checkpoint before anything is built from it."""
        super().parse_arguments(parser, args)
        subcommand = self.config.get("subcommand")
        self._asked: dict[str, Any] = {}
        if subcommand is None:
            return
        options = self.config[subcommand]
        path = options.get("ckpt_path")
        if not path:
            return
        _check_checkpoint(Path(path))
        if subcommand != "predict":  # whose configuration says that the network is the checkpoint's
            self._asked = _leaves(options.model.as_dict())

    def instantiate_classes(self) -> None:
        """Build everything; a value that a class refuses is a mistake on the command line.

        Raises:
            UserError: With what the class said.
        """
        try:
            super().instantiate_classes()
        except ValueError as error:
            # jsonargparse lists, after dashes, what each type of a union said; ours is among them.
            lines = [line.strip() for line in str(error).splitlines()]
            said = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
            ours = [x for x in said if not x.startswith(("Does not validate", "Expected a "))]
            raise UserError((ours or said or lines)[0]) from None

    def before_instantiate_classes(self) -> None:
        """Say which options the checkpoint's own description of the model overrules."""
        if self.subcommand == "fit":
            # A bar that shows the loss waits for the device: as rarely as the losses are looked at.
            os.environ.setdefault("TQDM_MINITERS", str(LOOK_EVERY))
        if not self._asked:
            return
        kept = _leaves(self.config[self.config.subcommand].model.as_dict())
        for key in sorted(self._asked.keys() & kept.keys()):
            if self._asked[key] != kept[key]:
                print(
                    f"magenet: from the checkpoint: model.{key} = {kept[key]} "
                    f"(asked for: {self._asked[key]})",
                    file=sys.stderr,
                )

    def before_fit(self) -> None:
        """Keep memory from step to step."""
        keep_freed_memory()

    def after_instantiate_classes(self) -> None:
        """Refuse to test or predict with what is untrained, or to predict with no enhancer.

        Raises:
            UserError: If the model is not an enhancer, or untrained.
        """
        if self.subcommand not in ("test", "predict"):
            return
        if self.subcommand == "predict" and not isinstance(self.model, EnhancementTask):
            raise UserError(
                f"{type(self.model).__name__} enhances nothing: predict needs an enhancer"
            )
        trained = self.config[self.subcommand].get("ckpt_path")
        if not trained and getattr(self.model, "learns", True):
            raise UserError(f"{self.subcommand} needs a trained network: give its --ckpt_path")


def _leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return `{dotted key: value}` of a nested dictionary."""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            result.update(_leaves(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result


def _check_checkpoint(path: Path) -> None:
    """Raise unless a file is a checkpoint of ours.

    Raises:
        UserError: If it is missing, cannot be read, or holds something else.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, OSError, ValueError, KeyError):
        raise UserError(f"{path}: not a checkpoint that can be read (or not a whole one)") from None
    for key in ("state_dict", "pytorch-lightning_version"):
        if not isinstance(content, dict) or key not in content:
            raise UserError(f"{path}: not a checkpoint of magenet: it holds no '{key}'")


def _hush() -> None:
    """Silence what a person at the shell can do nothing about, message by message."""
    for message in (
        # torchdata 0.11 and Lightning 2.6.6 call what torch 2.13 has deprecated.
        "'set_vital' is deprecated",
        ".*isinstance.treespec, LeafSpec.* is deprecated",
        # The teacher and a frozen segmenter are meant to be in evaluation mode.
        "Found .* module.s. in eval mode at the start of training",
        # The model summary counts parameters; it does not run them.
        "Precision bf16-mixed is not supported by the model summary",
    ):
        warnings.filterwarnings("ignore", message=message)
    # Lightning recommends its makers' logger before every run.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_no_advertisement)


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    """Return whether a message is about the run."""
    return "litlogger" not in record.getMessage()


def run(arguments: ArgsType = None) -> MageNetCLI:
    """Run the command line.

    Args:
        arguments: As on the command line; the process's own if None.

    Returns:
        The finished run, with `model`, `datamodule` and `trainer`.

    Raises:
        UserError: For anything the person at the shell can mend.
    """
    _hush()
    set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    return MageNetCLI(
        LightningModule,
        LightningDataModule,
        args=arguments,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        parser_class=OneLineParser,
        parser_kwargs={"parser_mode": "omegaconf+"},
        seed_everything_default=0,
        save_config_callback=RunConfigCallback,
        save_config_kwargs={"overwrite": True},  # a test may be repeated; a fit gets a new folder
    )


def _in_words(error: OmegaConfBaseException) -> str:
    """Return what is wrong with a config file, for the person who gave it."""
    first = str(error).splitlines()[0]
    if absent := re.search(r"Environment variable '(\w+)' not found", first):
        name = absent[1]
        return f"a config file asks for {name}, which is not set: export {name}=<its folder>"
    return f"in a config file: {first}"


def main(arguments: list[str] | None) -> int:
    """Run the command line and return the exit status: 0, or 1 if something could not be done.

    Raises:
        UserError: For anything the person at the shell can mend.
    """
    try:
        cli = run(arguments)
    except (UserError, FileNotFoundError) as error:
        # A worker's error comes wrapped in its traceback: the last line is name and message.
        raise UserError(
            re.sub(r"^[\w.]+Error: ", "", str(error).strip().splitlines()[-1])
        ) from None
    except OmegaConfBaseException as error:
        raise UsageError(_in_words(error)) from None
    if cli.subcommand == "test" and cli.trainer.is_global_zero:
        print(f"scores and pictures: {cli.trainer.log_dir}")
    if cli.subcommand == "predict":
        writers = [c for c in cli.trainer.callbacks if isinstance(c, EnhancedPhotographWriter)]  # type: ignore[attr-defined]
        for writer in writers:
            writer.report_failures()
        return 1 if any(writer.failures for writer in writers) else 0
    return 0
