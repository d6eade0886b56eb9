from functools import partial
from pathlib import Path

import pytest
import torch

from data_modules import ManifestPhotographs
from data_modules.base import to_unit
from experiments.studies import naturalness as fit
from magenet.metrics import NaturalnessModel

pytestmark = pytest.mark.usefixtures("workplace")


def test_naturalness_is_fitted_on_the_good_train_photographs(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three small phantoms have too few patches of the usual side.
    monkeypatch.setattr(NaturalnessModel, "fit", partial(NaturalnessModel.fit, patch=8))
    assert fit.main(["--runs", str(tmp_path), "--size", "512"]) == 0
    fitted = NaturalnessModel.load(tmp_path / "naturalness.pt")
    source = ManifestPhotographs(str(photographs / "index.csv"), sets=["hrf", "chase_db1", "idrid"])
    everything = source.dataset("train", 512)
    good = [
        everything.load(index)
        for index, photograph in enumerate(everything.photographs)
        if photograph.quality == "good"
    ]
    assert 0 < len(good) < len(everything)
    images = [to_unit(sample["image"]) * sample["mask_fov"] for sample in good]
    expected = NaturalnessModel.fit(images, [to_unit(sample["mask_fov"]) for sample in good])
    torch.testing.assert_close(fitted.mean, expected.mean)
    torch.testing.assert_close(fitted.covariance, expected.covariance)
