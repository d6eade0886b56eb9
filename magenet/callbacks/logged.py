"""What loggers keep beside numbers: pictures, and the files of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import torch
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

from magenet.imaging.contact_sheet import sheet


class NumbersWandbLogger(WandbLogger):
    """Logger to Weights & Biases of numbers and the configuration alone.

    No photograph, file or checkpoint of a run is sent. W&B itself adds what it notes of every run:
    the command with its paths, what is printed, the machine, the address of a git repository.

    Args:
        options: As of Lightning's `WandbLogger`, but for `log_model`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(log_model=False, **options)


class PictureRow(NamedTuple):
    """Pictures of one photograph.

    Attributes:
        photograph: Its name.
        condition: What was done to it; `real` for a photograph as taken.
        pictures: `(3, S, S)` in [0, 1] by the name of their column.
    """

    photograph: str
    condition: str
    pictures: dict[str, Tensor]


def columns_of(rows: Sequence[PictureRow]) -> list[str]:
    """Return the names of all columns of some rows, in the order of the fullest one."""
    fullest = max(rows, key=lambda row: len(row.pictures)).pictures
    return list(dict.fromkeys([*fullest, *(name for row in rows for name in row.pictures)]))


def sheet_of(rows: Sequence[PictureRow]) -> Image.Image:
    """Return all rows as one picture, with the names of conditions and columns in it.

    Args:
        rows: At least one, with pictures of one size; a picture that a row lacks is black.
    """
    columns = columns_of(rows)
    black = torch.zeros_like(next(iter(rows[0].pictures.values())))
    pictures = [[row.pictures.get(name, black) for name in columns] for row in rows]
    return sheet(pictures, [row.condition for row in rows], columns)


def log_pictures(
    loggers: Sequence[Logger], name: str, rows: Sequence[PictureRow], step: int
) -> None:
    """Log pictures where a logger shows some: a table in Weights & Biases, a sheet in TensorBoard.

    Args:
        loggers: Of the trainer.
        name: Name to log them under.
        rows: At least one.
        step: Optimizer step that they are of.
    """
    for logger in loggers:
        if _keeps_files(logger):
            _log_table(logger, name, rows, step)
        elif isinstance(logger, TensorBoardLogger):
            picture = np.asarray(sheet_of(rows))
            logger.experiment.add_image(name, picture, step, dataformats="HWC")


def _keeps_files(logger: Logger) -> TypeGuard[WandbLogger]:
    """Return whether a logger is W&B's, and may get pictures and files."""
    return isinstance(logger, WandbLogger) and not isinstance(logger, NumbersWandbLogger)


def _log_table(logger: WandbLogger, name: str, rows: Sequence[PictureRow], step: int) -> None:
    """Log one row per photograph, each picture in a cell of its own."""
    import wandb  # an extra

    columns = columns_of(rows)
    data = [
        [
            row.photograph,
            row.condition,
            *(
                wandb.Image(sheet([[row.pictures[column]]])) if column in row.pictures else None
                for column in columns
            ),
        ]
        for row in rows
    ]
    logger.log_table(name, ["photograph", "condition", *columns], data, step=step)


def log_files(loggers: Sequence[Logger], kind: str, folder: Path, files: Sequence[Path]) -> None:
    """Log files where a logger keeps some: as an artifact in Weights & Biases.

    Args:
        loggers: Of the trainer.
        kind: What they are of: `fit`, `validate` or `test`.
        folder: Folder of the run, below which they keep their places.
        files: Files below it.
    """
    for logger in loggers:
        if _keeps_files(logger):
            import wandb  # an extra

            artifact = wandb.Artifact(f"{kind}-{logger.experiment.id}", type="run_files")
            for file in files:
                # Not copied: a run that was offline is uploaded from its own folder.
                name = file.relative_to(folder).as_posix()
                artifact.add_file(str(file.absolute()), name, policy="immutable")
            logger.experiment.log_artifact(artifact)


def finish(loggers: Sequence[Logger]) -> None:
    """End the runs of loggers that go on for as long as the process, so that the next is another.

    Args:
        loggers: Of the trainer.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()
