from typing import Any

import pytest
import torch

from magenet.models import EnhancerOutput, MAGENet

TINY: dict[str, Any] = {
    "widths": [8, 8, 12, 16], "blocks": [1, 2, 1, 1], "original_width": 8, "original_groups": 1,
    "original_blocks": 1, "guide_width": 8,
}  # fmt: skip


def awake(network: MAGENet) -> MAGENet:
    """The heads start at zero: give every parameter something to say."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (64, 47), (101, 128)])
def test_any_size_comes_back_at_its_own_size(size: tuple[int, int]) -> None:
    output = awake(MAGENet(**TINY))(torch.rand(2, 3, *size))
    for stage, stride in zip(output.stages, (4, 2, 1), strict=True):
        assert stage.shape == (2, 3, *(-(-side // stride) for side in size))
    assert output.structure is not None
    assert output.structure.shape == (2, 1, *size)


def test_starts_as_the_identity() -> None:
    image = torch.rand(1, 3, 40, 40)
    stages = MAGENet(**TINY)(image).stages
    for stage, stride in zip(stages, (4, 2, 1), strict=True):
        assert torch.equal(stage, torch.nn.functional.avg_pool2d(image, stride))


def test_the_image_is_clamped_but_the_stages_are_not() -> None:
    output = EnhancerOutput((torch.tensor([[[[-1.0, 2.0]]]]),))
    assert output.image.tolist() == [[[[0.0, 1.0]]]]
    assert output.stages[-1].tolist() == [[[[-1.0, 2.0]]]]


def test_every_parameter_gets_a_gradient() -> None:
    network = awake(MAGENet(**TINY))
    output = network(torch.rand(2, 3, 48, 48))
    assert output.structure_logits is not None
    (sum(stage.sum() for stage in output.stages) + output.structure_logits.sum()).backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None]
    assert not silent


@pytest.mark.parametrize(
    ("switch", "stages"),
    [
        ("channel_attention", 3),
        ("spatial_attention", 3),
        ("supervised_attention", 3),
        ("cross_stage_fusion", 3),
        ("structure_guides", 3),
        ("structure_preservation", 3),
        ("coarse_stage", 2),
        ("fine_stage", 2),
        ("original_resolution_stage", 2),
    ],
)
def test_each_part_can_be_switched_off(switch: str, stages: int) -> None:
    whole = MAGENet(**TINY)
    part = awake(MAGENet(**TINY, **{switch: False}))
    assert len(part(torch.rand(1, 3, 37, 41)).stages) == stages
    assert part(torch.rand(1, 3, 37, 41)).stages[-1].shape == (1, 3, 37, 41)
    count = [sum(p.numel() for p in n.parameters()) for n in (part, whole)]
    assert count[0] < count[1]


def test_only_the_original_resolution_stage() -> None:
    network = MAGENet(**TINY, coarse_stage=False, fine_stage=False, structure_preservation=False)
    assert len(network(torch.rand(1, 3, 33, 35)).stages) == 1


def test_structure_guides_the_later_stages() -> None:
    network = awake(MAGENet(**TINY))
    image = torch.rand(1, 3, 48, 48)
    before = network(image)
    assert network.structure is not None
    torch.nn.init.zeros_(network.structure.refine[0].weight)
    after = network(image)
    assert torch.equal(before.stages[0], after.stages[0])  # the coarse stage came before
    assert not torch.allclose(before.stages[1], after.stages[1])
    assert not torch.allclose(before.stages[2], after.stages[2])


def test_a_map_that_guides_nothing_is_still_predicted() -> None:
    network = awake(MAGENet(**TINY, structure_guides=False))
    image = torch.rand(1, 3, 48, 48)
    before = network(image)
    assert before.structure_logits is not None
    assert network.structure is not None
    torch.nn.init.zeros_(network.structure.refine[0].weight)
    after = network(image)
    assert not torch.allclose(before.structure_logits, after.structure_logits)
    assert torch.equal(before.image, after.image)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        MAGENet(coarse_stage=False, fine_stage=False, original_resolution_stage=False)
    with pytest.raises(ValueError, match="structure_preservation"):
        MAGENet(coarse_stage=False, fine_stage=False)
    with pytest.raises(ValueError, match="4 widths"):
        MAGENet(widths=(8, 8, 8))
    with pytest.raises(ValueError, match="32x32"):
        MAGENet(**TINY)(torch.rand(1, 3, 31, 64))


@pytest.mark.parametrize(("size", "millions"), [("tiny", 0.2), ("compact", 1.5), ("base", 4.1)])
def test_named_sizes_are_what_they_say(size: str, millions: float) -> None:
    network = MAGENet.from_name(size)  # type: ignore[arg-type]  # one of its names
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.2)


def test_checkpointing_changes_memory_and_not_the_result() -> None:
    image = torch.rand(1, 3, 40, 40)
    gradients, kept = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = awake(MAGENet(**TINY, checkpointing=checkpointing))
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: (sizes.append(t.numel()), t)[1], lambda t: t
        ):
            loss = network(image).stages[-1].square().mean()
        loss.backward()
        kept.append(sum(sizes))
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    assert kept[1] < 0.7 * kept[0]
    for plain, again in zip(*gradients, strict=True):
        assert torch.allclose(plain, again)


def test_channels_last_is_kept_from_layer_to_layer() -> None:
    network = awake(MAGENet(**TINY)).to(memory_format=torch.channels_last)
    image = torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    lost = []

    def watch(name: str, inputs: tuple[torch.Tensor, ...]) -> None:
        for given in inputs:
            if not given.is_contiguous(memory_format=torch.channels_last):
                lost.append(name)

    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(lambda _, given, name=name: watch(name, given))
    network(image)
    assert not lost, "these convolutions were given another layout and would convert it"


@pytest.mark.parametrize("own_scale", [False, True])
def test_a_wanted_quality_is_one_more_input_that_is_clean_unless_given(own_scale: bool) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {}
    if own_scale:
        options = {"original_resolution_stage": False, "detail_widths": (8, 8, 8)}
    network = MAGENet(**TINY, **options, quality_map=True).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    image = torch.rand(2, 3, 64, 64)
    clean = network(image).image
    assert torch.equal(network(image, quality=torch.zeros(2)).image, clean)
    mixed = network(image, quality=torch.tensor([0.0, 3.0])).image
    assert torch.equal(mixed[0], clean[0])
    assert not torch.allclose(mixed[1], clean[1], atol=1e-4)
