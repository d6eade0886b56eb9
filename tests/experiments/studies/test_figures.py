import csv
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data_modules.datasets.phantom import draw_phantom
from experiments.configurations import RESULTS
from experiments.studies import figures, interval_plot, picture_grid
from experiments.studies.evidence.report import REAL, pair_table, read_rows
from experiments.studies.tables import EARLIER
from magenet.commands.table import main
from magenet.errors import UserError
from magenet.evaluation.tables import Cells
from tests.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"
MARKERS = "before\n<!-- five rows -->\n<!-- end five rows -->\nafter\n"


@pytest.fixture
def table() -> list[Cells]:
    return pair_table(read_rows(RESULTS / "evidence"), figures.METHODS)


def lines(table: list[Cells], score: str) -> dict[str, Cells]:
    return {c["row"]: c for c in table if (c["condition"], c["score"]) == ("pair", score)}


def test_the_pages_show_the_committed_results(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    assert figures.main(["--readme", str(readme), "--out", str(tmp_path)]) == 0
    assert readme.read_text() == (ROOT / "README.md").read_text(), "run 'make figures'"
    drawn = (tmp_path / "real_pairs.svg").read_text()
    assert drawn == (ROOT / "docs/images/real_pairs.svg").read_text(), "run 'make figures'"


@pytest.mark.parametrize("name", ["demo", "real_0.1"])
def test_the_results_page_shows_the_committed_tables(name: str, tmp_path: Path) -> None:
    page = ROOT / "docs/results.md"
    copy = tmp_path / page.name
    copy.write_text(page.read_text())
    assert main(["--csv", str(RESULTS / f"{name}.csv"), "--into", str(copy)]) == 0
    assert copy.read_text() == page.read_text(), "run 'make results'"


def test_the_pictures_are_small() -> None:
    for path in (ROOT / "docs/images").iterdir():
        assert path.stat().st_size <= 200_000, path


def test_the_release_stands_out(table: list[Cells]) -> None:
    rows = [line.split(" | ")[0].strip("| ") for line in figures.five_rows(table).split("\n")[2:]]
    assert rows == ["do nothing", "CLAHE", "Setiawan", *EARLIER, f"**{figures.RELEASED}**"]


def test_the_table_is_that_of_the_evidence(table: list[Cells]) -> None:
    of_evidence = [row for row in read_rows(RESULTS / "evidence") if row.part == REAL]
    wanted = [r.value for r in of_evidence if (r.method, r.score) == ("mage_net", figures.DICE)]
    cells = lines(table, figures.DICE)[figures.RELEASED]
    assert float(cells["mean"]) == pytest.approx(np.mean(wanted))
    assert float(cells["low"]) < np.mean(wanted) < float(cells["high"])
    assert int(cells["photographs"]) == len(wanted)


def test_only_what_is_between_the_markers_changes(tmp_path: Path, table: list[Cells]) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKERS)
    figures.put_five_rows(page, table)
    once = page.read_text()
    assert once.startswith("before\n<!-- five rows -->\n")
    assert once.endswith("\n<!-- end five rows -->\nafter\n")
    figures.put_five_rows(page, table)
    assert page.read_text() == once
    page.write_text("no markers")
    with pytest.raises(UserError, match="five rows"):
        figures.put_five_rows(page, table)
    with pytest.raises(UserError, match="lacks CLAHE"):
        figures.five_rows([c for c in table if c["row"] != "CLAHE"])


def test_a_missing_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--evidence", str(tmp_path), "--out", str(tmp_path)]
    assert figures.main(options) == 1
    assert "lacks do nothing, CLAHE" in capsys.readouterr().err


def test_the_figure_is_to_scale(table: list[Cells]) -> None:
    root = ElementTree.fromstring(figures.figure(table))
    names = [e.text for e in root.iter(f"{SVG}text") if e.get("class") == "row"]
    assert names[0] == figures.NOTHING
    assert names[-1] == figures.RELEASED
    dots = list(root.iter(f"{SVG}circle"))
    paths = [e.get("d", "") for e in root.iter(f"{SVG}path") if e.get("class") == "interval"]
    references = [e.get("d", "") for e in root.iter(f"{SVG}path") if e.get("class") == "nothing"]
    assert len(dots) == len(paths) == 2 * len(names)
    for number, panel in enumerate(figures.PANELS):
        of_panel = slice(number * len(names), (number + 1) * len(names))
        found = [float(dot.get("cx", "nan")) for dot in dots[of_panel]]
        ends = [
            tuple(float(x) for x in p[1:].replace("H", " ").split()[::2]) for p in paths[of_panel]
        ]
        cells = lines(table, panel.score)
        rows = [cells[str(name)] for name in names]
        values = [tuple(float(c[key]) for key in ("mean", "low", "high")) for c in rows]
        scale = (found[1] - found[0]) / (values[1][0] - values[0][0])  # pixels per unit
        assert scale > 0
        for x, (start, end), (mean, low, high) in zip(found, ends, values, strict=True):
            assert math.isclose(x - found[0], scale * (mean - values[0][0]), abs_tol=1.5)
            assert math.isclose(x - start, scale * (mean - low), abs_tol=1.5)
            assert math.isclose(end - x, scale * (high - mean), abs_tol=1.5)
            assert 0 < start <= x <= end < interval_plot.WIDTH
        assert references[number].startswith(f"M{found[0]:g} ")


def test_every_row_of_the_figure_has_both_scores(table: list[Cells]) -> None:
    with pytest.raises(UserError, match="lacks a score"):
        figures.figure([c for c in table if (c["row"], c["score"]) != ("CLAHE", figures.COLOUR)])


def test_the_release_changes_a_photograph_and_gives_a_verdict(tmp_path: Path) -> None:
    pixels = draw_phantom(3, 128, camera="handheld").image.permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "eye.png")
    image, verdict = figures.by_release(tmp_path / "eye.png")
    assert image.shape == pixels.shape
    assert (image != pixels).any()
    assert verdict in ("ok", "check", "do not use")


def test_a_sheet_shows_before_enhanced_and_better_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "hygd").mkdir()
    for name, colour in (("low", (90, 0, 0)), ("high", (0, 0, 90))):
        Image.new("RGB", (64, 64), colour).save(tmp_path / f"{name}.png")
    with (tmp_path / "hygd/pairs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("pair_id", "low", "high_aligned"), ("a", "low.png", "high.png")]
        )

    def enhance(path: Path) -> tuple[NDArray[np.uint8], str]:
        assert path == tmp_path / "low.png"
        return np.full((64, 64, 3), (0, 90, 0), np.uint8), "ok"

    sheet = figures.before_after(tmp_path, enhance, ["a"])
    step, middle = picture_grid.TILE + picture_grid.GAP, picture_grid.TILE // 2
    colours = [sheet.getpixel((n * step + middle, picture_grid.HEAD + middle)) for n in range(3)]
    assert colours == [(90, 0, 0), (0, 90, 0), (0, 0, 90)]
    assert sheet.width == 3 * picture_grid.TILE + 2 * picture_grid.GAP
    with pytest.raises(UserError, match="lacks b"):
        figures.before_after(tmp_path, enhance, ["a", "b"])
    with pytest.raises(UserError, match="no such file"):
        figures.before_after(tmp_path / "hygd", enhance)
