import csv
import json
from pathlib import Path

import pytest
import torch

from magenet.report import sheet
from magenet.report.table import PROVENANCE, main
from tests.conftest import ROOT


def run(folder: Path, subjects: dict[str, float]) -> Path:
    folder.mkdir()
    with (folder / "scores.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("subject", "name", "type", "psnr", "ssim"))
        for subject, psnr in subjects.items():
            writer.writerow((subject, "a", "spots", psnr, 0.5))
            writer.writerow((subject, "b", "spots", psnr + 2, 0.7))
    facts = dict.fromkeys(PROVENANCE, "known")
    (folder / "provenance.json").write_text(json.dumps(facts))
    return folder


def test_a_table_names_its_rows_and_averages_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    two = run(tmp_path / "two", {"input": 10.0, "student": 30.0, "teacher": 31.0})
    table = tmp_path / "table.csv"
    assert main([f"plain={one}", f"width=8={two}", "--csv", str(table)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[2:] == [
        "| do nothing | 11.00 / 0.600 |",
        "| plain | 21.00 / 0.600 |",
        "| width=8, student | 31.00 / 0.600 |",
        "| width=8, teacher | 32.00 / 0.600 |",
    ]
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[1]["commit"] == "known"
    assert {row["photographs"] for row in rows} == {"2"}

    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- table table -->\nold\n<!-- end -->\nafter\n")
    for _ in range(2):  # twice gives the same
        assert main(["--csv", str(table), "--into", str(readme)]) == 0
        assert readme.read_text().splitlines()[3:] == [
            *printed, "", "<!-- end -->", "after",
        ]  # fmt: skip


def test_missing_results_and_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"scores\.csv: no such file"):
        main([f"x={tmp_path}", "--csv", str(tmp_path / "t.csv")])
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(SystemExit, match="no place"):
        main([f"x={one}", "--csv", str(tmp_path / "t.csv"), "--into", str(tmp_path / "README.md")])


@pytest.mark.parametrize("table", sorted((ROOT / "experiments/results").glob("*.csv")))
def test_the_readme_shows_the_committed_results(table: Path, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text((ROOT / "README.md").read_text())
    main(["--csv", str(table), "--into", str(copy)])
    assert copy.read_text() == (ROOT / "README.md").read_text(), "run 'make results'"


def test_a_sheet_lays_photographs_side_by_side() -> None:
    red, blue = torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)
    red[0], blue[2] = 1.0, 1.0
    picture = sheet([[red, blue], [blue, red]])
    assert picture.size == (20, 20)
    assert picture.getpixel((0, 0)) == picture.getpixel((19, 19)) == (255, 0, 0)
    assert picture.getpixel((19, 0)) == (0, 0, 255)
    assert picture.getpixel((10, 10)) == (0, 0, 0)
