import pytest
import torch

from magenet.models.attention import (
    ChannelAttention,
    LightCorrection,
    MultiAttentionBlock,
    SpatialAttention,
    SupervisedAttention,
    outer,
)


def test_attentions_give_weights_of_channels_and_of_places() -> None:
    features = torch.randn(2, 8, 9, 6)
    channel, place = ChannelAttention(8)(features), SpatialAttention(8)(features).sigmoid()
    assert channel.shape == (2, 8, 1, 1)
    assert place.shape == (2, 1, 9, 6)
    for weight in (channel, place):
        assert bool(((weight > 0) & (weight < 1)).all())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_their_product_is_the_outer_product_in_the_layout_of_the_features(
    layout: torch.memory_format,
) -> None:
    channel, place = torch.rand(2, 8, 1, 1), torch.rand(2, 1, 9, 6).contiguous(memory_format=layout)
    product = outer(channel, place)
    assert torch.allclose(product, channel * place)
    assert product.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channel", [False, True])
@pytest.mark.parametrize("spatial", [False, True])
def test_a_block_adds_what_its_attentions_let_through(channel: bool, spatial: bool) -> None:
    block = MultiAttentionBlock(8, channel_attention=channel, spatial_attention=spatial)
    features = torch.randn(2, 8, 9, 7)
    with torch.no_grad():
        ratio = (block(features) - features) / block.refine(features)
    if not channel and not spatial:
        assert torch.allclose(ratio, torch.ones_like(ratio), atol=1e-3)
        return
    assert bool(((ratio > 0) & (ratio < 1)).all())
    by_place, by_channel = ratio.std(dim=(2, 3)).max(), ratio.std(dim=1).max()
    assert (float(by_place) > 1e-3) == spatial
    assert (float(by_channel) > 1e-3) == channel


def test_block_without_attention_is_two_convolutions_and_a_skip() -> None:
    block = MultiAttentionBlock(4, channel_attention=False, spatial_attention=False)
    torch.nn.init.zeros_(block.second.weight)
    torch.nn.init.zeros_(block.second.bias)
    features = torch.rand(1, 4, 6, 6)
    assert torch.equal(block(features), features)


def test_light_correction_can_undo_a_factor_and_an_added_field() -> None:
    correct = LightCorrection(4, scale=2)
    clean = torch.rand(1, 3, 8, 8)
    disturbed = 0.5 * clean + 0.2
    # x = 2 y - 0.4 : gain 1 on top of the identity, offset -0.4.
    torch.nn.init.constant_(correct.head.bias[:12], 1.0)
    torch.nn.init.constant_(correct.head.bias[12:], -0.4)
    assert torch.allclose(correct(torch.zeros(1, 4, 4, 4), disturbed), clean, atol=1e-6)


def test_supervised_attention_lets_the_estimate_weigh_the_features() -> None:
    module = SupervisedAttention(4)
    features = torch.rand(1, 4, 8, 8)
    bright = module(features, torch.ones(1, 3, 8, 8))
    dark = module(features, torch.zeros(1, 3, 8, 8))
    assert not torch.allclose(bright, dark)
