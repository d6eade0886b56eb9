"""Whether an enhanced photograph still shows what the photograph as taken showed."""

from __future__ import annotations

from torch import Tensor

from magenet.metrics import fidelity
from magenet.scoring.judge import Batch, NetworkJudge


class FidelityJudge(NetworkJudge):
    """Report on every photograph what changed against the input; see :func:`fidelity`.

    `abstain` is 1 where the verdict is 2. On a degraded photograph some vessels are recovered, not
    invented: read `vessel_invented` under `none`.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"
    before: tuple[Tensor, Tensor] | None = None
    """The latest input and its vessels: each is compared with several results."""

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        before = batch["image_degraded"] if "image_degraded" in batch else batch["image"]
        if self.before is None or self.before[0] is not before:
            self.before = before, (self.seen(before) > 0).float()
        after = (self.seen(image) > 0).float()
        scores = fidelity(before, image, self.before[1], after, batch["mask_fov"])
        return scores | {"abstain": (scores["verdict"] == 2).float()}
