"""Screen of the study: does a step of each term lead where the true error falls?

Command:  make adaptation-screen
Needs:    MAGENET_DATA=<folder of the photographs>; the source and the severity measure of
          `make adaptation-study`.
Hardware: CPU. Time: 15 minutes.
Writes:   experiments/results/adaptation_screen.md.

Good val photographs of the target camera, degraded by the calibrated mixture, replace the real
ones: a network that learned cofe-Net's damage meets a gap there, and the clean photographs are
known. The teacher is the student itself, as at the start of an adaptation. A draw has one
photograph of each patient: a permuted target and the pairs of another batch are of other patients.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule, StrongView
from data_modules.batch import Batch
from experiments.configurations import RESULTS, comparison_recipe, photographs_folder
from experiments.studies.adaptation.arms import RUNS
from experiments.studies.patients import patients_of
from experiments.studies.runs import Runs
from magenet.atomic_write import atomic_write
from magenet.checkpoints import read_network
from magenet.degradation import CofeDegradation, CounterRNG
from magenet.evaluation.statistics import bootstrap_interval
from magenet.losses import ConsistencyLoss, DirectionLoss, SeverityMeasure, masked_mean
from magenet.models import MAGENet, SeverityRegressor
from magenet.targets import TeacherTarget

ERRORS = {
    "target": "teacher's target and clean photograph",
    "student": "student's estimate from its strong view and clean photograph",
    "difference": "target and estimate: what the consistency loss can correct",
}
"""Labels of the errors, by name."""

OTHER = "other photographs' pairs: not better than this is no help"


class Term(NamedTuple):
    """A consistency term.

    Attributes:
        target: Ways of :class:`TeacherTarget`.
        loss: Options of :class:`ConsistencyLoss`.
        strong: Whether the student sees a strong view.
        part: Which of the losses counts; all if None.
    """

    target: dict[str, Any]
    loss: dict[str, Any]
    strong: bool = True
    part: str | None = None


TERMS = {
    "mean teacher": Term({}, {}),
    "image alone": Term({}, {}, part="image"),
    "structure alone": Term({}, {}, part="structure"),
    "flips": Term({"flips": True}, {}),
    "flips, same view": Term({"flips": True}, {}, strong=False),
    "flips, weighted by uncertainty": Term({"flips": True, "uncertainty_scale": 0.02}, {}),
    "weights by block": Term({"block_weights": True}, {}),
    "worst 10 % left out": Term({}, {"trim": 0.1}),
    "worst 30 % left out": Term({}, {"trim": 0.3}),
    "detail alone": Term({}, {"light": False}),
    "flips, same view, detail alone": Term({"flips": True}, {"light": False}, strong=False),
    "permuted targets (control)": Term({"permuted": True}, {}),
}
"""By label; beside them stands the directional term. A bank needs a history and has no start."""


def gradient(loss: Tensor, network: MAGENet) -> Tensor:
    """Return the gradient of a loss with respect to all parameters, flattened."""
    gradients = torch.autograd.grad(
        loss,
        list(network.parameters()),
        retain_graph=True,  # several losses share a graph
        materialize_grads=True,
    )
    return torch.cat([part.flatten() for part in gradients])


def cosine(one: Tensor, other: Tensor) -> float:
    """Return the cosine of two gradients; 0 if one has no length."""
    return float(torch.cosine_similarity(one, other, dim=0))


class Screen:
    """The measurement of every term on one batch after another.

    Args:
        network: Student and teacher alike.
        measure: Frozen measure of severity.
        view: Makes the student's strong view.
    """

    def __init__(
        self,
        network: MAGENet,
        measure: SeverityMeasure,
        view: Callable[[Tensor, Tensor, CounterRNG], Tensor],
    ) -> None:
        self.network = network
        self.view = view
        self.direction = DirectionLoss(measure)
        self.targets = {
            label: TeacherTarget(severity=measure, **term.target) for label, term in TERMS.items()
        }
        self.losses = {label: ConsistencyLoss(**term.loss) for label, term in TERMS.items()}
        self.found: dict[str, list[float]] = {}
        self.before: Tensor | None = None

    def add(self, batch: Batch, rng: CounterRNG) -> None:
        """Measure one batch of pairs."""
        weak, clean, mask = batch["image_degraded"], batch["image_clean"], batch["mask_fov"]
        real = cast(Batch, {"image": weak, "mask_fov": mask, "name": batch["name"]})
        views = {True: self.view(weak, mask, rng), False: weak}
        outputs = {strong: self.network(image) for strong, image in views.items()}
        weak_error = masked_mean((outputs[False].image - clean).abs(), mask)
        strong_error = masked_mean((outputs[True].image - clean).abs(), mask)
        target = outputs[False].image.detach().clamp(0.0, 1.0)
        self._note("target", 255 * float(weak_error.detach()))
        self._note("student", 255 * float(strong_error.detach()))
        difference = masked_mean((outputs[True].image.detach() - target).abs(), mask)
        self._note("difference", 255 * float(difference))
        # The reference: a step along this gradient lowers the error on the weak view.
        reference = gradient(weak_error, self.network)
        self._note("supervised", cosine(gradient(strong_error, self.network), reference))
        if self.before is not None:
            self._note(OTHER, cosine(self.before, reference))
        self.before = reference
        for label, term in TERMS.items():
            wanted = self.targets[label](self.network, real)
            parts = self.losses[label](outputs[term.strong], wanted.output, mask, wanted.weight)
            loss = parts[term.part] if term.part else torch.stack(list(parts.values())).sum()
            self._note(label, cosine(gradient(loss, self.network), reference))
        lowered = self.direction(outputs[False].image, weak, mask)
        self._note("direction", cosine(gradient(lowered, self.network), reference))

    def _note(self, label: str, value: float) -> None:
        """Append a value of one batch."""
        self.found.setdefault(label, []).append(value)

    def report(self, size: int, draws: int) -> str:
        """Return the report as Markdown.

        Args:
            size: Photographs of a batch, each of another patient.
            draws: Degradations of each photograph.
        """
        cosines = {"supervised": "same strong views, against the clean photographs"}
        cosines |= {label: label for label in (*TERMS, "direction", OTHER)}
        count = len(self.found["target"]) // draws
        return "\n".join(
            [
                "# Screen of the adaptation study", "",
                "Made by `make adaptation-screen` by the study's "
                "[protocol](../studies/adaptation/protocol.md) with the source network on good val "
                f"photographs of HYGD under the calibrated mixture: {count} batches of "
                f"{size} patients, means over batches, each drawn {draws} times with other "
                "photographs and other degradations, with 95 % intervals over batches.",
                "",
                "| mean absolute difference, grey levels of 255 | |", "|---|---|",
                *(_row(text, self.found[name], 1, draws) for name, text in ERRORS.items()), "",
                "Direction of a training step: cosine of its gradient with that of the mean "
                "absolute error, against the clean photograph, on the photograph itself.", "",
                "| gradient of | cosine |", "|---|---|",
                *(_row(text, self.found[name], 2, draws) for name, text in cosines.items()), "",
            ]
        )  # fmt: skip


def _row(text: str, values: list[float], digits: int, draws: int) -> str:
    """Return a row of the report: mean and 95 % interval over the photographs of a batch.

    Args:
        text: Its label.
        values: One a batch; the same patients come again in each draw.
        digits: Decimal places.
        draws: How often they come.
    """
    batches = -(-len(values) // draws)
    mean, low, high = bootstrap_interval(values, [index % batches for index in range(len(values))])
    return f"| {text} | {mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] |"


def main(arguments: list[str] | None = None) -> None:
    """Measure errors and gradients and write the report."""
    parser = argparse.ArgumentParser(description="Screen the terms of the adaptation study.")
    parser.add_argument("--size", type=int, default=256, help="side of the photographs, in pixels")
    parser.add_argument("--batch", type=int, default=2, help="patients a batch")
    parser.add_argument("--draws", type=int, default=12, help="degradations of each patient")
    parser.add_argument("--source", type=Path, default=Runs(RUNS).checkpoint("source"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    hint = "train it first ('make adaptation-study')"
    network, regressor = MAGENet.from_name("compact"), SeverityRegressor()
    read_network(network, options.source, hint)
    read_network(regressor, Runs(RUNS).checkpoint("severity"), hint)
    photographs = ManifestPhotographs(
        str(photographs_folder() / "index.csv"), ["hygd"], ["good"], cache="runs/cache"
    )
    module = PairedDataModule(
        photographs, comparison_recipe(), options.size, options.batch, workers=0
    )
    screen = Screen(network.eval(), SeverityMeasure(regressor), StrongView(CofeDegradation()))
    dataset = photographs.dataset("val", options.size)
    patients = patients_of(photographs_folder())
    own = defaultdict(list)
    for index in range(len(dataset)):
        own[patients[dataset.name(index)]].append(index)
    batches = [
        (draw, batch)
        for draw in range(options.draws)
        for batch in DataLoader(
            Subset(dataset, [indices[draw % len(indices)] for indices in own.values()]),
            options.batch,
            drop_last=True,
        )
    ]
    for draw, batch in tqdm(batches, "batches"):
        keyed = cast(Batch, batch | {"key": batch["key"] + draw})
        rng = CounterRNG(keyed["key"], module.seed + 1)
        screen.add(module.prepare(keyed, training=False), rng)
    with atomic_write(options.results / "adaptation_screen.md") as path:
        path.write_text(screen.report(options.batch, options.draws))


if __name__ == "__main__":
    main()
