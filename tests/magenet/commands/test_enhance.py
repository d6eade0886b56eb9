"""`magenet enhance` as a person meets it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

import magenet
from data_modules.files.reading import read_native
from data_modules.files.writing import MetadataChoice, write_photograph
from magenet.commands.enhance import METADATA
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.run import Summary
from tests.conftest import ROOT
from tests.magenet.commands.enhancing import enhance, rows
from tests.magenet.conftest import retina


def test_a_folder_of_photographs_and_junk(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert enhance(folder, "-o", out, "--weights", weights) == 1
    said = capsys.readouterr()
    found = rows(out)
    status = {name: row["status"] for name, row in found.items()}
    assert status == {
        "a.png": "enhanced", "c.tif": "enhanced", "sub/b.jpg": "enhanced",
        "noise.png": "refused", "text.jpg": "failed", "empty.png": "failed",
        "small.png": "failed",
    }  # fmt: skip
    for name, state in status.items():
        assert (out / name).exists() == (state == "enhanced"), name
        report = json.loads((out / f"{name}.json").read_text())
        assert report["status"] == state
        if state != "enhanced":
            assert name in said.err
            assert found[name]["reason"].count(name) == 1, found[name]["reason"]
            assert str(folder) not in found[name]["reason"], "reports are handed on"
    assert not (out / "notes.txt").exists()


def test_the_summary_says_what_not_to_use(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdicts = ("ok", "abstain", "abstain", "")
    rows = [{"status": "enhanced" if v else "refused", "verdict": v} for v in verdicts]
    summaries = [Summary(rows, 0, False), Summary(rows[:1], 2, False), Summary(rows[:1], 0, True)]
    monkeypatch.setattr(
        "magenet.commands.enhance_run.enhance_to_folder", lambda *given: summaries.pop(0)
    )
    assert enhance(folder, "-o", tmp_path) == 1
    assert capsys.readouterr().out == (
        f"4 photographs: 1 ok, 2 do not use (abstain), 1 refused; results in {tmp_path}\n"
        "--force also enhances those that do not look like fundus photographs\n"
    )
    assert enhance(folder, "-o", tmp_path) == 0
    assert capsys.readouterr().out == (
        f"1 photograph: 1 ok; results in {tmp_path}; enhance.csv also lists 2 of earlier runs\n"
    )
    assert enhance(folder, "-o", tmp_path) == 1, "without its page"


def test_a_photograph_of_16_bits_stays_one(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    before = retina(3).to(torch.uint16) * 257
    write_photograph(before, tmp_path / "16_bit.png")
    assert enhance(tmp_path / "16_bit.png", "-o", tmp_path / "out", "--weights", weights) == 0
    after = read_native(tmp_path / "out" / "16_bit.png")
    assert (after.dtype, after.shape) == (torch.uint16, before.shape)
    assert not torch.equal(before, after)


def test_results_hold_no_metadata_that_tells_a_person_unless_asked(
    weights: Path, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x013B] = "Topcon", "Mustermann"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0)})
    source = tmp_path / "a.jpg"
    Image.fromarray(retina(0).permute(1, 2, 0).numpy()).save(source, exif=exif, quality=95)
    given = [source, "-o", tmp_path / "out", "--weights", weights, "--skip-existing"]
    wanted: dict[str, tuple[str | None, str | None]] = {
        "keep": ("Topcon", "Mustermann"), "clinical": ("Topcon", None), "none": (None, None),
    }  # fmt: skip
    for choice, kept in wanted.items():
        assert enhance(*given, *([] if choice == "clinical" else ["--metadata", choice])) == 0
        assert rows(tmp_path / "out")["a.jpg"]["status"] == "enhanced", "not skipped: it would stay"
        with Image.open(tmp_path / "out/a.jpg") as result:
            written = result.getexif()
            assert (written.get(0x010F), written.get(0x013B)) == kept
            assert bool(written.get_ifd(0x8825)) == (choice == "keep")


def test_one_photograph_that_breaks_the_network_costs_no_other(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PhotographEnhancer.__call__

    def breaks(self: PhotographEnhancer, image: torch.Tensor, *rest: object) -> object:
        if image.shape[-1] == 170:
            raise RuntimeError("out of memory")
        return whole(self, image, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(PhotographEnhancer, "__call__", breaks)
    write_photograph(retina(5, 170), folder / "b.png")
    out = tmp_path / "out"
    assert enhance(folder, "-o", out, "--weights", weights) == 1
    found = rows(out)
    assert found["b.png"]["status"] == "failed"
    assert "b.png: not enhanced (out of memory)" in found["b.png"]["reason"]
    assert found["c.tif"]["status"] == "enhanced"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere: no such folder, picture or manifest"),
        (["nowhere/*.png"], "no such files"),
        (["IN/notes.txt"], r"notes\.txt: not a picture by its name"),
        (["IN", "--strength", "1.5"], r"--strength must lie in \[0, 1\]"),
        (["IN", "--max-memory", "some"], "max_memory: 'some' is not an amount"),
        (["IN", "--device", "abacus"], "'abacus' is none of"),
        (["IN", "--device", "cpu:x"], "'cpu:x' is no device"),
        (["IN", "--weights", "EMPTY"], "weights '.*': .*config.json"),
        (["IN", "--weights", "."], r"weights '\.': .*config.json"),
        (["IN", "--weights", "mage_nett"], "neither the name of weights in the package"),
    ],
)
def test_mistakes_are_told_before_any_work(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: list[str], reason: str,
) -> None:  # fmt: skip
    (tmp_path / "nothing").mkdir()
    paths = {"IN": str(folder), "EMPTY": str(tmp_path / "nothing")}
    given = [paths.get(argument, argument.replace("IN/", f"{folder}/")) for argument in arguments]
    chosen = [] if "--weights" in given else ["--weights", weights]
    usage = any(option in given for option in ("--strength", "--max-memory", "--device"))
    assert enhance(*given, "-o", tmp_path / "out", *chosen) == 1 + usage
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert re.search(reason, said.err)
    assert not (tmp_path / "out").exists()


def test_photographs_are_never_overwritten(
    folder: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "a.png").read_bytes()
    assert enhance(folder, "-o", folder, "--weights", weights) == 1
    assert "error" in capsys.readouterr().err
    assert (folder / "a.png").read_bytes() == before


def test_a_folder_that_cannot_be_written_to(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert enhance(folder, "-o", tmp_path / "file" / "out", "--weights", weights) == 1
    assert "file: is a file, not a folder to write to" in capsys.readouterr().err


def test_it_starts_without_what_trainings_and_tests_need(weights: Path) -> None:
    script = (
        "import sys; import magenet.commands.enhance_run;"
        "slow = {'lightning', 'pytorch_lightning', 'wandb', 'torch._dynamo', 'torchmetrics'};"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--help"], 0, "usage: magenet enhance"),
        (["eye.png", "-o", "out", "--strenght", "1"], 2, "did you mean --strength?"),
    ],
)
def test_help_and_mistakes_are_told_without_torch(
    arguments: list[str], code: int, told: str
) -> None:
    script = (
        "import sys, atexit; from magenet.main import main;"
        "atexit.register(lambda: print('torch' in sys.modules));"
        f"sys.exit(main(['enhance', *{arguments}]))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.endswith("False\n")
    assert result.returncode == code
    assert told in (result.stderr if code else result.stdout)


def test_the_choices_of_metadata_are_those_that_are_written() -> None:
    assert get_args(MetadataChoice) == METADATA


def test_the_page_is_written_with_every_photograph(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    enhance(folder, "-o", tmp_path / "out", "--weights", weights, "--html")
    page = (tmp_path / "out" / "report.html").read_text()
    for name in rows(tmp_path / "out"):
        assert f'"{name}"' in page
    entries = map(json.loads, re.findall(r'<script type="application/json">(.*?)</script>', page))
    shown = {entry["name"]: (entry["status"], set(entry["pictures"])) for entry in entries}
    assert shown["noise.png"] == ("refused", {"before"}), "as it is"
    assert shown["text.jpg"] == ("failed", set())


def test_the_documentation_lists_what_the_report_holds(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    text = (ROOT / "docs/enhance.md").read_text().split("## The report")[1].split("\n### ")[0]
    listed = re.findall(r"^\| `(\w+)`(?: \((CSV|JSON) only\))? \|", text, re.MULTILINE)
    enhance(folder / "a.png", "-o", tmp_path / "out", "--weights", weights)
    row = rows(tmp_path / "out")["a.png"]
    report = json.loads((tmp_path / "out" / "a.png.json").read_text())
    assert [name for name, only in listed if only != "JSON"] == list(row)
    told = {name for name, only in listed if only != "CSV"}
    assert told - {"frames"} == set(report), "frames: of DICOM files with several"


def test_arrays_are_enhanced_as_files_are(folder: Path, weights: Path, tmp_path: Path) -> None:
    enhance(folder / "a.png", "-o", tmp_path / "out", "--weights", weights)
    given = np.asarray(Image.open(folder / "a.png"))
    result = magenet.enhance(given, weights=weights)
    written = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert np.array_equal(result.image, written)
    assert np.array_equal(magenet.enhance(folder / "a.png", weights=weights).image, written)
    assert result.uncertainty.shape == given.shape[:2]
    report = json.loads((tmp_path / "out" / "a.png.json").read_text())
    assert report["verdict"] == result.report.verdict
    everything = np.ones(given.shape[:2], bool)
    assert (
        magenet.enhance(given, everything, weights=weights, force=True).image.shape == given.shape
    )
    with pytest.raises(TypeError, match="float64"):
        magenet.enhance(given / 255.0, weights=weights)
    with pytest.raises(ValueError, match="mask"):
        magenet.enhance(given, everything[1:], weights=weights)
