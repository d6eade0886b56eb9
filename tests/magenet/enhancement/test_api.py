"""The Python API: what it takes, and what its numbers mean."""

from pathlib import Path

import numpy as np
import pytest

import magenet
from data_modules.files.writing import write_photograph
from magenet.imaging.field_of_view import estimate_field
from tests.magenet.conftest import retina


def test_uncertainty_is_in_grey_levels_as_the_report_says(weights: Path) -> None:
    image = retina(7, 300)
    result = magenet.enhance(image.permute(1, 2, 0).numpy(), weights=weights)
    inside = estimate_field(image).mask[0].numpy()
    # The same almost everywhere, for these weights: interpolation lowers it at the edge alone.
    middle = float(np.median(result.uncertainty[inside]))
    assert middle == pytest.approx(result.report.expected_error, rel=1e-3)
    assert not result.uncertainty[~inside].any()


def test_what_is_no_rgb_photograph_or_no_share_is_refused(weights: Path) -> None:
    image = retina(7).permute(1, 2, 0).numpy()
    for wrong in (image[..., 0], np.dstack([image, image[..., :1]]), image[None]):
        with pytest.raises(ValueError, match="needs RGB"):
            magenet.enhance(wrong, weights=weights)
    for strength in (-0.1, 1.1):
        with pytest.raises(ValueError, match="strength"):
            magenet.enhance(image, strength=strength, weights=weights)


def test_a_strength_of_nothing_changes_nothing_of_a_file(weights: Path, tmp_path: Path) -> None:
    write_photograph(retina(7), tmp_path / "a.png")
    result = magenet.enhance(str(tmp_path / "a.png"), strength=0.0, weights=weights)
    assert np.array_equal(result.image, retina(7).permute(1, 2, 0).numpy())
