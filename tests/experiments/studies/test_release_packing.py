"""Packed photographs are those of the training, smaller, and are read as the originals are."""

import csv
from pathlib import Path

import pytest
import torch
import yaml

from data_modules import ManifestPhotographs
from data_modules.datasets.manifest import Manifest
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.reading import read_photograph
from data_modules.files.writing import write_photograph
from experiments.studies.release import packing
from experiments.studies.release.packing import TRAININGS
from magenet.errors import UserError
from tests.drawn import white

COLUMNS = ("set", "split", "image", "vessel_mask", "fov_mask", "quality", "width", "height", "own")


@pytest.fixture
def originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photographs of every set that the trainings ask for, beside some that none does."""
    sources = [
        yaml.safe_load(path.read_text())["data"]["init_args"]["photographs"]["init_args"]
        for path in TRAININGS
    ]
    sets = sorted({name for source in sources for name in source["sets"]})
    rows, larger = [], []
    wanted = [(name, split, "good") for name in sets for split in ("train", "val")]
    for index, (name, split, quality) in enumerate(
        [*wanted, (sets[0], "pair", "good"), (sets[0], "train", "reject")]
    ):
        image, fov = f"{name}/images/{index}.jpg", f"{name}/fov/{index}.png"
        for folder, side in (("small", 96), ("large", 160)):
            if folder == "large" and index:
                continue
            phantom = draw_phantom(index, side)
            write_photograph(phantom.image, tmp_path / folder / image)
            write_photograph(white(phantom.field.mask), tmp_path / folder / fov)
            vessels = f"{name}/vessels/{index}.png" if folder == "small" else ""
            if vessels:  # which the larger version lacks
                write_photograph(white(phantom.vessels), tmp_path / folder / vessels)
            row = (name, split, image, vessels, fov, quality, side, side, index)
            (larger if folder == "large" else rows).append(row)
    for folder, lines in (("small", rows), ("large", larger)):
        with (tmp_path / folder / "index.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([COLUMNS, *lines])
    (tmp_path / "small" / sets[0] / "README.md").write_text("Cite them.")
    monkeypatch.setenv("MAGENET_DATA", str(tmp_path / "small"))
    monkeypatch.setenv("MAGENET_DATA_2048", str(tmp_path / "large"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "small"


def test_packed_photographs_are_read_as_the_originals(originals: Path) -> None:
    assert packing.main(["--side", "128"]) == 0
    packed = Path("runs/packed")
    before = [p for p in Manifest.from_csv(originals / "index.csv") if p.split != "pair"][:-1]
    after = list(Manifest.from_csv(packed / "index.csv"))
    assert [p.name for p in after] == [p.name for p in before]
    assert [(p.set, p.split, p.quality) for p in after] == [
        (p.set, p.split, p.quality) for p in before
    ]
    assert packing.main(["--side", "128"]) == 0, "made anew"
    source = ManifestPhotographs(str(packed / "index.csv"), own_scale=True)
    dataset = source.dataset("train", 1600)
    sides = [dataset[index]["image"].shape[-1] for index in range(len(dataset))]
    assert 120 <= sides[0] <= 128, "the larger version, reduced"
    assert max(sides[1:]) <= 96
    assert [p.vessel_mask is None for p in after] == [True] + [False] * (len(after) - 1)
    old = ManifestPhotographs(str(originals / "index.csv"), qualities=["good"])
    expected = old.dataset("train", 64)
    for index in range(1, len(expected)):
        sample, other = source.dataset("train", 64)[index], expected[index]
        assert (sample["image"].float() - other["image"].float()).abs().mean() < 4
        assert torch.equal(sample["mask_fov"], other["mask_fov"])
    text = (packed / "README.md").read_text()
    assert f"{len(after)} photographs" in text
    assert (packed / after[0].set / "README.md").read_text() == "Cite them."
    with (packed / "index.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    height, width = read_photograph(after[0].image).shape[-2:]
    assert (rows[0]["height"], rows[0]["width"]) == (str(height), str(width))


def test_a_file_that_would_grow_is_copied(originals: Path) -> None:
    names = [p.name for p in Manifest.from_csv(originals / "index.csv")]
    for name in names[1:3]:
        picture = read_photograph(originals / name)
        (originals / name).write_bytes(packing.as_jpeg(picture, 30))
    assert packing.main([]) == 0
    for name in names[1:3]:
        assert (Path("runs/packed") / name).read_bytes() == (originals / name).read_bytes()


def test_the_highest_quality_that_fits_is_chosen(
    originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packed_size() -> int:
        return sum(file.stat().st_size for file in Path("runs/packed").rglob("*.*"))

    assert packing.main([]) == 0
    assert "JPEG quality 96" in Path("runs/packed/README.md").read_text()
    largest = packed_size()
    monkeypatch.setattr(packing, "sizes_of", lambda *_: dict.fromkeys(packing.QUALITIES, 0.0))
    assert packing.main(["--mebibytes", str(0.9 * largest / 2**20)]) == 0
    assert packed_size() <= 0.91 * largest, "also where the estimate was too low"
    assert "JPEG quality 96" not in Path("runs/packed/README.md").read_text()
    with pytest.raises(UserError, match=r"at the lowest quality \(70\)"):
        packing.main(["--mebibytes", "0.0001"])


def test_a_folder_of_something_else_is_not_replaced(originals: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    Path("mine/README.md").write_text("# Mine")
    with pytest.raises(UserError, match="was not made by this command"):
        packing.main(["--out", "mine"])
    assert Path("mine/notes.txt").read_text() == "mine"
