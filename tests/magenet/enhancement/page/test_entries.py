"""Links from the page to the files of a photograph."""

from pathlib import Path

import pytest
from PIL import Image

from data_modules.datasets.manifest import Photograph
from magenet.enhancement.outcome import Outcome
from magenet.enhancement.page.entries import ReportPage
from tests.magenet.enhancement.odd_names import NAMES, linked
from tests.magenet.enhancement.page.test_writer import described


def page_of(folder: Path, out: Path, names: list[str]) -> Path:
    """Write a page of refused photographs and of one whose result and report are there."""
    out.mkdir()
    with ReportPage(out / "report.html") as page:
        for name in names:
            (out / name).write_text(f"result of {name}", errors="surrogateescape")
            (out / f"{name}.json").write_text(f"report on {name}", errors="surrogateescape")
            row = {
                "name": name, "status": "enhanced", "verdict": "ok", "reasons": [], "result": name
            }  # fmt: skip
            page.add(Outcome(row), Photograph(folder / name, name), out)
        page.finish()
    return out / "report.html"


def test_links_lead_to_the_files_also_after_all_was_moved(tmp_path: Path) -> None:
    photographs = tmp_path / "clinic/in 100%"
    photographs.mkdir(parents=True)
    for name in NAMES:
        (photographs / name).write_text(f"photograph {name}", errors="surrogateescape")
    page = page_of(photographs, tmp_path / "clinic/out #1?", NAMES)
    entries = described(page.read_text())
    (tmp_path / "clinic").rename(tmp_path / "elsewhere")
    for name, entry in zip(NAMES, entries, strict=True):
        for kind, begin in (("photograph", ""), ("result", "result of "), ("report", "report on ")):
            address = entry["links"][kind]
            assert not address.startswith(("/", "file:"))
            file = linked(tmp_path / "elsewhere/out #1?/report.html", address)
            wanted = f"{begin or 'photograph '}{name}"
            assert file.read_text(errors="surrogateescape") == wanted


@pytest.mark.parametrize("status", ["refused", "failed"])
def test_only_what_is_there_is_linked(tmp_path: Path, status: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    with ReportPage(tmp_path / "out/report.html") as page:
        row = {"name": "a.png", "status": status, "verdict": "", "reasons": ["because"]}
        page.add(Outcome(row), Photograph(tmp_path / "a.png", "a.png"), tmp_path / "out")
        page.add(Outcome(row), Photograph(tmp_path / "gone.png", "gone.png"), tmp_path / "out")
        page.finish()
    there, gone = described((tmp_path / "out/report.html").read_text())
    assert there["links"] == {"photograph": "../a.png"}
    assert gone["links"] == {}
