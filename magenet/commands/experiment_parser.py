"""Parser of `magenet fit|validate|test|predict`: plain help, and a mistake in one line."""

from __future__ import annotations

import re
import sys
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

from magenet.commands.parser import options_meant

BASE = "experiments/configs/base.yaml"

RUNS = {
    "fit": "phantoms/supervised.yaml",
    "validate": "phantoms/supervised.yaml --ckpt_path best.ckpt",
    "test": "phantoms/supervised.yaml --ckpt_path best.ckpt",
    "predict": "predict.yaml --data.photographs PHOTOS --ckpt_path best.ckpt",
}
"""What comes after the base configuration in an example of each subcommand."""


class OneLineParser(LightningArgumentParser):
    """Argument parser that reports a mistake on the command line in one line."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.allow_abbrev = False  # a shortened option is more often a mistake

    def add_method_arguments(self, *arguments: Any, **options: Any) -> list[str]:
        """Add the arguments of a method of Lightning's trainer, under a title of our own."""
        added: list[str] = super().add_method_arguments(*arguments, **options)
        self._action_groups[-1].title = "Run"
        return added

    def format_help(self, *given: Any, **options: Any) -> str:
        """Return the help, with the docstrings that it is made of as plain text."""
        for action in self._actions:
            action.help = _plain(action.help) if action.help else action.help
        text: str = super().format_help(*given, **options)
        return text

    def error(self, message: str, ex: Exception | None = None) -> None:  # type: ignore[override]
        """Print where the mistake is and what it is, and exit with status 2."""
        if missing := re.match(
            r"the following arguments are required: (\w+)\.(data|model)", message
        ):
            message = (
                f"{missing[1]} needs an experiment's --config (with model and data), for example: "
                f"{example(missing[1])}"
            )
        elif message.startswith('Parser key "trainer.logger"'):
            message = f"trainer.logger has no class: give --config {BASE} before the experiment's"
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        reasons = [line for line in lines if not line.startswith(("Parser key", "Problem"))]
        parts = lines[:1]
        if reasons and reasons[0] != lines[0]:
            parts.append(reasons[0])
        line = " ".join(parts)
        meant = options_meant(line, self._option_string_actions)
        sys.stderr.write(f"magenet: error: {line}{meant}\n")
        sys.exit(2)


def example(name: str) -> str:
    """Return a command line of a subcommand that works in a clone of the repository.

    Args:
        name: Of the subcommand: `fit`, `validate`, `test` or `predict`.
    """
    configs = (BASE, "experiments/configs/runs/" + RUNS[name])
    return f"magenet {name} " + " ".join(f"--config {config}" for config in configs)


def _plain(text: str) -> str:
    """Return a docstring's text without the markup of Sphinx.

    Example:
        >>> _plain("Judges; :class:`FullReference` alone if ``None``")
        'Judges; FullReference alone if None'
    """
    return re.sub(r"(?::\w+:`~?(?:\w+\.)*(\w+)`)|``([^`]*)``", r"\1\2", text)
