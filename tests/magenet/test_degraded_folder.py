"""`magenet degrade` as a person meets it."""

import json
import os
from pathlib import Path

import pytest
import torch

from data_modules.datasets.phantom import draw_phantom
from data_modules.files.errors import PictureError
from data_modules.files.reading import read_photograph
from data_modules.files.writing import write_photograph
from magenet.main import main

NAMES = ("a.png", "sub/b.jpg")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for index, name in enumerate(NAMES):
        phantom = draw_phantom(index, 96)
        wide = torch.full((3, 110, 130), 7, dtype=torch.uint8)  # a surround that is not black
        wide[:, 7:103, 17:113] = phantom.image.where(phantom.field.mask, 7)
        write_photograph(wide, tmp_path / "in" / name)
        mask = torch.zeros(3, 110, 130, dtype=torch.uint8)
        mask[:, 7:103, 17:113] = phantom.field.mask * 255
        write_photograph(mask, tmp_path / "masks" / f"{index}.png")
    (tmp_path / "index.csv").write_text(
        "image,fov_mask\nin/a.png,masks/0.png\nin/sub/b.jpg,masks/1.png\n"
    )
    return tmp_path / "in"


def pictures(folder: Path) -> dict[str, torch.Tensor]:
    return {
        path.relative_to(folder).as_posix(): read_photograph(path)
        for path in sorted(folder.rglob("*.png"))
    }


def same(one: Path, other: Path) -> bool:
    a, b = pictures(one), pictures(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "params.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("preset", ["mixed", "handheld", "cofe", "cofe_online"])
def test_what_was_done_is_written_down_and_can_be_repeated(
    photographs: Path, tmp_path: Path, preset: str
) -> None:
    first, second, replayed, other = (tmp_path / name for name in ("one", "two", "three", "four"))
    command = ["degrade", str(photographs)]
    assert main([*command, str(first), "--preset", preset, "--seed", "4"]) == 0
    assert list(pictures(first)) == ["a.png", "sub/b.png"], "lossless, under their own names"
    assert [line["name"] for line in lines(first)] == list(NAMES)
    assert all(line["preset"] == preset and line["seed"] == 4 for line in lines(first))
    assert main([*command, str(second), "--preset", preset, "--seed", "4"]) == 0
    assert same(first, second)
    assert main([*command, str(other), "--preset", preset, "--seed", "5"]) == 0
    assert not same(first, other)
    # The lines alone say everything: neither preset nor seed need be given again.
    assert main([*command, str(replayed), "--replay", str(first / "params.jsonl")]) == 0
    assert same(first, replayed)
    assert lines(replayed) == lines(first)


def test_only_the_field_changes_at_the_photographs_own_size(
    photographs: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "index.csv", tmp_path / "out"
    assert main(["degrade", str(source), str(out), "--preset", "handheld"]) == 0
    for index, name in enumerate(NAMES):
        before = read_photograph(photographs / name)
        after = read_photograph((out / "in" / name).with_suffix(".png"))
        outside = read_photograph(tmp_path / f"masks/{index}.png") == 0
        assert torch.equal(before[outside], after[outside])
        assert (before.float() - after.float()).abs()[~outside].mean() > 2


def test_severity_nought_changes_nothing(photographs: Path, tmp_path: Path) -> None:
    assert (
        main(["degrade", str(photographs / "a.png"), str(tmp_path / "out"), "--severity", "0"]) == 0
    )
    assert torch.equal(
        read_photograph(tmp_path / "out/a.png"), read_photograph(photographs / "a.png")
    )
    assert lines(tmp_path / "out")[0]["factors"] == {}


def test_a_broken_photograph_stops_no_other(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photographs / "broken.png").write_text("no picture")
    assert main(["degrade", str(photographs), str(tmp_path / "out")]) == 1
    assert "not degraded" in (told := capsys.readouterr().err)
    assert "broken.png: cannot be read as a picture" in told
    assert [line["name"] for line in lines(tmp_path / "out")] == list(NAMES)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--severity", "2"], "--severity must lie in [0, 1]"),
        (["--preset", "cofe", "--severity", "0.5"], "cofe is as cofe-Net released it"),
        (["--seed", "99999999999999999999"], "--seed must be a whole number"),
        (["--replay", "good.jsonl", "--seed", "1"], "--replay excludes --preset"),
        (["--replay", "twice.jsonl"], "twice.jsonl: line 2: a second line for 'a.png'"),
        (["--replay", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["--replay", "list.jsonl"], "list.jsonl: line 1: is not a JSON object"),
        (["--replay", "other.jsonl"], "other.jsonl: has no line for any of these photographs"),
        (["--replay", "broken.jsonl"], "broken.jsonl: line 2: has no 'factors'"),
        (["--replay", "foreign.jsonl"], "foreign.jsonl: line 1: unknown factor 'fog'"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    photographs: Path, tmp_path: Path, arguments: list[str], told: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    good = {"name": "a.png", "preset": "mixed", "factors": {"exposure": {"stops": 1.0}}}
    Path("good.jsonl").write_text(json.dumps(good))
    Path("list.jsonl").write_text("[1, 2]")
    Path("other.jsonl").write_text(json.dumps({**good, "name": "z.png"}))
    Path("twice.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(good))
    Path("broken.jsonl").write_text(json.dumps(good) + '\n{"name": "b", "preset": "mixed"}\n')
    Path("foreign.jsonl").write_text(json.dumps({**good, "factors": {"fog": {}}}))
    status = 1 if ".jsonl: " in told else 2  # the file is wrong, or the command line
    assert main(["degrade", str(photographs), "out", *arguments]) == status
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("magenet: error: ")]
    assert len(errors) == 1
    assert told in errors[0]
    assert not Path("out").exists()


def test_an_uncertain_field_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_photograph(torch.zeros(3, 90, 90, dtype=torch.uint8), tmp_path / "in/black.png")
    assert main(["degrade", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert "look at 1 of them" in capsys.readouterr().out
    assert lines(tmp_path / "out")[0]["field_confidence"] == 0.0


def test_a_photograph_without_a_line_is_named(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"name": "a.png", "preset": "mixed", "factors": {"exposure": {"stops": -1.0}}}
    del line["preset"]  # written by hand, with a blank line: the factors say it all
    (tmp_path / "hand.jsonl").write_text(json.dumps(line) + "\n\n")
    command = ["degrade", str(photographs), str(tmp_path / "out")]
    assert main([*command, "--replay", str(tmp_path / "hand.jsonl")]) == 1
    assert "sub/b.jpg" in capsys.readouterr().err
    assert list(pictures(tmp_path / "out")) == ["a.png"]


def test_photographs_are_never_overwritten(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A result is a PNG: that of a.jpg would replace a photograph a.png."""
    write_photograph(draw_phantom(5, 64).image, photographs / "a.jpg")
    before = {path: path.read_bytes() for path in photographs.rglob("*.*")}
    assert main(["degrade", str(photographs), str(photographs)]) == 1
    assert "lies inside it" in capsys.readouterr().err
    for one in ("a.jpg", "a.png"):
        assert main(["degrade", str(photographs / one), str(photographs)]) == 1
        assert "lies inside it" in capsys.readouterr().err
    out = tmp_path / "out"
    assert main(["degrade", str(photographs), str(out)]) == 1, "two results, one name"
    assert "a.png: " in (told := capsys.readouterr().err)
    assert "already taken by the result of another" in told
    write_photograph(draw_phantom(6, 64).image, tmp_path / "kept/a.png")
    assert main(["degrade", str(photographs / "a.png"), str(tmp_path / "kept")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in photographs.rglob("*.*")} == before


def test_a_name_that_is_not_utf_8_is_degraded_like_others(tmp_path: Path) -> None:
    name = os.fsdecode(b"eye\xff.png")
    try:
        write_photograph(draw_phantom(1, 64).image, tmp_path / "in" / name)
    except PictureError:
        pytest.skip("this file system has names in UTF-8 only")
    assert main(["degrade", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert [line["name"] for line in lines(tmp_path / "out")] == [name]
    again = ["--replay", str(tmp_path / "out/params.jsonl")]
    assert main(["degrade", str(tmp_path / "in"), str(tmp_path / "again"), *again]) == 0
    assert same(tmp_path / "out", tmp_path / "again")


def test_earlier_results_and_photographs_are_safe(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["degrade", str(photographs), str(tmp_path / "out")]
    assert main(command) == 0
    assert main(command) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["degrade", str(photographs), str(photographs / "out")]) == 1
    assert "lies inside it" in capsys.readouterr().err
    assert main(["degrade", str(photographs), str(photographs / "a.png")]) == 1
    assert "a.png: " in capsys.readouterr().err
    assert main(["degrade", str(tmp_path / "nowhere"), str(tmp_path / "new")]) == 1
    assert "no such folder, picture or manifest" in capsys.readouterr().err
