"""Each public set is prepared from a tiny tree with its real file names, and read unchanged."""

import csv
import json
from pathlib import Path

import pytest
import torch

from data_modules.datasets.manifest import Manifest
from data_modules.datasets.sources import ManifestPhotographs
from data_modules.files.reading import read_mask, read_photograph
from data_modules.files.writing import write_photograph
from data_modules.public.preparation import prepare
from data_modules.public.sets import SETS
from magenet.errors import UserError
from tests.data_modules.public.trees import TREES, mask_of


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "index.csv").open(newline="") as stream:
        return {row["image"].removeprefix("images/"): row for row in csv.DictReader(stream)}


def test_every_set_has_a_tree() -> None:
    assert TREES.keys() == SETS.keys()


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_prepared(name: str, tmp_path: Path) -> None:
    expected = TREES[name](tmp_path / "src")
    prepare(SETS[name], tmp_path / "src", tmp_path / "out", partial=True, workers=0)
    rows = rows_of(tmp_path / "out")
    assert rows.keys() == expected.keys()
    sides: dict[str, set[str]] = {}
    for image, found in expected.items():
        row = rows[image]
        assert (row["set"], row["quality"], row["dr_grade"]) == (
            name, found.quality, found.dr_grade,
        ), image  # fmt: skip
        assert row["patient"] == found.patient or found.patient is None, image
        assert {c for c in row if "mask" in c and row[c]} == found.masks | {"fov_mask"}, image
        # Some training photographs validate where the set has no such split.
        allowed = {"train": {"train", "val"}, "": {"train", "val", "test"}}
        assert row["split"] in allowed.get(found.split, {found.split}), image
        sides.setdefault(row["patient"], set()).add(row["split"])
    assert all(len(side - {"left_out"}) == 1 for side in sides.values()), "a patient on two sides"
    splits = {row["split"] for row in rows.values()}
    report = json.loads((tmp_path / "out/preparation.json").read_text())
    assert sum(part["here"] for part in report["photographs"].values()) == len(rows)
    assert (report["licence"], report["source"]) == (SETS[name].licence, SETS[name].source)
    manifest = Manifest.from_csv(tmp_path / "out/index.csv")
    manifest.require_readable()
    for split in splits & {"train", "val", "test"}:
        source = ManifestPhotographs(str(tmp_path / "out/index.csv"), labels=[], test_split="test")
        samples = source.dataset(split, 32)  # type: ignore[arg-type]  # one of them
        assert all(bool(samples[index]["mask_fov"].any()) for index in range(len(samples)))


@pytest.mark.parametrize("name", SETS)
def test_a_folder_that_is_not_the_set_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "src/holiday").mkdir(parents=True)
    (tmp_path / "src/holiday/beach.jpg").write_bytes(b"no eye")
    with pytest.raises(UserError, match=r"src: does not hold .*It should hold .*obtain it: http"):
        prepare(SETS[name], tmp_path / "src", tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SETS)
def test_an_incomplete_set_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path / "src")
    with pytest.raises(UserError, match=r"is not complete .*\d of \d+.* add --partial"):
        prepare(SETS[name], tmp_path / "src", tmp_path / "out", workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def mask(folder: Path, image: str, column: str) -> torch.Tensor:
    return read_mask(folder / rows_of(folder)[image][column])[0]


def test_vessels_and_fields_are_those_of_the_set(tmp_path: Path) -> None:
    TREES["drive"](tmp_path / "src")
    out = tmp_path / "out"
    prepare(SETS["drive"], tmp_path / "src", out, partial=True, workers=0)
    for seed, image in enumerate(("training/21_training.tif", "training/22_training.tif")):
        for column, kind in (("vessel_mask", "vessel"), ("fov_mask", "fov")):
            assert bool((mask(out, image, column).numpy() == mask_of(seed, kind)).all())


def test_disc_and_cup_are_read_from_grey_levels(tmp_path: Path) -> None:
    TREES["refuge"](tmp_path / "src")
    out = tmp_path / "out"
    prepare(SETS["refuge"], tmp_path / "src", out, partial=True, workers=0)
    disc = mask_of(0, "disc")
    assert bool((mask(out, "train/g0001.jpg", "disc_mask").numpy() == disc).all())
    cup = mask(out, "train/g0001.jpg", "cup_mask").numpy()
    assert bool((cup == disc & mask_of(0, "vessel")).all())


def test_disc_and_cup_are_drawn_from_outlines(tmp_path: Path) -> None:
    TREES["papila"](tmp_path / "src")
    out = tmp_path / "out"
    prepare(SETS["papila"], tmp_path / "src", out, partial=True, workers=0)
    disc = mask(out, "RET002OD.jpg", "disc_mask").float()
    cup = mask(out, "RET002OD.jpg", "cup_mask").float()
    assert float(disc.sum()) == pytest.approx(25**2, rel=0.1)
    assert float(cup.sum()) == pytest.approx(12**2, rel=0.2)
    rows, columns = disc.nonzero().float().mean(dim=0).tolist()
    assert (columns, rows) == (pytest.approx(20, abs=1), pytest.approx(30, abs=1))


def test_kinds_of_lesion_are_bits(tmp_path: Path) -> None:
    TREES["idrid"](tmp_path / "src")
    out = tmp_path / "out"
    prepare(SETS["idrid"], tmp_path / "src", out, partial=True, workers=0)
    path = str(out / "index.csv")
    source = ManifestPhotographs(path, labels=[], only_with="lesion_bitmask", test_split="test")
    lesions = source.dataset("test", 64)[0]["mask_lesions"]
    assert [bool(plane.any()) for plane in lesions] == [False, False, True, False]


def test_pairs_are_written_as_tests_of_pairs_read_them(tmp_path: Path) -> None:
    from data_modules.evaluation import read_pairs

    TREES["real_fundus"](tmp_path / "src")
    for better in tmp_path.glob("src/Real_Fundus/gt/*.png"):  # of a smaller field
        image = read_photograph(better)
        image[..., : image.shape[-1] // 4] = 0
        write_photograph(image, better)
    prepare(SETS["real_fundus"], tmp_path / "src", tmp_path / "out", partial=True, workers=0)
    manifest = Manifest.from_csv(tmp_path / "out/index.csv")
    pairs = read_pairs(tmp_path / "out/pairs.csv", manifest)
    split = {photograph.name: photograph.split for photograph in manifest}
    assert {split[pair.low.name] for pair in pairs} == {"test"}, "no photograph of a training"
    assert len(pairs) == list(split.values()).count("test") / 2 < len(manifest) / 2
    assert all(pair.low.quality == "usable" and "gt" in pair.high.parts for pair in pairs)
    field = {one.image: read_mask(one.fov_mask) for one in manifest if one.fov_mask is not None}
    for pair in pairs:
        shared = field[pair.low.image] * field[pair.high]
        assert torch.equal(read_mask(pair.valid), shared), "what both show"
        assert shared.sum() < field[pair.low.image].sum()


def test_photographs_without_a_grade_keep_none(tmp_path: Path) -> None:
    """A spreadsheet that is missing leaves the quality unknown."""
    TREES["fives"](tmp_path / "src")
    next((tmp_path / "src").rglob("*.xlsx")).unlink()
    prepare(SETS["fives"], tmp_path / "src", tmp_path / "out", partial=True, workers=0)
    assert {row["quality"] for row in rows_of(tmp_path / "out").values()} == {"unknown"}
