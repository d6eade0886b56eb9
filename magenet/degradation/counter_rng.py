"""Counter-based random numbers: a hash of a key and a name, without state.

torch's generators are streams: their output depends on all earlier draws. A degraded photograph
must not depend on its batch, its rank or on a resume, so each photograph carries a key, and each
number is a hash of that key and of the number's name (Salmon et al., "Parallel random numbers: as
easy as 1, 2, 3", SC 2011; the hash is SplitMix64's).
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from magenet.hashing import name_key


def _signed(value: int) -> int:
    """Return a 64-bit pattern as the signed integer that torch's int64 needs."""
    return value - (1 << 64) if value >= 1 << 63 else value


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)


def _shifted(value: Tensor, bits: int) -> Tensor:
    """Return a logical right shift; torch's operator keeps the sign."""
    return (value >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def splitmix64(value: Tensor) -> Tensor:
    """Return a hash of int64 numbers, by SplitMix64's finaliser (Steele et al., OOPSLA 2014)."""
    value = value + _GOLDEN
    value = value.bitwise_xor_(_shifted(value, 30)).mul_(_FIRST)
    value = value.bitwise_xor_(_shifted(value, 27)).mul_(_SECOND)
    return value.bitwise_xor_(_shifted(value, 31))


@functools.cache
def _stream(name: str, count: int) -> Tensor:
    """Return the hashes of the first `count` numbers of a name, int64 `(count,)`, for all keys."""
    return splitmix64(torch.arange(count) + (name_key(name) << 20))


class CounterRNG:
    """Counter-based random number generator with one key per sample of a batch.

    Numbers are drawn on the CPU, whatever device the pixels are on: they are few, identical on
    every machine, and the host need not wait for the device to know which factors a batch needs.

    Args:
        keys: int64 `(B,)`, one per sample: a counter in training, the name's hash in validation.
        seed: Seed of the run.

    Example:
        >>> both = CounterRNG(torch.tensor([3, 4]), seed=1).uniform("angle", 0.0, 1.0)
        >>> alone = CounterRNG(torch.tensor([4]), seed=1).uniform("angle", 0.0, 1.0)
        >>> bool(both[1] == alone[0])
        True
    """

    def __init__(self, keys: Tensor, seed: int = 0) -> None:
        self.keys = splitmix64(keys.cpu().long() ^ splitmix64(torch.tensor(seed)))

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, samples: Tensor) -> CounterRNG:
        """Return the generator of a subset of the samples.

        Args:
            samples: Indices in the batch, int64 `(n,)`.
        """
        selected = CounterRNG.__new__(CounterRNG)
        selected.keys = self.keys[samples]
        return selected

    def fork(self, name: str) -> CounterRNG:
        """Return an independent generator for the same samples.

        Args:
            name: What it is for, such as a factor or a second view; another name, other numbers.
        """
        forked = CounterRNG.__new__(CounterRNG)
        forked.keys = splitmix64(self.keys ^ name_key(name))
        return forked

    def uniform(
        self, name: str, low: Tensor | float, high: Tensor | float, count: int | None = None
    ) -> Tensor:
        """Return uniform random numbers in [low, high), float32.

        Args:
            name: What is drawn; the same name gives the same numbers again.
            low: Lower bound, a number or `(B,)`.
            high: Upper bound, a number or `(B,)`.
            count: Numbers per sample; None for one number without a second axis.

        Returns:
            `(B,)`, or `(B, count)`.
        """
        bits = splitmix64(self.keys[:, None] ^ _stream(name, count or 1))
        unit = _shifted(bits, 40).float() / float(1 << 24)
        if count is None:
            return low + unit[:, 0] * (high - low)
        low = low[:, None] if isinstance(low, Tensor) else low
        high = high[:, None] if isinstance(high, Tensor) else high
        return low + unit * (high - low)

    def bits(self, name: str) -> Tensor:
        """Return 32 random bits per sample, int64 `(B,)` in [0, 2^32): the seed of pixel noise."""
        return _shifted(splitmix64(self.keys ^ _stream(name, 1)), 32)

    def integer(
        self, name: str, low: Tensor | int, high: Tensor | int, count: int | None = None
    ) -> Tensor:
        """Return random integers in [low, high], as float32; see :meth:`uniform`."""
        numbers = self.uniform(name, low, high + 1, count).floor()
        limit = high[:, None] if isinstance(high, Tensor) and count is not None else high
        return torch.minimum(numbers, torch.as_tensor(limit).float())
