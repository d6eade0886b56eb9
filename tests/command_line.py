"""The command line as tests use it: configurations as arguments, and runs in their own process."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from experiments.configurations import BASE, CONFIGS
from magenet.main import main
from tests.conftest import ROOT

TINY = CONFIGS / "layers/model/tiny.yaml"
SEGMENTER = CONFIGS / "runs/photographs/segmenter.yaml"

# The layers below an experiment that make it small: the code paths stay the experiment's own.
LIMITS = """
trainer:
  accelerator: cpu
  devices: 1
  max_steps: 2
  max_epochs: -1
  limit_train_batches: 2
  limit_val_batches: 2
  limit_test_batches: 2
  val_check_interval: null
  check_val_every_n_epoch: 1
  enable_progress_bar: false
"""
SMALL = """
data:
  init_args:
    image_size: 48
    batch_size: 2
    workers: 0
"""

SCORED = """
data:
  init_args:
    scored_size: 96
    batch_size: 2
    workers: 0
scores:
  size: 96
"""
"""What :data:`SMALL` is to a test of scores."""


def configs(*layers: Path | str) -> list[str]:
    return [part for layer in layers for part in ("--config", str(layer))]


def one_at_a_time(config: Path) -> list[str]:
    """Return the option that photographs at their own scale need: they differ in size."""
    data = yaml.safe_load(config.read_text())["data"]["init_args"]
    own_scale = data.get("photographs", {}).get("init_args", {}).get("own_scale", False)
    return ["--data.batch_size", "1"] if own_scale else []


def predict(source: Path, folder: Path, checkpoint: Path | None = None) -> list[str]:
    arguments = [
        "predict", *configs(BASE, CONFIGS / "runs/predict.yaml"),
        "--data.photographs", str(source), "--data.workers", "0", "--output.folder", str(folder),
        "--output.force", "true",  # drawn retinas of 64 px look like no fundus
        "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false",
    ]  # fmt: skip
    return arguments if checkpoint is None else [*arguments, "--ckpt_path", str(checkpoint)]


SEGMENTERS: dict[str, bytes] = {}
"""Checkpoints of what earlier tests trained, by their configurations."""


def segmenter_for(model: dict[str, Any], segmenter: Path = SEGMENTER) -> list[str]:
    """Train what a structure target reads, and return the arguments that say where it is."""
    target = model.get("structure_target", {})
    if "checkpoint" not in target.get("init_args", {}) if isinstance(target, dict) else True:
        return []
    layers = (segmenter, Path("limits.yaml"), Path("small.yaml"))
    recipe = "\n".join(layer.read_text() for layer in layers)
    if recipe not in SEGMENTERS:
        arguments = [*configs(BASE, *layers), *one_at_a_time(segmenter)]
        assert main(["fit", *arguments]) == 0
        SEGMENTERS[recipe] = next(Path("runs").rglob("best.ckpt")).read_bytes()
        shutil.rmtree("runs")
    Path("segmenter.ckpt").write_bytes(SEGMENTERS[recipe])
    return ["--model.structure_target.checkpoint", "segmenter.ckpt"]


def run_alone(arguments: list[str], place: Path) -> tuple[int, list[str]]:
    """Run the command in a process and folder of its own; return its status and what it said."""
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "magenet.main", *arguments],
        cwd=place, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # each rank then tells where it stands
        raise AssertionError(f"still running: {process.communicate()[1][-6000:]}") from None
    assert "Traceback" not in said, said[-3000:]
    return process.returncode, [x for x in said.splitlines() if x.startswith("magenet:")]
