"""The same photograph is found again; another one is not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from data_modules.public.near_duplicates import NEAR, near_pairs, perceptual_hash
from magenet.imaging.field_of_view import estimate_field


def hashed(image: Tensor) -> np.ndarray:
    return perceptual_hash(image, estimate_field(image))


def again(picture: Image.Image, quality: int = 95) -> Tensor:
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(stored)).transpose(2, 0, 1).copy())


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(draw_phantom(3, 256).image.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("change", ["half", "compressed", "darker", "cut"])
def test_a_photograph_stored_again_is_near(change: str, picture: Image.Image) -> None:
    changed = {
        "half": lambda: again(picture.resize((128, 128))),
        "compressed": lambda: again(picture, 40),
        "darker": lambda: again(Image.eval(picture, lambda value: int(255 * (value / 255) ** 1.4))),
        "cut": lambda: again(picture.crop((4, 4, 252, 252)).resize((224, 224))),
    }[change]()
    assert near_pairs([hashed(again(picture)), hashed(changed)]) == [(0, 1)]


def test_other_photographs_are_far() -> None:
    hashes = [hashed(draw_phantom(seed, 128).image) for seed in range(8)]
    assert near_pairs(hashes) == []
    assert near_pairs([]) == []


def test_pairs_are_those_within_the_limit_also_across_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("data_modules.public.near_duplicates.ROWS", 3)
    generator = np.random.default_rng(0)
    hashes = [generator.integers(0, 2**63, 4, dtype=np.uint64) for _ in range(8)]
    bits = np.unpackbits(hashes[1].view(np.uint8))
    for other, count in ((6, NEAR), (7, NEAR + 1)):
        flipped = bits.copy()
        flipped[:count] ^= 1
        hashes[other] = np.packbits(flipped).view(np.uint64)
    assert (1, 6) in near_pairs(hashes)
    assert (1, 7) not in near_pairs(hashes)
    assert all(first < second for first, second in near_pairs(hashes))
