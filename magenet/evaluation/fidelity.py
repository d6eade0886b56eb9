"""Judge of fidelity: what changed against the unenhanced photograph."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch, unenhanced
from magenet.enhancement.verdict import fidelity_verdict
from magenet.evaluation.judge import NetworkJudge, started
from magenet.metrics import fidelity
from magenet.metrics.gain import detail_and_contrast


class FidelityJudge(NetworkJudge):
    """Scores of the change against the input; see :func:`magenet.metrics.fidelity`.

    `brightness_change` is its `brightness_drift`, measured against the input; `detail_gain` and
    `contrast_gain` are ratios of detail and contrast to the input's. `verdict`: 0 `ok`, 1 `check`,
    2 `abstain`, by vessels lost and colour alone; `abstain`: 1 where the verdict is `abstain`, else
    0. On a degraded photograph some new vessels are recovered, not invented: read `vessel_invented`
    under the condition `none`.

    Args:
        network: Gives vessel logits, `(B, 1, H, W)`.
        checkpoint: Checkpoint of the task that trained it; the network as it is if null.
    """

    advice = "train it first ('make judges')"

    input_vessels: Tensor | None = None
    """Vessels segmented in the unenhanced photographs of the batch."""
    input_statistics: dict[str, Tensor]
    """Detail and contrast of the unenhanced photographs of the batch."""

    def start_batch(self, batch: Batch) -> None:
        """Segment and measure the unenhanced photographs; see :meth:`Judge.start_batch`."""
        self.input_vessels = (self.logits(unenhanced(batch)) > 0).float()
        self.input_statistics = detail_and_contrast(unenhanced(batch), batch["mask_fov"])

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`.

        Raises:
            RuntimeError: If :meth:`start_batch` was not called before.
        """
        mask = batch["mask_fov"]
        vessels = (self.logits(image) > 0).float()
        scores = fidelity(unenhanced(batch), image, started(self.input_vessels), vessels, mask)
        verdict, gained = fidelity_verdict(scores), detail_and_contrast(image, mask)
        brightness_change = scores.pop("brightness_drift")
        return scores | {
            "verdict": verdict,
            "brightness_change": brightness_change,
            "detail_gain": gained["detail"] / self.input_statistics["detail"],
            "contrast_gain": gained["contrast"] / self.input_statistics["contrast"],
            "abstain": (verdict == 2).float(),
        }
