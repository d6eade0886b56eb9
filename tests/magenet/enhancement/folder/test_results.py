"""Runs into one folder: whose result is where, and what a run that stops leaves behind."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_modules.files.errors import PictureError
from data_modules.files.reading import read_native
from data_modules.files.writing import write_photograph
from magenet.enhancement.folder import results as module
from magenet.enhancement.origin import ReportRow, write_report
from magenet.enhancement.page.writer import PageWriter
from magenet.errors import UserError
from magenet.models import MAGENet
from magenet.models.pretrained import tensor_hash
from magenet.stop_signals import SIGNALS
from tests.magenet.commands.enhancing import enhance, rows, start
from tests.magenet.conftest import retina

Run = Callable[..., int]


@pytest.fixture
def run(weights: Path, tmp_path: Path) -> Run:
    """Return a function that enhances photographs into the folder `out`."""

    def enhance_to_out(*arguments: str | Path) -> int:
        return enhance(*arguments, "-o", tmp_path / "out", "--weights", weights)

    return enhance_to_out


@pytest.fixture
def patients(tmp_path: Path) -> tuple[Path, Path]:
    """Return the folders of two patients, each with one photograph of the same name."""
    for seed, patient in enumerate(("ann", "bob")):
        write_photograph(retina(seed), tmp_path / patient / "OD.png")
    return tmp_path / "ann", tmp_path / "bob"


def content(out: Path) -> tuple[bytes, bytes]:
    """Return the result and the report of the photograph `OD.png`."""
    return (out / "OD.png").read_bytes(), (out / "OD.png.json").read_bytes()


def status(out: Path) -> str:
    return rows(out)["OD.png"]["status"]


@pytest.mark.parametrize("options", [[], ["--skip-existing"]])
def test_a_patient_never_gets_the_result_of_another(
    run: Run,
    patients: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    ann, bob = patients
    out = tmp_path / "out"
    assert run(ann) == 0
    before = content(out)
    capsys.readouterr()
    assert run(bob, *options) == 1
    assert content(out) == before
    said = capsys.readouterr().err
    assert f"{bob / 'OD.png'}: {out / 'OD.png'} is there already, the result of {ann}" in said
    assert "--overwrite" in said
    listed = (out / "enhance.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in listed[1:]] == ["failed", "enhanced"], "both are listed"
    assert run(bob, "--overwrite", *options) == 0
    assert json.loads(content(out)[1])["source"] == str(bob / "OD.png")
    assert content(out)[0] != before[0]
    assert len((out / "enhance.csv").read_text().splitlines()) == 2, "Ann's is gone"


@pytest.mark.parametrize("report", [None, "not JSON", "[]", '{"status": "enhanced"}'])
@pytest.mark.parametrize("options", [[], ["--skip-existing"]])
def test_a_file_of_unknown_origin_is_never_overwritten(
    run: Run, patients: tuple[Path, Path], tmp_path: Path, report: str | None, options: list[str]
) -> None:
    out = tmp_path / "out"
    write_photograph(retina(7), out / "OD.png")
    if report is not None:
        (out / "OD.png.json").write_text(report)
    before = (out / "OD.png").read_bytes()
    assert run(patients[0], *options) == 1
    assert (out / "OD.png").read_bytes() == before
    assert "a file of unknown origin" in rows(out)["OD.png"]["reason"]
    assert run(patients[0], "--overwrite", *options) == 0
    assert (out / "OD.png").read_bytes() != before


def test_the_sidecar_of_another_program_is_never_overwritten(
    run: Run, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    out, sidecar = tmp_path / "out", tmp_path / "out/OD.png.json"
    out.mkdir()
    sidecar.write_text('{"title": "OD.png"}')
    assert run(patients[0]) == 1
    assert sidecar.read_text() == '{"title": "OD.png"}'
    assert "OD.png.json is there already, a file of unknown" in rows(out)["OD.png"]["reason"]
    assert run(patients[0], "--overwrite") == 0
    assert "source" in json.loads(sidecar.read_text())


def test_the_report_holds_where_the_result_comes_from(
    run: Run, patients: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    run(patients[0], "--strength", "0.5", "--force")
    out, source = tmp_path / "out", patients[0] / "OD.png"
    report = json.loads(content(out)[1])
    assert report["source"] == str(source.resolve())
    assert report["source_size"] == source.stat().st_size
    assert report["weights_sha256"] == tensor_hash(MAGENet.from_pretrained(weights).state_dict())
    assert (report["strength"], report["force"]) == (0.5, True)
    for key, path in (("source_sha256", source), ("result_sha256", out / "OD.png")):
        said = os.popen(f"sha256sum '{path}'").read()
        assert said.startswith(report[key])


def test_the_report_says_the_height_and_the_width(run: Run, tmp_path: Path) -> None:
    write_photograph(retina(0)[:, 20:180], tmp_path / "in" / "a.png")
    assert run(tmp_path / "in", "--force") == 0
    report = json.loads((tmp_path / "out" / "a.png.json").read_text())
    assert (report["height"], report["width"]) == (160, 200)


def _content(source: Path, out: Path, weights: Path) -> None:
    write_photograph(retina(5), source)


def _torn(source: Path, out: Path, weights: Path) -> None:
    (out / "OD.png").write_bytes((out / "OD.png").read_bytes()[:-20])


def _other_result(source: Path, out: Path, weights: Path) -> None:
    write_photograph(retina(6), out / "OD.png")


def _weights(source: Path, out: Path, weights: Path) -> None:
    network = MAGENet.from_pretrained(weights)
    next(network.parameters()).data.mul_(1.01)
    network.save_pretrained(weights)


def _settings(source: Path, out: Path, weights: Path) -> None:
    config = json.loads((weights / "config.json").read_text())
    config["use"]["light"]["y"] = [0.5, 0.5]
    (weights / "config.json").write_text(json.dumps(config))


def _report(source: Path, out: Path, weights: Path) -> None:
    report = json.loads((out / "OD.png.json").read_text())
    del report["result_sha256"]
    (out / "OD.png.json").write_text(json.dumps(report))


@pytest.mark.parametrize("change", [_content, _torn, _other_result, _weights, _settings, _report])
def test_a_result_is_skipped_only_if_all_agree_and_it_is_whole(
    patients: tuple[Path, Path],
    weights: Path,
    tmp_path: Path,
    change: Callable[[Path, Path, Path], None],
) -> None:
    out, copy = tmp_path / "out", tmp_path / "weights"
    shutil.copytree(weights, copy)
    arguments = [patients[0], "-o", out, "--weights", copy, "--skip-existing"]
    for expected in ("enhanced", "skipped"):
        assert enhance(*arguments) == 0
        assert status(out) == expected
    change(patients[0] / "OD.png", out, copy)
    assert enhance(*arguments) == 0
    assert status(out) == "enhanced"
    assert enhance(*arguments) == 0
    assert status(out) == "skipped"


def test_another_mask_is_another_photograph_to_enhance(
    run: Run, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = patients[0]
    (folder / "list.csv").write_text("image,fov_mask\nOD.png,mask.png\n")
    for low, expected in ((60, "enhanced"), (60, "skipped"), (50, "enhanced")):
        mask = retina(0) * 0
        mask[:, low:140, low:140] = 255
        write_photograph(mask, folder / "mask.png")
        assert run(folder / "list.csv", "--skip-existing", "--force") == 0
        assert status(tmp_path / "out") == expected


def test_a_photograph_that_fails_leaves_its_earlier_result_with_its_report(
    run: Run, patients: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, source = tmp_path / "out", patients[0] / "OD.png"
    run(patients[0])
    before = content(out)

    def full(*given: Any) -> None:
        raise PictureError("OD.png: cannot be written (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_photograph", full)
        assert run(patients[0]) == 1
    assert content(out) == before
    source.write_text("no picture any more")
    assert run(patients[0]) == 1
    assert content(out) == before
    assert status(out) == "failed"
    assert "an earlier OD.png is kept" in rows(out)["OD.png"]["reason"]


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_killed_while_a_result_is_written_it_is_done_again(
    run: Run, patients: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    place: str, options: list[str],
) -> None:  # fmt: skip
    ann, bob = patients
    if options:
        run(bob)

    def killed(*given: Any) -> None:
        if place == "after":
            write_photograph(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_photograph", killed)
        assert run(ann, *options) == 130
    report = json.loads((tmp_path / "out/OD.png.json").read_text())
    assert (report["source"], report["status"]) == (str(ann / "OD.png"), "failed")
    assert run(ann, "--skip-existing") == 0, "nobody else's: no --overwrite is needed"
    assert status(tmp_path / "out") == "enhanced"


def test_no_result_stands_without_its_report(
    run: Run, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "out/OD.png.json").mkdir(parents=True)
    write_photograph(retina(3), patients[0] / "OS.png")
    assert run(patients[0]) == 1
    assert not (tmp_path / "out/OD.png").exists()
    found = rows(tmp_path / "out")
    assert "OD.png.json: is a folder there" in found["OD.png"]["reason"]
    assert found["OS.png"]["status"] == "enhanced", "one photograph costs no other"


def test_a_result_whose_report_does_not_fit_is_removed(
    run: Run, patients: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, row: ReportRow) -> None:
        if row["status"] == "enhanced":
            raise PictureError(f"{path}.json: cannot be written (No space left on device)")
        write_report(path, row)

    monkeypatch.setattr(module, "write_report", full)
    assert run(patients[0]) == 1
    assert not (tmp_path / "out/OD.png").exists()
    row = rows(tmp_path / "out")["OD.png"]
    assert (row["status"], row["result"]) == ("failed", "")
    assert "No space left" in row["reason"]


@pytest.mark.slow
def test_a_second_process_in_one_folder_is_refused(
    run: Run, patients: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    for seed in range(30):
        write_photograph(retina(seed, 400), tmp_path / "in" / f"{seed:02}.png")
    out = tmp_path / "out"
    process = start(tmp_path / "in", "-o", out, "--weights", weights, "--html")
    deadline = time.monotonic() + 120
    while not list(out.glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    second = start(patients[0], "-o", out, "--weights", weights)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"another magenet writes to this folder (process {process.pid})" in said
    assert "Traceback" not in said
    assert process.poll() is None, "the first goes on"
    assert not (out / "OD.png").exists()

    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "Traceback" not in said
    done = {path.name for path in out.glob("*.png")}
    assert set(rows(out, "enhance.incomplete.csv")) == done
    for name in done:
        assert read_native(out / name).shape == (3, 400, 400)
    page = (out / "report.incomplete.html").read_text()
    assert "This page is incomplete" in page
    assert all(f'"{name}"' in page for name in done)
    assert not {"enhance.csv", "report.html", ".enhance.lock"} & {p.name for p in out.iterdir()}

    assert run(tmp_path / "in", "--skip-existing", "--html") == 0
    found = rows(out)
    assert {name for name, row in found.items() if row["status"] == "skipped"} == done
    assert len(found) == 30
    assert not list(out.glob("*incomplete*"))
    assert "This page is incomplete" not in (out / "report.html").read_text()


def test_a_page_that_cannot_be_written_costs_no_photograph(
    run: Run, patients: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    (out / "report.html").mkdir(parents=True)
    write_photograph(retina(3), patients[0] / "OS.png")
    assert run(patients[0], "--html") == 1
    assert capsys.readouterr().err.count("warning: no page: ") == 1
    assert {row["status"] for row in rows(out).values()} == {"enhanced"}
    (out / "report.html").rmdir()

    def full(*given: Any, **options: Any) -> None:
        raise UserError("report.html: cannot be written (No space left on device)")

    for faulty in ("add", "close"):
        with monkeypatch.context() as patch:
            patch.setattr(PageWriter, faulty, full)
            assert run(patients[0], "--html") == 1
        assert capsys.readouterr().err.count("No space left on device") == 1, "once for all"
        assert {row["status"] for row in rows(out).values()} == {"enhanced"}
        assert not list(out.glob("*report*"))


def test_an_earlier_page_does_not_look_current(
    run: Run, patients: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(patients[0], "--html") == 0
    page = (out / "report.html").read_bytes()
    pictures = {path.name for path in (out / "report_files").iterdir()}
    (out / "report.incomplete.html").write_bytes(page)
    for _ in range(2):  # the second run finds no page to set aside
        assert run(patients[0], "--strength", "0.5") == 0
        assert {p.name for p in out.glob("*.html")} == {"report.earlier.html"}
        assert (out / "report.earlier.html").read_bytes() == page
        assert {path.name for path in (out / "report_files").iterdir()} == pictures, "whole"
    assert run(patients[0], "--html") == 0
    assert {p.name for p in out.glob("*.html")} == {"report.html"}
    (out / "report.html").write_text("<title>Of another program</title>")
    assert run(patients[0]) == 0
    assert (out / "report.html").read_text() == "<title>Of another program</title>"


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", SIGNALS)
def test_the_photograph_at_hand_is_finished_and_listed(
    run: Run, patients: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        write_photograph(retina(seed), tmp_path / "in" / name)
    assert run(patients[0], "--html") == 0
    page = (out / "report.html").read_bytes()

    def signalled(*given: Any) -> None:
        if given[1].name == "b.png":
            os.kill(os.getpid(), number)
        write_photograph(*given)

    handlers = [signal.getsignal(number) for number in SIGNALS]
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_photograph", signalled)
        assert run(tmp_path / "in", "--html") == 128 + number
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
    assert "go on with --skip-existing" in capsys.readouterr().err
    assert set(rows(out, "enhance.incomplete.csv")) == {"OD.png", "a.png", "b.png"}
    assert {path.name for path in out.glob("*.png")} == {"OD.png", "a.png", "b.png"}
    assert (out / "report.earlier.html").read_bytes() == page, "the page of an earlier run"
    assert not (out / "report.html").exists(), "it would look current"
    incomplete = (out / "report.incomplete.html").read_text()
    assert "This page is incomplete" in incomplete
    assert '"b.png"' in incomplete
    assert '"c.png"' not in incomplete


def test_a_name_controls_no_terminal(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/\x1b]0;owned\x07.png").write_text("no picture")
    (tmp_path / "in/a\x1b[2J.txt").write_text("no picture")
    run(tmp_path / "in", tmp_path / "in/a\x1b[2J.txt")
    run(tmp_path / "in/none\x1b[2J")
    said = capsys.readouterr()
    assert "\\x1b]0;owned\\x07.png" in said.err
    assert said.err.count("\\x1b[2J") == 3, "of the folder, of the file, and of what is not there"
    assert "\x07" not in said.err
    assert "\x1b[2J" not in said.err
