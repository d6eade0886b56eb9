"""Whether an enhanced photograph still shows what the photograph as taken showed."""

from __future__ import annotations

from torch import Tensor

from magenet.evaluation.judge import Batch, NetworkJudge, taken
from magenet.metrics import fidelity
from magenet.metrics.gain import strength


class FidelityJudge(NetworkJudge):
    """Report on every photograph what changed against the input; see :func:`fidelity`.

    `brightness_change` is its `brightness_drift`, against the input; `detail_gain` and
    `contrast_gain` say how many times stronger both are; `abstain` is 1 where the verdict is 2.
    On a degraded photograph some vessels are recovered, not invented: read `vessel_invented`
    under `none`.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Of the task that trained it; as it stands if null.
    """

    how = "train it first ('make judges')"
    before: tuple[Tensor, Tensor, dict[str, Tensor]] | None = None
    """The latest input, its vessels and its strength: each is compared with several results."""

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        before, mask = taken(batch), batch["mask_fov"]
        if self.before is None or self.before[0] is not before:
            self.before = before, (self.seen(before) > 0).float(), strength(before, mask)
        after = (self.seen(image) > 0).float()
        own, given = strength(image, mask), self.before[2]
        scores = fidelity(before, image, self.before[1], after, mask)
        return scores | {
            "brightness_change": scores.pop("brightness_drift"),
            "detail_gain": own["detail"] / given["detail"],
            "contrast_gain": own["contrast"] / given["contrast"],
            "abstain": (scores["verdict"] == 2).float(),
        }
