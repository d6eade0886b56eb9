import torch

from magenet.imaging.crop import resize


def test_what_is_too_fine_for_the_size_is_averaged_and_not_skipped() -> None:
    stripes = torch.zeros(3, 62, 62, dtype=torch.uint8)
    stripes[..., ::2] = 200
    reduced = resize(stripes, 20)
    assert int((reduced.int() - 100).abs().max()) < 25
