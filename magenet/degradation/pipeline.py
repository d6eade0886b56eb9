"""Composition of factors: draw which apply and their parameters, then apply them in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor, Parameters, Part
from magenet.degradation.frame import Frame
from magenet.errors import UsageError

CHUNK = 1 << 18
"""Pixels processed at a time on a CPU, at least one photograph: 3 MiB stay in the cache and are
reused by malloc. Whole batches of 32 at 512 px took 1.6 times as long."""


def check(image: Tensor, mask: Tensor, values: bool = True) -> None:
    """Raise if photographs or masks cannot be degraded, before any pixel is changed.

    Args:
        image: Must be float `(B, 3, H, W)` in [0, 1].
        mask: Must be `(B, 1, H, W)`, 0 or 1, with a non-empty field in every photograph.
        values: Whether to look at the values, for which the host waits for a GPU.

    Raises:
        TypeError: If the photographs are not float.
        ValueError: If a shape or a value is wrong.
    """
    if not image.is_floating_point():
        raise TypeError(f"degradation needs float photographs in [0, 1], got {image.dtype}")
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(f"degradation needs (B, 3, H, W), got {tuple(image.shape)}")
    if mask.shape != (len(image), 1, *image.shape[-2:]):
        raise ValueError(
            f"the mask {tuple(mask.shape)} does not fit the photographs {tuple(image.shape)}"
        )
    if not values:
        return
    low, high = image.aminmax()
    if not (float(low) >= 0.0 and float(high) <= 1.0):  # also false for NaN
        raise ValueError(f"photographs must lie in [0, 1], got {low:.3g} to {high:.3g}")
    if not bool(((mask == 0) | (mask == 1)).all()):  # also false for NaN
        raise ValueError("masks must be 0 outside the field of view and 1 inside")
    if not bool(mask.flatten(1).any(dim=1).all()):
        raise ValueError("a photograph has an empty field of view")


class Degradation(ABC):
    """Base class of a recipe: an ordered set of factors, applied in fp32 even under autocast.

    The factors of a photograph and their parameters are drawn from its own key, so its pixels do
    not depend on the rest of the batch. Between drawing and applying, the parameters can be
    inspected, saved, changed and replayed:

        parameters = degradation.draw(rng)
        records = parameters.records()                       # plain values, one record per sample
        again = Parameters.from_records(records, degradation.factors)
        degraded = degradation.apply(image, mask, again)     # the same pixels

    Args:
        factors: The factors by name, in the order in which they are applied.
    """

    def __init__(self, factors: Mapping[str, Factor]) -> None:
        self.factors = dict(factors)
        self.looked = False
        self.drawn: set[str] = set()

    @abstractmethod
    def choose(self, rng: CounterRNG) -> dict[str, Tensor]:
        """Draw each factor's severity, `(B,)` in [0, 1]; 0 leaves the sample unchanged."""

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # graphs begin at the pixels
    def draw(self, rng: CounterRNG) -> Parameters:
        """Draw the parameters of a batch."""
        return self.draw_chosen(rng, self.choose(rng))

    def draw_chosen(self, rng: CounterRNG, severity: Mapping[str, Tensor]) -> Parameters:
        """Draw the parameters of a batch for given severities.

        Args:
            rng: Generator of the batch.
            severity: By factor, `(B,)` in [0, 1]; 0 leaves the sample unchanged.

        Raises:
            UsageError: If what a factor draws is not what it declares; looked at once for each.
        """
        parts = {}
        for name, levels in severity.items():
            samples = levels.nonzero()[:, 0]
            if len(samples):
                forked = rng.select(samples).fork(name)
                parts[name] = Part(samples, self.factors[name].draw(forked, levels[samples]))
                if name not in self.drawn:
                    self.drawn.add(name)
                    _require_declared(name, parts[name], self.factors)
        return Parameters(len(rng), parts)

    def apply(self, image: Tensor, mask: Tensor, parameters: Parameters) -> Tensor:
        """Degrade photographs by given parameters; deterministic.

        Values are checked for the first batch alone, so that no later step of a training waits for
        a GPU; calling the recipe checks every batch.

        Args:
            image: Clean photographs, float `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
            parameters: Parameters of the same batch.

        Returns:
            float32 `(B, 3, H, W)` in [0, 1], 0 outside the field.

        Raises:
            TypeError: See :func:`check`.
            ValueError: See :func:`check`; or if the parameters belong to a batch of another size.
        """
        check(image, mask, values=not self.looked)
        self.looked = True
        if parameters.size != len(image):
            raise ValueError(f"{parameters.size} parameter sets for {len(image)} photographs")
        height, width = image.shape[-2:]
        step = max(1, CHUNK // (height * width)) if image.device.type == "cpu" else len(image)
        chunks = []
        with torch.autocast(image.device.type, enabled=False):
            for start in range(0, len(image), step):
                chunk = slice(start, start + step)
                part = parameters.between(start, start + step)
                chunks.append(self._apply(image[chunk].float(), mask[chunk].float(), part))
        return torch.cat(chunks)

    def _apply(self, image: Tensor, mask: Tensor, parameters: Parameters) -> Tensor:
        """Apply all factors in order, each to its own samples only."""
        image = image * mask
        frame = Frame(mask)
        device = image.device
        for name, factor in self.factors.items():
            part = parameters.parts.get(name)
            if part is None:
                continue
            # Not waited for: a recipe sends dozens of small tensors a batch.
            values = {
                key: value.to(device, non_blocking=image.is_cuda)
                for key, value in part.values.items()
            }
            if len(part.samples) == len(image):
                image = _fitting(name, factor.apply(image, frame, values), image)
            else:
                samples = part.samples.to(device, non_blocking=image.is_cuda)
                chosen = image[samples]
                degraded = factor.apply(chosen, frame.select(samples), values)
                image = image.index_copy_(0, samples, _fitting(name, degraded, chosen))
        return image.mul_(mask)

    def __call__(self, image: Tensor, mask: Tensor, rng: CounterRNG) -> Tensor:
        """Check photographs and masks, then degrade them: :meth:`draw` and :meth:`apply`."""
        check(image, mask)
        return self.apply(image, mask, self.draw(rng))


def _require_declared(name: str, part: Part, factors: Mapping[str, Factor]) -> None:
    """Raise if the parameters that a factor has drawn are not those that it declares.

    Raises:
        UsageError: With the parameter: as a rule of a factor of one's own.
    """
    drawn = Part(torch.arange(len(part.samples)), part.values)
    try:
        Parameters.from_records(Parameters(len(drawn.samples), {name: drawn}).records(), factors)
    except ValueError as error:
        raise UsageError(f"{error} (drawn by {type(factors[name]).__name__})") from None


def _fitting(name: str, degraded: Tensor, image: Tensor) -> Tensor:
    """Return what a factor made of photographs.

    Raises:
        UsageError: If it is of another shape or type: as a rule a factor of one's own.
    """
    if degraded.shape != image.shape or degraded.dtype != image.dtype:
        raise UsageError(
            f"factor '{name}' returned {tuple(degraded.shape)} in {degraded.dtype}, for "
            f"photographs {tuple(image.shape)} in {image.dtype}"
        )
    return degraded
