import csv
import json
import math
from pathlib import Path

import pytest

from magenet.errors import UserError
from magenet.evaluation.score_rows import write_rows
from magenet.evaluation.tables import (
    FACTS,
    as_markdown,
    make_table,
    overview,
    put_into,
    read_facts,
    read_table,
)
from tests.conftest import ROOT

RESULTS = ROOT / "experiments/results"
TABLES = sorted(p for p in RESULTS.glob("*.csv") if not p.stem.endswith(("_runs", "_against")))


def run(
    folder: Path, subjects: dict[str, float], condition: str = "spots", names: str = "abcd"
) -> Path:
    folder.mkdir()
    rows = [
        {"subject": subject, "name": name, "patient": name, "condition": condition,
         "psnr": psnr + more, "ssim": 0.5 + more / 10}
        for subject, psnr in subjects.items()
        for name, more in zip(names, (0.0, 0.0, 2.0, 2.0), strict=True)
    ]  # fmt: skip
    write_rows(folder / "scores.csv", rows)
    (folder / "provenance.json").write_text(json.dumps(dict.fromkeys(FACTS, "known")))
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_table_names_its_rows_and_averages_photographs(tmp_path: Path) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0, "clean": 40.0})
    two = run(tmp_path / "two", {"input": 10.0, "student": 30.0, "teacher": 31.0, "clean": 40.0})
    path = tmp_path / "table.csv"
    table = make_table(path, {"plain": one, "width=8": two}, ["plain", "width=8, student"])
    assert read_table(path) == table
    text = overview(table).splitlines()
    assert text[2:] == [
        "| do nothing | 11.00 [10.00, 12.00] | 0.600 [0.500, 0.700] |",
        "| plain | 21.00 [20.00, 22.00] | 0.600 [0.500, 0.700] |",
        "| width=8, student | 31.00 [30.00, 32.00] | 0.600 [0.500, 0.700] |",
        "| width=8, teacher | 32.00 [31.00, 33.00] | 0.600 [0.500, 0.700] |",
        "| clean | 41.00 [40.00, 42.00] | 0.600 [0.500, 0.700] |",
    ]
    psnr = {cells["row"]: cells for cells in table if cells["score"] == "psnr"}
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
    assert found["plain", "width=8, student"]["losses"] == "4"
    runs = lines(tmp_path / "table_runs.csv")
    assert [cells["row"] for cells in runs] == ["plain", "width=8, student", "width=8, teacher"]
    assert runs[0]["chosen"] == "known"

    readme = tmp_path / "README.md"
    readme.write_text(
        "before\n<!-- table table -->\nold\n<!-- end -->\nbetween\n"
        "<!-- table table scores=ssim conditions=spots -->\n<!-- end -->\nafter\n"
    )
    for _ in range(2):  # twice gives the same
        put_into(readme, "table", table)
        filled = readme.read_text().splitlines()
        assert filled[3 : 3 + len(text)] == text
        assert filled[-5:] == [
            "| width=8, teacher | 0.600 [0.500, 0.700] |", "| clean | 0.600 [0.500, 0.700] |",
            "", "<!-- end -->", "after",
        ]  # fmt: skip
        assert "old" not in filled


def test_missing_results_and_markers_are_named(tmp_path: Path) -> None:
    path, readme = tmp_path / "t.csv", tmp_path / "README.md"
    with pytest.raises(UserError, match=r"scores\.csv: no such file; run the test first"):
        make_table(path, {"x": tmp_path})
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    table = make_table(path, {"x": one})
    readme.write_text("nothing")
    with pytest.raises(UserError, match=r"README\.md: no marker '<!-- table t -->"):
        put_into(readme, "t", table)
    readme.write_text("<!-- table t scores=dice -->\n<!-- end -->\n")
    with pytest.raises(UserError, match="no score 'dice'"):
        put_into(readme, "t", table)
    readme.unlink()
    with pytest.raises(UserError, match=r"README\.md: cannot be read"):
        put_into(readme, "t", table)
    with pytest.raises(UserError, match="no row 'other' to compare with; there are do nothing, x"):
        make_table(path, {"x": one}, ["other"])
    with pytest.raises(UserError, match="no such table"):
        read_table(tmp_path / "absent.csv")


def test_only_conditions_that_have_the_scores_are_shown(tmp_path: Path) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    with (one / "scores.csv").open("a") as stream:
        stream.write("input,c,c,pair,,\nstudent,c,c,pair,,\n")
    table = make_table(tmp_path / "t.csv", {"x": one})
    assert "spots: psnr" in overview(table)
    with pytest.raises(UserError, match="no score 'dice'"):
        overview(table, ["dice"])


def test_a_missing_score_is_a_dash_and_a_row_of_none_is_left_out(tmp_path: Path) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    two = run(tmp_path / "two", {"input": 10.0, "student": math.nan})
    more = "input,c,c,blur,9,0.9\ninput,d,d,blur,9,0.9\n"
    for folder in (one, two):
        with (folder / "scores.csv").open("a") as stream:
            stream.write(more + more.replace("input", "student"))
    table = make_table(tmp_path / "t.csv", {"x": one, "y": two})
    both = as_markdown(table, ["psnr", "ssim"], ["spots", "blur"]).splitlines()
    assert both[-1] == "| y | – / 0.600 | 9.00 / 0.900 |"  # noqa: RUF001
    alone = as_markdown(table, ["psnr"], ["spots"]).splitlines()
    assert [line.split(" | ")[0] for line in alone[2:]] == ["| do nothing", "| x"]


def test_files_beside_a_table_are_of_this_table(tmp_path: Path) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    two = run(tmp_path / "two", {"input": 10.0, "student": 30.0})
    path = tmp_path / "t.csv"
    (two / "provenance.json").write_text(json.dumps({"commit": "abc"}))  # of an earlier version
    make_table(path, {"x": one, "y": two}, ["x"])
    assert lines(tmp_path / "t_against.csv")
    assert [row["commit"] for row in lines(tmp_path / "t_runs.csv")] == ["known", "abc"]
    assert lines(tmp_path / "t_runs.csv")[1]["seed"] == "unknown"
    make_table(path, {"x": one, "y": two})
    assert not (tmp_path / "t_against.csv").exists()


def test_rows_of_different_photographs_make_no_table(tmp_path: Path) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    other = run(tmp_path / "two", {"input": 10.0, "student": 30.0}, names="abce")
    path = tmp_path / "t.csv"
    with pytest.raises(
        UserError,
        match=r"tests of different photographs \(4 and 4; only in one of them: d, d, spots\)",
    ):
        make_table(path, {"x": one, "y": other})
    assert not path.exists()
    (one / "provenance.json").unlink()
    with pytest.raises(UserError, match=r"provenance\.json: no such file"):
        make_table(path, {"x": one})
    (one / "scores.csv").write_text("name,psnr\n")
    with pytest.raises(UserError, match="the column 'subject' is missing"):
        make_table(path, {"x": one})


def test_tests_at_different_sizes_make_no_table(tmp_path: Path) -> None:
    """Nothing but the scores of what both have, the unenhanced photographs, says so."""
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    same = run(tmp_path / "same", {"input": 10.03, "student": 21.0})
    other = run(tmp_path / "other", {"input": 10.4, "student": 22.0})
    make_table(tmp_path / "table.csv", {"one": one, "same": same})
    with pytest.raises(UserError, match=r"psnr, spots: 11.4 and 11\): .* another size"):
        make_table(tmp_path / "table.csv", {"one": one, "other": other})


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_the_pages_show_the_committed_results(table: Path, tmp_path: Path) -> None:
    for page in (ROOT / "docs/results.md", RESULTS / "tables.md"):
        if f"<!-- table {table.stem} " not in page.read_text():
            continue
        copy = tmp_path / page.name
        copy.write_text(page.read_text())
        put_into(copy, table.stem, read_table(table))
        assert copy.read_text() == page.read_text(), "run 'make results'"


def test_damaged_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text('{"commit": "12')
    with pytest.raises(UserError, match="is damaged; run the test again"):
        read_facts(tmp_path / "provenance.json")
    (tmp_path / "other.csv").write_text("name,age\nann,40\n")
    with pytest.raises(UserError, match="lacks the column 'row'"):
        read_table(tmp_path / "other.csv", ("row", "score"))
