"""Bank of the best targets so far, one for each real photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from magenet.models import EnhancerOutput


@dataclass
class BankedTarget:
    """The best target so far of one photograph.

    Attributes:
        stages: Estimates, `(3, h, w)` each, half precision, on the CPU.
        logits: Of the structure map, or None.
        scores: Independent measures of its quality, the greater the better.
    """

    stages: list[Tensor]
    logits: Tensor | None
    scores: list[float]


class TargetBank:
    """Bank of the best target so far of each photograph.

    A teacher that errs now may have been right before: the student gets the best target so far. It
    is replaced only where every measure calls the new one better, since a single one can be
    deceived. A photograph's first target is taken as it is: there is no black one to start from.

    Targets are kept upright, and on the CPU: 0.7 MB for a photograph of 256 px.

    References:
        Huang et al., "Contrastive semi-supervised learning for underwater image restoration via
        reliable bank" (Semi-UIR), CVPR 2023. Fang et al., "Real-world image dehazing with
        coherence-based pseudo labeling and cooperative unfolding network" (CORUN-Colabator),
        NeurIPS 2024, for two measures that have to agree.
    """

    def __init__(self) -> None:
        self.entries: dict[str, BankedTarget] = {}

    def best(
        self, names: Sequence[str], target: EnhancerOutput, scores: Sequence[Tensor]
    ) -> EnhancerOutput:
        """Return the best target so far of each photograph, after its new one was considered.

        Args:
            names: Of the photographs.
            target: Their new targets, upright.
            scores: Measures of their quality, `(B,)` each, the greater the better.
        """
        logits = target.structure_logits
        table = torch.stack(list(scores), dim=1).tolist()
        kept = []
        for index, (name, new) in enumerate(zip(names, table, strict=True)):
            old = self.entries.get(name)
            if old is None or all(n > o for n, o in zip(new, old.scores, strict=True)):
                self.entries[name] = BankedTarget(
                    [stage[index].half().cpu() for stage in target.stages],
                    None if logits is None else logits[index].half().cpu(),
                    new,
                )
            kept.append(self.entries[name])
        device = target.image.device
        by_stage = zip(*(entry.stages for entry in kept), strict=True)
        stages = [torch.stack([part.float() for part in parts]).to(device) for parts in by_stage]
        maps = [entry.logits for entry in kept if entry.logits is not None]
        return EnhancerOutput(
            tuple(stages), torch.stack([part.float() for part in maps]).to(device) if maps else None
        )

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, in plain values and tensors."""
        return {name: vars(entry) for name, entry in self.entries.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue with the bank of a checkpoint.

        Args:
            state: See :meth:`state`.
        """
        self.entries = {name: BankedTarget(**entry) for name, entry in state.items()}
