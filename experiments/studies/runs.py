"""Trainings and tests of a study: what is done already is not done again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.configurations import BASE

TRAINED = "trained"
"""File in the folder of a training that was not stopped before its end."""

RECIPE = "recipe.txt"
"""File in the folder of a training: its options and configurations, which a resumed one shares."""


def run(*arguments: str) -> None:
    """Run the command line `magenet`.

    Raises:
        CalledProcessError: If it fails; its message is on the screen.
    """
    subprocess.run([sys.executable, "-m", "magenet.main", *arguments], check=True)


def as_options(configs: Sequence[Path]) -> tuple[str, ...]:
    """Return the options of the command line for configurations, in their order."""
    return tuple(part for path in configs for part in ("--config", str(path)))


class Runs:
    """The trainings and tests of a study, each in a folder of its own.

    Args:
        folder: Folder of the study, such as `runs/ablation`.
        layers: Further configurations of every training and test, the last of all.
    """

    def __init__(self, folder: Path, layers: Sequence[Path] = ()) -> None:
        self.folder = folder
        self.layers = layers

    def checkpoint(self, name: str) -> Path:
        """Return the checkpoint of a training."""
        return self.folder / name / "checkpoints" / "best.ckpt"

    def train(self, name: str, configs: Sequence[Path], *options: str) -> Path:
        """Train, unless that was done to its end, and return the checkpoint.

        A training that was stopped goes on from its last resume point, if there is one and options
        and configurations are the same; else it starts anew.

        Args:
            name: Of the training; its folder.
            configs: Configurations after `base.yaml`.
            options: Further options.
        """
        folder = self.folder / name
        checkpoint = self.checkpoint(name)
        if (folder / TRAINED).is_file():
            return checkpoint
        recipe = folder / RECIPE
        wanted = "\n".join(
            [*options, *(path.read_text() for path in (BASE, *configs, *self.layers))]
        )
        goes_on = recipe.is_file() and recipe.read_text() == wanted
        goes_on = goes_on and any(checkpoint.parent.glob("step_*.ckpt"))
        if not goes_on:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            recipe.write_text(wanted)
        run(
            "fit", *as_options([BASE, *configs]), *options, *as_options(self.layers),
            *self._logged(name), "--checkpoint.dirpath", str(checkpoint.parent),
            *(("--ckpt_path", "last") if goes_on else ()),
        )  # fmt: skip
        (folder / TRAINED).touch()
        return checkpoint

    def test(self, name: str, configs: Sequence[Path], suffix: str = "tested") -> Path:
        """Test the network of a training, unless that was done, and return the folder of the test.

        Args:
            name: Of the training.
            configs: Configurations after its own.
            suffix: Of the name of the test's folder, where there are several tests.
        """
        folder = self.folder / f"{name}_{suffix}"
        if not (folder / "scores.csv").is_file():
            configs = [self.folder / name / "config.yaml", *configs, *self.layers]
            run(
                "test", *as_options(configs),
                "--ckpt_path", str(self.checkpoint(name)), "--trainer.devices", "1",
                *self._logged(folder.name),
            )  # fmt: skip
        return folder

    def _logged(self, version: str) -> tuple[str, ...]:
        """Return the options that name the folder of a run."""
        return (
            "--trainer.logger.init_args.save_dir", str(self.folder.parent),
            "--trainer.logger.init_args.name", self.folder.name,
            "--trainer.logger.init_args.version", version,
        )  # fmt: skip
