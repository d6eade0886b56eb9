import pytest
import torch
from torch import nn

from magenet.ema import EMATeacher


def student() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))


def test_shares_no_storage_with_the_student() -> None:
    network = student()
    teacher = EMATeacher(network)
    own = {p.data_ptr() for p in [*teacher.parameters(), *teacher.buffers()]}
    assert own.isdisjoint(p.data_ptr() for p in [*network.parameters(), *network.buffers()])


def test_equals_the_closed_form_after_k_steps() -> None:
    network = student()
    teacher = EMATeacher(network, decay=0.9)
    expected = [p.detach().double().clone() for p in network.parameters()]
    for t in range(30):  # far enough for the warm-up to reach the decay at t = 9
        with torch.no_grad():
            for p in network.parameters():
                p.add_(torch.randn_like(p) * 0.1)
        decay = min(1 - 1 / (t + 1), 0.9)
        assert teacher.current_decay == pytest.approx(decay)
        expected = [
            decay * e + (1 - decay) * p.detach().double()
            for e, p in zip(expected, network.parameters(), strict=True)
        ]
        teacher.update(network)
    for e, p in zip(expected, teacher.network.parameters(), strict=True):
        assert torch.allclose(e, p.double(), atol=1e-5)


def test_is_at_first_the_mean_of_the_students_without_its_initialisation() -> None:
    network = student()
    teacher = EMATeacher(network, decay=0.999)
    seen = []
    for _ in range(20):
        with torch.no_grad():
            for p in network.parameters():
                p.copy_(torch.randn_like(p))
        seen.append(nn.utils.parameters_to_vector(network.parameters()))
        teacher.update(network)
    mean = torch.stack(seen).mean(dim=0)
    own = nn.utils.parameters_to_vector(teacher.network.parameters())
    assert torch.allclose(own, mean, atol=1e-5)


def test_has_no_gradient_and_stays_in_evaluation_mode() -> None:
    network = student()
    teacher = EMATeacher(network)
    teacher.update(network)
    teacher.train()
    nn.ModuleList([teacher]).train()
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_buffers_are_copied_whole_numbers_too() -> None:
    network = student()
    teacher = EMATeacher(network)
    network(torch.rand(2, 3, 8, 8))
    teacher.update(network)
    for own, other in zip(teacher.network.buffers(), network.buffers(), strict=True):
        assert torch.equal(own, other)


def test_the_count_of_updates_is_saved_and_restored() -> None:
    network = student()
    teacher, other = EMATeacher(network), EMATeacher(student())
    for _ in range(3):
        teacher.update(network)
    other.load_state_dict(teacher.state_dict())
    assert other.num_updates == 3


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5])
def test_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="decay"):
        EMATeacher(student(), decay=decay)


def test_a_student_with_other_buffers_is_refused() -> None:
    other = student()
    other[1] = nn.BatchNorm2d(4, track_running_stats=False)
    with pytest.raises(ValueError, match="zip"):
        EMATeacher(student()).update(other)
