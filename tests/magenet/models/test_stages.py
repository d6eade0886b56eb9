"""Parts of MAGE-Net's stages."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from magenet.models.stages import BlockConv2d


@pytest.mark.parametrize("block", [1, 2, 4])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_convolution_of_blocks_is_pixel_unshuffle_and_a_convolution(
    block: int, channels_last: bool
) -> None:
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    image = torch.rand(2, 5, 24, 32).contiguous(memory_format=layout)
    blocks = BlockConv2d(5, 8, block)
    plain = nn.Conv2d(5 * block**2, 8, 3, padding=1)
    plain.load_state_dict(blocks.state_dict())  # weights of either serve the other
    wanted = plain(functional.pixel_unshuffle(image, block))
    assert torch.allclose(blocks(image), wanted, atol=1e-5)
    for network in (blocks, plain):
        network(
            image if network is blocks else functional.pixel_unshuffle(image, block)
        ).sum().backward()
    assert blocks.weight.grad is not None
    assert plain.weight.grad is not None
    assert torch.allclose(blocks.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_features_of_blocks_lie_in_memory_as_the_weights_do(layout: torch.memory_format) -> None:
    blocks = BlockConv2d(3, 8, 2).to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs lack it
    assert blocks(torch.rand(1, 3, 24, 32)).is_contiguous(memory_format=layout)
