"""`magenet enhance --skip-existing`: what is enhanced again, and what is not."""

import json
import re
from pathlib import Path

import pytest

from magenet.enhancement.page.writer import entry_id
from tests.magenet.commands.enhancing import enhance, rows


def test_what_was_done_is_not_done_again(folder: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    enhance(folder, "-o", out, "--weights", weights)
    (out / "a.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.???")}
    enhance(folder, "-o", out, "--weights", weights, "--skip-existing")
    status = {name: row["status"] for name, row in rows(out).items()}
    assert status["a.png"] == "enhanced"
    assert status["c.tif"] == status["sub/b.jpg"] == "skipped"
    assert all(
        path.stat().st_mtime_ns == when for path, when in times.items() if path.suffix != ".csv"
    )


def test_other_weights_or_strength_are_done_again(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    out, source = tmp_path / "out", folder / "a.png"
    for strength, status in (("1", "enhanced"), ("1", "skipped"), ("0.5", "enhanced")):
        options = ["--weights", weights, "--strength", strength, "--skip-existing", "--html"]
        assert enhance(source, "-o", out, *options) == 0
        assert rows(out)["a.png"]["status"] == status
        page = (out / "report.html").read_text()
        assert page.count("data:image/jpeg") == 1, "an earlier result is shown, too"
        pictures = set(re.findall(r'"(report_files/[^"]+)"', page))
        assert len(pictures) == 3, "with its uncertainty"
        beside = {path.relative_to(out).as_posix() for path in (out / "report_files").iterdir()}
        assert beside == pictures, "and nothing of the result before"


def test_a_fast_result_is_not_taken_for_a_whole_one(
    folder: Path, own_scale_weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    given = [folder / "a.png", "-o", out, "--weights", own_scale_weights, "--skip-existing"]
    for options, status in (
        (["--fast"], "enhanced"), (["--fast"], "skipped"), ([], "enhanced"), ([], "skipped"),
    ):  # fmt: skip
        assert enhance(*given, *options) == 0
        assert rows(out)["a.png"]["status"] == status
    report = out / "a.png.json"
    before = json.loads(report.read_text())
    assert before.pop("fast") is False
    report.write_text(json.dumps(before))  # as release 0.2 wrote it
    assert enhance(*given) == 0
    assert rows(out)["a.png"]["status"] == "skipped"


def test_pictures_that_the_page_lacks_are_made_from_an_earlier_result(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    given = [folder / "a.png", "-o", tmp_path / "out", "--weights", weights]
    assert enhance(*given, "--strength", "0.5", "--html") == 0
    assert enhance(*given) == 0
    assert enhance(*given, "--skip-existing", "--html") == 0
    kinds = {path.stem.split("-")[1] for path in (tmp_path / "out/report_files").iterdir()}
    assert kinds == {"before", "after"}, "no page had the uncertainty of this result"


def test_an_earlier_page_saves_reading_the_photographs_again(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [folder / "a.png", "-o", tmp_path / "out", "--weights", weights, "--html"]
    assert enhance(*given) == 0
    page = (tmp_path / "out/report.html").read_text()
    (made,) = re.findall('<p id="about">(.*?)</p>', page)
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d .*, magenet [\d.]+, weights .* \(SHA-256 ", made)
    assert made.endswith(", strength 1")
    monkeypatch.delattr("magenet.enhancement.page.entries.read_native")
    assert enhance(*given, "--skip-existing") == 0
    again = (tmp_path / "out/report.html").read_text()
    again = re.sub('<p id="about">.*?</p>', f'<p id="about">{made}</p>', again)  # a minute later
    assert again == page.replace('"status": "enhanced"', '"status": "skipped"')


def test_decisions_go_into_the_next_page_while_the_result_is_the_same(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, decisions = tmp_path / "out", tmp_path / "decisions.csv"
    given = [folder / "a.png", "-o", out, "--weights", weights]
    again = [*given, "--html", "--decisions", decisions]
    assert enhance(*given, "--html") == 0
    result = json.loads((out / "a.png.json").read_text())["result_sha256"]
    decisions.write_text(
        "photograph,verdict,decision,note,date,result,id\n"
        f"a.png,ok,reject,blurred rim,2026-01-01T00:00:00Z,,{entry_id('a.png', result)}\n"
        "b.png,ok,accept,of another run,,,p0\n"
    )
    capsys.readouterr()
    assert enhance(*again, "--skip-existing") == 0
    page = (out / "report.html").read_text()
    assert '"decision": "reject"' in page
    assert "blurred rim" in page
    assert "of another run" not in page
    said = capsys.readouterr()
    assert "1 of 2 decisions (b.png) are on other photographs" in said.err
    assert "decisions or notes on report.html: 1;" in said.out
    assert "1 photograph (1 enhanced before): " in said.out
    assert enhance(*again, "--strength", "0.5") == 0
    assert "blurred rim" not in (out / "report.html").read_text()
    assert "2 of 2 decisions (a.png, b.png) are on other photographs" in capsys.readouterr().err
    assert enhance(*given, "--decisions", decisions) == 2
    assert "--decisions needs --html" in capsys.readouterr().err
    (out / "report.html").unlink()
    (out / "report.html").mkdir()
    assert enhance(*again, "--skip-existing") == 1
    assert "report.html: " not in capsys.readouterr().out, "there is none"
