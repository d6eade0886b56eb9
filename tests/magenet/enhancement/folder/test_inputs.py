"""Which photographs a person means, and the names that they get."""

from pathlib import Path

import pytest

from data_modules.datasets.manifest import ManifestError, Photograph
from data_modules.files.writing import write_photograph
from magenet.enhancement.folder.inputs import collect, distinct
from tests.magenet.conftest import retina


def test_equal_names_get_as_much_of_their_path_as_is_needed() -> None:
    paths = [f"/eyes/{end}" for end in ("x/a/OD.png", "y/a/OD.png", "z/b/OD.png", "z/b/OS.png")]
    found = {Path(path): Photograph(Path(path), Path(path).name) for path in paths}
    assert [p.name for p in distinct(found)] == ["x/a/OD.png", "y/a/OD.png", "b/OD.png", "OS.png"]


def test_names_that_a_file_system_may_take_for_one_count_as_equal() -> None:
    def named(*paths: str) -> list[str]:
        found = {Path(path): Photograph(Path(path), Path(path).name) for path in paths}
        return [photograph.name for photograph in distinct(found)]

    assert named("/ann/OD.png", "/bob/od.png") == ["ann/OD.png", "bob/od.png"]
    assert named("/a/\u00e9.png", "/b/e\u0301.png") == ["a/\u00e9.png", "b/e\u0301.png"]
    assert named("/eyes/OD.png", "/eyes/od.png") == ["OD.png", "od.png"], (
        "no folder tells them apart"
    )
    assert len(set(named("/a/x/OD.png", "/A/x/od.png"))) == 2


def test_only_what_has_a_report_with_a_verdict_is_an_earlier_result(tmp_path: Path) -> None:
    reports = {"none": None, "torn": '{"verdict": "o', "number": "7", "other": '{"age": 70}',
               "result": '{"verdict": "ok"}'}  # fmt: skip
    for name, report in reports.items():
        write_photograph(retina(0, 64), tmp_path / f"{name}.png")
        if report is not None:
            (tmp_path / f"{name}.png.json").write_text(report)
    names = {photograph.name for photograph in collect([str(tmp_path)], tmp_path)}
    assert names == {"none.png", "torn.png", "number.png", "other.png"}
    elsewhere = collect([str(tmp_path)], tmp_path / "out")
    assert len(elsewhere) == 5, "a result is one only in the folder of the results"


def test_a_wrong_manifest_is_an_error_and_other_tables_beside_photographs_are_not(
    tmp_path: Path,
) -> None:
    """Of a manifest with a mistake every photograph would be missing, with an exit status of 0."""
    write_photograph(retina(0, 64), tmp_path / "a.png")
    (tmp_path / "visits.csv").write_text("patient,date\n1,2026-01-01\n")
    beside = [str(tmp_path / "a.png"), str(tmp_path / "visits.csv")]
    assert [photograph.name for photograph in collect(beside)] == ["a.png"]
    (tmp_path / "wrong.csv").write_text("image,quality\na.png,excellent\n")
    for header in ("Image,patient", "image;patient"):
        (tmp_path / "header.csv").write_text(f"{header}\na.png,1\n")
        with pytest.raises(ManifestError, match="the column 'image' is missing"):
            collect([*beside, str(tmp_path / "header.csv")])
    with pytest.raises(ManifestError, match=r"wrong\.csv: line 2 has quality 'excellent'"):
        collect([*beside, str(tmp_path / "wrong.csv")])
