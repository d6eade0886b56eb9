"""Judge of fidelity: what changed against the unenhanced photograph."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.enhancement.verdict import fidelity_verdict
from magenet.evaluation.judge import NetworkJudge, taken
from magenet.metrics import fidelity
from magenet.metrics.gain import strength


class FidelityJudge(NetworkJudge):
    """Scores of the change against the input; see :func:`magenet.metrics.fidelity`.

    `brightness_change` is its `brightness_drift`, measured against the input; `detail_gain` and
    `contrast_gain` are ratios of detail and contrast to the input's; `verdict` is the index of
    :func:`magenet.enhancement.verdict.fidelity_verdict` and `abstain` is 1 where it is 2. On a
    degraded photograph some new vessels are recovered, not invented: read `vessel_invented` under
    the condition `none`.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network as it is if null.
    """

    how = "train it first ('make judges')"

    input_vessels: Tensor | None = None
    """Vessels segmented in the unenhanced photographs of the batch."""
    input_strength: dict[str, Tensor]
    """Detail and contrast of the unenhanced photographs of the batch."""

    def start_batch(self, batch: Batch) -> None:
        """Segment and measure the unenhanced photographs; see :meth:`Judge.start_batch`."""
        self.input_vessels = (self.seen(taken(batch)) > 0).float()
        self.input_strength = strength(taken(batch), batch["mask_fov"])

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        if self.input_vessels is None:
            raise RuntimeError("call start_batch(batch) before scoring the batch's photographs")
        mask = batch["mask_fov"]
        vessels = (self.seen(image) > 0).float()
        scores = fidelity(taken(batch), image, self.input_vessels, vessels, mask)
        verdict, gained = fidelity_verdict(scores), strength(image, mask)
        brightness_change = scores.pop("brightness_drift")
        return scores | {
            "verdict": verdict,
            "brightness_change": brightness_change,
            "detail_gain": gained["detail"] / self.input_strength["detail"],
            "contrast_gain": gained["contrast"] / self.input_strength["contrast"],
            "abstain": (verdict == 2).float(),
        }
