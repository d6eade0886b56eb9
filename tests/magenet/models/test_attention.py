import torch

from magenet.models.attention import (
    ChannelAttention,
    LightCorrection,
    MultiAttentionBlock,
    SpatialAttention,
    SupervisedAttention,
)


def test_channel_attention_gives_a_channel_one_weight() -> None:
    features = torch.rand(2, 8, 5, 6) + 0.5
    ratio = ChannelAttention(8)(features) / features
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert bool(((ratio > 0) & (ratio < 1)).all())


def test_spatial_attention_gives_a_place_one_weight() -> None:
    features = torch.rand(2, 8, 9, 9) + 0.5
    ratio = SpatialAttention(8)(features) / features
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-5)
    assert bool(((ratio > 0) & (ratio < 1)).all())


def test_block_without_attention_is_two_convolutions_and_a_skip() -> None:
    block = MultiAttentionBlock(4, channel_attention=False, spatial_attention=False)
    torch.nn.init.zeros_(block.second.weight)
    torch.nn.init.zeros_(block.second.bias)
    features = torch.rand(1, 4, 6, 6)
    assert torch.equal(block(features), features)


def test_light_correction_can_undo_a_factor_and_an_added_field() -> None:
    correct = LightCorrection(4, stride=2)
    clean = torch.rand(1, 3, 8, 8)
    disturbed = 0.5 * clean + 0.2
    # x = 2 y - 0.4 : gain 1 on top of the identity, offset -0.4.
    torch.nn.init.constant_(correct.head.bias[:3], 1.0)
    torch.nn.init.constant_(correct.head.bias[3:], -0.4)
    assert torch.allclose(correct(torch.zeros(1, 4, 4, 4), disturbed), clean, atol=1e-6)


def test_supervised_attention_lets_the_estimate_weigh_the_features() -> None:
    module = SupervisedAttention(4, stride=2)
    features = torch.rand(1, 4, 4, 4)
    bright, _ = module(features, torch.ones(1, 3, 8, 8))
    dark, _ = module(features, torch.zeros(1, 3, 8, 8))
    assert not torch.allclose(bright, dark)
    plain = SupervisedAttention(4, stride=2, attend=False)
    assert torch.equal(plain(features, torch.ones(1, 3, 8, 8))[0], features)
