"""`magenet table` as a person meets it."""

from pathlib import Path

import pytest

from magenet.main import main
from tests.magenet.evaluation.test_tables import lines, run


def test_a_table_is_made_printed_and_put_into_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = run(tmp_path / "one", {"input": 10.0, "student": 20.0})
    two = run(tmp_path / "two", {"input": 10.0, "student": 30.0})
    path, page = tmp_path / "table.csv", tmp_path / "page.md"
    tests = [f"plain={one}", f"width=8={two}", "--against", "plain", "--against", "width=8"]
    assert main(["table", *tests, "--csv", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "| width=8 | 31.00 [30.00, 32.00] | 0.600 [0.500, 0.700] |" in printed
    assert {cells["against"] for cells in lines(tmp_path / "table_against.csv")} == {
        "plain", "width=8",
    }  # fmt: skip
    assert [cells["row"] for cells in lines(tmp_path / "table_runs.csv")] == ["plain", "width=8"]

    page.write_text("<!-- table table scores=psnr,ssim -->\n<!-- end -->\n")
    assert main(["table", "--csv", str(path), "--into", str(page)]) == 0
    assert capsys.readouterr().out == ""
    assert printed in page.read_text()
    assert main(["table", "--csv", str(path), "--scores", "ssim"]) == 0
    assert "psnr" not in capsys.readouterr().out
    assert main(["table", "--csv", str(path), "--scores", "pnsr"]) == 2
    assert "(did you mean psnr?)" in capsys.readouterr().err


def test_a_comparison_that_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [run(tmp_path / name, {"input": 10.0, "student": 20.0}) for name in ("a", "b")]
    for folder in folders:
        heading, *rows = (folder / "scores.csv").read_text().splitlines()
        first = rows[0].split(",")[heading.split(",").index("patient")]
        kept = [row for row in rows if f",{first}," in row]
        (folder / "scores.csv").write_text("\n".join([heading, *kept, ""]))
    tests = [f"a={folders[0]}", f"b={folders[1]}", "--against", "a"]
    assert main(["table", *tests, "--csv", str(tmp_path / "t.csv")]) == 0
    assert "no comparison: it needs two patients at least" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["folder"], 2, "'folder' is not NAME=FOLDER"),
        (["x=a", "x=b"], 2, "two rows are called 'x'"),
        (["x=absent"], 1, "absent/scores.csv: no such file; run the test first"),
        ([], 1, "t.csv: no such table"),
        (["--against", "x"], 2, "--against compares tests: give NAME=FOLDER of each"),
        (
            ["--scores", "psnr", "--into", "page.md"],
            2,
            "--scores is for printing: with --into, the page's marker names them",
        ),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", *arguments, "--csv", "t.csv"]) == status
    assert capsys.readouterr().err == f"magenet: error: {message}\n"
