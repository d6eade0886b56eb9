"""The scores of a test: every photograph, every judge, everybody who is compared."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from magenet.errors import UserError
from magenet.evaluation.full_reference import FullReference
from magenet.evaluation.judge import Judge
from magenet.evaluation.score_rows import KEYS, ScoreRow, write_rows
from magenet.evaluation.summary import CLEAN, summarise

ENDS = (CLEAN, "high")
"""Subjects that nobody made: their scores need no place on the screen."""


class Scores(Callback):
    """Score a test's photographs and write `scores.csv` and `results.json` into its folder.

    `scores.csv` has a line for every photograph, condition and subject (the untouched input, the
    networks, the clean photograph where there is one) and a column for every score; an empty cell
    is a score that is not defined there. `results.json` sums them up by condition.

    Args:
        judges: Who scores; PSNR and SSIM against the clean photograph if null.
    """

    def __init__(self, judges: list[Judge] | None = None) -> None:
        self.judges: Sequence[Judge] = judges or [FullReference()]
        self.rows: list[ScoreRow] = []

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a new table, and make the judges ready.

        Raises:
            UserError: On several devices, which would score padded photographs twice; or if a
                judge's checkpoint is missing.
        """
        if trainer.world_size > 1:
            raise UserError("a test counts every photograph once: use --trainer.devices 1")
        self.rows = []
        for judge in self.judges:
            judge.load()
            judge.to(pl_module.device)
            judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score a batch's photographs, by subject.

        Raises:
            ValueError: If two judges give a score of one name.
        """
        if not isinstance(outputs, dict):
            return
        with torch.inference_mode():
            for judge in self.judges:
                judge.start_batch(batch)
            for subject, image in outputs.items():
                scores: dict[str, Tensor] = {}
                for judge in self.judges:
                    own = judge(image, batch)
                    if twice := scores.keys() & own.keys():
                        raise ValueError(f"two judges give the score '{min(twice)}'")
                    scores |= own
                lists = {name: value.tolist() for name, value in scores.items()}
                for place, name in enumerate(batch["name"]):
                    self.rows.append(
                        {
                            "subject": subject,
                            "name": name,
                            "patient": batch["patient"][place],
                            "condition": batch["condition"][place],
                            **{score: round(values[place], 5) for score, values in lists.items()},
                        }
                    )

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means by condition: `test/psnr_spots`, `test_teacher/psnr_spots`.

        A mean over all conditions would hide clusters 20 dB apart: there is none. The screen
        shows the first two scores only; the files and the loggers have all.
        """
        totals: dict[str, list[float]] = {}
        shown: dict[str, list[float]] = {}
        for row in self.rows:
            stage = "test" if row["subject"] == "student" else f"test_{row['subject']}"
            scores = [name for name in row if name not in KEYS]
            for score in scores:
                if not math.isnan(value := float(row[score])):
                    name = f"{stage}/{score}_{row['condition']}"
                    totals.setdefault(name, []).append(value)
                    if score in scores[:2] and row["subject"] not in ENDS:
                        shown[name] = totals[name]
        for logger in trainer.loggers:
            logger.log_metrics({name: sum(v) / len(v) for name, v in totals.items()})
        pl_module.log_dict({name: sum(v) / len(v) for name, v in shown.items()}, logger=False)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the scores and their summary into the run's folder."""
        if trainer.log_dir is None or not self.rows:
            return
        folder = Path(trainer.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_rows(folder / "scores.csv", self.rows)
        summary = [line._asdict() for line in summarise(self.rows)]
        text = json.dumps(summary, indent=1).replace("NaN", "null")
        (folder / "results.json").write_text(text + "\n")
        if empty := never_defined(self.rows):
            print(f"no photograph has what these scores need: {empty}", file=sys.stderr)


def never_defined(rows: Sequence[ScoreRow]) -> str:
    """Return the names of the scores that no photograph has, in a line; empty if there are none.

    Args:
        rows: All of a test.
    """
    scores = dict.fromkeys(name for row in rows for name in row if name not in KEYS)
    return ", ".join(
        score
        for score in scores
        if all(math.isnan(float(row.get(score, math.nan))) for row in rows)
    )
