"""What `magenet enhance` enhances: files, folders, patterns, manifests, each once."""

import json
import os
import unicodedata
from pathlib import Path

import pytest

from data_modules.datasets.manifest import Photograph
from data_modules.files.writing import write_photograph
from magenet.enhancement.folder import results as folder_module
from magenet.enhancement.folder.inputs import distinct
from tests.magenet.commands.enhancing import enhance, rows
from tests.magenet.conftest import retina


def test_files_patterns_and_manifests_are_all_enhanced_once(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    pattern, file = folder / "*.tif", folder / "sub" / "b.jpg"
    assert enhance(pattern, file, file, "-o", tmp_path / "out", "--weights", weights) == 0
    assert set(rows(tmp_path / "out")) == {"c.tif", "b.jpg"}
    (folder / "list.csv").write_text("image\na.png\n")
    enhance(folder / "list.csv", "-o", tmp_path / "listed", "--weights", weights)
    assert set(rows(tmp_path / "listed")) == {"a.png"}


def test_photographs_of_one_name_are_told_apart(weights: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(("ann/OD.png", "bob/OD.png", "bob/OS.png")):
        write_photograph(retina(seed), tmp_path / "in" / name)
    folders = tmp_path / "in/ann", tmp_path / "in/bob"
    out = tmp_path / "out"
    assert enhance(*folders, "-o", out, "--weights", weights) == 0
    assert set(rows(out)) == {"ann/OD.png", "bob/OD.png", "OS.png"}
    assert (out / "ann/OD.png").read_bytes() != (out / "bob/OD.png").read_bytes()


def test_two_names_of_one_file_are_no_two_results(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that takes `OD.png` and `od.png` for one."""
    for seed, name in enumerate(("OD", "od")):
        write_photograph(retina(seed), tmp_path / f"eyes/{name}.png")
    out = tmp_path / "out/OD.png"
    monkeypatch.setattr(
        folder_module,
        "output_paths",
        lambda folder, photographs: {p.name: out for p in photographs},
    )
    into = ["-o", tmp_path / "out", "--weights", weights]
    assert enhance(tmp_path / "eyes", *into) == 1
    found = rows(tmp_path / "out")
    assert found["OD.png"]["status"] == "enhanced"
    assert found["od.png"]["status"] == "failed"
    assert "takes for the same" in found["od.png"]["reason"]
    report = json.loads(out.with_name("OD.png.json").read_text())
    assert Path(report["source"]).name == "OD.png", "whose result it is"
    assert enhance(tmp_path / "eyes/od.png", *into, "--overwrite") == 0


def test_a_pattern_that_finds_the_folder_of_the_results_goes_on(
    folder: Path, weights: Path
) -> None:
    into = ["-o", folder / "out", "--weights", weights, "--html"]
    assert enhance(folder / "a.png", *into) == 0
    assert enhance(folder / "a.png", folder / "out", *into, "--skip-existing") == 0
    assert set(rows(folder / "out")) == {"a.png"}
    assert enhance(folder / "out", *into) == 1, "the results alone"


def test_what_a_pattern_finds_besides_photographs_is_left_out(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").mkdir()
    (folder / "list.csv").write_text("no,manifest\n")
    write_photograph(retina(5), folder / "eye[1].png")
    out = tmp_path / "out"
    pattern = [folder / "[cel]*", folder / "notes.txt", folder / "eye[1].png"]
    assert enhance(*pattern, "-o", out, "--weights", weights) == 1
    assert {"c.tif", "eye[1].png", "empty.png"} == set(rows(out))
    said = capsys.readouterr().err
    assert said.count("left out") == 3
    assert "notes.txt: not a picture" in said


def test_a_name_that_is_no_text_costs_no_summary(weights: Path, tmp_path: Path) -> None:
    write_photograph(retina(5), tmp_path / "in/a.png")
    named = os.fsencode(tmp_path / "in") + b"/M\xfcller.png"
    try:
        os.rename(tmp_path / "in/a.png", named)
    except OSError:
        pytest.skip("the file system has no such names")
    out = tmp_path / "out"
    assert enhance(tmp_path / "in", "-o", out, "--weights", weights, "--html") == 0
    assert list(rows(out)) == ["M\\udcfcller.png"]


def test_a_page_and_its_pictures_are_not_enhanced(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    enhance(folder / "a.png", "-o", tmp_path / "one", "--weights", weights, "--html")
    assert len(list((tmp_path / "one/report_files").iterdir())) == 3
    enhance(tmp_path / "one", "-o", tmp_path / "two", "--weights", weights)
    assert set(rows(tmp_path / "two")) == {"a.png"}


def test_everything_in_a_folder_is_enhanced_or_listed(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "z.png", "locked/b.png", "n" * 236 + ".png", ".hidden/c.png"):
        write_photograph(retina(len(name)), given / name)
    write_photograph(retina(1), tmp_path / "elsewhere/b.png")
    (given / "linked").symlink_to(tmp_path / "elsewhere")
    (given / "broken.jpg").symlink_to(tmp_path / "nothing")
    (given / "loop.jpg").symlink_to(given / "loop.jpg")
    os.mkfifo(given / "pipe.jpg")
    os.mkfifo(given / "pipe")
    for name in ("a.heic", "b.gif", "c.jp2", "notes.txt", ".DS_Store"):
        (given / name).write_text("whatever")
    (given / "scan").write_bytes((given / "a.png").read_bytes())
    (given / "IM000001").write_bytes(bytes(128) + b"DICM")
    write_photograph(retina(3), given / "d.png")
    (out / "d.png.json").mkdir(parents=True)
    whole = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path) == given / "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert enhance(given, "-o", out, "--weights", weights) == 1
    found = rows(out)
    enhanced = {name for name, row in found.items() if row["status"] == "enhanced"}
    assert enhanced == {"a.png", "z.png", "n" * 236 + ".png"}
    reasons = {
        "locked": "folder that cannot be read", "linked": "link to a folder",
        "broken.jpg": "missing", "loop.jpg": "missing", "pipe.jpg": "pipe", "a.heic": "not read",
        "b.gif": "not read", "c.jp2": "not read", "scan": "by its content", "IM000001": "DICOM",
        "d.png": "is a folder",
    }  # fmt: skip
    assert set(found) == enhanced | set(reasons)
    for name, reason in reasons.items():
        assert reason in found[name]["reason"], name
    said = capsys.readouterr().err
    assert all(name in said for name in ("/notes.txt", "/pipe\n"))
    assert not any(name in said for name in ("hidden", "DS_Store"))


def test_a_pattern_does_not_enhance_its_own_results(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photograph(retina(0), tmp_path / "p/a.png")
    for _ in range(2):
        assert enhance("**/*.png", "-o", "out", "--weights", weights) == 0
        assert set(rows(tmp_path / "out")) == {"a.png"}
    assert enhance("out/*.png", "-o", "out", "--weights", weights) == 1


def test_a_missing_file_of_a_manifest_costs_that_photograph_only(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    (folder / "list.csv").write_text("image,fov_mask\na.png,\ngone.png,\nc.tif,gone.png\n")
    assert enhance(folder / "list.csv", "-o", tmp_path / "out", "--weights", weights) == 1
    found = rows(tmp_path / "out")
    assert [row["status"] for row in found.values()] == ["enhanced", "failed", "failed"]
    assert all("gone.png: no such file" in found[name]["reason"] for name in ("gone.png", "c.tif"))


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 5000 + "*", "a" * 5000 + ".csv"])
def test_a_name_of_5000_characters_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert enhance(name, "-o", tmp_path / "out") == 1
    assert "no such" in capsys.readouterr().err


def test_the_work_to_tell_equal_names_apart_grows_as_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folded = []

    def counted(form: str, name: str) -> str:
        folded.append(name)
        return name

    monkeypatch.setattr(unicodedata, "normalize", counted)
    found = {
        (path := Path(f"/eyes/{index}/left/OD.png")): Photograph(path, "OD.png")
        for index in range(10_000)
    }
    names = [photograph.name for photograph in distinct(found)]
    assert len(folded) <= 10 * len(found)
    assert len(set(names)) == 10_000
    assert names[7] == "7/left/OD.png"
