"""The wheel, installed outside the clone: everything is in it, and nothing of it can clash.

The dependencies are those of this Python, shown to an environment that holds only the wheel.
"""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import magenet
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

SDIST = f"magenet-{magenet.__version__}"


def run(*words: str | Path, place: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing of the clone on Python's path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAGENET"))}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.run(
        [str(word) for word in words], cwd=place, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    pytest.importorskip("hatchling", reason="builds the wheel; an extra of `dev`")
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `bin` of an environment with the wheel alone."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    base = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", "venv", base))
    # A path file shows the dependencies; those in the folder that it names, such as that of an
    # editable installation of the clone, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--ignore-installed", wheel], check=True, capture_output=True)
    return python.parent


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with somebody else's package `data_modules`."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "data_modules").mkdir()
    (folder / "data_modules/__init__.py").write_text("WHO = 'somebody else'")
    return str(folder)


def test_the_wheel_holds_one_package_with_everything(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names} == {"magenet", f"{SDIST}.dist-info"}
    assert "magenet/py.typed" in names
    for folder, inside in (
        ("magenet", "magenet"),
        ("data_modules", "magenet/data_modules"),
        ("experiments/configs", "magenet/configs"),
    ):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix != ".pyc":
                assert f"{inside}/{file.relative_to(ROOT / folder).as_posix()}" in names
    assert not [name for name in names if name.endswith((".ckpt", ".pyc"))]


def test_nothing_in_the_wheel_imports_or_names_the_clone_s_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            name: archive.read(name).decode()
            for name in archive.namelist()
            if name.endswith((".py", ".yaml"))
        }
    assert len(texts) > 250
    for name, text in texts.items():
        assert not re.search(r"(?<!magenet\.)\bdata_modules\.\w", text), name
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                paths: list[str] = []
                if isinstance(node, ast.Import):
                    paths = [alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom):
                    paths = [node.module or ""]
                roots = {path.partition(".")[0] for path in paths}
                assert not roots & {"data_modules", "experiments", "tests"}, name


def test_the_sdist_makes_the_same_wheel(built: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path / SDIST, check=True, capture_output=True)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_it_meets_no_other_package_of_the_name(
    installed: Path, foreign: str, tmp_path: Path
) -> None:
    program = (
        "import data_modules, magenet; print(data_modules.WHO, magenet.__version__)\n"
        "from magenet.data_modules import PhantomPhotographs; import data_modules\n"
        "print(data_modules.WHO, PhantomPhotographs.__module__, magenet.__file__)"
    )
    done = run(installed / "python", "-c", program, place=tmp_path, path=foreign)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"somebody else {magenet.__version__}"
    assert second.startswith("somebody else magenet.data_modules.datasets.sources ")
    assert str(installed.parent) in second
    done = run(installed / "python", "-c", "import magenet, data_modules", place=tmp_path)
    assert "ModuleNotFoundError: No module named 'data_modules'" in done.stderr


def test_it_enhances(installed: Path, foreign: str, tmp_path: Path) -> None:
    write_photograph(draw_phantom(0, 384).image, tmp_path / "eye.png")
    words = ("enhance", "eye.png", "-o", "out", "--force")
    done = run(installed / "magenet", *words, place=tmp_path, path=foreign)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/eye.png").is_file()


def test_it_trains_by_name_beside_somebody_s_data_modules(
    installed: Path, foreign: str, tmp_path: Path
) -> None:
    """And a configuration that says `data_modules.X`, as in a clone, runs if the name is free."""
    small = [
        "--trainer.max_steps=2", "--trainer.limit_val_batches=1", "--trainer.accelerator=cpu",
        "--data.image_size=32", "--data.batch_size=2", "--data.workers=0",
        "--trainer.enable_progress_bar=false",
    ]  # fmt: skip
    named = ("fit", "--config", "magenet:phantoms/mean_teacher", *small)
    done = run(installed / "magenet", *named, place=tmp_path, path=foreign)
    assert done.returncode == 0, done.stderr
    saved = tmp_path / "runs/phantoms_mean_teacher/version_0/config.yaml"
    text = saved.read_text()
    assert "class_path: magenet.data_modules.AdaptationDataModule" in text
    as_in_clone = text.replace("magenet.data_modules.", "data_modules.")
    (tmp_path / "clone.yaml").write_text(as_in_clone)
    done = run(
        installed / "magenet", "fit", "--config", "clone.yaml", "--print_config", place=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "class_path: data_modules.AdaptationDataModule" in done.stdout


def test_weights_that_are_not_in_it_are_said_to_be_elsewhere(
    installed: Path, tmp_path: Path
) -> None:
    option = "--model.structure_target=magenet.losses.SegmenterTarget"
    words = [
        "fit", "--config", "magenet:phantoms/supervised", option,
        "--model.structure_target.segmenter=magenet.models.VesselSegmenter",
        "--model.structure_target.checkpoint=experiments/weights/structure.ckpt",
        "--trainer.accelerator=cpu",
    ]  # fmt: skip
    done = run(installed / "magenet", *words, place=tmp_path)
    assert done.returncode == 1
    assert "structure.ckpt: no such checkpoint; it is in the project's repository" in done.stderr
