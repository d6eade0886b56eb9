"""`magenet prepare` and `magenet manifest` at the shell: what they say, and their exit status."""

import csv
from pathlib import Path

import pytest

from data_modules.public.sets import SETS
from magenet.main import main
from tests.conftest import ROOT
from tests.data_modules.public.trees import TREES, photograph


def test_a_set_is_prepared_and_its_licence_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TREES["drive"](tmp_path / "src")
    arguments = ["prepare", "drive", str(tmp_path / "src"), str(tmp_path / "out"), "--workers", "0"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "src: DRIVE is not complete (training: 2 of 20, test: 1 of 20)" in error
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--partial"]) == 0
    said = capsys.readouterr().out
    assert "out/index.csv: 3 photographs of 3 patients" in said
    assert f"licence: {SETS['drive'].licence}" in said
    assert main([*arguments, "--partial"]) == 1
    assert "exists and is not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["prepare", "driv", "a", "b"], "no set 'driv' (did you mean drive?); choose one of eyeq,"),
        (["prepare", "drive", "a"], "required: OUT; see magenet prepare --help"),
        (["prepare", "drive", "a", "b", "--workers", "-1"], "--workers must be at least 0"),
        (["manifest", "a", "--workers", "-1"], "--workers must be at least 0"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_the_help_names_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in SETS)


def test_a_folder_gets_a_manifest_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        photograph(seed, tmp_path / f"eyes/{seed}.png")
    (tmp_path / "eyes/text.jpg").write_text("no picture")
    assert main(["manifest", str(tmp_path / "eyes"), "--workers", "0"]) == 1
    assert "magenet: left out: " in capsys.readouterr().err
    with (tmp_path / "eyes_manifest/index.csv").open(newline="") as stream:
        assert [row["image"] for row in csv.DictReader(stream)] == [
            f"images/{seed}.png" for seed in range(3)
        ]


def test_the_page_tells_of_every_set() -> None:
    page = (ROOT / "docs/data.md").read_text()
    for public_set in SETS.values():
        (row,) = [line for line in page.splitlines() if f"| `{public_set.name}` |" in line]
        assert public_set.licence in row
        assert f"{sum(public_set.published.values()):,}" in row
        addresses = [word.strip(";") for word in public_set.source.split() if "https:" in word]
        assert all(f"<{address}>" in row for address in addresses)
