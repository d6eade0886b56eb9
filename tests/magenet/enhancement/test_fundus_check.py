import torch

from magenet.enhancement.fundus_check import colour_spread


def test_light_does_not_spread_colours_and_other_things_do() -> None:
    mask = torch.ones(2, 1, 64, 64)
    mask[..., :16] = 0.0
    light = torch.linspace(0.3, 1.0, 64).expand(64, 64)
    orange = torch.tensor([0.9, 0.5, 0.2])[:, None, None] * light
    grass = orange.clone()
    grass[:, 32:] = orange[:, 32:].flip(0)
    spread = colour_spread(torch.stack([orange, grass]) * mask, mask)
    assert float(spread[0].max()) < 0.02
    assert float(spread[1].min()) > 0.3
