import numpy as np
import pytest
import torch

from data_modules.datasets.phantom import DISC_RADIUS, draw_phantom
from data_modules.datasets.vessel_tree import grow_vessels


def test_same_seed_same_retina_another_seed_another() -> None:
    first, again, other = draw_phantom(7, 64), draw_phantom(7, 64), draw_phantom(8, 64)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.vessels, again.vessels)
    assert not torch.equal(first.vessels, other.vessels)


@pytest.mark.parametrize("size", [64, 101, 256])
def test_anatomy_has_the_right_sizes_at_any_size(size: int) -> None:
    for seed in range(4):
        phantom = draw_phantom(seed, size)
        assert phantom.image.shape == (3, size, size)
        area = float(phantom.disc.sum()) / size**2
        assert area == pytest.approx(np.pi * DISC_RADIUS**2 * 0.95, rel=0.3)
        assert not bool((phantom.cup & ~phantom.disc).any())
        share = float(phantom.vessels.sum() / phantom.field.mask.sum())
        assert 0.03 < share < 0.25  # DRIVE's is 0.127


def test_the_same_retina_at_another_size() -> None:
    small, large = draw_phantom(6, 96), draw_phantom(6, 192)
    # At the smaller size the thinnest vessels vanish; those that are left run in the same place.
    there = torch.nn.functional.max_pool2d(large.vessels[None].float(), 2)[0] > 0
    assert float((small.vessels & there).sum() / small.vessels.sum()) > 0.95
    assert abs(float(small.disc.float().mean() / large.disc.float().mean()) - 1) < 0.1


def test_black_outside_the_field() -> None:
    phantom = draw_phantom(2, 128)
    outside = ~phantom.field.mask
    assert not bool(phantom.image[outside.expand(3, -1, -1)].any())
    for label in (phantom.vessels, phantom.disc, phantom.cup, *phantom.lesions.values()):
        assert not bool((label & outside).any())


def test_vessels_are_darker_and_the_disc_is_brighter_than_the_rest() -> None:
    for seed in range(5):
        phantom = draw_phantom(seed, 192)
        green = phantom.image[1:2].float()
        rest = phantom.field.mask & ~phantom.vessels & ~phantom.disc
        assert float(green[phantom.vessels & ~phantom.disc].mean()) < 0.85 * float(
            green[rest].mean()
        )
        assert float(green[phantom.disc].mean()) > 1.2 * float(green[rest].mean())


def test_calibres_obey_murray() -> None:
    rng = np.random.default_rng(0)
    vessels = grow_vessels(rng, (0.67, 0.5), (0.42, 0.52))
    starts: dict[tuple[float, float], list[float]] = {}
    for vessel in vessels:
        starts.setdefault(vessel.points[0], []).append(vessel.start_radius)
    checked = 0
    for vessel in vessels:
        children = starts.get(vessel.points[-1], [])
        if len(children) == 2:  # both thick enough to be drawn
            assert sum(r**3 for r in children) == pytest.approx(vessel.end_radius**3, rel=1e-6)
            checked += 1
    assert checked > 20
    assert {vessel.artery for vessel in vessels} == {True, False}


def test_lesions_appear_where_asked() -> None:
    sick, healthy = draw_phantom(5, 256, lesions=True), draw_phantom(5, 256, lesions=False)
    assert any(bool(mask.any()) for mask in sick.lesions.values())
    assert not any(bool(mask.any()) for mask in healthy.lesions.values())


def test_the_second_camera_sees_the_same_retina_otherwise() -> None:
    clinic, handheld = draw_phantom(9, 96), draw_phantom(9, 96, camera="handheld")
    assert torch.equal(clinic.vessels, handheld.vessels)
    assert not torch.equal(clinic.image, handheld.image)
