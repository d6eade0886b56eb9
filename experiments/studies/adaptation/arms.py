"""Arms of the study: the options in which each differs from `arms.yaml`."""

from __future__ import annotations

from pathlib import Path

from experiments.configurations import CONFIGS

FOLDER = CONFIGS / "runs/adaptation"

RUNS = Path("runs/adaptation")
"""Folder of the trainings."""

TARGET = "--model.target"
SEVERITY = (
    TARGET, "magenet.targets.TeacherTarget",
    f"{TARGET}.severity", "magenet.losses.SeverityMeasure",
    f"{TARGET}.severity.regressor", "magenet.models.SeverityRegressor",
    f"{TARGET}.severity.checkpoint", str(RUNS / "severity/checkpoints/best.ckpt"),
)  # fmt: skip
SAME_VIEW = ("--data.strong_view", "data_modules.SameView")
CALIBRATED = (
    "--model.start", str(RUNS / "calibrated/checkpoints/best.ckpt"),
    "--config", str(FOLDER / "calibrated.yaml"),
)  # fmt: skip
NO_TEACHER = ("--model.consistency_weight", "0")
BANK = (*SEVERITY, f"{TARGET}.flips", "true", f"{TARGET}.bank", "true")

REFERENCE = "continued source"
UPPER_REFERENCE = "calibrated"
CONFIRMATORY = "mean teacher"
"""The arm that the protocol confirms or refutes; all others are exploratory."""

CONTROL = "permuted"
SCREENED = "flips, detail alone"
"""What the screen found best."""

ARMS: dict[str, tuple[str, ...]] = {
    REFERENCE: NO_TEACHER,
    "mean teacher": (),
    "same view": SAME_VIEW,
    "gated": (
        "--data.real.qualities", "[usable]", TARGET, "magenet.targets.TeacherTarget",
        f"{TARGET}.flips", "true", f"{TARGET}.uncertainty_scale", "0.02",
    ),
    "bank": (*SAME_VIEW, *BANK),
    "bank, detail alone": (*SAME_VIEW, *BANK, "--model.consistent_light", "false"),
    SCREENED: (
        *SAME_VIEW, TARGET, "magenet.targets.TeacherTarget", f"{TARGET}.flips", "true",
        "--model.consistent_light", "false",
    ),
    "own good photographs": (*NO_TEACHER, "--data.synthetic.sets", "[hrf,chase_db1,idrid,hygd]"),
    CONTROL: (TARGET, "magenet.targets.TeacherTarget", f"{TARGET}.permuted", "true"),
    UPPER_REFERENCE: (*CALIBRATED, *NO_TEACHER),
    "calibrated, mean teacher": CALIBRATED,
}  # fmt: skip
"""By label; all are compared with the first."""


def needs(label: str) -> list[str]:
    """Return the trainings that an arm needs before its own: whose checkpoints its options name."""
    checkpoints = [Path(option) for option in ARMS[label] if option.endswith(".ckpt")]
    return [path.relative_to(RUNS).parts[0] for path in checkpoints]


def slug(label: str) -> str:
    """Return an arm's label as the name of a folder."""
    return label.replace(",", "").replace(" ", "_")
