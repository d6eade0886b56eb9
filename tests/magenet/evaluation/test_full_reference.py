"""Field and frame are scored apart, and nothing without a clean photograph."""

import pytest

from magenet.evaluation import FullReference
from magenet.evaluation.judge import Batch
from tests.magenet.evaluation.conftest import only


def test_full_reference_tells_field_from_frame(batch: Batch) -> None:
    wrong = (batch["image_clean"] + 0.1) * batch["mask_fov"]
    scores = FullReference()(wrong, batch)
    share = batch["mask_fov"].mean()
    gained = only(scores, "psnr_frame") - only(scores, "psnr")
    assert gained == pytest.approx(float(-10 * share.log10()), abs=0.1), "black corners are free"
    assert "ms_ssim" not in scores, "the field is smaller than its window"
    assert only(FullReference()(batch["image_clean"], batch), "psnr") == 60.0
    assert FullReference()(wrong, {"mask_fov": batch["mask_fov"]}) == {}
