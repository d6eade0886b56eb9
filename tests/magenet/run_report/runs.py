"""Runs as they lie on a disk: a training and a test of its network."""

import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

DIGEST = "c0ffee" + 58 * "0"

LOG = """epoch,lr-Adam,step,train/loss,val/psnr,val_input/psnr,val_teacher/psnr
,0.001,9,,,,
0,,9,0.5,,,
0,,19,nan,20.5,18.0,21.5
1,,39,0.01,22.5,18.0,21.25
1,,49,0.0"""
"""The last line is not complete, as while a training goes on; one loss is not finite."""

CONFIG: dict[str, Any] = {
    "seed_everything": 3,
    "trainer": {
        "max_steps": 50, "max_epochs": None, "devices": "auto", "gradient_clip_val": 1.0,
        "callbacks": [
            {"class_path": "magenet.callbacks.BeforeAfterPictures", "init_args": {"count": 8}},
            {"class_path": "magenet.callbacks.Provenance"},
        ],
    },
    "model": {
        "class_path": "magenet.tasks.SupervisedTask",
        "init_args": {
            "network": {
                "class_path": "magenet.models.MAGENet.from_name", "init_args": {"name": "tiny"}
            },
            "warm_up": 0.03, "edge_weight": 0.5,
        },
    },
    "checkpoint": {"monitor": "val/psnr", "mode": "max"},
    "resume_point": {"every_n_steps": 100}, "ckpt_path": None,
}  # fmt: skip
BASE = {
    "seed_everything": 0,
    "trainer": {
        "gradient_clip_val": 1.0, "devices": "auto",
        "callbacks": [
            {"class_path": "magenet.callbacks.BeforeAfterPictures"},
            {"class_path": "magenet.callbacks.Provenance"},
        ],
    },
}  # fmt: skip


def summary(subject: str, condition: str, mean: float, **changes: Any) -> dict[str, Any]:
    """Return a line of `results.json`."""
    return {
        "subject": subject, "condition": condition, "score": "psnr", "mean": mean, "low": mean - 1,
        "high": mean + 1, "photographs": 4, "patients": 3, "difference": None,
        "difference_low": None, "difference_high": None, **changes,
    }  # fmt: skip


def write_training(folder: Path) -> Path:
    """Write what a training leaves."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/best.ckpt").touch()
    (folder / "checkpoints/best.ckpt.sha256").write_text(f"{DIGEST}  best.ckpt\n")
    (folder / "metrics.csv").write_text(LOG)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "environment.json").write_text(json.dumps({"commit": "abc", "precision": "32-true"}))
    return folder


def write_test(folder: Path, digest: str = DIGEST) -> Path:
    """Write what a test leaves."""
    folder.mkdir(parents=True)
    better = {"difference": 3.0, "difference_low": 2.0, "difference_high": 4.0}
    worse = {"difference": -3.0, "difference_low": -4.0, "difference_high": -2.0}
    unsure = {"difference": 0.5, "difference_low": -1.0, "difference_high": 2.0}
    lines = [
        summary("input", "spots", 21.0), summary("input", "blur", 22.0), summary("input", "<x>", 9),
        summary("student", "spots", 24.0, **better), summary("student", "blur", 19.0, **worse),
        summary("student", "<x>", 9.5, **unsure),
        summary("student", "spots", 7.0, score="colour", **better),
    ]  # fmt: skip
    (folder / "results.json").write_text(json.dumps(lines))
    facts = {"checkpoint": "best.ckpt", "checkpoint_sha256": digest, "chosen": "best val/psnr: 22"}
    (folder / "provenance.json").write_text(json.dumps(facts))
    Image.new("RGB", (3000, 40), "brown").save(folder / "input_student_clean.png")
    return folder
