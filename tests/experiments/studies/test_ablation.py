"""The ablation: each variant is the whole network without one thing, and all of them run."""

import shutil
from pathlib import Path

import pytest
import yaml

from experiments.studies import ablation
from experiments.studies.runs import Runs
from magenet.errors import UserError
from magenet.evaluation.tables import read_table
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.parametrize("group", ablation.BASES)
def test_each_variant_changes_something_of_its_own(group: str) -> None:
    found = ablation.variants(group)
    assert found.pop("whole") == [ablation.BASES[group]]
    changes = [yaml.safe_load(layers[1].read_text()) for layers in found.values()]
    assert all(changes.count(change) == 1 for change in changes)
    assert all(len(layers) == 2 for layers in found.values())


def test_the_main_variants_exist() -> None:
    names = {name for group in ablation.BASES for name in ablation.variants(group)}
    assert set(ablation.TWICE) <= names


def test_an_unexpected_result_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"row": "MAGE-Net", "condition": "fundus", "score": "psnr", "mean": "22.0"}
    monkeypatch.setattr(ablation, "EXPECTED", {"cpu": (21.0, 23.0)})
    ablation.require_expected("cpu", [row])
    ablation.require_expected("gpu", [row])  # never measured
    monkeypatch.setattr(ablation, "EXPECTED", {"cpu": (23.0, 25.0)})
    with pytest.raises(UserError, match=r"22\.00 dB under the fundus recipe, expected are 23"):
        ablation.require_expected("cpu", [row])


def test_rows_that_were_tested_before_stay_and_each_seed_has_its_whole_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tests: list[str] = []

    def test(self: Runs, name: str, configs: list[Path]) -> Path:
        folder = self.folder / f"{name}_tested"
        folder.mkdir(parents=True)
        for file in ("scores.csv", "provenance.json"):
            (folder / file).touch()
        tests.append(name)
        return folder

    tables: dict[str, tuple[list[str], list[str]]] = {}
    monkeypatch.setattr(Runs, "train", lambda *_: None)
    monkeypatch.setattr(Runs, "test", test)
    monkeypatch.setattr(
        ablation, "make_table",
        lambda path, rows, wholes: tables.update({path.stem: (list(rows), wholes)}),
    )  # fmt: skip
    monkeypatch.setattr(ablation, "read_table", lambda path: [])
    for only in (["whole", "one_stage"], ["two_stages"]):
        tests.clear()
        command = ["--groups", "network", "--results", ".", "--only", *only]
        assert ablation.main(command) == 0
        assert len(tests) == 2 * len(only), "two seeds of each, nothing twice"
    rows, wholes = tables.pop("ablation_smoke_network")
    assert wholes == ["MAGE-Net", "MAGE-Net, seed 1"]
    assert set(rows) == {
        *wholes,
        "one stage",
        "one stage, seed 1",
        "two stages",
        "two stages, seed 1",
    }
    shutil.rmtree("runs")
    tests.clear()
    command = ["--groups", "network", "--results", ".", "--only", "whole", "one_stage"]
    assert ablation.main(command) == 0
    assert not tests, "the rows outlive the trainings"
    tables.clear()
    assert ablation.main(["--groups", "teacher", "--results", ".", "--only", "one_stage"]) == 0
    assert not tables, "no row, no table: an earlier one stays"
    assert ablation.wholes("teacher", ["T-S MAGE-Net"]) == ["T-S MAGE-Net, teacher"]


def test_a_row_of_another_recipe_is_made_anew(tmp_path: Path) -> None:
    """Else its scores would stand in the table for those of the configuration there is now."""
    for file in ("scores.csv", "provenance.json"):
        (tmp_path / file).write_text("{}")
    row = tmp_path / "row"
    ablation.keep(tmp_path, row, "one recipe")
    assert ablation.is_kept(row, "one recipe")
    assert not ablation.is_kept(row, "another recipe")
    (tmp_path / "scores.csv").unlink()
    with pytest.raises(FileNotFoundError):
        ablation.keep(tmp_path, row, "another recipe")
    assert not ablation.is_kept(row, "one recipe"), "half written"


@pytest.mark.slow
def test_a_variant_of_each_group_is_trained_tested_and_shown() -> None:
    Path("experiments").symlink_to(ROOT / "experiments")
    command = ["--scale", "smoke", "--seeds", "1", "--only"]
    names = ("whole", "without_cross_stage_fusion", "same_view")
    assert ablation.main([*command, *names]) == 0
    folder = Path("runs/ablation_smoke")
    rows = {cells["row"] for cells in read_table(folder / "ablation_smoke_network.csv")}
    assert rows >= {"MAGE-Net", "without cross stage fusion"}
    rows = {cells["row"] for cells in read_table(folder / "ablation_smoke_teacher.csv")}
    assert rows >= {"T-S MAGE-Net, teacher", "same view, teacher"}
    page = (folder / "ablation_smoke.md").read_text()
    for heading in ("## MAGE-Net, fundus", "## MAGE-Net, none", "## T-S MAGE-Net, fundus"):
        assert heading in page
    assert "| without cross stage fusion |" in page
    assert (folder / "ablation_smoke_network_against.csv").is_file()
