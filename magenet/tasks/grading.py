"""LightningModules that train graders of image quality and of diabetic retinopathy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.nn import functional
from torchmetrics import CatMetric
from torchmetrics.functional.classification import (
    multiclass_cohen_kappa,
    multiclass_confusion_matrix,
)

from data_modules.batch import Batch
from data_modules.datasets.manifest import QUALITIES
from magenet.atomic_write import atomic_write
from magenet.errors import UsageError
from magenet.metrics import (
    balanced_accuracy,
    expected_calibration_error,
    fiqa,
    fit_temperature,
    reliability,
    wfqa,
)
from magenet.models import Grader
from magenet.tasks.base import FundusTask

RETINOPATHY = ("none", "mild", "moderate", "severe", "proliferative")
"""Grades 0 to 4 of diabetic retinopathy (International Clinical Diabetic Retinopathy scale)."""


class GradingTask(FundusTask):
    """Train a classifier of photographs and calibrate its confidence by temperature scaling.

    The network's temperature is fitted to the validation photographs after each validation, so
    that each checkpoint contains its own. Where the test uses the same photographs, which it does
    unless the data sets another `test_split`, the calibration it reports is optimistic.

    Args:
        network: Network that returns logits.
        classes: Names of the grades, in the order of the labels.
        label_smoothing: Share of the target probability spread evenly over all grades.
        kwargs: See :class:`FundusTask`.

    Raises:
        ValueError: If the network has another number of classes.
    """

    def __init__(
        self,
        network: Grader,
        classes: Sequence[str],
        label_smoothing: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        if network.classes != len(classes):
            raise ValueError(
                f"a grader of {network.classes} classes for the grades {', '.join(classes)}"
            )
        self.classes = tuple(classes)
        self.label_smoothing = label_smoothing
        self.seen_logits = CatMetric(nan_strategy="disable")
        self.seen_labels = CatMetric(nan_strategy="disable")
        self.seen_patients: list[str] = []

    @property
    def grader(self) -> Grader:
        """Return the trained network as a :class:`Grader`."""
        network = self.network
        assert isinstance(network, Grader)  # by construction
        return network

    def forward(self, image: Tensor) -> Tensor:
        """Return calibrated probabilities `(B, classes)` for photographs `(B, 3, S, S)`."""
        return self.grader.probabilities(self.in_memory_format(image))

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy, weighted so that each grade contributes equally."""
        losses = functional.cross_entropy(
            self.grader(self.in_memory_format(batch["image"])),
            batch["label"],
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        loss: Tensor = (batch["weight"] * losses).mean()
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect logits, labels and patients."""
        self.seen_logits.update(self.grader(self.in_memory_format(batch["image"])))
        self.seen_labels.update(batch["label"])
        self.seen_patients.extend(batch["patient"])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect logits, labels and patients."""
        self.validation_step(batch, batch_idx)

    def on_test_epoch_start(self) -> None:
        """Check the number of devices.

        Raises:
            UsageError: On several devices, whose patients are not merged.
        """
        if self.trainer.world_size > 1:
            raise UsageError(
                "a test does not gather the labels of several devices: use --trainer.devices 1"
            )

    def on_validation_epoch_end(self) -> None:
        """Log the scores; in a training, fit the temperature first."""
        logits, labels, _ = self._take()
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.grader.temperature.copy_(fit_temperature(logits, labels))
        scores = self.scores(logits.argmax(dim=1), labels)
        for name, score in scores.items():
            self.log(f"val/{name}", score, prog_bar=name == "balanced_accuracy")
        self.log("val/cross_entropy", functional.cross_entropy(logits, labels))

    def on_test_epoch_end(self) -> None:
        """Log the scores and write `grading.json` into the run's folder."""
        logits, labels, patients = self._take()
        self.log_dict(
            {f"test/{k}": v for k, v in self.scores(logits.argmax(dim=1), labels).items()}
        )
        if self.trainer.log_dir is not None:
            report = self.report(logits, labels, patients)
            with atomic_write(Path(self.trainer.log_dir) / "grading.json") as part:
                part.write_text(json.dumps(report, indent=1) + "\n")

    def scores(self, grades: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return scores by name.

        Args:
            grades: Predicted classes, long `(N,)`.
            labels: Reference classes, long `(N,)`.
        """
        confusion = multiclass_confusion_matrix(grades, labels, len(self.classes))
        return {"balanced_accuracy": balanced_accuracy(confusion)}

    def report(self, logits: Tensor, labels: Tensor, patients: Sequence[str]) -> dict[str, Any]:
        """Return the report that is written to `grading.json`.

        Args:
            logits: `(N, classes)`, not calibrated.
            labels: Reference classes, long `(N,)`.
            patients: Patient of each photograph.

        Returns:
            Scores; `confusion`, numbers of photographs, a row for each label and a column for each
            grade; `confusion_patients`, numbers of different patients in the same layout;
            `calibration` before and after temperature scaling: error and reliability bins.
        """
        grades, count = logits.argmax(dim=1), len(self.classes)
        cells: list[list[set[str]]] = [[set() for _ in self.classes] for _ in self.classes]
        for label, grade, patient in zip(labels.tolist(), grades.tolist(), patients, strict=True):
            cells[label][grade].add(patient)
        calibration = {}
        temperature = self.grader.temperature
        for name, scaled in (("before", logits), ("after", logits / temperature)):
            bins = reliability(scaled.softmax(dim=1), labels)
            calibration[name] = {"error": expected_calibration_error(bins), "bins": bins}
        return {
            "photographs": len(labels),
            "patients": len(set(patients)),
            "classes": list(self.classes),
            **{name: float(score) for name, score in self.scores(grades, labels).items()},
            "confusion": multiclass_confusion_matrix(grades, labels, count).tolist(),
            "confusion_patients": [[len(cell) for cell in row] for row in cells],
            "temperature": float(temperature),
            "calibration": calibration,
        }

    def _take(self) -> tuple[Tensor, Tensor, list[str]]:
        """Return the collected logits, labels and patients of all ranks, and reset them."""
        logits, labels = self.seen_logits.compute(), self.seen_labels.compute().long()
        patients, self.seen_patients = self.seen_patients, []
        self.seen_logits.reset()
        self.seen_labels.reset()
        return logits, labels, patients


class QualityTask(GradingTask):
    """Train a grader of image quality: good, usable or reject.

    The labels were not given by experts: see `data_modules.GradingDataModule`.

    Args:
        network: Network that returns logits, one for each grade.
        kwargs: See :class:`GradingTask`.
    """

    def __init__(self, network: Grader, **kwargs: Any) -> None:
        super().__init__(network, QUALITIES, **kwargs)

    def scores(self, grades: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return also FIQA and WFQA of the grades; see :meth:`GradingTask.scores`."""
        return super().scores(grades, labels) | {"fiqa": fiqa(grades), "wfqa": wfqa(grades)}


class RetinopathyTask(GradingTask):
    """Train a grader of diabetic retinopathy, 0 to 4.

    Args:
        network: Network that returns logits, one for each grade.
        kwargs: See :class:`GradingTask`.
    """

    def __init__(self, network: Grader, **kwargs: Any) -> None:
        super().__init__(network, RETINOPATHY, **kwargs)

    def scores(self, grades: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return also Cohen's kappa with quadratic weights; see :meth:`GradingTask.scores`.

        1 for full agreement, 0 for chance; NaN if all labels and grades are one class.

        References:
            Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968.
        """
        kappa = multiclass_cohen_kappa(grades, labels, len(self.classes), weights="quadratic")
        return super().scores(grades, labels) | {"quadratic_kappa": kappa}
