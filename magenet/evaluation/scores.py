"""Callback that scores every subject's photographs in a test by every judge."""

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

from magenet.atomic_write import atomic_write
from magenet.errors import UsageError, UserError
from magenet.evaluation.full_reference import FullReference
from magenet.evaluation.judge import Judge
from magenet.evaluation.judged_size import judged_batch
from magenet.evaluation.score_rows import KEYS, ScoreRow, is_nan, write_rows
from magenet.evaluation.summary import CLEAN, HIGH, columns_of, summarise
from magenet.imaging.crop import at_side

ENDS = (CLEAN, HIGH)
"""Subjects that are reference photographs: their scores are not shown on the screen."""


class Scores(Callback):
    """Callback that writes a test's `scores.csv` and `results.json` into the run's folder.

    `scores.csv` has a row for every photograph, condition and subject (the unenhanced input, the
    networks, the clean photograph where there is one) and a column for every score; an empty cell
    is an undefined score. `results.json` summarises them by condition.

    Args:
        judges: Judges that score; :class:`FullReference` alone if null.
        size: Side at which judges see photographs, in pixels; that at which they are enhanced if
            null.
    """

    def __init__(self, judges: list[Judge] | None = None, size: int | None = None) -> None:
        self.judges: Sequence[Judge] = judges or [FullReference()]
        self.size = size
        self.rows: list[ScoreRow] = []

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Clear the rows, load the judges and move them to the device.

        Raises:
            UsageError: On several devices, whose rows are not gathered.
            UserError: If a judge's checkpoint is missing.
        """
        if trainer.world_size > 1:
            raise UsageError(
                "a test does not gather the scores of several devices: use --trainer.devices 1"
            )
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
        """Score a batch's photographs, subject by subject.

        Raises:
            ValueError: If two judges return a score of the same name.
            UserError: If a result has values that are no numbers: graders would call it good, and
                other scores be means without it.
        """
        if not isinstance(outputs, dict):
            return
        for subject, image in outputs.items():
            broken = ~image.flatten(1).isfinite().all(dim=1)
            if bool(broken.any()):
                name = batch["name"][int(broken.nonzero()[0])]
                raise UserError(f"the {subject}'s result of {name} has values that are no numbers")
        with torch.inference_mode():
            if self.size is not None:
                side = self.size
                batch = judged_batch(batch, side)
                mask = batch["mask_fov"]
                outputs = {k: at_side(image, side) * mask for k, image in outputs.items()}
            for judge in self.judges:
                judge.start_batch(batch)
            for subject, image in outputs.items():
                scores: dict[str, Tensor] = {}
                for judge in self.judges:
                    new = judge(image, batch)
                    if duplicates := scores.keys() & new.keys():
                        raise ValueError(f"two judges return the score '{min(duplicates)}'")
                    scores |= new
                lists = {name: value.tolist() for name, value in scores.items()}
                for index, name in enumerate(batch["name"]):
                    self.rows.append(
                        {
                            "subject": subject,
                            "name": name,
                            "patient": batch["patient"][index],
                            "condition": batch["condition"][index],
                            **{score: round(values[index], 5) for score, values in lists.items()},
                        }
                    )

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means by condition: `test/psnr_spots`, `test_teacher/psnr_spots`.

        There is no mean over all conditions: they form clusters 20 dB apart. The screen shows the
        first two scores only; files and loggers have all.
        """
        totals: dict[str, list[float]] = {}
        screen: dict[str, list[float]] = {}
        for row in self.rows:
            stage = "test" if row["subject"] == "student" else f"test_{row['subject']}"
            scores = [name for name in row if name not in KEYS]
            for score in scores:
                if not math.isnan(value := float(row[score])):
                    name = f"{stage}/{score}_{row['condition']}"
                    totals.setdefault(name, []).append(value)
                    if score in scores[:2] and row["subject"] not in ENDS:
                        screen[name] = totals[name]
        for logger in trainer.loggers:
            logger.log_metrics({name: sum(v) / len(v) for name, v in totals.items()})
        pl_module.log_dict({name: sum(v) / len(v) for name, v in screen.items()}, logger=False)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the scores and their summary into the run's folder."""
        if trainer.log_dir is None or not self.rows:
            return
        folder = Path(trainer.log_dir)
        write_rows(folder / "scores.csv", self.rows)
        summary = [
            {name: None if is_nan(value) else value for name, value in line._asdict().items()}
            for line in summarise(columns_of(self.rows))
        ]
        with atomic_write(folder / "results.json") as part:
            part.write_text(json.dumps(summary, indent=1) + "\n")
        if empty := never_defined(self.rows):
            print(f"scores undefined for every photograph: {empty}", file=sys.stderr)


def never_defined(rows: Sequence[ScoreRow]) -> str:
    """Return the names of scores that are undefined for all photographs, separated by commas.

    Args:
        rows: All rows of a test.
    """
    scores = dict.fromkeys(name for row in rows for name in row if name not in KEYS)
    return ", ".join(
        score
        for score in scores
        if all(math.isnan(float(row.get(score, math.nan))) for row in rows)
    )
