import torch

from data_modules.orientation import Orientation
from magenet.degradation import CounterRNG


def test_photograph_and_mask_move_alike_and_back() -> None:
    image = torch.rand(64, 3, 16, 16)
    mask = (image[:, :1] > 0.5).float()
    orientation = Orientation.draw(CounterRNG(torch.arange(64)))
    turned = orientation.apply(image)
    assert torch.equal((turned[:, :1] > 0.5).float(), orientation.apply(mask))
    assert torch.allclose(turned.sum(dim=(2, 3)), image.sum(dim=(2, 3)), atol=1e-3)
    assert torch.equal(orientation.undo(turned), image)
    still = sum(torch.equal(a, b) for a, b in zip(turned, image, strict=True))
    assert 2 <= still <= 16  # one in eight


def test_all_eight_symmetries_occur() -> None:
    orientation = Orientation.draw(CounterRNG(torch.arange(200)))
    picture = torch.arange(9.0).view(1, 3, 3).expand(200, 1, 3, 3)
    seen = {tuple(one.flatten().tolist()) for one in orientation.apply(picture)}
    assert len(seen) == 8
