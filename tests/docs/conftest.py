"""A folder in which the commands of a page find what they name."""

import shutil
from pathlib import Path

import pytest

from data_modules.files.writing import write_photograph
from magenet.adaptation import judgement
from magenet.adaptation.survey import MINIMUM_PHOTOGRAPHS
from magenet.main import main
from tests.command_line import SCORED
from tests.conftest import ROOT
from tests.data_modules.public.trees import TREES
from tests.experiments.conftest import photographs, prepared, same_threads, workplace
from tests.magenet.conftest import fundus_check, retina, weights

__all__ = ["fundus_check", "photographs", "prepared", "same_threads", "weights", "workplace"]

FOLDERS = ("photos", "photographs", "camera")


@pytest.fixture(scope="session")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many photographs as `magenet adapt` needs."""
    folder = tmp_path_factory.mktemp("sixty")
    for seed in range(MINIMUM_PHOTOGRAPHS):
        write_photograph(retina(seed, 160), folder / f"{seed:02}.png")
    return folder


@pytest.fixture
def place(
    workplace: Path, photographs: Path, prepared: Path, weights: Path, sixty: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """A working folder with photographs, labelled ones, unpacked sets, weights and a clone."""
    monkeypatch.setattr(judgement, "DRAWS", 1)  # `magenet adapt` judges quickly
    links = {"data": photographs, "prepared_sets": prepared, "tiny": weights, "sixty": sixty}
    links |= {f"experiments/{name}": ROOT / "experiments" / name for name in ("configs", "weights")}
    links["experiments/results/rows"] = ROOT / "experiments/results/rows"
    Path("experiments/results").mkdir(parents=True)
    for name, target in links.items():
        (workplace / name).symlink_to(target)
    for name in FOLDERS:
        for seed in range(2):
            write_photograph(retina(seed, 160), workplace / name / f"{seed}.png")
    write_photograph(retina(3, 160), workplace / "eye.jpg")
    for name in ("drive", "eyeq", "refuge"):
        TREES[name](workplace / "unpacked" / name)
    Path("decisions.csv").write_text("photograph,verdict,decision,note,date,result,id\n")
    shutil.copy(ROOT / "experiments/configs/runs/comparison/unet.yaml", "mine.yaml")
    Path("scored.yaml").write_text(SCORED)
    return workplace


@pytest.fixture
def trained(place: Path) -> Path:
    """A working folder with the run that pages call `<run>`."""
    small = ["--config", "limits.yaml", "--config", "small.yaml"]
    assert main(["fit", "--config", "magenet:phantoms/mean_teacher", *small]) == 0
    return place
