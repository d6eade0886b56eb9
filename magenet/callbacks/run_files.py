"""The files of a run: where they are, and for loggers that keep files."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from magenet.callbacks.logged import log_files

KINDS = (".json", ".csv", ".yaml", ".png")
"""Files that are logged: scores and their summary, provenance, configuration, sheets."""

FOUND = {
    TrainerFn.FITTING: "run: {0}; its page: magenet report {0}",
    TrainerFn.TESTING: "scores and pictures: {0}",
}
"""What tells where a run's files are, by what it did."""


class RunFiles(Callback):
    """Says where a run's files are when it has ended, and logs them, but for checkpoints.

    Only loggers that keep files get them: Weights & Biases. The best checkpoint it logs by itself
    (`log_model`).
    """

    def __init__(self) -> None:
        self.folder: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Note the run's folder: its name is known to the first process alone until now."""
        self.folder = None if trainer.log_dir is None else Path(trainer.log_dir)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say where the files are and log them: the last callbacks to write theirs have done so."""
        if self.folder is None or not trainer.is_global_zero or stage == TrainerFn.PREDICTING:
            return
        if stage in FOUND:
            # A training of a few steps may have logged nothing that a page could show.
            has_page = stage != TrainerFn.FITTING or (self.folder / "metrics.csv").is_file()
            told = FOUND[TrainerFn(stage)] if has_page else "run: {0}"
            print(told.format(self.folder))
        files = [path for path in sorted(self.folder.rglob("*")) if path.suffix in KINDS]
        log_files(trainer.loggers, TrainerFn(stage).value, self.folder, files)
