import pytest
import torch
from torch import Tensor
from torch.nn import functional

from magenet.models import Window
from magenet.models import window as window_module


def places(
    top: list[list[int]], left: list[list[int]], side: int, frame: tuple[int, int]
) -> Window:
    corners = [list(zip(*both, strict=True)) for both in zip(top, left, strict=True)]
    return Window(corners, side, side, frame)


def part_of(whole: Tensor, top: int, left: int, side: int) -> Tensor:
    """Return the part of `(C, H, W)` that a window shows, its edge repeated pixel by pixel."""
    height, width = whole.shape[-2:]
    rows = [min(top + row, height - 1) for row in range(side)]
    columns = [min(left + column, width - 1) for column in range(side)]
    return whole[:, rows][:, :, columns]


@pytest.mark.parametrize("size", [(1, 1), (47, 33), (128, 256), (300, 129)])
def test_tiles_cover_each_pixel_once(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "TILE", 64)
    monkeypatch.setattr(window_module, "MARGIN", 32)
    times = torch.zeros(size)
    for window, (rows, columns) in window_module.windows(*size, 1, 16):
        times[rows, columns] += 1
        ((top, left),), *_ = window.corners
        assert not any(n % 16 for n in (top, left, window.height, window.width))
        assert top <= rows.start
        assert rows.stop <= top + window.height
        assert left <= columns.start
        assert columns.stop <= left + window.width
        assert top == max(0, rows.start - 32)
        assert top + window.height >= min(size[0], rows.stop + 32)
    assert bool((times == 1).all())


def test_a_cut_shows_those_pixels_and_beyond_the_frame_its_edge() -> None:
    frame = (40, 56)
    image = torch.rand(2, 3, *frame)
    window = places([[0, 16], [32, 16]], [[0, 48], [16, 16]], 16, frame)
    parts = window.cut(image)
    assert parts.shape == (4, 3, 16, 16)
    corners = [(0, 0, 0), (0, 16, 48), (1, 32, 16), (1, 16, 16)]
    for part, (eye, top, left) in zip(parts, corners, strict=True):
        assert torch.equal(part, part_of(image[eye], top, left, 16))


def test_a_part_is_put_where_it_was_cut_and_nowhere_else() -> None:
    image = torch.rand(2, 3, 40, 56)
    window = places([[16], [16]], [[32], [32]], 16, (40, 56))
    copy = torch.zeros_like(image)
    window.put(window.cut(image), copy, (slice(18, 30), slice(32, 47)))
    wanted = torch.zeros_like(image)
    wanted[..., 18:30, 32:47] = image[..., 18:30, 32:47]
    assert torch.equal(copy, wanted)


@pytest.mark.parametrize("stride", [1, 2, 8])
@pytest.mark.parametrize("coarse", [(5, 7), (40, 56), (13, 21)])
def test_a_field_is_sampled_as_if_enlarged_as_a_whole(stride: int, coarse: tuple[int, int]) -> None:
    frame = (80, 112)
    field = torch.randn(2, 4, *coarse)
    window = places([[0, 48], [64, 16]], [[80, 0], [96, 32]], 16, frame)
    size = [side // stride for side in frame]
    enlarged = functional.interpolate(field, size, mode="bilinear")
    corners = [(0, 0, 80), (0, 48, 0), (1, 64, 96), (1, 16, 32)]
    for sampled in (window.sample(field, stride), window.sample_features(field, stride)):
        assert sampled.shape == (4, 4, 16 // stride, 16 // stride)
        for part, (eye, top, left) in zip(sampled, corners, strict=True):
            wanted = part_of(enlarged[eye], top // stride, left // stride, 16 // stride)
            assert torch.allclose(part, wanted, atol=1e-4)


def test_sampled_features_are_as_a_convolution_returns_them() -> None:
    """Else each tile would be converted: that took longer than its largest convolution."""
    window = places([[0, 48]], [[80, 0]], 16, (80, 112))
    features = torch.rand(1, 4, 10, 14).bfloat16()
    sampled = window.sample_features(features, 2)
    assert sampled.dtype == torch.bfloat16
    assert sampled.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(sampled.float(), window.sample(features.float(), 2), atol=0.01)


@pytest.mark.parametrize("axes", [(), (-1,), (-2,), (-2, -1)])
def test_windows_of_a_flipped_photograph_show_the_same_places(axes: tuple[int, ...]) -> None:
    frame = (48, 64)
    image = torch.rand(2, 3, *frame)
    window = places([[0, 16], [32, 16]], [[0, 48], [16, 16]], 16, frame)
    flipped = window.flipped(axes).cut(image.flip(axes)).flip(axes)
    assert torch.equal(flipped, window.cut(image))
    with pytest.raises(ValueError, match="larger than their photographs"):
        window._replace(height=window.frame[0] + 1).flipped(axes)
