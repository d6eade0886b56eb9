"""The command line as a person meets it: exit status and one clear line."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.photographs import PhotographDataset
from data_modules.files.writing import write_photograph
from data_modules.prediction import PredictionDataset
from magenet.main import main
from magenet.tasks import ClassicalTask, SupervisedTask
from tests.conftest import ROOT

BASE = ["--config", str(ROOT / "experiments/configs/base.yaml")]
FIT = [*BASE, "--config", str(ROOT / "experiments/configs/runs/phantoms/supervised.yaml")]
PREDICT = [
    *BASE,
    "--config",
    str(ROOT / "experiments/configs/runs/predict.yaml"),
    "--output.size",
    "48",
]
SUPERVISED = str(ROOT / "experiments/configs/runs/phantoms/supervised.yaml")
UNTRAINED = ["--model", "ClassicalTask", "--model.network", "magenet.models.peers.Identity"]


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit status and what `magenet: error:` said."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("magenet: error: ")]
    assert len(lines) == 1, "one line"
    return status, lines[0].removeprefix("magenet: error: ")


def test_a_wrong_path_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    status, line = said(["predict", *PREDICT, *UNTRAINED, "--data.photographs", "nowhere"], capsys)
    assert status == 1
    assert line == "nowhere: no such folder, picture or manifest"


def test_a_stop_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("magenet.commands.table.main", stop)
    assert said(["table"], capsys) == (130, "stopped by Ctrl-C")


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ("fit", "; what was saved before is whole"),
        ("validate", ""),
        ("test", ""),
        ("predict", "; what is written is whole"),
    ],
)
def test_only_a_training_is_said_to_be_resumed(
    command: str,
    left: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(error: BaseException) -> None:
        def step(*arguments: object) -> NoReturn:
            raise error

        for name in ("training_step", "validation_step", "test_step", "predict_step"):
            monkeypatch.setattr(SupervisedTask, name, step)
            monkeypatch.setattr(ClassicalTask, name, step)

    write_photograph(draw_phantom(0, 64).image, tmp_path / "in/a.png")
    experiment = [*FIT, "--trainer.logger", "false", "--trainer.callbacks", "null"]
    experiment += ["--data.workers", "0", "--data.image_size", "32"]
    arguments = {
        "fit": [*experiment, "--trainer.num_sanity_val_steps", "0"],
        "predict": [
            *PREDICT, "--data.workers", "0", "--data.photographs", str(tmp_path / "in"),
            "--output.folder", str(tmp_path / "out"), *UNTRAINED,
        ],
    }.get(command, [*experiment, *UNTRAINED])  # fmt: skip
    fails(KeyboardInterrupt())
    assert said([command, *arguments], capsys) == (130, f"stopped by Ctrl-C{left}")
    fails(RuntimeError("[gloo/transport/tcp/pair.cc:538] Connection closed by peer"))
    status, line = said([command, *arguments], capsys)
    assert status == 1
    assert line.startswith("another process of this run has ended")
    assert line.endswith("; go on with --ckpt_path last") == (command == "fit")


def test_an_empty_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ["--data.photographs", str(tmp_path)]
    status, line = said(["predict", *PREDICT, *UNTRAINED, *source], capsys)
    assert status == 1
    assert line.startswith(f"{tmp_path}: no pictures in it")


def test_a_missing_checkpoint_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    status, line = said(["test", *FIT, "--ckpt_path", "nowhere.ckpt"], capsys)
    assert status == 1
    assert line == "nowhere.ckpt: no such checkpoint"


@pytest.mark.parametrize("subcommand", ["test", "validate"])
def test_an_untrained_network_is_not_scored(
    subcommand: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said([subcommand, *FIT], capsys)
    assert status == 2
    assert line == f"{subcommand} needs a trained network: give its --ckpt_path"


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all"])
def test_what_is_no_checkpoint_is_named(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    status, line = said(["test", *FIT, "--ckpt_path", str(tmp_path / "x.ckpt")], capsys)
    assert status == 1
    assert line.startswith(f"{tmp_path / 'x.ckpt'}: not a checkpoint")


def test_a_checkpoint_of_another_network_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {"state_dict": {"network.stems.0.weight": torch.zeros(3, 3)}}
    torch.save({**weights, "pytorch-lightning_version": "2.6.6"}, tmp_path / "x.ckpt")
    limits = ["--trainer.logger", "false", "--trainer.limit_test_batches", "1"]
    status, line = said(["test", *FIT, *limits, "--ckpt_path", str(tmp_path / "x.ckpt")], capsys)
    assert status == 1
    assert "the checkpoint is of another network: '" in line


def test_a_value_that_a_class_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    status, line = said(["fit", *FIT, "--data.image_size", "16"], capsys)
    assert status == 2
    assert line == "image_size must lie between 32 and 8192, got 16"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mask_of_another_size_is_named(
    tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(4):
        write_photograph(draw_phantom(index, 64).image, tmp_path / f"{index}.png")
    write_photograph(torch.zeros(3, 40, 40, dtype=torch.uint8), tmp_path / "mask.png")
    rows = "\n".join(f"{index}.png,mask.png" for index in range(4))
    (tmp_path / "index.csv").write_text(f"image,fov_mask\n{rows}\n")
    source = ["--data.photographs", "data_modules.ManifestPhotographs"]
    source += ["--data.photographs.path", str(tmp_path / "index.csv")]
    options = ["--trainer.logger", "false", "--trainer.callbacks", "null"]
    options += ["--data.workers", str(workers), "--data.batch_size", "1"]
    status, line = said(["fit", *FIT, *source, *options], capsys)
    assert status == 1
    assert line.startswith(f"{tmp_path / 'mask.png'}: is a mask of 40x40 px")


@pytest.mark.skipif(os.name == "nt", reason="no signals")
@pytest.mark.parametrize("command", ["fit", "predict"])
def test_a_killed_worker_is_one_line(
    command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tests_process = os.getpid()

    def killed(*arguments: object) -> NoReturn:  # as by the system when memory runs out
        assert os.getpid() != tests_process, "in a worker"
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    for dataset in (PhotographDataset, PredictionDataset):
        monkeypatch.setattr(dataset, "__getitem__", killed)
    write_photograph(draw_phantom(0, 64).image, tmp_path / "in/a.png")
    options = {
        "fit": [*FIT, "--trainer.logger", "false", "--trainer.callbacks", "null"],
        "predict": [
            *PREDICT, *UNTRAINED, "--data.photographs", str(tmp_path / "in"),
            "--output.folder", str(tmp_path / "out"),
        ],
    }[command]  # fmt: skip
    status, line = said([command, *options, "--data.workers", "1"], capsys)
    assert status == 1
    told, cure, *after = line.split("; ")
    assert re.fullmatch(r"a process that loads photographs has ended \(.*\)", told)
    assert cure.startswith("if memory ran out, use fewer workers")
    assert after == (["go on with --ckpt_path last"] if command == "fit" else [])


def test_a_gpu_without_memory_left_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*given: object) -> NoReturn:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SupervisedTask, "training_step", full)
    options = ["--trainer.logger", "false", "--trainer.callbacks", "null", "--data.workers", "0"]
    status, line = said(["fit", *FIT, *options], capsys)
    assert status == 1
    assert line.startswith("the GPU has too little memory: use a smaller --data.batch_size")


def test_an_error_of_ours_is_not_taken_for_a_killed_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(arguments: list[str]) -> NoReturn:
        raise RuntimeError("DataLoader worker: mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("magenet.commands.table.main", wrong)
    with pytest.raises(RuntimeError, match="mat1"):
        main(["table"])


def test_an_unset_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MAGENET_DATA", raising=False)
    config = str(ROOT / "experiments/configs/runs/photographs/mean_teacher.yaml")
    status, line = said(["fit", *BASE, "--config", config], capsys)
    assert status == 2
    assert "export MAGENET_DATA=" in line


def test_prediction_needs_an_enhancer(capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--model", "SegmentationTask", "--model.network", "magenet.models.VesselSegmenter"]
    status, line = said(["predict", *PREDICT, *model], capsys)
    assert status == 2
    assert line == "SegmentationTask enhances nothing: predict needs an enhancer"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data.degradation.preset", "catarct"], "unknown preset 'catarct'; use one of mixed"),
        (["--data.degradation.severity", "3"], "severity must lie in [0, 1], got 3"),
        (["--data.degradation.mix", "{fog: [1, 0.5, 1]}"], "unknown factor 'fog'"),
    ],
)
def test_a_wrong_degradation_is_named(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = ["--data.degradation", "magenet.degradation.FundusDegradation"]
    status, line = said(["fit", *FIT, *recipe, *arguments], capsys)
    assert status == 2
    assert line.startswith(told)


def test_help_lists_the_commands_and_a_wrong_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in ([], ["--help"]):
        assert main(arguments) == 0
        printed = capsys.readouterr().out
        assert all(name in printed for name in ("fit", "test", "predict", "degrade"))
    status, line = said(["enhence"], capsys)
    assert (status, line.split(";")[0]) == (2, "no command 'enhence' (did you mean enhance?)")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["enhance", "IN", "-o", "OUT", "--strength", "3"], "--strength must lie in [0, 1]"),
        (["degrade", "IN", "OUT", "--severity", "3"], "--severity must lie in [0, 1]"),
        (["adapt", "IN", "-o", "OUT", "--steps", "0"], "--steps must be at least 1"),
        (["adapt", "IN", "-o", "OUT", "--seed", "-1"], "--steps must be at least 1 and --seed"),
        (["phantom", "OUT", "--seed", "-1"], "--count must be at least 1, --size lie between"),
        (["shards", "IN", "OUT", "--workers", "-1"], "--image-size must be at least 32"),
        (["shards", "IN", "OUT", "--val-share", "3"], "--val-share must lie in [0, 1], got 3.0"),
        (["shards", "IN", "OUT", "--sets", "a"], "IN: --sets, --qualities, --vessels-only"),
        (["table", "--csv", "OUT.csv", "row"], "'row' is not NAME=FOLDER"),
        (["export", "-o", "OUT", "--format", "x"], "argument --format: invalid choice: 'x'"),
        (["predict", *PREDICT, *UNTRAINED, "--output.strength", "3"], "strength must lie in"),
        (["predict", *PREDICT, *UNTRAINED, "--output.max_memory", "some"], "max_memory: 'some'"),
    ],
)
def test_every_command_tells_a_wrong_value_from_what_could_not_be_done(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said(arguments, capsys)
    assert status == 2
    assert line.startswith(told), line


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--trainer.devices=0", "trainer: .*devices"),
        ("--trainer.devices=x", "trainer: .*devices"),
        ("--trainer.max_epochs=-5", "trainer: .*max_epochs.*-5"),
        ("--trainer.limit_val_batches=0.2", "trainer: .*limit_val_batches"),
        ("--seed_everything=-5", r"seed_everything must lie between 0 and 2\^32 - 1, got -5"),
        ("--data.batch_size=99999999999", "batch_size must lie between 1 and 65536"),
    ],
)
def test_an_option_that_lightning_rejects_is_one_line(
    option: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = said(["fit", *BASE, "--config", SUPERVISED, option], capsys)
    assert status == 2
    assert re.search(told, line), line


@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_threads_that_wait_sleep_soon_unless_one_chose_otherwise(
    given: dict[str, str], spins: str | None
) -> None:
    """Set before torch is imported, whose OpenMP reads it once."""
    code = (
        "import sys\nfrom magenet.main import main\nimported = 'torch' in sys.modules\n"
        "main(['--version'])\nimport os\nprint(imported, os.environ.get('GOMP_SPINCOUNT'))"
    )
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **given}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == f"False {spins}"
