"""The Python API: what it takes, what it refuses, and what its numbers mean."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import magenet
from data_modules.files.writing import write_photograph
from magenet.errors import UserError
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


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((60000, 200, 3), r"the array: is 200x60000 px: too long for its width"),
        ((20, 40, 3), r"the array: is 40x20 px; a photograph needs at least 32x32"),
        ((30000, 30000, 3), r"the array: is 30000x30000 px and needs .* GiB.*max_memory"),
    ],
)
def test_an_absurd_array_is_refused_before_anything_is_allocated(
    weights: Path, shape: tuple[int, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(*arguments: object) -> None:
        raise AssertionError("the array is copied")

    monkeypatch.setattr("magenet.enhancement.api.np.ascontiguousarray", copied)
    given = np.broadcast_to(np.uint8(90), shape)  # one byte
    with pytest.raises(UserError, match=told):
        magenet.enhance(given, weights=weights)


def test_the_uncertainty_map_counts(weights: Path, tmp_path: Path) -> None:
    monstrous = tmp_path / "a.png"
    Image.new("L", (9000, 9000)).save(monstrous)  # the command enhances it within 1.5 GB
    array = np.broadcast_to(np.uint8(0), (9000, 9000, 3))
    for given in (monstrous, array):
        with pytest.raises(UserError, match=r"9000x9000 px and needs .*max_memory"):
            magenet.enhance(given, weights=weights, max_memory="1.5G")


def test_what_a_result_lacks_of_its_file_is_told(weights: Path, tmp_path: Path) -> None:
    pages = [Image.fromarray(retina(seed).permute(1, 2, 0).numpy()) for seed in (1, 2)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    reasons = magenet.enhance(tmp_path / "a.tif", weights=weights).report.reasons
    assert any("first of 2 pages" in reason for reason in reasons)
