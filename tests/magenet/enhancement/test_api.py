"""`magenet.enhance` refuses what does not fit, as the command does."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import magenet
from magenet.errors import UserError


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
