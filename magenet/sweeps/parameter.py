"""One parameter of a sweep: an option of `magenet fit` and the values that it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magenet.errors import UsageError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float | bool

KEYS = {
    "constant": {"value"},
    "categorical": {"values"},
    "int_uniform": {"min", "max"},
    "uniform": {"min", "max"},
    "q_uniform": {"min", "max", "q"},
    "log_uniform_values": {"min", "max"},
}
"""Keys of each distribution of W&B that Optuna has, too."""


@dataclass(frozen=True)
class Parameter:
    """Values of one option: a list, or a range.

    Attributes:
        choices: The values; empty for a range.
        low: Least value of a range.
        high: Greatest value of a range.
        step: Distance between two values of a range; None for a continuous one.
        log: Whether the logarithm of the value is uniform.
        integer: Whether the values of a range are integers.
    """

    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    integer: bool = False

    def points(self) -> tuple[Value, ...]:
        """Return all values; none if there are infinitely many."""
        if self.choices:
            return self.choices
        if self.integer:
            return tuple(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        if self.step is None:
            return ()
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return tuple(round(self.low + index * self.step, 12) for index in range(count))

    def extremes(self) -> tuple[Value, ...]:
        """Return the values of a list, or the least and the greatest one of a range."""
        if self.choices:
            return self.choices
        return (int(self.low), int(self.high)) if self.integer else (self.low, self.high)

    def distribution(self) -> BaseDistribution:
        """Return the values as Optuna's distribution."""
        from optuna import distributions

        if self.choices:
            return distributions.CategoricalDistribution(self.choices)
        if self.integer:
            return distributions.IntDistribution(
                int(self.low), int(self.high), step=int(self.step or 1)
            )
        return distributions.FloatDistribution(self.low, self.high, step=self.step, log=self.log)


def read_parameter(key: str, section: Any) -> Parameter:
    """Return a parameter as a sweep file describes it.

    Args:
        key: Where it stands in the file, for errors.
        section: Its section, in W&B's format.

    Raises:
        UsageError: If it is none, or none that Optuna can draw.

    Example:
        >>> read_parameter("parameters.lr", {"min": 1, "max": 3}).points()
        (1, 2, 3)

    References:
        W&B, "Sweep configuration options", section `parameters`.
    """
    if not isinstance(section, Mapping):
        raise UsageError(f"{key}: give its values, such as {{values: [0.1, 0.2]}}")
    if "parameters" in section:
        raise UsageError(f"{key}: nested parameters: give each its own dotted name instead")
    name = section.get("distribution") or _implied(section)
    if name not in KEYS:
        raise UsageError(
            f"{key}: distribution '{name}' is not supported; use one of {', '.join(KEYS)}"
        )
    given = set(section) - {"distribution"}
    if missing := sorted(KEYS[name] - given):
        raise UsageError(f"{key}: {name} needs {missing[0]}")
    if unknown := sorted(given - KEYS[name]):
        raise UsageError(f"{key}: {name} has no {unknown[0]}; it has {_listed(KEYS[name])}")
    if name in ("constant", "categorical"):
        return Parameter(_choices(key, section))
    return _range(key, name, section)


def _implied(section: Mapping[str, Any]) -> str:
    """Return the distribution that W&B takes if none is named."""
    if "value" in section:
        return "constant"
    if "values" in section:
        return "categorical"
    ends = (section.get("min"), section.get("max"))
    return "int_uniform" if all(type(end) is int for end in ends) else "uniform"


def _choices(key: str, section: Mapping[str, Any]) -> tuple[Value, ...]:
    """Return the listed values; lists and mappings as the text that W&B's agent makes of them.

    Raises:
        UsageError: If there is none, or one is null or listed twice.
    """
    values = [section["value"]] if "value" in section else section["values"]
    if not isinstance(values, list) or not values:
        raise UsageError(f"{key}.values: must be a list of at least one value")
    if None in values:
        raise UsageError(
            f'{key}: write "null" in quotation marks; W&B would pass a plain null as None'
        )
    choices = tuple(v if isinstance(v, str | int | float) else str(v) for v in values)
    if len(set(map(str, choices))) < len(choices):
        raise UsageError(f"{key}.values: lists a value twice")
    return choices


def _range(key: str, name: str, section: Mapping[str, Any]) -> Parameter:
    """Return the range that a section describes.

    Raises:
        UsageError: If its ends or its step are no numbers, or out of order.
    """
    for end in sorted(KEYS[name]):
        value = section[end]
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = "; YAML reads 1e-4 as text: write 1.0e-4" if isinstance(value, str) else ""
            raise UsageError(f"{key}.{end}: must be a number, got {value!r}{hint}")
    low, high, step = section["min"], section["max"], section.get("q")
    integer = all(type(value) is int for value in (low, high, *([] if step is None else [step])))
    if not low < high:
        raise UsageError(f"{key}: min must be less than max, got {low} and {high}")
    if step is not None and step <= 0:
        raise UsageError(f"{key}.q: must be positive, got {step}")
    if name == "int_uniform" and not integer:
        raise UsageError(f"{key}: int_uniform needs whole numbers, got {low} and {high}")
    if name == "log_uniform_values" and low <= 0:
        raise UsageError(f"{key}.min: log_uniform_values needs a positive number, got {low}")
    whole = integer and name in ("int_uniform", "q_uniform")
    return Parameter((), low, high, step, name == "log_uniform_values", whole)


def _listed(words: set[str]) -> str:
    """Return words as a list in a sentence."""
    return ", ".join(sorted(words))
