import torch
from torch import Tensor

from magenet.bank import TargetBank
from magenet.models import EnhancerOutput


def output(*levels: float) -> EnhancerOutput:
    stage = torch.tensor(levels)[:, None, None, None].expand(-1, 3, 4, 4)
    return EnhancerOutput((stage[..., :2, :2], stage), stage[:, :1])


def scores(*values: float) -> Tensor:
    return torch.tensor(values)


def level(found: EnhancerOutput) -> list[float]:
    return [float(one) for one in found.image[:, 0, 0, 0]]


def test_a_first_target_is_taken_as_it_is() -> None:
    found = TargetBank().best(["a", "b"], output(0.25, 0.5), [scores(0, 0), scores(0, 0)])
    assert level(found) == [0.25, 0.5]
    assert found.structure_logits is not None
    assert found.structure_logits.shape == (2, 1, 4, 4)
    assert found.stages[0].shape == (2, 3, 2, 2)


def test_a_target_is_replaced_where_every_measure_agrees() -> None:
    bank = TargetBank()
    bank.best(["a", "b", "c"], output(0.0, 0.0, 0.0), [scores(1, 1, 1), scores(1, 1, 1)])
    found = bank.best(["c", "a", "b"], output(0.75, 0.25, 0.5), [scores(0, 2, 2), scores(2, 2, 0)])
    assert level(found) == [0.0, 0.25, 0.0]
    # What was refused left no score behind.
    assert level(bank.best(["c"], output(0.75), [scores(1.5), scores(1.5)])) == [0.75]


def test_a_bank_goes_on_after_a_checkpoint() -> None:
    bank, again = TargetBank(), TargetBank()
    bank.best(["a"], output(0.5), [scores(3), scores(3)])
    again.restore(bank.state())
    assert level(again.best(["a"], output(0.0), [scores(2), scores(2)])) == [0.5]


def test_a_bank_works_under_autocast() -> None:
    """Which does not stack half precision on a CPU."""
    with torch.autocast("cpu", torch.bfloat16):
        found = TargetBank().best(["a"], output(0.5), [scores(1), scores(1)])
    assert found.image.dtype == torch.float32
