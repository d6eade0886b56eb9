"""What a run left in its folder, and the runs that belong to it."""

from __future__ import annotations

import contextlib
import csv
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from magenet.checkpoints import hash_path
from magenet.errors import UserError

Points = list[tuple[int, float]]
"""Values of a score by the step at which they were logged."""


class RunFolder(NamedTuple):
    """A training or a test.

    Attributes:
        path: Its folder.
        config: Its configuration; empty if it left none.
        log: Points of each score that was logged, finite ones, in the order of steps.
        environment: What a training was made with; empty where it is not known.
        provenance: What a test was made with; empty of a training.
        scores: Summaries of a test, as `results.json` holds them; empty of a training.
        sheets: Pictures that it left.
    """

    path: Path
    config: dict[str, Any]
    log: dict[str, Points]
    environment: dict[str, Any]
    provenance: dict[str, Any]
    scores: list[dict[str, Any]]
    sheets: list[Path]

    @property
    def name(self) -> str:
        """Name of the experiment, and of the run in it."""
        return "/".join(self.path.resolve().parts[-2:])

    @property
    def was_trained(self) -> bool:
        """Whether the run is a training."""
        return any(name.startswith("train/") for name in self.log)


def read_run(path: Path) -> RunFolder:
    """Return what a run left.

    Raises:
        UserError: If the folder is missing, or no run has written to it.
    """
    if not path.is_dir():
        raise UserError(f"{path}: no such folder of a run")
    scores = _read_json(path / "results.json", [])
    log = read_log(path / "metrics.csv")
    if not log and not scores:
        raise UserError(
            f"{path}: no run has left anything here yet (neither metrics.csv nor results.json); "
            "give a run's own folder, such as runs/<name>/version_0"
        )
    config_file = path / "config.yaml"
    try:
        config = yaml.safe_load(config_file.read_text("utf-8")) if config_file.is_file() else {}
    except yaml.YAMLError:
        raise UserError(f"{config_file}: is no YAML") from None
    return RunFolder(
        path, config or {}, log,
        _read_json(path / "environment.json", {}), _read_json(path / "provenance.json", {}),
        scores, sorted(path.glob("*.png")),
    )  # fmt: skip


def read_log(path: Path) -> dict[str, Points]:
    """Return the points of each score in a log; none if there is no log.

    The last line counts only when it is complete: the training may go on.

    Args:
        path: `metrics.csv` of Lightning's CSV logger.

    Raises:
        UserError: If it is another file.
    """
    if not path.is_file():
        return {}
    log: dict[str, Points] = {}
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    try:
        for row in csv.DictReader(whole.splitlines()):
            for name, text in row.items():
                if name not in ("epoch", "step") and text and math.isfinite(value := float(text)):
                    log.setdefault(name, []).append((int(row["step"]), value))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: is no log of a training ({error})") from None
    return {name: sorted(points) for name, points in log.items()}


def runs_of(path: Path) -> tuple[RunFolder | None, list[RunFolder]]:
    """Return the training that a run belongs to, if it is known, and the tests of its networks.

    A test names the SHA-256 of its checkpoint, which is how both find each other; they are looked
    for in the folder of the experiment, beside each other.

    Args:
        path: Folder of a training or of a test.

    Raises:
        UserError: If no run has written to it.
    """
    given = read_run(path)
    beside = []
    for folder in sorted(given.path.resolve().parent.iterdir()):
        is_run = (folder / "metrics.csv").is_file() or (folder / "results.json").is_file()
        if is_run and folder != given.path.resolve():
            with contextlib.suppress(UserError):  # of another run: not what was asked for
                beside.append(read_run(folder))
    training: RunFolder | None = given
    if given.scores and not given.was_trained:
        tested = given.provenance.get("checkpoint_sha256")
        training = next((run for run in beside if tested in checkpoints_of(run.path)), None)
    known = checkpoints_of(training.path) if training else set()
    tests = [run for run in beside if run.provenance.get("checkpoint_sha256") in known]
    return training, [given, *(t for t in tests if t.scores)] if given.scores else tests


def checkpoints_of(path: Path) -> set[str]:
    """Return the SHA-256 of each checkpoint of a run, from the files beside them.

    They are in the run's folder, and in the one that its configuration names for the best.
    """
    folders, configuration = [path / "checkpoints"], path / "config.yaml"
    if configuration.is_file():
        options = yaml.safe_load(configuration.read_text("utf-8")) or {}
        if named := (options.get("checkpoint") or {}).get("dirpath"):
            folders.append(Path(named))
    files = [hash_path(file) for folder in folders for file in folder.glob("*.ckpt")]
    return {file.read_text("utf-8").split()[0] for file in files if file.is_file()}


def _read_json(path: Path, missing: Any) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: If it is no JSON.
    """
    if not path.is_file():
        return missing
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error})") from None
