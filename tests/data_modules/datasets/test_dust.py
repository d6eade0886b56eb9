from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torch.nn import functional

from data_modules import ManifestPhotographs
from data_modules.datasets import dust as dust_module
from data_modules.datasets.dust import DEEPEST, LEAST, MOST, WIDEST, Dust, dust_depth
from data_modules.datasets.manifest import Manifest, Photograph
from data_modules.datasets.sources import ManifestDataset
from data_modules.files.reading import is_rotated
from data_modules.files.writing import write_photograph
from tests.data_modules.tables import table

Grain = tuple[int, int, float, float]
"""Row and column of its middle, radius in pixels, relative depth."""

GRAINS: tuple[Grain, ...] = ((70, 90, 3.0, 0.08), (100, 150, 2.5, 0.15), (60, 140, 5.0, 0.04))


def discs(height: int, width: int, *grains: Grain) -> Tensor:
    """Return the depth of grains with edges a pixel wide, `(H, W)`."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    depth = torch.zeros(height, width)
    for row, column, radius, deep in grains:
        distance = ((rows - row).square() + (columns - column).square()).sqrt()
        depth += deep * (radius + 0.5 - distance).clamp(0.0, 1.0)
    return depth


def frames(count: int, height: int, width: int, *grains: Grain) -> list[Tensor]:
    """Return photographs of different retinas by one camera, uint8 `(3, H, W)` each."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    radius = 0.48 * min(height, width)
    field = ((rows - height / 2).square() + (columns - width / 2).square()).sqrt() < radius
    photographs = []
    for _ in range(count):
        light = 0.35 + 0.25 * torch.rand(1, 1, 4, 4)
        retina = functional.interpolate(light, (height, width), mode="bicubic")[0, 0]
        for _ in range(4):
            angle = torch.rand(()) * 6.3
            across = (rows - height / 2) * angle.cos() + (columns - width / 2) * angle.sin()
            away = across - (torch.rand(()) - 0.5) * width
            retina = retina * (1 - 0.25 * torch.exp(-(away / 1.5).square()))
        retina = retina * (1 - discs(height, width, *grains)) * field
        noisy = retina * (1 + 0.015 * torch.randn(height, width))
        colours = torch.stack([1.2 * noisy, 0.7 * noisy, 0.3 * noisy])
        photographs.append((colours * 255).round().clamp(0, 255).to(torch.uint8))
    return photographs


def written(folder: Path, images: list[Tensor], set_name: str = "set") -> list[Photograph]:
    photographs = []
    for index, image in enumerate(images):
        path = folder / f"{set_name}_{index}.png"
        write_photograph(image, path)
        photographs.append(Photograph(path, path.name, set=set_name))
    return photographs


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> list[Photograph]:
    """As many small photographs by a dusty camera as are needed."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("camera")
    return written(folder, frames(LEAST, 96, 144, (40, 92, 3.0, 0.15)))


def test_grains_are_found_with_their_depth_and_nothing_else_is() -> None:
    depth = dust_depth(frames(LEAST, 192, 256, *GRAINS))
    assert depth.shape == (1, 192, 256)
    near = torch.zeros(192, 256, dtype=torch.bool)
    for row, column, radius, deep in GRAINS:
        inside = discs(192, 256, (row, column, radius - 1, 1.0)) == 1
        assert float(depth[0][inside].mean()) == pytest.approx(deep, rel=0.25)
        reach = WIDEST // 2 + int(radius) + 2
        near[row - reach : row + reach + 1, column - reach : column + reach + 1] = True
    assert not bool(depth[0][~near].any())


def test_a_clean_camera_has_no_dust() -> None:
    """Neither vessels, nor noise, nor the rim of the field, which is at the same place of each."""
    assert not bool(dust_depth(frames(LEAST, 192, 256)).any())


def test_a_fovea_is_too_wide_for_dust() -> None:
    """It lies at the same place of many frames."""
    images = frames(LEAST, 192, 256)
    rows, columns = torch.arange(192)[:, None], torch.arange(256)
    squared = (rows - 96).square() + (columns - 128).square()
    fovea = 1 - 0.1 * torch.exp(-squared / (2 * 30.0**2))
    darker = [(image * fovea).round().to(torch.uint8) for image in images]
    assert not bool(dust_depth(darker).any())


def test_no_grain_is_deeper_than_the_deepest() -> None:
    depth = dust_depth(frames(LEAST, 96, 112, (40, 70, 3.0, 0.6)))
    assert float(depth.max()) == DEEPEST


def test_a_large_frame_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dust_module, "SIDE", 112)
    images = frames(LEAST, 96, 112, (40, 70, 3.0, 0.15))
    large = [image.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2) for image in images]
    assert torch.allclose(dust_depth(large), dust_depth(images), atol=0.02)


def depth_of(dust: Dust, photograph: Photograph, height: int, width: int) -> torch.Tensor:
    """Return the share of the pixel values that dust takes from a frame, `(1, height, width)`."""
    plane = dust.plane(photograph, height, width)
    return torch.zeros(1, height, width) if plane is None else DEEPEST * plane / 255


def test_dust_is_where_it_is_at_any_size_of_the_frame(camera: list[Photograph]) -> None:
    dust = Dust(camera)
    for scale in (1, 2):
        depth = depth_of(dust, camera[0], 96 * scale, 144 * scale)
        assert depth.shape == (1, 96 * scale, 144 * scale)
        deepest = int(depth.flatten().argmax())
        assert abs(deepest // (144 * scale) - 40 * scale) <= 2 * scale
        assert abs(deepest % (144 * scale) - 92 * scale) <= 2 * scale
        assert float(depth.max()) == pytest.approx(0.15, rel=0.2)


def test_too_few_photographs_show_no_dust(camera: list[Photograph]) -> None:
    dust = Dust(camera[:-1])
    assert not dust.depths
    assert not bool(depth_of(dust, camera[0], 96, 144).any())
    assert bool(depth_of(Dust(camera), camera[0], 96, 144).any())


def test_cameras_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their set, and by the shape of their frames whatever their size."""
    monkeypatch.setattr(dust_module, "LEAST", 2)
    seen: list[int] = []

    def a_tenth(images: list[Tensor]) -> Tensor:
        seen.append(len(images))
        return torch.full((1, *images[0].shape[-2:]), 0.1)

    monkeypatch.setattr(dust_module, "dust_depth", a_tenth)
    wide, tall, large = (
        torch.zeros(3, *size, dtype=torch.uint8) for size in ((32, 48), (48, 32), (64, 96))
    )
    one = written(tmp_path, [wide, tall, wide, large], "one")
    other = written(tmp_path, [wide], "other")
    dust = Dust(one + other)
    assert seen == [3]
    assert bool(depth_of(dust, one[0], 32, 48).all())
    assert bool(depth_of(dust, one[3], 64, 96).all())
    assert not bool(depth_of(dust, one[1], 48, 32).any()), "one photograph of that shape"
    assert not bool(depth_of(dust, other[0], 32, 48).any()), "another set"


def test_no_more_photographs_are_read_than_needed(
    camera: list[Photograph], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def a_tenth(images: list[Tensor]) -> Tensor:
        seen.append(len(images))
        return torch.zeros(1, 96, 144)

    monkeypatch.setattr(dust_module, "dust_depth", a_tenth)
    Dust(camera * 4)
    assert seen == [MOST]


def test_the_second_time_comes_from_the_cache(
    camera: list[Photograph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = depth_of(Dust(camera, str(folder)), camera[0], 96, 144)
    calls: list[int] = []

    def refuse(images: list[Tensor]) -> Tensor:
        calls.append(len(images))
        return torch.zeros(1, 96, 144)

    monkeypatch.setattr(dust_module, "dust_depth", refuse)
    assert torch.equal(depth_of(Dust(camera, str(folder)), camera[0], 96, 144), first)
    assert not calls
    Dust([*camera, camera[0]], str(folder))
    assert calls == [LEAST + 1], "other photographs are another entry"
    cleaned = tmp_path / "cleaned.png"
    write_photograph(torch.zeros(3, 96, 144, dtype=torch.uint8), cleaned)
    Dust([replace(camera[0], image=cleaned), *camera[1:]], str(folder))
    assert calls == [LEAST + 1, LEAST], "so are others of the same names"
    (entry,) = [path for path in folder.rglob("*.npy") if path.stat().st_size > 1000][:1]
    for path in folder.rglob("*.npy"):
        path.write_bytes(entry.read_bytes()[:200])
    Dust(camera, str(folder))
    assert len(calls) == 3, "a damaged entry is made anew"


def test_a_photograph_that_nobody_asks_for_may_be_damaged(camera: list[Photograph]) -> None:
    cut = camera[0].image.with_name("cut.png")
    cut.write_bytes(camera[0].image.read_bytes()[:2000])
    damaged = replace(camera[0], image=cut, name="cut.png")
    assert Dust([*camera, damaged]).depths.keys() == Dust(camera).depths.keys() != set()
    assert not Dust([*camera[1:], damaged]).depths, "one too few is left"


def test_a_rotated_photograph_has_its_dust_elsewhere_and_counts_for_nothing(
    camera: list[Photograph],
) -> None:
    turned = camera[0].image.with_name("turned.png")
    with Image.open(camera[0].image) as picture:
        exif = picture.getexif()
        exif[ExifTags.Base.Orientation] = 3
        picture.save(turned, exif=exif)
    assert is_rotated(turned)
    assert not is_rotated(camera[0].image)
    upside_down = replace(camera[0], image=turned)
    assert not Dust([*camera[1:], upside_down]).depths
    plain, rotated = (
        ManifestDataset(Manifest([photograph], "x"), 96, dust=Dust(camera))[0]["mask_dust"]
        for photograph in (camera[0], upside_down)
    )
    assert bool(plain.any())
    assert not bool(rotated.any())


def test_samples_tell_the_dust_of_their_camera(camera: list[Photograph], tmp_path: Path) -> None:
    """Found in the training photographs of any quality, and cut to the field like the sample."""
    rows = [("image", "set", "split", "quality")]
    for place, photograph in enumerate(camera):
        quality = "good" if place < 2 else "reject"
        rows.append((str(photograph.image), photograph.set, "train", quality))
    rows.append((str(written(tmp_path, frames(1, 96, 144))[0].image), "clean", "train", "good"))
    index = table(tmp_path / "index.csv", *rows)
    source = ManifestPhotographs(str(index), qualities=["good"], dust=True, cache=str(tmp_path))
    dataset = source.dataset("train", 64)
    assert len(dataset) == 3
    for _ in range(2):  # the second time from the cache
        sample = dataset[0]
        assert sample["mask_dust"].shape == (1, 64, 64)
        assert sample["mask_dust"].dtype == torch.uint8
    field = sample["mask_fov"][0]
    grain = sample["mask_dust"][0].float()
    assert float(grain.max()) / 255 * DEEPEST == pytest.approx(0.15, rel=0.3)
    # The field is 92 px wide, from row 2 and column 26: the sample shows it at 64 / 92.
    row, column = (int(n) for n in divmod(int(grain.flatten().argmax()), 64))
    assert abs(row - (40 - 2) * 64 / 92) <= 2
    assert abs(column - (92 - 26) * 64 / 92) <= 2
    assert bool(field[row, column])
    assert not bool(dataset[2]["mask_dust"].any())
    assert "mask_dust" not in ManifestPhotographs(str(index)).dataset("train", 64)[0]
