"""Features equal a slow implementation; degrading a photograph raises its score."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from kornia.filters import gaussian_blur2d
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq
from scipy.special import gamma
from scipy.stats import gennorm
from torch import Tensor

from data_modules.datasets.phantom import draw_phantom
from magenet.errors import UserError
from magenet.metrics import NaturalnessModel
from magenet.metrics.naturalness import _asymmetric, _patches, _symmetric

SIDE = 16
Photographs = tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    phantoms = [draw_phantom(seed, 256) for seed in range(16)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    return image, torch.stack([p.field.mask for p in phantoms]).float()


@pytest.fixture(scope="module")
def model(photographs: Photographs) -> NaturalnessModel:
    image, mask = photographs
    return NaturalnessModel.fit(image[:12], mask[:12], SIDE)


def slow_shape(ratio: float) -> float:
    """The shape by root finding, where ours looks it up."""

    def excess(shape: float) -> float:
        return float(gamma(2 / shape) ** 2 / gamma(1 / shape) / gamma(3 / shape)) - ratio

    low, high = 0.2, 9.999  # what the published grid spans
    if excess(low) * excess(high) > 0:
        return low if excess(low) > 0 else high
    return float(brentq(excess, low, high))


def slow_statistics(patch: np.ndarray) -> list[float]:
    shape = slow_shape(np.abs(patch).mean() ** 2 / (patch**2).mean())
    result = [shape, np.sqrt((patch**2).mean() * gamma(1 / shape) / gamma(3 / shape))]
    size = len(patch)
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        pairs = np.array(
            [
                patch[y, x] * patch[y + down, x + across]
                for y in range(size - down)
                for x in range(max(0, -across), size - max(0, across))
            ]
        )
        left, right = (
            np.sqrt((pairs[pairs < 0] ** 2).mean()),
            np.sqrt((pairs[pairs > 0] ** 2).mean()),
        )
        g = left / right
        ratio = np.abs(pairs).mean() ** 2 / (pairs**2).mean()
        shape = slow_shape(ratio * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2)
        scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
        mean = (right - left) * scale * gamma(2 / shape) / gamma(1 / shape)
        result += [shape, mean, left * scale, right * scale]
    return result


def slow_features(image: Tensor, mask: Tensor, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and sharpness, a loop over patches and windows by scipy."""
    weights = np.array([0.299, 0.587, 0.114])[:, None, None]
    grey, inside = (image.double().numpy() * weights).sum(axis=0), mask[0].double().numpy()
    size = grey.shape[0]
    start = (size - size // side * side) // 4 * 2
    corners = range(start, start + size // side * side, side)

    def blurred(value: np.ndarray) -> np.ndarray:
        return gaussian_filter(value, 7 / 6, mode="constant", radius=3)

    def normalised(x: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weight = np.maximum(blurred(m), 1e-9)
        mean = blurred(x * m) / weight
        deviation = np.sqrt(np.maximum(blurred(x * x * m) / weight - mean**2, 0))
        return 255 * (x - mean) / (255 * deviation + 1), deviation

    def halved(x: np.ndarray) -> np.ndarray:
        return x.reshape(size // 2, 2, size // 2, 2).mean(axis=(1, 3))

    full, deviation = normalised(grey, inside)
    half, _ = normalised(halved(grey), np.floor(halved(inside)))
    features, sharpness = [], []
    for y in corners:
        for x in corners:
            if inside[y : y + side, x : x + side].min() > 0:
                window = (slice(y // 2, (y + side) // 2), slice(x // 2, (x + side) // 2))
                features.append(
                    slow_statistics(full[y : y + side, x : x + side])
                    + slow_statistics(half[window])
                )
                sharpness.append(deviation[y : y + side, x : x + side].mean())
    return np.array(features), np.array(sharpness)


def test_features_equal_an_independent_implementation(photographs: Photographs) -> None:
    image, mask = photographs
    image, mask = image[:2, :, 5:251, 5:251], mask[:2, :, 5:251, 5:251]  # 246: 48 leaves 6
    features, sharpness, owner = _patches(image, mask, 48)
    for index in range(2):
        expected, sharp = slow_features(image[index], mask[index], 48)
        assert len(expected) >= 8
        # Ours rounds shapes to 0.001, which the scales follow.
        assert np.allclose(features[owner == index].numpy(), expected, rtol=5e-3, atol=2e-3)
        assert np.allclose(sharpness[owner == index].numpy(), sharp, rtol=1e-5)


def test_known_shapes_are_found() -> None:
    generator = np.random.default_rng(0)
    for shape in (0.8, 2.0, 4.0):
        values = torch.from_numpy(
            gennorm.rvs(shape, scale=0.7, size=40_000, random_state=generator)
        )
        found = _symmetric(values[None])[0]
        assert found.tolist() == pytest.approx([shape, 0.7], rel=0.05)
        # Stretched on the right, each side with its share of the mass.
        left = torch.from_numpy(generator.random(len(values))) < 0.25
        lopsided = torch.where(left, -values.abs(), 3 * values.abs())
        found = _asymmetric(lopsided[None])[0]
        assert found[[0, 2, 3]].tolist() == pytest.approx([shape, 0.7, 2.1], rel=0.06)
        mean = 1.4 * gamma(2 / shape) / gamma(1 / shape)
        assert float(found[1]) == pytest.approx(mean, rel=0.06)


def test_fit_takes_the_sharpest_patches_and_score_takes_all(photographs: Photographs) -> None:
    image, mask = photographs
    chosen, everything = [], []
    for one, where in zip(image[:12], mask[:12], strict=True):
        features, sharpness, _ = _patches(one[None], where[None], SIDE)
        order = [f for f, s in zip(features, sharpness, strict=True) if s >= 0.75 * max(sharpness)]
        assert 0 < len(order) < len(features)
        chosen += order
        everything.append(features.numpy())
    fitted = NaturalnessModel.fit(image[:12], mask[:12], SIDE)
    rows = torch.stack(chosen).numpy()
    assert np.allclose(fitted.mean.numpy(), rows.mean(axis=0))
    assert np.allclose(fitted.covariance.numpy(), np.cov(rows, rowvar=False))

    patches = everything[0]
    offset = patches.mean(axis=0) - rows.mean(axis=0)
    middle = (np.cov(patches, rowvar=False) + np.cov(rows, rowvar=False)) / 2
    expected = np.sqrt(offset @ np.linalg.solve(middle, offset))
    assert float(fitted.score(image[:1], mask[:1])) == pytest.approx(expected, rel=1e-4)


def test_degrading_a_photograph_raises_the_score(
    photographs: Photographs, model: NaturalnessModel
) -> None:
    image, mask = (part[12:] for part in photographs)  # not those of the fit
    good = model.score(image, mask)
    blurred = gaussian_blur2d(image, (9, 9), (1.5, 1.5))
    noisy = (image + 0.05 * torch.randn_like(image)).clamp(0, 1)
    for degraded in (blurred, noisy):
        assert bool((model.score(degraded, mask) > 1.5 * good).all())


def test_photographs_are_scored_one_by_one_and_inside_the_field(
    photographs: Photographs, model: NaturalnessModel
) -> None:
    image, mask = (part[10:14] for part in photographs)
    scores = model.score(image, mask)
    assert scores.dtype == torch.float32
    singles = [float(model.score(image[n : n + 1], mask[n : n + 1])) for n in range(4)]
    assert scores.tolist() == pytest.approx(singles, rel=1e-5)
    outside = torch.where(mask.bool(), image, torch.rand_like(image))
    assert torch.equal(model.score(outside, mask), scores)

    image, mask = (part[:12] for part in photographs)  # one by one is the same fit
    outside = torch.where(mask.bool(), image, torch.rand_like(image))
    again = NaturalnessModel.fit(iter(outside), iter(mask), SIDE)
    assert torch.equal(again.covariance, model.covariance)


@pytest.mark.filterwarnings("error")
def test_too_few_patches_are_empty_and_not_a_number(
    photographs: Photographs, model: NaturalnessModel
) -> None:
    image, mask = (part[:3] for part in photographs)
    one = torch.zeros_like(mask)
    one[..., 112 : 112 + SIDE, 112 : 112 + SIDE] = 1.0
    two = one.clone()
    two[..., 112 : 112 + SIDE, 128 : 128 + SIDE] = 1.0
    scores = model.score(image, torch.stack([one[0], two[1], 0 * mask[2]]))
    assert scores.isnan().tolist() == [True, False, True]
    assert model.score(image[..., :9, :9], mask[..., :9, :9]).isnan().all()
    flat = torch.full_like(image, 0.5)
    assert model.score(flat, mask).isfinite().all()


def test_a_fit_says_what_it_lacks(photographs: Photographs) -> None:
    image, mask = photographs
    with pytest.raises(ValueError, match="a fit needs 37"):
        NaturalnessModel.fit(image[:1], mask[:1], 96)
    with pytest.raises(ValueError, match="even"):
        NaturalnessModel.fit(image[:1], mask[:1], 15)
    with pytest.raises(ValueError, match="cannot score"):
        NaturalnessModel.fit(image[:1], mask[:1, :, 1:], SIDE)


def test_a_model_survives_its_file(
    tmp_path: Path, photographs: Photographs, model: NaturalnessModel
) -> None:
    path = tmp_path / "models" / "good.pt"
    model.save(path)
    loaded = NaturalnessModel.load(path)
    assert loaded.patch == SIDE
    image, mask = (part[:2] for part in photographs)
    assert torch.equal(loaded.score(image, mask), model.score(image, mask))
    assert all(isinstance(value, Tensor) for value in torch.load(path, weights_only=True).values())

    with pytest.raises(UserError, match="no such naturalness model"):
        NaturalnessModel.load(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("not a model")
    with pytest.raises(UserError, match="not a readable naturalness model"):
        NaturalnessModel.load(tmp_path / "text.pt")
    for content in ([1], {"mean": torch.zeros(36)}, {**model.state, "mean": torch.zeros(35)}):
        torch.save(content, tmp_path / "other.pt")
        with pytest.raises(UserError, match="not a naturalness model"):
            NaturalnessModel.load(tmp_path / "other.pt")
    with pytest.raises(UserError, match="is a file, not a folder"):
        model.save(path / "below_a_file.pt")


class Runs:
    """Code that a pickle runs when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def test_a_file_runs_no_code(tmp_path: Path, model: NaturalnessModel) -> None:
    torch.save({**model.state, "mean": Runs(tmp_path / "mark")}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="not a readable naturalness model"):
        NaturalnessModel.load(tmp_path / "model.pt")
    assert not (tmp_path / "mark").exists()
