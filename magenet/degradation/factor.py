"""What a factor of degradation is, and what was drawn for a batch."""

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
"""Parameters of a factor by name, CPU tensors: `(B,)`, or `(B, k)` for one that repeats.

float32, but for whole numbers, which are int64."""

Record = dict[str, dict[str, float | list[float]]]
"""What was done to one photograph, ready for JSON: factor, then parameter, then value."""


class Parameter(NamedTuple):
    """Say what a parameter of a factor means, and between which values it makes sense.

    Attributes:
        meaning: With its unit. x grows to the right and y downwards; angles turn from x to y.
        low: Smallest value that is accepted.
        high: Greatest value that is accepted.
        many: Whether there is a list of them, one for each of several things.
        whole: Whether it is a whole number: kept as int64, exact to the last digit.
    """

    meaning: str
    low: float
    high: float
    many: bool = False
    whole: bool = False


class Factor(ABC):
    """Be one way in which a photograph goes wrong: drawn first, applied afterwards.

    Attributes:
        parameters: What is drawn, by name.
    """

    parameters: ClassVar[dict[str, Parameter]]

    @abstractmethod
    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Return parameters for each sample.

        Args:
            rng: Of the samples, and of this factor alone.
            severity: How bad it shall be, `(B,)` in [0, 1]; cofe-Net's factors know none.
        """

    @abstractmethod
    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return photographs that went wrong.

        Args:
            image: float32 `(B, 3, H, W)` in [0, 1]; the factor may write into it. Outside the
                field it holds what earlier factors left there.
            frame: Of the same samples.
            values: As drawn, on the photographs' device.

        Returns:
            `(B, 3, H, W)` in [0, 1]; the pipeline blackens the surround at the end.
        """


@dataclass(frozen=True)
class Part:
    """Hold the samples that a factor touches and its parameters for them.

    Attributes:
        samples: Places in the batch, int64 `(n,)`, rising.
        values: Parameters with first axis n.
    """

    samples: Tensor
    values: Values


class Parameters:
    """Hold what was drawn for a batch.

    Args:
        size: Samples in the batch.
        parts: The part of each factor that touches any; in no order.
    """

    def __init__(self, size: int, parts: Mapping[str, Part]) -> None:
        self.size = size
        self.parts = dict(parts)

    def between(self, start: int, stop: int) -> Parameters:
        """Return the parameters of some neighbouring samples."""
        parts = {}
        for name, part in self.parts.items():
            first, last = torch.searchsorted(part.samples, torch.tensor([start, stop])).tolist()
            if last > first:
                values = {key: value[first:last] for key, value in part.values.items()}
                parts[name] = Part(part.samples[first:last] - start, values)
        return Parameters(min(stop, self.size) - start, parts)

    def records(self) -> list[Record]:
        """Return one record a sample, from which its pixels can be made again exactly."""
        records: list[Record] = [{} for _ in range(self.size)]
        for name, part in self.parts.items():
            lists = {key: value.tolist() for key, value in part.values.items()}
            for place, sample in enumerate(part.samples.tolist()):
                records[sample][name] = {key: value[place] for key, value in lists.items()}
        return records

    @classmethod
    def from_records(cls, records: Sequence[Record], factors: Mapping[str, Factor]) -> Parameters:
        """Return the parameters of a batch from one record a sample.

        Args:
            records: As given by :meth:`records`, or written by hand. In a factor that repeats,
                lists may differ in length between samples.
            factors: The factors by name.

        Raises:
            ValueError: If a factor is unknown, has not exactly its parameters, or one of them is
                not a number (or list of numbers) in its range.
        """
        for record in records:
            for name, given in record.items():
                if name not in factors:
                    raise ValueError(f"unknown factor '{name}'; known are {', '.join(factors)}")
                _check(name, given, factors[name].parameters)
        parts = {}
        for name, factor in factors.items():
            samples = [place for place, record in enumerate(records) if name in record]
            if samples:
                rows = [records[sample][name] for sample in samples]
                values = {
                    key: _column([row[key] for row in rows], parameter.whole)
                    for key, parameter in factor.parameters.items()
                }
                parts[name] = Part(torch.tensor(samples), values)
        return cls(len(records), parts)


def _check(factor: str, given: Mapping[str, object], wanted: Mapping[str, Parameter]) -> None:
    """Raise if the parameters of a factor are not what it wants."""
    if not isinstance(given, Mapping) or set(given) != set(wanted):
        told = ", ".join(given) if isinstance(given, Mapping) and given else "none"
        raise ValueError(f"factor '{factor}' wants {', '.join(wanted)}; given are {told}")
    lengths = set()
    for name, parameter in wanted.items():
        value = given[name]
        if isinstance(value, list) != parameter.many:
            kind = "a list of numbers" if parameter.many else "a number"
            raise ValueError(f"factor '{factor}': '{name}' must be {kind}, got {value!r}")
        numbers = value if isinstance(value, list) else [value]
        lengths.add(len(numbers))
        for number in numbers:
            fits = isinstance(number, (int, float)) and parameter.low <= number <= parameter.high
            if parameter.whole and not isinstance(number, int):
                raise ValueError(
                    f"factor '{factor}': '{name}' must be a whole number, got {number!r}"
                )
            if not fits or isinstance(number, bool):
                raise ValueError(
                    f"factor '{factor}': '{name}' ({parameter.meaning}) must lie in "
                    f"[{parameter.low:g}, {parameter.high:g}], got {number!r}"
                )
    if len(lengths) > 1:
        raise ValueError(f"factor '{factor}': its lists must all have the same length")


def _column(rows: Sequence[float | list[float]], whole: bool) -> Tensor:
    """Return one parameter of several samples; shorter lists end in zeros, which do nothing."""
    longest = max((len(row) for row in rows if isinstance(row, list)), default=0)
    padded = [row + [0.0] * (longest - len(row)) if isinstance(row, list) else row for row in rows]
    return torch.tensor(padded, dtype=torch.int64 if whole else torch.float32)
