"""The mean teacher: an exponential moving average (EMA) of the student."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class EMATeacher(nn.Module, Generic[Network]):
    """Exponential moving average of a student's parameters.

    The decay warms up with the number of updates t, min(1 - 1 / (t + 1), decay): until it reaches
    `decay` the teacher is the plain mean of the students so far, its initialisation forgotten.
    Parameters are averaged in fp32 (keep them so: in bf16 an update rounds to zero), buffers are
    copied. No gradient, always in evaluation mode; as a submodule of a LightningModule it is saved
    and restored with it.

    Args:
        student: Network to average; copied, so that no storage is shared.
        decay: Weight of the teacher's old parameters in an update, in [0, 1); 0.999 as in the mean
            teacher.

    Raises:
        ValueError: If the decay is not in [0, 1).

    References:
        Tarvainen and Valpola, NeurIPS 2017. Deviation: their code counts the first update as the
        second, so that half of the initialisation stays in the first mean.
    """

    def __init__(self, student: Network, decay: float = 0.999) -> None:
        super().__init__()
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"the teacher's decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self.network: Network = copy.deepcopy(student).requires_grad_(False).eval()
        self.num_updates = 0

    @property
    def current_decay(self) -> float:
        """Return the decay of the next update."""
        return min(1.0 - 1.0 / (self.num_updates + 1), self.decay)

    def train(self, mode: bool = True) -> EMATeacher[Network]:
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    @torch.no_grad()
    def update(self, student: Network) -> None:
        """Update the average; call it after each optimizer step.

        Args:
            student: Network with the parameters and buffers of the one given at construction.
        """
        averages: list[Tensor] = list(self.network.parameters())
        parameters: list[Tensor] = list(student.parameters())
        torch._foreach_lerp_(averages, parameters, 1.0 - self.current_decay)
        for buffer, source in zip(self.network.buffers(), student.buffers(), strict=True):
            buffer.copy_(source)
        self.num_updates += 1

    def get_extra_state(self) -> Tensor:
        """Return the number of updates, for the checkpoint."""
        return torch.tensor(self.num_updates)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the number of updates."""
        self.num_updates = int(state)
