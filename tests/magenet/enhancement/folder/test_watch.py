"""A folder that is watched: nothing half, nothing twice, nothing lost."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_modules.files.writing import write_photograph
from magenet.commands import enhance_run as command
from magenet.enhancement.folder import results as module
from magenet.enhancement.folder.arrivals import PATIENCE, Arrivals
from magenet.enhancement.folder.listing import Listing
from tests.magenet.commands.enhancing import enhance, rows
from tests.magenet.conftest import retina
from tests.magenet.enhancement.days import Days

Event = tuple[float, Callable[[], object]]
Watch = Callable[..., int]


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    """Return a camera's export folder with one photograph."""
    write_photograph(retina(0), tmp_path / "camera/a.png")
    return tmp_path / "camera"


@pytest.fixture
def watch(camera: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return a function that watches while things happen, and then stops it."""

    def watching(*events: Event, until: float = 30.0) -> int:
        days = Days(*events, (until, stop))
        monkeypatch.setattr(
            command, "Arrivals", lambda folder: Arrivals(folder, days.clock, days.sleep)
        )
        given = ["--watch", camera, "-o", tmp_path / "out", "--weights", weights, "--html"]
        return enhance(*given)

    return watching


def on_page(out: Path) -> list[str]:
    return re.findall(r'\{"name": "([^"]*)"', (out / "report.html").read_text())


def test_a_file_that_is_still_written_is_waited_for(
    watch: Watch, camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", camera / "b.png"
    write_photograph(retina(1), tmp_path / "b.png")
    whole = (tmp_path / "b.png").read_bytes()
    between: list[Any] = []

    def look() -> None:
        between.append((list(rows(out)), on_page(out)))

    status = watch(
        (1, lambda: file.write_bytes(whole[:-400])),
        (12, look),
        (13, lambda: file.write_bytes(whole)),
        (27, look),
    )
    assert status == 0
    assert between == [(["a.png"], ["a.png"]), (["a.png", "b.png"], ["a.png", "b.png"])]
    assert {row["status"] for row in rows(out).values()} == {"enhanced"}
    said = capsys.readouterr().err
    assert said.count("magenet: waiting for b.png: it may not be whole yet") == 1
    assert "not enhanced" not in said
    assert said.count("magenet: b.png: ") == 1
    assert {path.name for path in out.iterdir()} == {
        "a.png", "a.png.json", "b.png", "b.png.json", "enhance.csv", "report.html", "report_files",
    }  # fmt: skip


def test_what_stays_damaged_is_told_once_and_listed(
    watch: Watch, camera: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (camera / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    assert watch(until=3 * PATIENCE) == 0
    found = rows(tmp_path / "out")
    assert (found["a.png"]["status"], found["torn.jpg"]["status"]) == ("enhanced", "failed")
    said = capsys.readouterr().err
    assert said.count("magenet: not enhanced: ") == 1
    assert "magenet: 1 done, 1 not enhanced; waiting for more" in said
    assert on_page(tmp_path / "out") == ["a.png", "torn.jpg"]


def test_nothing_is_done_twice_or_lost_when_it_is_started_again(
    watch: Watch, camera: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    for seed, name in enumerate(("b.png", "c.png"), start=1):
        write_photograph(retina(seed), camera / name)
    written = []

    def signalled(*given: Any) -> None:
        written.append(given[1].name)
        if written == ["a.png", "b.png"]:
            stop()
        write_photograph(*given)

    monkeypatch.setattr(module, "write_photograph", signalled)
    assert watch() == 0
    assert "left for the next start: c.png" in capsys.readouterr().err
    assert set(rows(out)) == set(on_page(out)) == {"a.png", "b.png"}, "what is listed is whole"
    pictures = {path.name for path in (out / "report_files").iterdir()}
    assert watch((20, lambda: write_photograph(retina(4), camera / "d.png"))) == 0
    assert written == ["a.png", "b.png", "c.png", "d.png"]
    statuses = {name: row["status"] for name, row in rows(out).items()}
    assert statuses == {
        "a.png": "skipped", "b.png": "skipped", "c.png": "enhanced", "d.png": "enhanced"
    }  # fmt: skip
    assert on_page(out) == ["a.png", "b.png", "c.png", "d.png"]
    assert pictures < {path.name for path in (out / "report_files").iterdir()}


def test_a_photograph_that_is_taken_again_is_enhanced_again(
    watch: Watch, camera: Path, tmp_path: Path
) -> None:
    assert watch((8, lambda: write_photograph(retina(5), camera / "a.png"))) == 0
    assert on_page(tmp_path / "out") == ["a.png", "a.png"], "of two the page shows the last"
    assert len(rows(tmp_path / "out")) == 1


def test_no_other_process_writes_to_the_folder_meanwhile(
    watch: Watch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: list[int] = []

    def other() -> None:
        with pytest.raises(Exception, match="another magenet writes to this folder"):
            Listing(tmp_path / "out").start()
        refused.append(1)

    assert watch((2, other), (9, other)) == 0
    assert refused == [1, 1]


@pytest.mark.parametrize(
    ("held", "name"),
    [("replace", "enhance.csv"), ("unlink", "enhance.csv"), ("open", "enhance.incomplete.csv")],
)
def test_a_listing_that_another_program_holds_is_written_later(
    held: str, name: str, watch: Watch, camera: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    is_held = False
    release: dict[str, Any] = {"replace": Path.replace, "unlink": Path.unlink, "open": Path.open}

    def refused(path: Path, *given: Any, **named: Any) -> Any:
        file = given[0] if held == "replace" else path
        if is_held and file == out / name and (held != "open" or given == ("ab",)):
            raise PermissionError(13, "Permission denied")
        return release[held](path, *given, **named)

    def hold(value: bool) -> None:
        nonlocal is_held
        is_held = value

    monkeypatch.setattr(Path, held, refused)
    between: list[bool] = []
    status = watch(
        (8, lambda: hold(True)),
        (8, lambda: write_photograph(retina(1), camera / "b.png")),
        (30, lambda: between.append(is_held and (out / "enhance.incomplete.csv").exists())),
        (31, lambda: hold(False)),
        until=45,
    )
    assert status == 0
    assert between == [True]
    assert {name: row["status"] for name, row in rows(out).items()} == {
        "a.png": "enhanced", "b.png": "enhanced"
    }  # fmt: skip
    assert on_page(out) == ["a.png", "b.png"]
    assert not (out / "enhance.incomplete.csv").exists()
    said = capsys.readouterr().err
    assert said.count(f"{name}: cannot be written (Permission denied); tried again") == 1


def test_it_takes_one_folder_that_is_there(
    camera: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["-o", tmp_path / "out", "--weights", weights, "--watch"]
    assert enhance(camera, tmp_path, *given) == 2
    assert enhance(camera / "a.png", *given) == 2
    assert enhance(tmp_path / "none", *given) == 2
    assert enhance(tmp_path, *given) == 1, "results inside it would be taken for photographs"
    assert not (tmp_path / "out").exists()
    assert "Traceback" not in capsys.readouterr().err
