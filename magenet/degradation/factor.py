"""Interface of a degradation factor, and the parameters drawn for a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.frame import Frame

Values = dict[str, Tensor]
"""Parameters of a factor by name, CPU tensors: `(B,)`, or `(B, k)` for a list of k values.

float32, except integers, which are int64."""

Record = dict[str, dict[str, float | list[float]]]
"""Degradation of one photograph as JSON-ready values: factor, then parameter, then value."""


class Parameter(NamedTuple):
    """Description of a factor's parameter: its meaning, unit and range.

    Attributes:
        meaning: Meaning and unit. x grows to the right and y downwards; angles turn from x to y.
        low: Smallest accepted value.
        high: Largest accepted value.
        many: Whether it is a list, with one value for each object (spot, shadow, ...).
        whole: Whether it is an integer, stored as int64 so that every digit is kept.
    """

    meaning: str
    low: float
    high: float
    many: bool = False
    whole: bool = False


class Factor(ABC):
    """Base class of a degradation factor: parameters are drawn first and applied afterwards.

    Attributes:
        parameters: Description of each parameter, by name.
    """

    parameters: ClassVar[dict[str, Parameter]]

    @abstractmethod
    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw parameters for each sample.

        Args:
            rng: Generator of the samples, forked for this factor.
            severity: `(B,)` in [0, 1]; cofe-Net's factors ignore it.
        """

    @abstractmethod
    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return degraded photographs.

        Args:
            image: float32 `(B, 3, H, W)` in [0, 1]; may be modified in place. Outside the field
                of view it holds the output of earlier factors.
            frame: Frame of the same samples.
            values: Parameters as drawn, on the photographs' device.

        Returns:
            `(B, 3, H, W)` in [0, 1]; the pipeline sets pixels outside the field to 0 at the end.
        """


@dataclass(frozen=True)
class Part:
    """Samples that a factor degrades, and its parameters for them.

    Attributes:
        samples: Indices in the batch, int64 `(n,)`, ascending.
        values: Parameters with first axis n.
    """

    samples: Tensor
    values: Values


class Parameters:
    """Parameters of all factors, drawn for a batch.

    Args:
        size: Number of samples in the batch.
        parts: Part of each factor that degrades at least one sample, by name, in any order.
    """

    def __init__(self, size: int, parts: Mapping[str, Part]) -> None:
        self.size = size
        self.parts = dict(parts)

    def between(self, start: int, stop: int) -> Parameters:
        """Return the parameters of the samples from `start` up to, not including, `stop`."""
        parts = {}
        for name, part in self.parts.items():
            first, last = torch.searchsorted(part.samples, torch.tensor([start, stop])).tolist()
            if last > first:
                values = {key: value[first:last] for key, value in part.values.items()}
                parts[name] = Part(part.samples[first:last] - start, values)
        return Parameters(min(stop, self.size) - start, parts)

    def records(self) -> list[Record]:
        """Return one record per sample, from which the same pixels can be computed again."""
        records: list[Record] = [{} for _ in range(self.size)]
        for name, part in self.parts.items():
            lists = {key: value.tolist() for key, value in part.values.items()}
            for row, sample in enumerate(part.samples.tolist()):
                records[sample][name] = {key: value[row] for key, value in lists.items()}
        return records

    @classmethod
    def from_records(cls, records: Sequence[Record], factors: Mapping[str, Factor]) -> Parameters:
        """Return the parameters of a batch from one record per sample.

        Args:
            records: As returned by :meth:`records`, or written by hand. Lists may differ in
                length between samples.
            factors: The factors by name.

        Raises:
            ValueError: If a factor is unknown, a parameter is missing or superfluous, or a value
                is not a number (or list of numbers) in its range.
        """
        for record in records:
            for name, given in record.items():
                if name not in factors:
                    raise ValueError(f"unknown factor '{name}'; known are {', '.join(factors)}")
                _check(name, given, factors[name].parameters)
        parts = {}
        for name, factor in factors.items():
            samples = [index for index, record in enumerate(records) if name in record]
            if samples:
                rows = [records[sample][name] for sample in samples]
                values = {
                    key: _column([row[key] for row in rows], parameter.whole)
                    for key, parameter in factor.parameters.items()
                }
                parts[name] = Part(torch.tensor(samples), values)
        return cls(len(records), parts)


def _check(factor: str, given: Mapping[str, object], expected: Mapping[str, Parameter]) -> None:
    """Raise if the given parameters of a factor are not the expected ones."""
    if not isinstance(given, Mapping) or set(given) != set(expected):
        listed = ", ".join(given) if isinstance(given, Mapping) and given else "none"
        raise ValueError(f"factor '{factor}' needs {', '.join(expected)}; got {listed}")
    lengths = set()
    for name, parameter in expected.items():
        value = given[name]
        if isinstance(value, list) != parameter.many:
            kind = "a list of numbers" if parameter.many else "a number"
            raise ValueError(f"factor '{factor}': '{name}' must be {kind}, got {value!r}")
        numbers = value if isinstance(value, list) else [value]
        lengths.add(len(numbers))
        for number in numbers:
            valid = isinstance(number, (int, float)) and parameter.low <= number <= parameter.high
            if parameter.whole and not isinstance(number, int):
                raise ValueError(f"factor '{factor}': '{name}' must be an integer, got {number!r}")
            if not valid or isinstance(number, bool):
                raise ValueError(
                    f"factor '{factor}': '{name}' ({parameter.meaning}) must lie in "
                    f"[{parameter.low:g}, {parameter.high:g}], got {number!r}"
                )
    if len(lengths) > 1:
        raise ValueError(f"factor '{factor}': its lists must all have the same length")


def _column(rows: Sequence[float | list[float]], whole: bool) -> Tensor:
    """Return one parameter of several samples; shorter lists are padded by zeros: no effect."""
    longest = max((len(row) for row in rows if isinstance(row, list)), default=0)
    padded = [row + [0.0] * (longest - len(row)) if isinstance(row, list) else row for row in rows]
    return torch.tensor(padded, dtype=torch.int64 if whole else torch.float32)
