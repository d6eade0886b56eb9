"""A sweep file in W&B's format: what is tried, how it is searched, and which score decides."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from magenet.errors import UsageError
from magenet.sweeps.parameter import Parameter, Value, read_parameter

KEYS = (
    "name", "description", "project", "entity", "program", "command", "method", "metric",
    "parameters", "early_terminate", "run_cap",
)  # fmt: skip
"""Keys of a sweep file. The first five matter to W&B alone."""

METHODS = ("grid", "random", "bayes")

ARGUMENTS = "${args}"
"""Word of the command in whose place W&B's agent puts the parameters."""


@dataclass(frozen=True)
class Pruning:
    """W&B's hyperband: successive halving at the values number `first`, `first * factor`, ...

    Attributes:
        first: Values of the metric that a trial logs before it is first compared.
        factor: One trial of `factor` goes on from each comparison to the next.
    """

    first: int
    factor: int


@dataclass(frozen=True)
class Sweep:
    """Content of a sweep file.

    Attributes:
        path: The file.
        method: `grid`, `random` or `bayes`.
        metric: The logged score that decides.
        maximize: Whether more of it is better.
        parameters: Values of each option, by its name on the command line without dashes.
        command: Words of the command of one trial; one of them is :data:`ARGUMENTS`.
        pruning: When trials are stopped early; None for never.
        trials: Most trials; None for all points of a grid.
    """

    path: Path
    method: str
    metric: str
    maximize: bool
    parameters: dict[str, Parameter]
    command: tuple[str, ...]
    pruning: Pruning | None
    trials: int | None

    def words(self, values: Mapping[str, Value]) -> list[str]:
        """Return the command of a trial, word by word, as W&B's agent would run it.

        Args:
            values: Value of each parameter.
        """
        options = [f"--{key}={value}" for key, value in values.items()]
        place = self.command.index(ARGUMENTS)
        return [*self.command[:place], *options, *self.command[place + 1 :]]

    def grid(self) -> list[dict[str, Value]]:
        """Return the points of a grid, in the order in which they are tried."""
        product = itertools.product(*(p.points() for p in self.parameters.values()))
        points = [dict(zip(self.parameters, point, strict=True)) for point in product]
        return points[: self.trials]

    def count(self) -> int:
        """Return the number of trials."""
        if self.method == "grid":
            return len(self.grid())
        assert self.trials is not None  # checked by read_sweep
        return self.trials


def read_sweep(path: Path, trials: int | None = None) -> Sweep:
    """Return the content of a sweep file.

    Args:
        path: The file.
        trials: Most trials, instead of the file's `run_cap`.

    Raises:
        UsageError: If it cannot be read, or something in it is no sweep or not supported.

    References:
        W&B, "Sweep configuration options", https://docs.wandb.ai/models/sweeps/sweep-config-keys.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no text in UTF-8") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    try:
        return _sweep(path, content, trials)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _sweep(path: Path, content: Any, trials: int | None) -> Sweep:
    """Return the sweep that a file's content describes.

    Raises:
        UsageError: If something in it is no sweep or not supported.
    """
    if not isinstance(content, Mapping):
        raise UsageError("is no sweep: it needs method, metric, parameters and command")
    _require_known("", content, KEYS)
    method = content.get("method")
    if method not in METHODS:
        raise UsageError(f"method: must be one of {', '.join(METHODS)}, got {method!r}")
    metric = _section("metric", content.get("metric"))
    _require_known("metric.", metric, ("name", "goal"))
    if not isinstance(metric.get("name"), str):
        raise UsageError("metric.name: missing: name the logged score that decides")
    goal = metric.get("goal", "minimize")
    if goal not in ("minimize", "maximize"):
        raise UsageError(f"metric.goal: must be minimize or maximize, got {goal!r}")
    parameters = {
        str(key): read_parameter(f"parameters.{key}", section)
        for key, section in _section("parameters", content.get("parameters")).items()
    }
    if method == "grid":
        for key, parameter in parameters.items():
            if not parameter.points():
                raise UsageError(f"parameters.{key}: a grid needs a list of values, or a step q")
    if trials is None:
        trials = content.get("run_cap")
        if trials is not None and (type(trials) is not int or trials < 1):
            raise UsageError(f"run_cap: must be a positive whole number, got {trials!r}")
    if method != "grid" and trials is None:
        raise UsageError(f"run_cap: {method} needs a number of trials (or give --trials)")
    return Sweep(
        path, method, metric["name"], goal == "maximize", parameters,
        _command(content.get("command")), _pruning(content.get("early_terminate")), trials,
    )  # fmt: skip


def _command(words: Any) -> tuple[str, ...]:
    """Return the command of a trial.

    Raises:
        UsageError: If it is no `magenet fit`, or has no place for the parameters.
    """
    if not isinstance(words, list) or [str(word) for word in words[:2]] != ["magenet", "fit"]:
        raise UsageError("command: must be a list of words that begins with magenet, fit")
    command = tuple(str(word) for word in words)
    macros = [word for word in command if word.startswith("${") and "}" in word]
    if macros.count(ARGUMENTS) != 1:
        raise UsageError(f"command: must have {ARGUMENTS} once, for the parameters")
    if others := [word for word in macros if word != ARGUMENTS and not word.startswith("${oc.")]:
        raise UsageError(f"command: {others[0]} is not supported; {ARGUMENTS} is")
    return command


def _pruning(section: Any) -> Pruning | None:
    """Return when trials are stopped early.

    W&B counts from the first comparison on (`min_iter`), or back from the end: `s` comparisons
    before value number `max_iter`.

    Raises:
        UsageError: If the section is not W&B's hyperband.
    """
    if section is None:
        return None
    section = _section("early_terminate", section)
    _require_known("early_terminate.", section, ("type", "min_iter", "max_iter", "s", "eta"))
    if section.get("type") != "hyperband":
        raise UsageError(f"early_terminate.type: must be hyperband, got {section.get('type')!r}")
    numbers = {key: value for key, value in section.items() if key != "type"}
    for key, value in numbers.items():
        if type(value) is not int or value < (2 if key == "eta" else 1):
            raise UsageError(f"early_terminate.{key}: must be a whole number of at least "
                             f"{2 if key == 'eta' else 1}, got {value!r}")  # fmt: skip
    factor = numbers.get("eta", 3)
    if "min_iter" in numbers:
        return Pruning(numbers["min_iter"], factor)
    if not {"max_iter", "s"} <= numbers.keys():
        raise UsageError("early_terminate: hyperband needs min_iter, or max_iter and s")
    return Pruning(max(1, int(numbers["max_iter"] / factor ** numbers["s"])), factor)


def _section(key: str, value: Any) -> Mapping[str, Any]:
    """Return a section of the file.

    Raises:
        UsageError: If it is missing, empty or no section.
    """
    if not isinstance(value, Mapping) or not value:
        raise UsageError(f"{key}: missing, or no section with keys")
    return value


def _require_known(prefix: str, section: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise if a section has a key that is not known.

    Raises:
        UsageError: With the key and those that are known.
    """
    for key in section:
        if key not in known:
            raise UsageError(f"{prefix}{key}: unknown key; known are {', '.join(known)}")
