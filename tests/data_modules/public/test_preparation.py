"""Preparing: links, repeats, faults, and clear errors before anything is written."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_modules.datasets.manifest import Manifest
from data_modules.files.reading import read_mask, read_photograph
from data_modules.public.entry import Entry
from data_modules.public.folder import folder_set
from data_modules.public.preparation import _require_different, prepare
from data_modules.public.prepared import Prepared, summary
from data_modules.public.sets import SETS
from magenet.errors import UserError
from tests.data_modules.public.trees import TREES, mask_of, photograph, white


def prepared(source: Path, out: Path, patient: str | None = None) -> dict[str, dict[str, str]]:
    prepare(folder_set(source, patient), source, out, workers=0)
    with (out / "index.csv").open(newline="") as stream:
        return {row["image"].removeprefix("images/"): row for row in csv.DictReader(stream)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for seed in range(4):
        photograph(seed, tmp_path / f"eyes/{seed}_left.png")
    return tmp_path / "eyes"


def test_photographs_are_links_that_may_move_with_their_set(source: Path, tmp_path: Path) -> None:
    prepared(source, tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    for name in ("eyes", "out"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    image = tmp_path / "elsewhere/out/images/0_left.png"
    assert image.is_symlink()
    assert not os.path.isabs(os.readlink(image))
    Manifest.from_csv(tmp_path / "elsewhere/out/index.csv").require_readable()


def test_photographs_are_copied_where_there_are_no_links(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refused)
    prepared(source, tmp_path / "out")
    image = tmp_path / "out/images/0_left.png"
    assert not image.is_symlink()
    assert image.read_bytes() == (source / "0_left.png").read_bytes()


def test_a_ppm_becomes_a_png_without_loss(tmp_path: Path) -> None:
    TREES["stare"](tmp_path / "src")
    prepare(SETS["stare"], tmp_path / "src", tmp_path / "out", partial=True, workers=0)
    with Image.open(tmp_path / "src/stare-images/im0001.ppm") as original:
        pixels = torch.from_numpy(np.array(original).transpose(2, 0, 1).copy())
    assert torch.equal(read_photograph(tmp_path / "out/images/im0001.ppm.png"), pixels)


def test_repeats_are_named_and_stay_with_their_first(source: Path, tmp_path: Path) -> None:
    photograph(1, source / "test/again.png")
    photograph(2, source / "train/smaller.jpg")
    rows = prepared(source, tmp_path / "out")
    assert rows["test/again.png"]["near_duplicate_of"] == "images/1_left.png"
    assert rows["train/smaller.jpg"]["near_duplicate_of"] == "images/2_left.png"
    assert rows["test/again.png"]["sha256"] == rows["1_left.png"]["sha256"]
    assert rows["1_left.png"]["split"] == "test", "a photograph without a split follows"
    report = json.loads((tmp_path / "out/preparation.json").read_text())
    assert report["near_duplicates"] == {
        "images/test/again.png": "images/1_left.png",
        "images/train/smaller.jpg": "images/2_left.png",
    }


def test_what_cannot_be_used_is_left_out_with_its_reason(source: Path, tmp_path: Path) -> None:
    (source / "damaged.png").write_bytes((source / "0_left.png").read_bytes()[:900])
    Image.new("RGB", (64, 64)).save(source / "black.png")
    result = prepare(folder_set(source), source, tmp_path / "out", workers=0)
    reasons = {fault.file: fault.reason for fault in result.faults}
    assert reasons.keys() == {"black.png", "damaged.png"}
    assert "no field of view" in reasons["black.png"]
    assert {p.name for p in (tmp_path / "out/images").iterdir()} == {
        f"{seed}_left.png" for seed in range(4)
    }
    report = json.loads((tmp_path / "out/preparation.json").read_text())
    assert report["faults"] == reasons


def test_a_mask_of_another_size_leaves_its_photograph_out(source: Path, tmp_path: Path) -> None:
    (source / "vessels").mkdir()
    Image.new("1", (9, 9)).save(source / "vessels/0_left.png")
    white(1, "vessel", source / "vessels/1_left.png")
    result = prepare(folder_set(source), source, tmp_path / "out", workers=0)
    assert [fault.file for fault in result.faults] == ["0_left.png"]
    assert "mask of 9x9 px for a photograph of 64x64 px" in result.faults[0].reason


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_masks_of_zeros_and_ones_and_compressed_ones_are_read(
    ending: str, source: Path, tmp_path: Path
) -> None:
    mask = mask_of(0, "disc")
    (source / "disc").mkdir()
    level = 1 if ending == "png" else 255
    Image.fromarray((mask * level).astype(np.uint8)).save(source / f"disc/0_left.{ending}")
    rows = prepared(source, tmp_path / "out")
    found = read_mask(tmp_path / "out" / rows["0_left.png"]["disc_mask"])[0].numpy()
    assert float((found ^ mask).mean()) < 0.02


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: does not hold a set of photographs.* pictures$"):
        prepared(tmp_path / "empty", tmp_path / "out")


def test_names_of_folders_tell_splits_qualities_and_masks(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    for seed, place in enumerate(("train/good", "train/reject", "test/usable", "Validation")):
        photograph(seed, source / place / f"images/{seed}.png")
        white(seed, "fov", source / place / f"fov/{seed}.png")
    rows = prepared(source, tmp_path / "out")
    assert {(row["split"], row["quality"]) for row in rows.values()} == {
        ("train", "good"), ("train", "reject"), ("test", "usable"), ("val", "unknown"),
    }  # fmt: skip
    assert {row["field_confidence"] for row in rows.values()} == {"1.000"}
    assert {row["set"] for row in rows.values()} == {"mine"}


def test_patients_of_names_stay_on_one_side(tmp_path: Path) -> None:
    for seed in range(8):
        photograph(seed, tmp_path / f"eyes/{seed // 2}_{'lr'[seed % 2]}.png")
    rows = prepared(tmp_path / "eyes", tmp_path / "out", r"^(\d+)_")
    for patient in range(4):
        both = [row for name, row in rows.items() if name.startswith(f"{patient}_")]
        assert len({row["split"] for row in both}) == 1
        assert {row["patient"] for row in both} == {str(patient)}
    assert len({row["split"] for row in rows.values()}) == 3
    with pytest.raises(UserError, match=r"finds no patient in 8 name\(s\), such as 0_l\.png"):
        prepared(tmp_path / "eyes", tmp_path / "other", r"^eye(\d+)_")
    for expression in ("(", "no group"):
        with pytest.raises(UserError, match="--patient"):
            folder_set(tmp_path / "eyes", expression)


def test_nothing_is_written_over_or_into_what_is_there(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    for folder, reason in (
        (tmp_path / "out", "exists and is not empty"),
        (source / "0_left.png", "exists; name a new folder"),
        (source / "out", "photographs' own folder or lies inside it"),
    ):
        with pytest.raises(UserError, match=reason):
            prepare(folder_set(source), source, folder, workers=0)
    with pytest.raises(UserError, match="no such folder"):
        prepare(folder_set(tmp_path / "gone"), tmp_path / "gone", tmp_path / "new", workers=0)
    assert {path.name for path in tmp_path.iterdir()} == {"eyes", "out"}
    (tmp_path / "out/mine.txt").unlink()
    assert prepared(source, tmp_path / "out").keys()


def test_a_preparation_that_stops_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("data_modules.public.preparation.write_pairs", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(folder_set(source), source, tmp_path / "out", workers=0)
    assert {path.name for path in tmp_path.iterdir()} == {"eyes"}


def test_workers_find_the_same(source: Path, tmp_path: Path) -> None:
    alone = prepared(source, tmp_path / "out")
    prepare(folder_set(source), source, tmp_path / "other", workers=2)
    assert (tmp_path / "other/index.csv").read_text() == (tmp_path / "out/index.csv").read_text()
    assert len(alone) == 4


def test_the_summary_tells_counts(source: Path, tmp_path: Path) -> None:
    photograph(1, source / "again.png")
    result: Prepared = prepare(folder_set(source), source, tmp_path / "out", workers=0)
    lines = summary(result)
    assert lines[0].startswith(f"{tmp_path / 'out/index.csv'}: 5 photographs of 4 patients (")
    assert "1 near-duplicates, each on one side with its first" in lines


def test_a_photograph_that_a_table_names_twice_is_refused(source: Path, tmp_path: Path) -> None:
    entry = Entry(image=source / "a.png", name="a")
    with pytest.raises(UserError, match=r"a\.png: a table of the set names it twice"):
        _require_different([entry, replace(entry)])
    for other in ("a", "A"):  # file systems of macOS and Windows take them for one
        with pytest.raises(UserError, match=f"have one name, {other}"):
            _require_different([entry, replace(entry, image=source / "b.png", name=other)])


def test_hidden_folders_are_not_looked_into(source: Path, tmp_path: Path) -> None:
    photograph(7, source / ".trash/7_left.png")
    assert len(prepared(source, tmp_path / "out")) == 4


def test_the_folder_that_the_terminal_is_in_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    with pytest.raises(UserError, match="is the folder that you are in; name a new folder"):
        prepare(folder_set(source), source, Path(), workers=0)


def test_a_preparation_leaves_the_unfinished_folder_of_another_alone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a shared disk two may have one process id."""
    other = tmp_path / f".out.{os.getpid()}.part"
    other.mkdir()
    assert len(prepared(source, tmp_path / "out")) == 4
    assert other.is_dir()
