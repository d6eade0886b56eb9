"""The page of a run: one file that shows what the run and its tests left, and nothing else."""

import base64
import io
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from magenet.errors import UserError
from magenet.main import main
from magenet.run_report import page
from magenet.run_report.page import write_report
from tests.magenet.run_report.runs import BASE, write_test, write_training


@pytest.fixture
def training(tmp_path: Path) -> Path:
    write_test(tmp_path / "runs/net/version_1")
    write_test(tmp_path / "runs/net/version_2", "of another network")
    return write_training(tmp_path / "runs/net/version_0")


def report(run: Path) -> str:
    """Write the page of a run and return it."""
    write_report(run, run / "report.html")
    return (run / "report.html").read_text()


def test_a_training_is_shown_with_the_tests_of_its_networks(training: Path) -> None:
    text = report(training)
    assert "<h1>Run net/version_0</h1>" in text
    assert "Logged up to step 39; 1 test. Best PSNR: 22.5, at step 39." in text
    assert re.findall(r"<h3>(.*?)</h3>", text) == ["net/version_1"], "found by the hash"
    assert report(training.with_name("version_1")) == text, "that of its training"


def test_the_page_needs_nothing_else_and_escapes_names(training: Path) -> None:
    text = report(training)
    assert not re.search(r"""(src|href)=["'](?!data:)|@import|url\(|<script""", text)
    assert "<x>" not in text, "escaped"
    assert "$" not in text, "every part of the template is filled"


def test_each_score_is_a_chart_and_each_subject_a_line(training: Path) -> None:
    figures = re.findall(r"<figure><figcaption><b>(.*?)</b>(.*?)</figure>", report(training), re.S)
    assert [name for name, _ in figures] == ["PSNR", "loss", "learning rate"]
    assert figures[0][1].count("<polyline") == 3
    assert re.findall(r">([a-z ]+ [\d.]+)</span>", figures[0][1]) == [
        "network 22.5", "input 18", "teacher 21.25",
    ]  # fmt: skip
    assert "loss" not in figures[2][1]


def test_scores_are_marked_where_they_differ_from_doing_nothing(training: Path) -> None:
    text = report(training)
    first, second = re.findall(r"<details.*?</details>", text, re.S)
    assert "PSNR (higher is better)" in first
    assert "colour (lower is better)" in second
    assert re.findall(r"<th>(spots|blur|&lt;x&gt;)</th>", first) == ["spots", "blur", "&lt;x&gt;"]
    row = re.findall(r"<tr><th>student</th>(.*?)</tr>", first)[0]
    assert re.findall(r'class="(\w+)"|<td( )title', row) == [
        ("better", ""), ("worse", ""), ("", " "),
    ]  # fmt: skip
    assert 'class="worse"' in second, "a higher colour distance"
    assert "<th>do nothing</th>" in first


def test_sheets_are_in_the_page_reduced(training: Path) -> None:
    (data,) = re.findall(r'src="data:image/jpeg;base64,(.*?)"', report(training))
    assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) == 1800


def test_what_a_killed_run_left_damaged_costs_only_itself(training: Path) -> None:
    (sheet,) = training.with_name("version_1").glob("*.png")
    whole = sheet.read_bytes()
    sheet.with_name("torn.png").write_bytes(whole[: len(whole) // 2])
    other = training.with_name("version_9")
    other.mkdir()
    for name, text in (("config.yaml", "a: [1"), ("metrics.csv", "step,loss\nx,y\n")):
        (other / name).write_text(text)
    (other / "results.json").write_text("[]")
    text = report(training)
    assert "<p>torn.png cannot be read.</p>" in text
    assert text.count('<figure class="sheet">') == 1


def test_only_what_differs_from_base_is_told(
    training: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(BASE))
    monkeypatch.setattr(page, "BASE", tmp_path / "base.yaml")
    text = report(training)
    part = text.partition("What differs from base.yaml")[2]
    rows = re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td></tr>", part.partition("<h2>")[0])
    assert dict(rows) == {
        "seed_everything": "3",
        "trainer.max_steps": "50",
        "model": "magenet.tasks.SupervisedTask",
        "model.network": "magenet.models.MAGENet.from_name",
        "model.network.name": "tiny",
        "model.edge_weight": "0.5",
        "checkpoint.monitor": "val/psnr",
        "checkpoint.mode": "max",
    }


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run has left anything here yet"):
        report(tmp_path)
    with pytest.raises(UserError, match="nowhere: no such folder of a run"):
        report(tmp_path / "nowhere")


def test_a_test_without_its_training_is_shown_alone(tmp_path: Path) -> None:
    text = report(write_test(tmp_path / "net/version_1"))
    assert "1 test of a method or network whose training is not beside it." in text
    assert "The training is not in this folder or beside it." in text


def test_the_command_takes_the_latest_training(
    training: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/latest").symlink_to("net/version_0")
    assert main(["report"]) == 0
    assert capsys.readouterr().out.strip() == "runs/latest/report.html"
    assert "Run net/version_0" in (training / "report.html").read_text()
