"""Run an experiment: `magenet fit|validate|test|predict`, on Lightning's command line."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from jsonargparse import set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
)
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf.errors import OmegaConfBaseException

from data_modules import *  # noqa: F403  # so that bare class names are known on the command line
from magenet.allocator import keep_freed_memory
from magenet.callbacks.logged import finish
from magenet.callbacks.prediction_writer import EnhancedPhotographWriter
from magenet.callbacks.resume_point import ResumePoint
from magenet.checkpoints import (
    VerifiedCheckpointIO,
    latest_checkpoint,
    named_classes,
    read_checkpoint,
)
from magenet.commands.experiment_faults import (
    config_fault,
    last_line,
    lost_process,
    value_fault,
)
from magenet.commands.experiment_help import SUBCOMMANDS, example
from magenet.commands.experiment_parser import OneLineParser, without_base
from magenet.commands.experiment_trainer import ExperimentTrainer, choose_precision
from magenet.commands.named_configs import with_paths
from magenet.commands.run_configuration import (
    RunConfigCallback,
    keep_earlier_run,
    runs_folder,
)
from magenet.commands.run_loggers import every_logger, folder_of_staged_files, name_runs, refusal
from magenet.errors import StoppedError, UsageError, UserError
from magenet.evaluation import Scores
from magenet.library_warnings import silence_libraries
from magenet.tasks.base import FundusTask
from magenet.tasks.enhancement import EnhancementTask

LEFT = {
    "fit": "; what was saved before is whole",
    "predict": "; what is written is whole",
}
"""What a run that was stopped leaves; a validation and a test write nothing before their end."""

TITLES = {
    "trainer": "Trainer (of Lightning)",
    "model": "What is trained, or enhances: a class of magenet.tasks",
    "data": "Photographs: a class of data_modules",
    "checkpoint": "Checkpoint of the best network of a training (of Lightning)",
}
"""Titles of groups in the help that Lightning's docstrings are cut for."""


def main(arguments: list[str] | None) -> int:
    """Run the command line and return the exit status: 0, or 1 if a photograph failed.

    Args:
        arguments: As on the command line; those of the process if None.

    Raises:
        UserError: For errors that the user can correct.
    """
    given = with_paths(sys.argv[1:] if arguments is None else arguments)
    command = next(iter(given), "")
    try:
        cli = run(given)
    except FileNotFoundError as error:
        raise UserError(last_line(error)) from None
    except UserError as error:
        error.args = (last_line(error),)
        raise
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's answer to Ctrl-C
            raise StoppedError(f"stopped by Ctrl-C{LEFT.get(command, '')}") from None
        raise
    except OmegaConfBaseException as error:
        raise UsageError(config_fault(error)) from None
    except MisconfigurationException as error:
        raise UsageError(f"trainer: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"a config file is no text in UTF-8 ({error})") from None
    except torch.OutOfMemoryError:
        raise UserError(
            "the GPU has too little memory: use a smaller --data.batch_size (or "
            "--data.window_size, --data.image_size), or --trainer.precision bf16-mixed"
        ) from None
    except RuntimeError as error:
        if reason := lost_process(error):
            after = "; go on with --ckpt_path last" if command == "fit" else ""
            raise UserError(
                f"another process of this run has ended or cannot be reached ({reason}){after}"
            ) from None
        raise
    except Exception as error:
        if reason := refusal(error):
            raise UserError(reason) from None
        raise
    if cli.subcommand == "predict":
        return _report(cli.trainer)
    return 0


def run(arguments: ArgsType = None) -> MageNetCLI:
    """Run the command line.

    Args:
        arguments: As on the command line; those of the process if None.

    Returns:
        The finished run, with `model`, `datamodule` and `trainer`.

    Raises:
        UserError: For errors that the user can correct.
    """
    silence_libraries()
    set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    cli = MageNetCLI(
        LightningModule,
        LightningDataModule,
        trainer_class=ExperimentTrainer,
        args=arguments,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        parser_class=OneLineParser,
        parser_kwargs={
            "prog": "magenet",
            "parser_mode": "omegaconf+",
            **{
                name: {"description": f"{entry.purpose} For example: {example(name)}"}
                for name, entry in SUBCOMMANDS.items()
            },
        },
        seed_everything_default=0,
        save_config_callback=RunConfigCallback,
        save_config_kwargs={"overwrite": True},  # a test may be repeated; a fit gets a new folder
    )
    finish(cli.trainer.loggers)
    return cli


class MageNetCLI(LightningCLI):
    """LightningCLI with our checkpointing, our prediction writer and one-line errors."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add `--loggers`, `--checkpoint.*`, `--resume_point.*`, `--output.*`, `--scores.*`."""
        parser.add_argument(
            "--loggers",
            type=list[Logger],
            default=[],
            help="Loggers beside trainer.logger, which has the run's folder",
        )
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val/psnr",
                "checkpoint.mode": "max",
                "checkpoint.filename": "best",
                "checkpoint.enable_version_counter": False,  # `best-v1.ckpt` is read by nobody
            }
        )
        parser.add_lightning_class_args(ResumePoint, "resume_point")
        parser.add_lightning_class_args(EnhancedPhotographWriter, "output")
        parser.add_lightning_class_args(Scores, "scores")
        assert parser.groups is not None  # filled by the classes above
        for name, title in TITLES.items():
            parser.groups[name].title = title

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and check the checkpoint before anything is built from it."""
        super().parse_arguments(parser, args)
        given = sys.argv[1:] if args is None else args
        self.arguments = list(given) if isinstance(given, (list, tuple)) else []
        subcommand = self.config.get("subcommand")
        self._requested_model: dict[str, Any] = {}
        if subcommand is None:
            return
        options = self.config[subcommand]
        if subcommand != "predict" and options.trainer.logger in (None, True):
            raise UsageError(without_base("trainer.logger is not set"))
        self.trusted = named_classes(options.model.as_dict())
        seed = options.seed_everything
        if not isinstance(seed, bool) and isinstance(seed, int) and not 0 <= seed < 1 << 32:
            raise UsageError(f"seed_everything must lie between 0 and 2^32 - 1, got {seed}")
        checkpoint = options.get("ckpt_path")
        if not checkpoint:
            return
        if checkpoint == "last":
            checkpoint = options["ckpt_path"] = str(latest_checkpoint(_experiment_folder(options)))
            print(f"magenet: the last checkpoint is {checkpoint}", file=sys.stderr)
        # Before anything is built from its hyperparameters.
        if "pytorch-lightning_version" not in read_checkpoint(checkpoint, trusted=self.trusted):
            raise UserError(f"{checkpoint}: holds weights alone, without what a run needs")
        if subcommand != "predict":  # its configuration leaves the network to the checkpoint
            self._requested_model = _flat(options.model.as_dict())

    def before_instantiate_classes(self) -> None:
        """Choose the precision, name the run, print model options that the checkpoint overrides."""
        options = self.config[self.subcommand]
        self._choose_precision(options.trainer)
        keep_earlier_run(options, self.subcommand)
        name_runs(options, self.arguments)
        if folder := folder_of_staged_files(options.loggers):
            os.environ.setdefault("WANDB_DATA_DIR", folder)
        if self.subcommand != "fit":  # callbacks of a checkpoint matter to one that goes on
            warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")
        if not self._requested_model:
            return
        used = _flat(options.model.as_dict())
        asked = self._requested_model  # without the keys below what is null
        for key in sorted(asked.keys() | used.keys()):
            if asked.get(key) != used.get(key):
                print(
                    f"magenet: from the checkpoint: model.{key} = {used.get(key)} "
                    f"(asked for: {asked.get(key)})",
                    file=sys.stderr,
                )

    def _choose_precision(self, trainer: Any) -> None:
        """Set the precision that the processor is faster in if none is given, and say so.

        The configuration that is saved then names it, so that a resumed training keeps it.
        """
        given = None if trainer.precision is None else str(trainer.precision)
        trainer.precision, message = choose_precision(given, str(trainer.accelerator))
        if message:
            rank_zero_only(print)(message, file=sys.stderr)

    def instantiate_classes(self) -> None:
        """Build model, data and trainer; a value that a class rejects is a mistake of the user.

        Raises:
            UsageError: With the message of the class.
        """
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise UsageError(value_fault(error)) from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return the trainer, which writes and reads checkpoints with their hash.

        Raises:
            UsageError: If it rejects an option.
        """
        options = self.config_init[self.subcommand]
        plugins = options.trainer.plugins
        given = plugins if isinstance(plugins, list) else [plugins] if plugins else []
        kwargs["plugins"] = [*given, VerifiedCheckpointIO(self.trusted)]
        if loggers := options.loggers:
            kwargs["logger"] = every_logger(options.trainer.logger, loggers)
        try:
            return super().instantiate_trainer(**kwargs)
        except (TypeError, ValueError) as error:
            raise UsageError(f"trainer: {error}") from None

    def after_instantiate_classes(self) -> None:
        """Raise if the model cannot be scored or cannot predict.

        Raises:
            UsageError: If it is untrained, or no enhancer.
        """
        if self.subcommand not in ("validate", "test", "predict"):
            return
        if self.subcommand == "predict" and not isinstance(self.model, EnhancementTask):
            raise UsageError(
                f"{type(self.model).__name__} enhances nothing: predict needs an enhancer"
            )
        checkpoint = self.config[self.subcommand].get("ckpt_path")
        learns = self.model.learns if isinstance(self.model, FundusTask) else True
        if learns and not checkpoint:
            raise UsageError(f"{self.subcommand} needs a trained network: give its --ckpt_path")

    def before_fit(self) -> None:
        """Let the process keep its memory from step to step."""
        keep_freed_memory()


def _report(trainer: Trainer) -> int:
    """Print where the results are and what was not enhanced, and return the exit status."""
    writers = [
        callback
        for callback in trainer.callbacks  # type: ignore[attr-defined]
        if isinstance(callback, EnhancedPhotographWriter)
    ]
    for writer in writers:
        writer.report_failures()
        if trainer.is_global_zero:
            print(f"results and their listing: {writer.folder}")
    return 1 if any(writer.failures for writer in writers) else 0


def _experiment_folder(options: Any) -> Path:
    """Return the folder of an experiment's runs, as its logger names it, or of the one it names.

    Raises:
        UsageError: If the logger is configured in another way than ours.
    """
    try:
        return runs_folder(options.trainer.logger.init_args)
    except (AttributeError, TypeError):
        raise UsageError(
            "--ckpt_path last needs trainer.logger with save_dir and name; give the file's path"
        ) from None


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return `{dotted key: value}` of a nested dictionary."""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            result.update(_flat(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result
