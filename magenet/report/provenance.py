"""What a result needs beside it, so that it can be believed and repeated."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

PACKAGES = ("torch", "lightning", "kornia", "numpy")


def commit() -> str:
    """Return the commit of this code, with `+` if files differ from it, or `unknown`."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def hardware(module: LightningModule) -> str:
    """Return what the test ran on, in words."""
    if module.device.type == "cuda":
        return torch.cuda.get_device_name(module.device)
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


class Provenance(Callback):
    """Write `provenance.json` beside a test's scores."""

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it into the run's folder."""
        if trainer.log_dir is None or not trainer.is_global_zero:
            return
        checkpoint = Path(str(trainer.ckpt_path)) if trainer.ckpt_path else None
        facts = {
            "commit": commit(),
            "seed": os.environ.get("PL_GLOBAL_SEED", "none"),
            "versions": " ".join(f"{name} {version(name)}" for name in PACKAGES),
            "hardware": hardware(pl_module),
            "parameters": sum(p.numel() for p in pl_module.get_submodule("network").parameters()),
            "checkpoint": checkpoint.name if checkpoint else "none",
            "checkpoint_sha256": (
                hashlib.sha256(checkpoint.read_bytes()).hexdigest() if checkpoint else "none"
            ),
        }
        folder = Path(trainer.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "provenance.json").write_text(json.dumps(facts, indent=2) + "\n")
