"""Parser of `magenet fit|validate|test|predict`: plain help, and a mistake in one line."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser

import data_modules
from magenet.commands.experiment_help import example
from magenet.commands.named_configs import named
from magenet.commands.parser import did_you_mean, options_meant

PUBLIC = (
    data_modules.__name__, "magenet.tasks", "magenet.models", "magenet.models.peers",
    "magenet.losses", "magenet.targets", "magenet.degradation", "magenet.callbacks",
    "magenet.evaluation",
)  # fmt: skip
"""Modules whose classes a configuration may name: where a misspelt one is looked for."""

NO_CLASS = (
    r"Problem with given class_path '([^']+)':|Expected a path but (\S+) either"
    r"|module '([\w.]+)' has no attribute '(\w+)'"
)
"""Parts of jsonargparse's messages on a class that it does not find, with the class's path."""

NO_SUBCLASS = r"Import path (\S+) does not correspond to a subclass of (\w+)"

NO_INIT_ARGS = r"\{'class_path': '([\w.]+)', '(?!init_args|dict_kwargs)(\w+)': "
"""Part of a message that shows a class whose options stand beside its path."""

UNION = "Does not validate against any of the Union subtypes"
WITHOUT_CLASS = (
    ": options of a class need the class first, as --model.losses.ssim magenet.losses.SSIMTerm"
)

PARTS = (
    "; what is trained begins with --model., photographs with --data., the run with --trainer.: "
    "--model.losses.edge.weight"
)
"""Where an option's name is near none: most often its beginning is missing."""

MOST_KEYS = 20
"""Keys of a class that are all listed where none is near what was written (our choice)."""


class OneLineParser(LightningArgumentParser):
    """Argument parser that reports a mistake on the command line in one line.

    jsonargparse makes a parser of this class for each class that a configuration names, too, so
    that a misspelt key meets the one that knows the others.
    """

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
        """Print where the mistake is, what it is and what was meant, and exit with status 2."""
        sys.stderr.write(f"magenet: error: {self._helpful(message)}\n")
        sys.exit(2)

    def _helpful(self, message: str) -> str:
        """Return jsonargparse's message in one line, with what was meant."""
        if needs := re.match(r"the following arguments are required: (\w+)\.(data|model)", message):
            return (
                f"{needs[1]} needs an experiment's --config (with model and data), for example: "
                f"{example(needs[1])}"
            )
        if message.startswith('Parser key "trainer.logger"'):
            if self.prog.split()[-1:] == ["predict"]:
                return "trainer.logger: a prediction has none; leave it out of the layers"
            return without_base("trainer.logger has no class")
        if key := re.match(r"Option '([^']+)' is not accepted", message):
            keys = [known for known in self._keys() if not known.endswith(("help", "+"))]
            there = f"; there are {', '.join(keys)}" if len(keys) <= MOST_KEYS else ""
            if key[1] == "class_path":
                return f"options beside a class_path: put them below init_args{there}"
            return key[0] + (did_you_mean(key[1], keys) or there)
        if key := re.match(r"Subcommand '(\w+)' does not accept option '([^']+)'", message):
            return f"{key[0]}{did_you_mean(key[2], self._keys(key[1]))}"
        if file := re.search(r"File does not exist: '([^']+)'", message):
            return missing_file(Path(file[1]))
        key = re.match(r'Parser key "([^"]+)":\s*', message)
        where = f"{key[1]}: " if key else ""
        for path in re.findall(r"class_path'?[:=]? '([\w.]+)'", message):
            if fault := import_fault(path):
                return where + fault
        if path := re.search(NO_CLASS, message):
            name = ".".join(part for part in path.groups() if part)
            if not _is_importable(name):
                return f"{where}no class '{name}'{class_meant(name)}{module_here(name)}"
        if beside := re.search(NO_INIT_ARGS, message):
            return f"{where}{beside[2]} beside class_path {beside[1]}: put it below init_args"
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        reasons = [line for line in lines if not line.startswith(("Parser key", "Problem"))]
        if wrong := re.search(NO_SUBCLASS, message):
            return f"{where}{wrong[1]} is no {wrong[2]}: derive it from that class"
        if key and reasons:
            wrong = re.match(r"Expected an? <class '(\w+)'>\. Got value: (.*)", reasons[0])
            if wrong:
                return f"{where}expected {wrong[1]}, got {wrong[2]}"
            return where + reasons[0] + (WITHOUT_CLASS if UNION in reasons[0] else "")
        parts = lines[:1]
        if reasons and reasons[0] != lines[0]:
            parts.append(reasons[0])
        line = " ".join(parts)
        meant = options_meant(line, self._option_string_actions)
        if not meant and line.startswith("unrecognized arguments: --"):
            return line + PARTS
        return line + meant

    def _keys(self, subcommand: str | None = None) -> list[str]:
        """Return the keys that a configuration may have here, or for a subcommand."""
        parser: argparse.ArgumentParser = self
        if subcommand is not None:
            maps = (action.choices for action in self._actions)
            parser = next(choices for choices in maps if isinstance(choices, dict))[subcommand]
        options = parser._option_string_actions
        return [option[2:] for option in options if option.startswith("--")]


def without_base(reason: str) -> str:
    """Return what to do about a run whose base configuration was forgotten."""
    return f"{reason}: give --config magenet:base before the experiment's"


def missing_file(path: Path) -> str:
    """Return that a configuration is missing, and the one that was meant.

    Args:
        path: The file.
    """
    shown = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else path
    meant = did_you_mean(path.name, [file.name for file in path.parent.glob("*.yaml")])
    if not meant and (name := named(path)):
        meant = f" (did you mean {name}?)"
    return f"{shown}: no such configuration{meant}"


def import_fault(path: str) -> str:
    """Return why the module of a class that is there cannot be imported, or nothing.

    Args:
        path: Class path.
    """
    module = path.rpartition(".")[0]
    try:
        if not module or importlib.util.find_spec(module) is None:
            return ""
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module + ".").startswith(error.name + "."):
            return ""  # the module itself is not there, or a package of it
        return f"{module} cannot be imported: {error}"
    except SyntaxError as error:
        return f"{module} cannot be imported: {error.msg} (line {error.lineno})"
    except Exception as error:  # a module of somebody's own can raise anything
        return f"{module} cannot be imported: {type(error).__name__}: {error}"
    return ""


def module_here(path: str) -> str:
    """Return what to do where a class is in a file of this folder that Python does not look for.

    Args:
        path: Class path.
    """
    module = path.partition(".")[0]
    if not Path(f"{module}.py").is_file() or _is_importable(module):
        return ""
    return f"; {module}.py is in this folder: put PYTHONPATH=. before the command"


def class_meant(path: str) -> str:
    """Return a question that names the public class that is nearest to a class path, or nothing.

    Args:
        path: Class path, or a bare name.

    Example:
        >>> class_meant("magenet.models.peers.UNett")
        ' (did you mean magenet.models.peers.UNet?)'
    """
    module, _, name = path.rpartition(".")
    known = {
        known: f"{public}.{known}"
        for public in PUBLIC
        for known in getattr(import_module(public), "__all__", ())
    }
    if module and module not in PUBLIC and _is_importable(module):  # another library's
        known = {known: f"{module}.{known}" for known in _names(module)}
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {known[near[0]]}?)" if near else ""


def _names(module: str) -> Iterable[str]:
    """Return the names that a module has."""
    return dir(import_module(module))


def _is_importable(path: str) -> bool:
    """Return whether a dotted path leads to a module, or to something in one."""
    module, _, name = path.rpartition(".")
    try:
        import_module(path)
    except (ImportError, ValueError):
        try:
            return hasattr(import_module(module), name)
        except (ImportError, ValueError):
            return False
    return True


def _plain(text: str) -> str:
    """Return a docstring's text without the markup of Sphinx.

    Example:
        >>> _plain("Judges; :class:`FullReference` alone if ``None``")
        'Judges; FullReference alone if None'
    """
    return re.sub(r"(?::\w+:`~?(?:\w+\.)*(\w+)`)|``([^`]*)``", r"\1\2", text)
