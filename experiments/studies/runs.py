"""Trainings and tests of a study: what is done already is not done again."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.configurations import BASE, EXPERIMENTS
from experiments.studies.fingerprints import fingerprint
from magenet.checkpoints import latest_checkpoint
from magenet.errors import UserError

TRAINED = "trained"
"""File in the folder of a training that was not stopped before its end."""

NAMED_FILE = re.compile(r"[\w./-]+\.(?:ckpt|pt|csv)\b")
"""Path of a checkpoint, a model or a table in a configuration."""

RECIPE = "recipe.txt"
"""File in the folder of a training or test: its options, and the fingerprints of their files."""


def run(*arguments: str) -> None:
    """Run the command line `magenet`.

    Raises:
        CalledProcessError: If it fails; its message is on the screen.
    """
    subprocess.run([sys.executable, "-m", "magenet.main", *arguments], check=True)


def as_options(configs: Sequence[Path]) -> tuple[str, ...]:
    """Return the options of the command line for configurations, in their order."""
    return tuple(part for path in configs for part in ("--config", str(path)))


def recipe_of(options: Sequence[str]) -> str:
    """Return options, one a line, and every file among them with its fingerprint.

    Files that a configuration names, such as judges, structure targets and labels, follow it. Files
    of the repository are named by their place in it, so the recipe is that of any clone.
    """
    lines = []
    for option in options:
        if not Path(option).is_file():
            lines.append(option)
            continue
        path = Path(option).resolve()
        root = EXPERIMENTS.parent.resolve()
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else option
        lines.append(f"{name} {fingerprint(path)}")
        if option.endswith(".yaml"):
            named = NAMED_FILE.findall(path.read_text(encoding="utf-8"))
            lines += [f"  {one} {fingerprint(Path(one))}" for one in named if Path(one).is_file()]
    return "\n".join(lines)


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

        A training that was stopped goes on from its last resume point; without one it starts anew.
        Its recipe must be the same: options, and contents of the configurations and checkpoints
        that they name.

        Args:
            name: Of the training; its folder.
            configs: Configurations after `base.yaml`.
            options: Further options.

        Raises:
            UserError: If the training was done by another recipe, to its end or to a resume point,
                or its last validation was lost.
        """
        folder, checkpoint = self.folder / name, self.checkpoint(name)
        command = self._training(name, configs, options)
        recipe, wanted = folder / RECIPE, recipe_of(command)
        done, stopped = (folder / TRAINED).is_file(), any(checkpoint.parent.glob("step_*.ckpt"))
        if (done or stopped) and not (recipe.is_file() and recipe.read_text() == wanted):
            raise UserError(
                f"{folder}: was trained by another recipe, see {RECIPE} there: delete or move the "
                "folder"
            )
        if done:
            return checkpoint
        if stopped:
            run(*command, "--ckpt_path", str(latest_checkpoint(checkpoint.parent)))
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            recipe.write_text(wanted)
            run(*command)
        if not checkpoint.is_file():
            raise UserError(f"{folder}: the training ended without a checkpoint: delete the folder")
        (folder / TRAINED).touch()
        return checkpoint

    def training_recipe(self, name: str, configs: Sequence[Path], *options: str) -> str:
        """Return the recipe that :meth:`train` would train by."""
        return recipe_of(self._training(name, configs, options))

    def test(self, name: str, configs: Sequence[Path], suffix: str = "tested") -> Path:
        """Test a trained network, unless it was tested so, and return the folder of the test.

        Args:
            name: Of the training.
            configs: Configurations after its own.
            suffix: Of the name of the test's folder, where there are several tests.
        """
        folder = self.folder / f"{name}_{suffix}"
        command = (
            "test", *as_options([self.folder / name / "config.yaml", *configs, *self.layers]),
            "--ckpt_path", str(self.checkpoint(name)), "--trainer.devices", "1",
            *self._logged(folder.name),
        )  # fmt: skip
        recipe, wanted = folder / RECIPE, recipe_of(command)
        if not (recipe.is_file() and recipe.read_text() == wanted):
            run(*command)
            recipe.write_text(wanted)
        return folder

    def _training(
        self, name: str, configs: Sequence[Path], options: Sequence[str]
    ) -> tuple[str, ...]:
        """Return the command of a training."""
        return (
            "fit", *as_options([BASE, *configs]), *options, *as_options(self.layers),
            *self._logged(name), "--checkpoint.dirpath", str(self.checkpoint(name).parent),
        )  # fmt: skip

    def _logged(self, version: str) -> tuple[str, ...]:
        """Return the options that name the folder of a run."""
        return (
            "--trainer.logger.init_args.save_dir", str(self.folder.parent),
            "--trainer.logger.init_args.name", self.folder.name,
            "--trainer.logger.init_args.version", version,
        )  # fmt: skip
