import csv
import json
from pathlib import Path

import pytest

from magenet.callbacks.provenance import FACTS
from magenet.evaluation.score_rows import write_rows
from magenet.evaluation.tables import main
from tests.conftest import ROOT

RESULTS = ROOT / "experiments/results"
TABLES = sorted(p for p in RESULTS.glob("*.csv") if not p.stem.endswith(("_runs", "_against")))


def run(
    folder: Path, subjects: dict[str, float], condition: str = "spots", names: str = "ab"
) -> Path:
    folder.mkdir()
    rows = [
        {"subject": subject, "name": name, "patient": name, "condition": condition,
         "psnr": psnr + more, "ssim": 0.5 + more / 10}
        for subject, psnr in subjects.items()
        for name, more in zip(names, (0.0, 2.0), strict=True)
    ]  # fmt: skip
    write_rows(folder / "scores.csv", rows)
    (folder / "provenance.json").write_text(json.dumps(dict.fromkeys(FACTS, "known")))
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_table_names_its_rows_and_averages_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0, "clean": 40.0})
    two = run(tmp_path / "two", {"input": 10.0, "student": 30.0, "teacher": 31.0, "clean": 40.0})
    table = tmp_path / "table.csv"
    command = [f"plain={one}", f"width=8={two}", "--csv", str(table), "--against", "plain"]
    command += ["--against", "width=8, student"]
    assert main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[2:] == [
        "| do nothing | 11.00 [10.00, 12.00] | 0.600 [0.500, 0.700] |",
        "| plain | 21.00 [20.00, 22.00] | 0.600 [0.500, 0.700] |",
        "| width=8, student | 31.00 [30.00, 32.00] | 0.600 [0.500, 0.700] |",
        "| width=8, teacher | 32.00 [31.00, 33.00] | 0.600 [0.500, 0.700] |",
        "| clean | 41.00 [40.00, 42.00] | 0.600 [0.500, 0.700] |",
    ]
    psnr = {cells["row"]: cells for cells in lines(table) if cells["score"] == "psnr"}
    assert psnr["plain"]["gap_closed"] == "", "PSNR has no other end"
    assert psnr["plain"]["difference"] == "10"
    assert psnr["do nothing"]["difference"] == ""
    paired = lines(tmp_path / "table_against.csv")
    assert {cells["against"] for cells in paired} == {"plain", "width=8, student"}
    assert not [cells for cells in paired if cells["row"] in (cells["against"], "clean")]
    found = {
        (cells["row"], cells["against"]): cells for cells in paired if cells["score"] == "psnr"
    }
    assert found["width=8, teacher", "plain"]["difference"] == "11"
    assert found["plain", "width=8, student"]["difference"] == "-10"
    assert found["plain", "width=8, student"]["losses"] == "2"
    runs = lines(tmp_path / "table_runs.csv")
    assert [cells["row"] for cells in runs] == ["plain", "width=8, student", "width=8, teacher"]
    assert runs[0]["chosen"] == "known"

    readme = tmp_path / "README.md"
    readme.write_text(
        "before\n<!-- table table -->\nold\n<!-- end -->\nbetween\n"
        "<!-- table table scores=ssim conditions=spots -->\n<!-- end -->\nafter\n"
    )
    for _ in range(2):  # twice gives the same
        assert main(["--csv", str(table), "--into", str(readme)]) == 0
        text = readme.read_text().splitlines()
        assert text[3 : 3 + len(printed)] == printed
        assert text[-5:] == [
            "| width=8, teacher | 0.600 [0.500, 0.700] |", "| clean | 0.600 [0.500, 0.700] |",
            "", "<!-- end -->", "after",
        ]  # fmt: skip
        assert "old" not in text


def test_missing_results_and_places_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> str:
        assert main([*arguments, "--csv", str(tmp_path / "t.csv")]) == 1
        return capsys.readouterr().err

    assert "scores.csv: no such file; run the test first" in said(f"x={tmp_path}")
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    (tmp_path / "README.md").write_text("nothing")
    assert "no place" in said(f"x={one}", "--into", str(tmp_path / "README.md"))
    (tmp_path / "README.md").write_text("<!-- table t scores=dice -->\n<!-- end -->\n")
    assert "no score 'dice'" in said(f"x={one}", "--into", str(tmp_path / "README.md"))
    assert "'nobody' is none of do nothing, x" in said(f"x={one}", "--against", "nobody")


def test_only_conditions_that_have_the_scores_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    with (one / "scores.csv").open("a") as stream:
        stream.write("input,c,c,pair,,\nstudent,c,c,pair,,\n")
    assert main([f"x={one}", "--csv", str(tmp_path / "t.csv")]) == 0
    assert "spots: psnr" in capsys.readouterr().out
    assert main([f"x={one}", "--csv", str(tmp_path / "t.csv"), "--scores", "dice"]) == 1


def test_rows_of_other_photographs_make_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    other = run(tmp_path / "two", {"input": 10.0, "student": 30.0}, names="ac")
    table = ["--csv", str(tmp_path / "t.csv")]
    assert main([f"x={one}", f"y={other}", *table]) == 1
    assert "tests of other photographs (2 and 2; only in one of them: b, b, spots)" in (
        capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        main([f"x={one}", f"x={other}", *table])
    assert "two rows are called 'x'" in capsys.readouterr().err
    (one / "provenance.json").unlink()
    assert main([f"x={one}", *table]) == 1
    assert "provenance.json: no such file" in capsys.readouterr().err
    (one / "scores.csv").write_text("name,psnr\n")
    assert main([f"x={one}", *table]) == 1
    assert "the column 'subject' is missing" in capsys.readouterr().err


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_the_pages_show_the_committed_results(table: Path, tmp_path: Path) -> None:
    for page in (ROOT / "README.md", RESULTS / "tables.md"):
        if f"<!-- table {table.stem}" not in page.read_text():
            continue
        copy = tmp_path / page.name
        copy.write_text(page.read_text())
        assert main(["--csv", str(table), "--into", str(copy)]) == 0
        assert copy.read_text() == page.read_text(), "run 'make results'"
