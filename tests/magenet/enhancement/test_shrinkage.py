import torch

from magenet.enhancement.shrinkage import rms_inside, split_bands

MASK = torch.ones(1, 96, 96)
MASK[:, :, :30] = 0


def test_light_and_detail_add_up_to_the_change() -> None:
    change = torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0)) * MASK
    torch.testing.assert_close(sum(split_bands(change, MASK)), change)


def test_light_is_what_is_broad_and_knows_no_surround() -> None:
    constant = 0.2 * MASK.expand(3, -1, -1)
    light, detail = split_bands(constant, MASK)
    torch.testing.assert_close(light, constant)
    assert float(detail.abs().max()) < 1e-6
    checks = torch.ones(3, 96, 96)
    checks[:, ::2, 1::2] = checks[:, 1::2, ::2] = -1.0
    light, detail = split_bands(0.2 * checks * MASK, MASK)
    assert float(rms_inside(light, MASK)) < 0.2 * float(rms_inside(detail, MASK))


def test_size_is_that_inside_the_field() -> None:
    change = torch.full((3, 96, 96), 0.5)
    change[:, :, 30:] = -0.1
    torch.testing.assert_close(rms_inside(change, MASK), torch.tensor(0.1))
