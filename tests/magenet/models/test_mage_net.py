from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from magenet.models import EnhancerOutput, MAGENet
from tests.conftest import ROOT

TINY: dict[str, Any] = {
    "width": 8, "growth": 4, "blocks": 1, "original_width": 8, "original_groups": 1,
    "guide_width": 8,
}  # fmt: skip


def awake(network: MAGENet) -> MAGENet:
    """The heads start at zero: give every parameter something to say."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (64, 47), (101, 128)])
def test_any_size_comes_back_at_its_own_size(size: tuple[int, int]) -> None:
    output = awake(MAGENet(**TINY))(torch.rand(2, 3, *size))
    assert len(output.stages) == 3
    assert all(stage.shape == (2, 3, *size) for stage in output.stages)
    assert output.structure is not None
    assert output.structure.shape == (2, 1, *size)


def test_starts_as_the_identity() -> None:
    image = torch.rand(1, 3, 40, 40)
    for stage in MAGENet(**TINY)(image).stages:
        assert torch.equal(stage, image)


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


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        MAGENet(coarse_stage=False, fine_stage=False, original_resolution_stage=False)
    with pytest.raises(ValueError, match="structure_preservation"):
        MAGENet(coarse_stage=False, fine_stage=False)
    with pytest.raises(ValueError, match="32x32"):
        MAGENet(**TINY)(torch.rand(1, 3, 31, 64))


@pytest.mark.parametrize(("size", "millions"), [("tiny", 0.2), ("compact", 1.0), ("base", 4.0)])
def test_named_sizes_are_what_they_say(size: str, millions: float) -> None:
    config = yaml.safe_load(Path(ROOT, f"experiments/model/{size}.yaml").read_text())
    network = MAGENet(**config["model"]["init_args"]["network"]["init_args"])
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.2)
