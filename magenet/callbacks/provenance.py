"""Provenance of trainings and test scores: code, configuration, machine, cost and checkpoint."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from magenet.atomic_write import atomic_write
from magenet.hashing import file_sha256
from magenet.tasks.enhancement import EnhancementTask

PACKAGES = ("torch", "lightning", "kornia", "numpy")
REPEATS = 5
"""Timed forward passes, after one to warm up (our choice)."""


def commit() -> str:
    """Return the git commit of this code, with `+` if files differ from it, or `unknown`.

    Code that git does not track is `unknown`: in a `.venv` it lies inside another repository.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def hardware(module: LightningModule) -> str:
    """Return the name of the GPU, or the number and name of the CPU cores."""
    if module.device.type == "cuda":
        return torch.cuda.get_device_name(module.device)
    return f"{os.cpu_count()} CPU cores ({processor()})"


def processor() -> str:
    """Return the name of the CPU, with its bf16 instruction sets."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        model = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE)
        name = model[1].strip() if model else name
    bf16 = [kind for kind, has in torch.cpu.get_capabilities().items() if has and "bf16" in kind]
    return " ".join([name, *bf16])


def cost(network: nn.Module, image: Tensor) -> dict[str, float | str]:
    """Return the cost of enhancing one photograph: `gmacs`, and the median `milliseconds`.

    Multiply-accumulates of a method without parameters are `none`.

    Args:
        network: The network.
        image: One photograph in the test's layout, `(1, 3, S, S)`.
    """
    times = []
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            network(image)
        for _ in range(REPEATS):
            start = time.perf_counter()
            network(image).image.sum().item()  # waits for the device
            times.append(time.perf_counter() - start)
    flops = counter.get_total_flops()  # of convolutions and matrix products only
    return {
        "gmacs": round(flops / 2e9, 3) if any(True for _ in network.parameters()) else "none",
        "milliseconds": round(1000 * statistics.median(times), 1),
    }


def peak_memory(device: torch.device) -> float | None:
    """Return the peak memory of a GPU's tensors, or of this process, in MiB; None on Windows."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows has no such module
        return None
    unit = 1 if sys.platform == "darwin" else 2**10  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def chosen(checkpoint: Path | None) -> tuple[int, str]:
    """Return the optimizer step of a checkpoint, and how it was chosen.

    Returns:
        0 and `nothing to choose` without a checkpoint; else its step, and `the last`, `best
        <metric>: <value>`, or `unknown` for a checkpoint of weights alone.
    """
    if checkpoint is None:
        return 0, "nothing to choose"
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    how = "the last" if "callbacks" in content else "unknown"
    for name, state in content.get("callbacks", {}).items():
        has_best = name.startswith("ModelCheckpoint") and state.get("best_model_score") is not None
        if has_best and Path(state["best_model_path"]).name == checkpoint.name:
            how = f"best {state['monitor']}: {float(state['best_model_score']):.4f}"
    return int(content.get("global_step", 0)), how


def environment(trainer: Trainer, module: LightningModule) -> dict[str, str]:
    """Return what a run is made with: code, seed, versions, machine and precision."""
    return {
        "commit": commit(),
        "seed": os.environ.get("PL_GLOBAL_SEED", "none"),
        "versions": " ".join(f"{name} {version(name)}" for name in PACKAGES),
        "hardware": hardware(module),
        "precision": str(trainer.precision),
    }


class Provenance(Callback):
    """Writer of a training's `environment.json`, and of `provenance.json` beside a test's scores.

    `command` and `started` (UTC) are of the training. Of a test, `config` names the file beside it;
    `milliseconds` is of one photograph at the size that the network sees, in the test's precision,
    on a machine that may have been shared; `peak_memory_mb` is the peak memory of the whole test in
    MiB, judges included.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the training is made with into its folder."""
        folder = trainer.log_dir  # asked for by every process: they agree on it
        if folder is None or not trainer.is_global_zero:
            return
        facts = {
            "command": shlex.join(["magenet", *sys.argv[1:]]),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "devices": str(trainer.world_size),
            **environment(trainer, pl_module),
        }
        with atomic_write(Path(folder) / "environment.json") as part:
            part.write_text(json.dumps(facts, indent=2) + "\n")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the scores were made with into the run's folder."""
        folder = trainer.log_dir  # asked for by every process: they agree on it
        if folder is None or not trainer.is_global_zero:
            return
        checkpoint = Path(str(trainer.ckpt_path)) if trainer.ckpt_path else None
        steps, how = chosen(checkpoint)
        peak = peak_memory(pl_module.device)
        facts = {
            "config": "config.yaml",
            **environment(trainer, pl_module),
            "parameters": sum(p.numel() for p in pl_module.get_submodule("network").parameters()),
            **self._cost(trainer, pl_module),
            "peak_memory_mb": "unknown" if peak is None else round(peak),
            "steps": steps,
            "chosen": how,
            "checkpoint": checkpoint.name if checkpoint else "none",
            "checkpoint_sha256": file_sha256(checkpoint) if checkpoint else "none",
        }
        with atomic_write(Path(folder) / "provenance.json") as part:
            part.write_text(json.dumps(facts, indent=2) + "\n")

    def _cost(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float | str]:
        """Return the cost of an enhancer; `unknown` for segmenters and graders."""
        if not isinstance(pl_module, EnhancementTask):
            return {"gmacs": "unknown", "milliseconds": "unknown"}
        size = pl_module.image_size or _photograph_size(trainer.datamodule)  # type: ignore[attr-defined]
        image = torch.rand(1, 3, size, size, device=pl_module.device)
        with trainer.precision_plugin.forward_context():
            return cost(pl_module.prediction_network, pl_module.in_memory_format(image))


def _photograph_size(datamodule: Any) -> int:
    """Return the side of the photographs of a test, in pixels."""
    return int(getattr(datamodule, "scored_size", None) or datamodule.image_size)
