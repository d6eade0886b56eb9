"""Every YAML runs through the real command line, says only what differs, and names what exists."""

import csv
import importlib.util
import inspect
import json
import pydoc
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from experiments.configurations import BASE, CONFIGS, EXPERIMENTS
from magenet.evaluation import Judge
from magenet.main import COMMANDS, main
from magenet.metrics import NaturalnessModel
from tests.command_line import (
    SCORED,
    SEGMENTER,
    TINY,
    configs,
    one_at_a_time,
    predict,
    segmenter_for,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("workplace")

EVERY = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))
PROTOCOL = "layers/protocol/comparison.yaml"
PHANTOMS = "runs/phantoms/mean_teacher.yaml"
GPU = [name for name in EVERY if name.startswith("layers/gpu/")]  # run by test_release_pieces.py
LAYERS = [name for name in EVERY if name.startswith("layers/") and name not in (PROTOCOL, *GPU)]
TESTS = [name for name in EVERY if name.startswith("tests/")]
RUNS = [name for name in EVERY if name.startswith("runs/")]
SWEEPS = [name for name in EVERY if name.startswith("sweeps/")]  # run by test_sweeps.py
ABLATION = [name for name in EVERY if name.startswith("ablation/")]  # run by test_ablation.py
PAPER_TRAINING = [name for name in EVERY if name.startswith("paper/training/")]
PAPER_JUDGES = [name for name in EVERY if name.startswith("paper/judges/")]
PAPER_TESTS = [name for name in EVERY if name.startswith("paper/tests/")]
PAPER = [*PAPER_TRAINING, *PAPER_JUDGES, *PAPER_TESTS]
COMPARED = [name for name in RUNS if name.startswith("runs/comparison/")]
ELSEWHERE = [
    "runs/classical.yaml",
    "runs/predict.yaml",
    "runs/adaptation/arms.yaml",
    "runs/adaptation/calibrated.yaml",
    "runs/adaptation/source.yaml",
]
"""Runs that the test of classical methods, `test_predict.py` and the tests of studies execute."""

ALONE = [name for name in RUNS if name not in (*COMPARED, *ELSEWHERE)]

CLASSICAL = [
    *(f"magenet.models.peers.{name}" for name in (
        "BenGraham", "CLAHE", "DarkChannelPrior", "DPFR", "GlobalLocalContrast", "Identity", "MUTE",
        "Setiawan", "UnsharpMask",
    )),
    "magenet.enhancement.released.ReleasedEnhancer",
]  # fmt: skip

FAST = {
    "runs/comparison/unet.yaml", "runs/phantoms/mean_teacher.yaml", "runs/judges/disc.yaml",
    "layers/debug/dump.yaml", "layers/model/compact.yaml", "tests/real.yaml",
    "paper/tests/disc_cup.yaml",
    "magenet.models.peers.CLAHE",
}  # fmt: skip
"""One or two of each kind that also run in the fast tests."""


def mostly_slow(names: list[str]) -> list[Any]:
    """Return parameters of a test: those not in :data:`FAST` are slow."""
    return [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in names]


SMALL_PEERS = {
    "magenet.models.peers.MPRNet": """
model:
  init_args:
    network:
      init_args: {width: 8, growth: 4, extra: 4, blocks: 1}
""",
    "magenet.models.MAGENet": """
model:
  init_args:
    network:
      init_args:
        {widths: [8, 8, 8, 8], blocks: [1, 1, 1, 1], guide_width: 8, detail_widths: [8, 8, 8]}
""",
}
"""Layers for the networks that cannot be made small by `layers/model/tiny.yaml`, a MAGE-Net."""

NAMES_A_SIZE = ("magenet.models.MAGENet.from_name", "name")
"""The one argument that may repeat its default, since it names the size."""


def read(name: str) -> dict[str, Any]:
    """Return the content of a configuration."""
    content: dict[str, Any] = yaml.safe_load((CONFIGS / name).read_text())
    return content


def run_all(layers: list[str], photographs: Path, *, enhances: bool = True) -> None:
    """Fit, then validate, test and predict from the files of the run."""
    assert main(["fit", *layers]) == 0
    (run,) = Path("runs").rglob("config.yaml")
    (checkpoint,) = Path("runs").rglob("best.ckpt")
    folder = yaml.safe_load(run.read_text())["trainer"]["logger"]["init_args"]["save_dir"]
    assert Path(folder, "latest").resolve() == run.parent.resolve()
    assert json.loads(run.with_name("environment.json").read_text())["precision"]
    trained = [*configs(run), "--ckpt_path", str(checkpoint)]
    assert main(["validate", *trained]) == 0
    assert main(["test", *trained]) == 0
    if enhances:
        assert len(list(Path("runs").rglob("scores.csv"))) == 1
        assert main(predict(photographs / "hygd", Path("out"), checkpoint)) == 0
        assert len(list(Path("out").glob("eye_*.png"))) == 4


def defaults(class_path: str) -> dict[str, Any]:
    """Return the default arguments of a class, those of its bases included, or of a function."""
    maker = pydoc.locate(class_path)
    makers = [maker]
    if inspect.isclass(maker):
        makers = [vars(c)["__init__"] for c in reversed(maker.__mro__) if "__init__" in vars(c)]
    return {
        name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for function in makers
        for name, parameter in inspect.signature(function).parameters.items()  # type: ignore[arg-type]
    }


def repeated_defaults(node: Any) -> Iterator[str]:
    """Yield the arguments of our classes, at any depth of a configuration, that are defaults."""
    if isinstance(node, list):
        for value in node:
            yield from repeated_defaults(value)
    if not isinstance(node, dict):
        return
    for value in node.values():
        yield from repeated_defaults(value)
    class_path = node.get("class_path", "")
    if class_path.startswith(("magenet.", "data_modules.")):
        known = defaults(class_path)
        for name, value in node.get("init_args", {}).items():
            same = name in known and type(known[name]) is type(value) and known[name] == value
            if same and (class_path, name) != NAMES_A_SIZE:
                yield f"{class_path}.{name}: {value}"


def comments(name: str) -> str:
    """Return the comments of a configuration."""
    return "\n".join(re.findall(r"(?<!\S)#.*", (CONFIGS / name).read_text()))


def code(page: Path) -> str:
    """Return the code of a Markdown page: indented lines and what stands between backticks."""
    text = page.read_text()
    return "\n".join([*re.findall(r"^ {4}.*", text, re.MULTILINE), *re.findall("`[^`]+`", text)])


def modules(text: str) -> set[str]:
    """Return the modules of ours that a text runs with `python -m`."""
    return set(re.findall(r"-m ((?:experiments|magenet)(?:\.\w+)+)", text))


def test_every_config_belongs_to_a_kind() -> None:
    assert (
        sorted(["base.yaml", PROTOCOL, *LAYERS, *GPU, *RUNS, *SWEEPS, *TESTS, *PAPER, *ABLATION])
        == EVERY
    )
    assert set(ELSEWHERE) <= set(RUNS)


def test_no_machine_is_assumed() -> None:
    for name in EVERY:
        assert not re.search(r"[\s\"'](/|~/)\w", (CONFIGS / name).read_text()), name


@pytest.mark.parametrize("name", [PROTOCOL, *RUNS, *PAPER_JUDGES])
def test_a_run_repeats_no_default(name: str) -> None:
    assert not list(repeated_defaults(read(name)))


def test_a_repeated_default_is_found() -> None:
    data = {"class_path": "data_modules.PairedDataModule", "init_args": {"workers": 1}}
    assert list(repeated_defaults({"data": [data]})) == ["data_modules.PairedDataModule.workers: 1"]
    data["init_args"] = {"workers": 2}
    assert not list(repeated_defaults({"data": [data]}))


@pytest.mark.parametrize("name", EVERY)
def test_comments_name_files_that_exist(name: str) -> None:
    for path in re.findall(r"experiments/[\w./]+\w(?!\w*[<*])", comments(name)):
        assert (ROOT / path).exists(), path
    assert max(map(len, comments(name).splitlines()), default=0) <= 110


def test_the_makefile_runs_every_study_and_only_modules_that_exist() -> None:
    named = modules((ROOT / "Makefile").read_text())
    for module in named:
        assert importlib.util.find_spec(module), module
    files = (EXPERIMENTS / "studies").glob("[!_]*.py")
    studies = {path.stem for path in files if "\ndef main(" in path.read_text()}
    assert {f"experiments.studies.{name}" for name in studies} <= named


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = {name for line in re.findall(r"^\.PHONY: (.+)$", text, re.M) for name in line.split()}
    command = ["make", "--no-print-directory", "-C", str(ROOT), "help"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = listed.splitlines()
    checks = {"need-photographs", "need-larger-photographs"}
    assert {line.split()[0] for line in lines} == targets - checks
    wrong = [line for line in lines if not re.search(r"\w .* → \S.* \(.+\)$", line)]
    assert not wrong, "what it does → what it leaves (how long it takes)"


def test_commands_in_comments_and_pages_exist() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *EXPERIMENTS.rglob("*.md")]
    texts = {name: comments(name) for name in EVERY}
    texts |= {page.name: code(page) for page in pages}
    for source, text in texts.items():
        for module in modules(text):
            assert importlib.util.find_spec(module), f"{source}: {module}"
        for command in re.findall(r"(?<!import )\bmagenet +([a-z]+)\b", text):
            assert command in COMMANDS, f"{source}: magenet {command}"


@pytest.mark.parametrize("name", TESTS)
def test_published_judges_load(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parser = ArgumentParser()
    parser.add_subclass_arguments(Judge, "judge")
    for judge in read(name)["scores"]["judges"]:
        parser.instantiate(parser.parse_object({"judge": judge})).judge.load()


@pytest.mark.parametrize("name", mostly_slow([*TESTS, *PAPER_TESTS]))
def test_a_table_layer_scores_every_test_photograph(name: str) -> None:
    """By judges without training: a test of the command line, not of scores."""
    for judge in read(name)["scores"]["judges"]:
        given = judge.get("init_args", {})
        file = Path(given.get("checkpoint", given.get("path", "none")))
        file.parent.mkdir(parents=True, exist_ok=True)
        if judge["class_path"].endswith("NaturalnessJudge"):
            NaturalnessModel(torch.zeros(36), torch.eye(36), 8).save(file)
        elif "checkpoint" in given:
            kind: Any = pydoc.locate(given["network"]["class_path"])
            network = kind(**given["network"].get("init_args", {}))
            weights = {f"network.{key}": value for key, value in network.state_dict().items()}
            torch.save({"state_dict": weights}, file)
    children = Path("experiments/configs/tests/chase_db1_children.csv")
    children.parent.mkdir(parents=True)
    children.write_text((ROOT / children).read_text())
    Path("small.yaml").write_text(SCORED)
    classical = CONFIGS / "runs/classical.yaml"
    layers = configs(BASE, classical, CONFIGS / name, "limits.yaml", "small.yaml")
    assert main(["test", *layers]) == 0
    (results,) = Path("runs").rglob("results.json")
    assert {line["subject"] for line in json.loads(results.read_text())} >= {"input", "student"}
    facts = json.loads(results.with_name("provenance.json").read_text())
    assert facts["chosen"] == "nothing to choose"
    with results.with_name("scores.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) >= 4


@pytest.mark.parametrize("network", mostly_slow(CLASSICAL))
def test_a_classical_method_is_validated_and_tested_but_not_trained(network: str) -> None:
    layers = configs(BASE, CONFIGS / "runs/classical.yaml", "limits.yaml", "small.yaml")
    layers += ["--model.network", network]
    assert main(["validate", *layers]) == 0
    assert main(["test", *layers]) == 0
    assert len(list(Path("runs").rglob("scores.csv"))) == 1
    assert main(["fit", *layers]) == 2


@pytest.mark.parametrize("name", mostly_slow(COMPARED))
def test_a_row_of_the_comparison_runs(name: str, photographs: Path) -> None:
    layers = configs(BASE, CONFIGS / PROTOCOL, CONFIGS / name, "limits.yaml", "small.yaml")
    run_all([*layers, *segmenter_for(read(name)["model"]["init_args"])], photographs)


@pytest.mark.parametrize("name", mostly_slow(PAPER_JUDGES))
def test_a_judge_of_the_papers_protocol_runs(name: str, photographs: Path) -> None:
    run_all(configs(BASE, CONFIGS / name, "limits.yaml", "small.yaml"), photographs, enhances=False)


@pytest.mark.parametrize("name", mostly_slow(PAPER_TRAINING))
def test_the_papers_training_runs_on_top_of_a_row(
    name: str, photographs: Path, prepared: Path
) -> None:
    row = "mean_teacher" if name.endswith("teacher.yaml") else "mage_net"
    row = f"runs/comparison/{row}.yaml"
    layers = configs(BASE, CONFIGS / PROTOCOL, CONFIGS / row, TINY, CONFIGS / name)
    layers += configs("limits.yaml", "small.yaml")
    layers += segmenter_for(read(row)["model"]["init_args"])
    run_all(layers, photographs)
    data = yaml.safe_load(next(Path("runs").rglob("config.yaml")).read_text())["data"]["init_args"]
    sources = [
        data[key]["init_args"] for key in ("photographs", "synthetic", "real") if key in data
    ]
    assert all(source["path"] == f"{prepared}/index.csv" for source in sources)
    assert all(source["sets"] is None and source["test_split"] == "test" for source in sources)
    assert data["degradation"]["class_path"].endswith("CofeDegradation")


@pytest.mark.parametrize("name", mostly_slow(ALONE))
def test_an_experiment_runs_with_its_own_network(name: str, photographs: Path) -> None:
    layers = configs(BASE, CONFIGS / name, "limits.yaml", "small.yaml")
    layers += one_at_a_time(CONFIGS / name)
    if "segmenter" in name or name.startswith(
        (
            "runs/judges/",
            "runs/release/structure",
            "runs/release/vessels",
            "runs/adaptation/severity",
        )
    ):
        run_all(layers, photographs, enhances=False)
        return
    model = read(name)["model"]["init_args"]
    network = model["network"]["class_path"]
    if network in SMALL_PEERS:
        Path("small_peer.yaml").write_text(SMALL_PEERS[network])
        layers += configs("small_peer.yaml")
    else:
        layers += configs(TINY)
    own_scale = name.startswith("runs/release/detail")
    segmenter = CONFIGS / "runs/release/structure.yaml" if own_scale else SEGMENTER
    start = ["--model.start", "null"] if "start" in model else []  # of another run
    run_all([*layers, *start, *segmenter_for(model, segmenter)], photographs)
    run = next(Path("runs").rglob("config.yaml"))
    ran = yaml.safe_load(run.read_text())["model"]["init_args"]["network"]["class_path"]
    assert ran == network, "a small layer must not swap the network"


@pytest.mark.parametrize("name", mostly_slow(LAYERS))
def test_a_layer_runs_on_top_of_an_experiment(
    name: str, photographs: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("layers/logging/"):
        package = Path(name).stem.removesuffix("_numbers")
        pytest.importorskip(package, reason=f"needs the extra: pip install 'magenet[{package}]'")
    if name == "layers/data/stream.yaml":
        folder = request.getfixturevalue("shards")
        monkeypatch.setenv("MAGENET_GOOD_SHARDS", str(folder / "good"))
        monkeypatch.setenv("MAGENET_REAL_SHARDS", str(folder / "real"))
    # The layer comes after the limits, so that it overrides them; the small data come last.
    layers = configs(
        BASE, CONFIGS / PHANTOMS, TINY, "limits.yaml", CONFIGS / name, "small.yaml"
    )  # fmt: skip
    if name == "layers/debug/overfit.yaml":
        layers += ["--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "1"]
    if name in ("layers/data/folder.yaml", "layers/debug/profile.yaml"):
        layers += ["--trainer.max_steps", "2"]
    run_all(layers, photographs)
