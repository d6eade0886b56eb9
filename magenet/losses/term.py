"""Terms of an enhancer's loss: what they compare, and the base classes of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from data_modules.batch import Batch
from magenet.errors import UsageError
from magenet.losses.masked import averaged_like, mask_like
from magenet.losses.structure import Structure, StructureTarget
from magenet.models import EnhancerOutput, Window

TAKEN = ("loss", "ema_decay")
"""What is logged beside the terms of a loss, as `consistency_...` is."""


def window_of(batch: Batch) -> Window | None:
    """Return the windows of a batch, or None if it has none."""
    if "window_corner" not in batch:
        return None
    corner, side = batch["window_corner"], batch["window_size"]
    frame = (batch["mask_fov"].shape[-2], batch["mask_fov"].shape[-1])
    return Window(corner.tolist(), side, side, frame)


def in_windows(batch: Batch, image: Tensor) -> Tensor:
    """Return the windows of a batch's photographs, or these as they are if it has none."""
    window = window_of(batch)
    return image if window is None else window.cut(image)


class Restored:
    """What an enhancer made of a batch of pairs, beside what it should have made.

    Args:
        output: Of the enhancer for the degraded photographs, in windows where the batch has some.
        batch: The pairs.
        structure_target: Source of the wanted structure maps.
        real: Output for the real photographs of a mixed batch, and these; None without some.
        layout: Memory format of the weights; pictures that networks read again are brought into it.
    """

    def __init__(
        self,
        output: EnhancerOutput,
        batch: Batch,
        structure_target: StructureTarget,
        real: tuple[EnhancerOutput, Batch] | None = None,
        layout: torch.memory_format = torch.preserve_format,
    ) -> None:
        self.output = output
        self.batch = batch
        self.structure_target = structure_target
        self.real = real
        self.layout = layout
        self.window = window_of(batch)

    @property
    def target(self) -> Tensor:
        """Return what an enhancer should make of the photographs, `(B, 3, H, W)` in [0, 1]."""
        return self.batch["image_target" if "image_target" in self.batch else "image_clean"]

    @property
    def visible(self) -> Tensor:
        """Return where the degraded photographs show the retina, `(B, 1, H, W)`, 0 or 1.

        The field of view where the batch does not tell.
        """
        return self.batch.get("mask_visible", self.batch["mask_fov"])

    def estimates(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield each stage's estimate, what it should be, and the field of view, first to last.

        All are fp32 and of one size, which is the stage's own: `(B, 3, h, w)` twice and
        `(B, 1, h, w)`, 0 or 1. The last stage's are the whole photographs, or their windows.
        """
        *stages, last = self.output.stages
        target, mask = self.target.float(), self.batch["mask_fov"]
        for stage in stages:
            yield stage.float(), averaged_like(target, stage), mask_like(mask, stage)
        yield last.float(), in_windows(self.batch, target), in_windows(self.batch, mask)

    @cached_property
    def whole_structure(self) -> Structure:
        """Return the wanted structure maps of the whole photographs, read once for all terms."""
        batch = self.batch
        maps: Structure = self.structure_target(
            batch["image_clean"], batch["mask_vessel"], batch["vessel_known"]
        )
        return maps


class LossTerm(nn.Module, ABC):
    """Base class: a term of the loss of an enhancer, with its weight in the sum.

    Args:
        weight: Weight of the term.

    Raises:
        ValueError: If the weight is negative.
    """

    needs_real = False
    """Whether it needs real photographs beside the pairs."""

    reads_photographs = False
    """Whether it needs a structure target that reads photographs."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if weight < 0.0:
            raise ValueError(f"weight of a loss must not be negative, got {weight}")
        self.weight = weight

    @abstractmethod
    def forward(self, restored: Restored) -> Tensor | None:
        """Return the term without its weight, a scalar in fp32; None where it does not apply."""

    def weighted(self, name: str, restored: Restored) -> dict[str, Tensor]:
        """Return what is added to the loss, by the name that it is logged under.

        Args:
            name: Of the term.
            restored: What it compares.
        """
        if self.weight == 0.0 or (term := self(restored)) is None:
            return {}
        return {name: self.weight * term}


class LossTerms(nn.ModuleDict):
    """The terms of a loss that count, by name.

    Args:
        terms: All terms; null, or of weight 0, for one that is left out.
        structure_target: Source of the wanted structure maps.

    Raises:
        ValueError: If none is left, one has a name that is taken, or needs a structure target that
            reads photographs.
    """

    def __init__(
        self, terms: Mapping[str, LossTerm | None], structure_target: StructureTarget
    ) -> None:
        counted = {name: term for name, term in terms.items() if term is not None and term.weight}
        if not counted:
            raise ValueError("losses: no term is left, so there is nothing to learn from")
        for name, term in counted.items():
            if name in TAKEN or name.startswith("consistency_"):
                raise ValueError(f"losses: '{name}' is logged already; rename that loss")
            if term.reads_photographs and not structure_target.reads_photographs:
                raise ValueError(
                    f"the loss '{name}' needs a structure target that reads photographs: "
                    "SegmenterTarget"
                )
        super().__init__(counted)

    def require_no_real_photographs(self) -> None:
        """Raise if a term needs more than pairs.

        Raises:
            UsageError: With the name of one that needs real photographs.
        """
        for name, term in self.items():
            if isinstance(term, LossTerm) and term.needs_real:
                raise UsageError(
                    f"the loss '{name}' needs real photographs: train a MeanTeacherTask with a "
                    "consistency_weight on an AdaptationDataModule, or leave it out"
                )

    def forward(self, restored: Restored) -> dict[str, Tensor]:
        """Return the weighted terms by the names that they are logged under, scalars in fp32.

        Raises:
            UsageError: If one is no scalar, or two have one name.
        """
        found: dict[str, Tensor] = {}
        for name, term in self.items():
            assert isinstance(term, LossTerm)  # by construction
            for part, value in term.weighted(name, restored).items():
                if part in found:
                    raise UsageError(f"the loss '{name}': another is logged as '{part}'; rename it")
                found[part] = _scalar(term, value)
        return found


class PictureTerm(LossTerm):
    """Base class: a term that compares estimates with what they should be, pixel by pixel.

    Args:
        weight: Weight of the term.
        every_stage: Whether the estimates of all stages are compared, and the terms added; else
            the last one's alone.
    """

    def __init__(self, weight: float = 1.0, every_stage: bool = False) -> None:
        super().__init__(weight)
        self.every_stage = every_stage

    @abstractmethod
    def compare(self, estimate: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return how far estimates are from their targets, a scalar.

        Args:
            estimate: `(B, 3, H, W)`, on the scale [0, 1] but not clamped, fp32.
            target: What it should be, `(B, 3, H, W)` in [0, 1].
            mask: Field of view, `(B, 1, H, W)`, 0 or 1; nothing outside may count.
        """

    def forward(self, restored: Restored) -> Tensor:
        """Return the sum over the stages; see :meth:`LossTerm.forward`."""
        with torch.autocast(restored.target.device.type, enabled=False):
            estimates = list(restored.estimates())
            chosen = estimates if self.every_stage else estimates[-1:]
            compared = [_scalar(self, self.compare(*estimate)) for estimate in chosen]
            return torch.stack(compared).sum()


def _scalar(term: LossTerm, value: object) -> Tensor:
    """Return what a term has returned, if it is a scalar.

    Raises:
        UsageError: If it is not: a map, say, whose sum would count as the loss.
    """
    if isinstance(value, Tensor) and value.ndim == 0:
        return value
    given = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
    raise UsageError(
        f"the loss {type(term).__name__} returned {given}: a loss is one number, a tensor without "
        "axes, such as a mean"
    )


def wholly_inside(mask: Tensor, size: torch.Size) -> Tensor:
    """Return the field of view at the resolution of features: cells entirely inside.

    Args:
        mask: `(B, 1, H, W)`, 0 or 1.
        size: Height and width of the features.
    """
    return (functional.interpolate(mask, size, mode="area") >= 1.0).to(mask.dtype)
