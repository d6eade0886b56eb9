"""Train the release in pieces of minutes, on a machine that is lent for no longer at a time.

Command:  make train-release DEVICE=cuda MINUTES=9 PIECES=3
Needs:    MAGENET_DATA=<folder of the photographs>, such as that of `make pack-photographs`.
Hardware: a GPU; --device cpu tries it out.
Time:     the minutes of one piece. The same command goes on, until all pieces are done.
Writes:   runs/pieces: state.json, and what the next piece needs: light.ckpt or point.ckpt. At the
          end trained.ckpt, for `python -m experiments.studies.release --checkpoint`.

A third of the time of all pieces is for light, the rest for detail. The learning rate follows the
clock (:class:`magenet.callbacks.TimeBudget`), since nobody knows how many steps will fit in. Before
its time is up a piece is asked to stop, saves after its current step and ends; if it does not,
because it is validating, it is ended, and the next goes on from its latest resume point.

A resume point is made smaller before it is kept: Adam's moments in bf16, a third of the size less.
A training that goes on is therefore not bit for bit one that was never stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from experiments.configurations import BASE, CONFIGS, photographs_folder
from experiments.studies.runs import as_options
from magenet.atomic_write import atomic_write, make_folder
from magenet.checkpoints import (
    VerifiedCheckpointIO,
    hash_path,
    latest_checkpoint,
    read_checkpoint,
)
from magenet.errors import UserError

PARTS = ("light", "detail")
DONE = "done"

LIGHT_SHARE = 1 / 3
"""Share of the time that is for light (our choice): all of the first of three pieces."""

MARGIN = 60.0
"""Seconds at the end of a piece for saving and for the last validation, at most
:data:`MARGIN_SHARE` of it (our choice)."""

MARGIN_SHARE = 0.2

LEAST_SHARE = 0.1
"""Share of a piece that is too short to start another part in: starting takes half a minute."""

STOPPED = (130, 138, 143)
"""Exit statuses of a training that was asked to stop."""

MOMENTS = ("exp_avg", "exp_avg_sq")
"""Names of Adam's moments in the state of the optimizer."""

ENDLESS = 10**9
"""Steps that no training makes: the time ends it."""


@dataclass
class State:
    """How far the training is.

    Attributes:
        part: The part under way, or :data:`DONE`.
        spent: Seconds that each part has taken.
        runs: What each process did: its part, seconds, last step, and the scores of validations.
    """

    part: str = PARTS[0]
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    runs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """Division of the time.

    Attributes:
        minutes: Of one piece.
        pieces: How many there are.
        light_share: Share of all of them for light.
    """

    minutes: float
    pieces: int
    light_share: float = LIGHT_SHARE

    @property
    def piece(self) -> float:
        """Return the seconds of a piece that are for training."""
        return 60 * self.minutes - self.margin

    @property
    def margin(self) -> float:
        """Return the seconds of a piece that are for its end."""
        return min(MARGIN, MARGIN_SHARE * 60 * self.minutes)

    def left(self, state: State) -> float:
        """Return the seconds that are left for the part under way."""
        share = {"light": self.light_share, "detail": 1 - self.light_share}[state.part]
        return share * self.pieces * self.piece - state.spent[state.part]

    def end(self, state: State, now: float, stop: float) -> float:
        """Return when the part under way ends, which may be in a later piece.

        Args:
            state: How far the training is.
            now: The present time, in seconds.
            stop: When this piece is asked to stop, in seconds. No part ends later in the last one.
        """
        rest = self.pieces * self.piece - sum(state.spent.values())
        end = now + max(1.0, self.left(state))
        is_last = rest - (stop - now) < self.piece / 2
        nearly = end - stop < LEAST_SHARE * self.piece  # too little for another piece to begin with
        return min(end, stop) if is_last or nearly else end


class Folder:
    """Files that are carried from one piece to the next.

    Args:
        path: The folder. The runs themselves are in one beside it and need not be carried.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path)
        self.work = path.with_name(f"{path.name}_work")
        self.state_file = path / "state.json"
        self.point = path / "point.ckpt"
        self.light = path / "light.ckpt"
        self.trained = path / "trained.ckpt"

    def read(self) -> State:
        """Return the state, that of a training's start if there is none.

        Raises:
            UserError: If it cannot be read, or what it needs is not there.
        """
        if not self.state_file.is_file():
            return State()
        try:
            state = State(**json.loads(self.state_file.read_text()))
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.state_file}: not a state of this command ({error})") from None
        if state.part == "detail" and not (self.point.is_file() or self.light.is_file()):
            raise UserError(f"{self.state_file}: needs {self.point.name} or {self.light.name}")
        return state

    def write(self, state: State) -> None:
        """Write the state."""
        with atomic_write(self.state_file) as part:
            part.write_text(json.dumps(asdict(state), indent=1) + "\n")

    def keep_point(self, source: Path) -> None:
        """Keep a resume point, made smaller; the first of detail has all weights of light."""
        content = read_checkpoint(source)
        content["hyper_parameters"] = {**content.get("hyper_parameters", {}), "start": None}
        for optimizer in content["optimizer_states"]:
            for moments in optimizer["state"].values():
                moments |= {
                    name: moments[name].to(torch.bfloat16) for name in MOMENTS if name in moments
                }
        # The best network so far stays behind, and so must its score: no later one might exceed it.
        content["callbacks"] = {
            name: callback
            for name, callback in content.get("callbacks", {}).items()
            if not name.startswith(ModelCheckpoint.__name__)
        }
        VerifiedCheckpointIO().save_checkpoint(content, self.point)
        _remove(self.light)

    def keep_best(self, part: str, source: Path) -> None:
        """Keep the best network of a part that is complete, in place of its resume point."""
        content = read_checkpoint(source, f"no validation of {part} was completed")
        target = self.light if part == "light" else self.trained
        VerifiedCheckpointIO().save_checkpoint(content, target)
        _remove(self.point)


def _remove(checkpoint: Path) -> None:
    """Delete a checkpoint and its hash, where they are."""
    checkpoint.unlink(missing_ok=True)
    hash_path(checkpoint).unlink(missing_ok=True)


def name_of(state: State) -> str:
    """Return the name of the next run; Lightning adds to a plain number."""
    return f"run_{len(state.runs)}"


def command(state: State, folder: Folder, end: float, options: argparse.Namespace) -> list[str]:
    """Return the command that trains the part under way until a time."""
    part = state.part
    layers = [
        BASE,
        CONFIGS / "runs/release" / f"{part}.yaml",
        CONFIGS / "layers/gpu" / f"{part}.yaml",
    ]
    configs = as_options([*layers, *options.layers])
    resumed = folder.point.is_file()
    start = [] if part == "light" else ["--model.start", "null" if resumed else str(folder.light)]
    return [
        sys.executable, "-m", "magenet.main", "fit", *configs, *start,
        "--trainer.accelerator", options.device, "--trainer.devices", "1",
        "--trainer.max_steps", str(ENDLESS), "--trainer.enable_progress_bar", "false",
        "--trainer.logger.save_dir", str(folder.work), "--trainer.logger.name", part,
        "--trainer.logger.version", name_of(state),
        "--checkpoint.dirpath", str(folder.work / part / "checkpoints"),
        "--trainer.callbacks+=magenet.callbacks.TimeBudget", f"--trainer.callbacks.end={end}",
        *(["--ckpt_path", str(folder.point)] if resumed else []),
    ]  # fmt: skip


def wait(process: subprocess.Popen[bytes], stop: float | None, kill: float) -> int:
    """Return the exit status of a training.

    Args:
        process: The training.
        stop: When it is asked to stop, in seconds; not asked if None.
        kill: When it is ended.
    """
    asked = [] if stop is None else [(stop, process.terminate)]
    for moment, act in [*asked, (kill, process.kill)]:
        while True:
            try:
                return process.wait(max(0.0, moment - time.time()))
            except KeyboardInterrupt:  # the training has received it, too, and saves
                continue
            except subprocess.TimeoutExpired:
                act()
                break
    return process.wait()


def logged(run: Path) -> dict[str, Any]:
    """Return the last step that a training logged, and the scores of its validations."""
    file = run / "metrics.csv"
    if not file.is_file():
        return {"step": None, "validations": []}
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    scores = [
        {key: float(row[key]) for key in ("step", "val/psnr", "val/ssim")}
        for row in rows
        if row.get("val/psnr")
    ]
    steps = [int(row["step"]) for row in rows if row.get("step")]
    return {"step": max(steps, default=None), "validations": scores}


def train(
    state: State, folder: Folder, plan: Plan, stop: float, options: argparse.Namespace
) -> bool:
    """Train the part under way, keep what the next piece needs, and return whether to go on.

    Raises:
        UserError: If the training fails.
    """
    part, begun = state.part, time.time()
    end = plan.end(state, begun, stop)
    words = command(state, folder, end, options)
    process = subprocess.Popen(words, env=environment())
    # One that ends by itself is left to validate.
    kill = stop + 0.8 * plan.margin
    status = wait(process, stop if end > stop else None, kill)
    if status not in (0, *STOPPED) and time.time() < kill:
        raise UserError(f"the training of {part} failed with status {status}; nothing has changed")
    state.spent[part] += time.time() - begun
    run = folder.work / part / name_of(state)
    state.runs.append({"part": part, "seconds": round(time.time() - begun, 1), **logged(run)})
    if status == 0:
        folder.keep_best(part, folder.work / part / "checkpoints/best.ckpt")
        state.part = {"light": "detail", "detail": DONE}[part]
    elif any(run.rglob("step_*.ckpt")):
        folder.keep_point(latest_checkpoint(run))
    folder.write(state)
    return status == 0


def environment() -> dict[str, str]:
    """Return the environment of a training: larger versions of photographs may lie in one folder.

    Raises:
        UserError: If MAGENET_DATA is no folder of photographs.
    """
    return {"MAGENET_DATA_2048": str(photographs_folder()), **os.environ}


def main(arguments: list[str] | None = None) -> int:
    """Train one piece."""
    begun = time.time()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=9.0, help="minutes of this piece")
    parser.add_argument("--pieces", type=int, default=3, help="pieces in all")
    parser.add_argument(
        "--light-share", type=float, default=LIGHT_SHARE, help="share of the time for light"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/pieces"), help="what is carried between pieces"
    )
    parser.add_argument(
        "--layers", type=Path, nargs="*", default=[], help="configurations on top of both parts"
    )
    options = parser.parse_args(arguments)
    if options.minutes <= 0 or options.pieces < 1 or not 0 < options.light_share < 1:
        raise UserError("--minutes and --pieces must be positive, --light-share between 0 and 1")
    environment()
    plan = Plan(options.minutes, options.pieces, options.light_share)
    folder = Folder(options.folder)
    state = folder.read()
    shutil.rmtree(folder.work, ignore_errors=True)
    stop = begun + plan.piece
    while state.part != DONE and stop - time.time() > LEAST_SHARE * plan.piece:
        if not train(state, folder, plan, stop, options):
            break
    print(report(state, plan, folder))
    return 0


def report(state: State, plan: Plan, folder: Folder) -> str:
    """Return how far the training is, and how it goes on."""
    lines = []
    for run in state.runs:
        scores = ", ".join(
            f"{x['val/psnr']:.2f} dB {x['val/ssim']:.4f} at {x['step']:.0f}"
            for x in run["validations"]
        )
        lines.append(f"{run['part']}: {run['seconds']:.0f} s to step {run['step']}; {scores}")
    if state.part == DONE:
        lines.append(
            f"complete: python -m experiments.studies.release --checkpoint {folder.trained}"
        )
    else:
        lines.append(
            f"{state.part} is under way, {max(0.0, plan.left(state)) / 60:.1f} minutes of it are "
            "left: the same command goes on"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
