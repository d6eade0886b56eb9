"""The teacher: an exponential moving average of the student."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class EMATeacher(nn.Module, Generic[Network]):
    """Follow a student: after each of its steps, a little closer to it.

    The decay warms up with the number of updates t, min((1 + t) / (10 + t), decay), so that a
    young teacher forgets its random start. Parameters are averaged in fp32 (keep them so: in
    bf16 an update rounds to nothing), buffers copied. No gradient, always in evaluation mode;
    as a submodule of a LightningModule it is saved and restored with it.

    Args:
        student: The network to follow; copied, so that nothing is shared.
        decay: Share of itself that the teacher keeps per update; 0.999 as in the mean teacher.

    Raises:
        ValueError: If the decay is not in [0, 1).

    References:
        Tarvainen and Valpola, NeurIPS 2017. The warm-up is TensorFlow's for its moving averages.
    """

    def __init__(self, student: Network, decay: float = 0.999) -> None:
        super().__init__()
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"the teacher's decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self.network: Network = copy.deepcopy(student).requires_grad_(False).eval()
        self.num_updates = 0

    def train(self, mode: bool = True) -> EMATeacher[Network]:
        """Stay in evaluation mode, whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def update(self, student: Network) -> None:
        """Move towards the student; call it after each real optimizer step.

        Args:
            student: The network given at construction, or one of the same shape.
        """
        decay = min((1 + self.num_updates) / (10 + self.num_updates), self.decay)
        own: list[Tensor] = list(self.network.parameters())
        others = [parameter.detach() for parameter in student.parameters()]
        torch._foreach_lerp_(own, others, 1.0 - decay)
        for buffer, other in zip(self.network.buffers(), student.buffers(), strict=True):
            buffer.copy_(other)
        self.num_updates += 1

    def get_extra_state(self) -> Tensor:
        """Return the number of updates, for the checkpoint."""
        return torch.tensor(self.num_updates)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the number of updates."""
        self.num_updates = int(state)
