"""Ask what a consistency step is worth where the truth is known: `teacher_errors.md`.

`python -m experiments.studies.teacher_errors`: good val photographs, degraded as in training,
take the place of the real ones. The teacher is the student itself, as when an adaptation
begins. Its target and the gradient that it gives are held against those of the clean photograph.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule, StrongView
from experiments.configurations import RESULTS
from magenet.checkpoints import read_network
from magenet.degradation import CofeDegradation, CounterRNG, DegradationMixture, FundusDegradation
from magenet.evaluation.statistics import bootstrap_interval
from magenet.losses import masked_mean
from magenet.models import MAGENet

CHECKPOINT = Path("runs/comparison_mage_net/seed1/checkpoints/best.ckpt")

ERRORS = {
    "target": "the teacher's target from the clean photograph",
    "student": "the student's estimate from its strong view, from the clean photograph",
    "difference": "the two from each other: what the consistency can mend",
}
COSINES = {
    "consistency": "the consistency",
    "supervised": "the same views, against the clean photographs",
    "other": "pairs of other photographs, against their clean ones",
}
"""What each line of the report is of."""


def gradient(loss: Tensor, network: MAGENet) -> Tensor:
    """Return the gradient of a loss, in one line."""
    gradients = torch.autograd.grad(
        loss,
        list(network.parameters()),
        retain_graph=True,  # two losses share a graph
        materialize_grads=True,
    )
    return torch.cat([part.flatten() for part in gradients])


def cosine(one: Tensor, other: Tensor) -> float:
    """Return the cosine of two gradients."""
    return float(torch.cosine_similarity(one, other, dim=0))


def measure(network: MAGENet, module: PairedDataModule) -> dict[str, list[float]]:
    """Return, by name, one value a batch.

    Args:
        network: Student and teacher.
        module: Gives pairs.
    """
    found: dict[str, list[float]] = {name: [] for name in (*ERRORS, *COSINES)}
    view = StrongView()
    directions: list[Tensor] = []
    for batch in tqdm(module.val_dataloader(), "batches"):
        pair = module.prepare(batch, training=False)
        weak, clean, mask = pair["image_degraded"], pair["image_clean"], pair["mask_fov"]
        strong = view(weak, mask, CounterRNG(batch["key"], module.seed + 1))
        on_weak, on_strong = network(weak).image, network(strong).image
        target = on_weak.detach().clamp(0.0, 1.0)
        consistency = masked_mean((on_strong - target).abs(), mask)
        strong_error = masked_mean((on_strong - clean).abs(), mask)
        weak_error = masked_mean((on_weak - clean).abs(), mask)
        found["target"].append(255 * float(weak_error.detach()))
        found["student"].append(255 * float(strong_error.detach()))
        found["difference"].append(255 * float(consistency.detach()))
        # The wanted gradient lowers the true error of the photograph as it was taken.
        direction = gradient(weak_error, network)
        for name, loss in (("consistency", consistency), ("supervised", strong_error)):
            found[name].append(cosine(gradient(loss, network), direction))
        directions.append(direction)
    found["other"] = [
        cosine(directions[i - 1], direction) for i, direction in enumerate(directions)
    ]
    return found


def table_row(name: str, text: str, values: list[float]) -> str:
    """Return a line of the report."""
    mean, low, high = bootstrap_interval(values, range(len(values)))
    digits = 1 if name in ERRORS else 2
    return f"| {text} | {mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] |"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description="Ask what a consistency step is worth.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--size", type=int, default=256, help="side of the photographs, px")
    parser.add_argument("--batch", type=int, default=4, help="photographs a batch")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    network = MAGENet(
        [32, 64, 64, 96], [1, 2, 1, 1], original_width=32, original_groups=2, original_blocks=2,
        guide_width=16,
    )  # fmt: skip
    read_network(network, options.checkpoint, "train it first ('make comparison')")
    photographs = ManifestPhotographs(
        path=os.environ["MAGENET_DATA"] + "/index.csv", cache="runs/cache", qualities=["good"]
    )
    recipe = DegradationMixture(FundusDegradation(gentle=0.3), CofeDegradation(), 0.33)
    module = PairedDataModule(photographs, recipe, options.size, options.batch, workers=0)
    found = measure(network.eval(), module)
    lines = [
        "# What a consistency step is worth", "",
        "Made by `python -m experiments.studies.teacher_errors` with the supervised MAGE-Net of "
        "the tables, on the good val photographs, degraded as in training, in place of real ones: "
        f"{len(found['target'])} batches of {options.batch}, means over batches with 95 % "
        "intervals.", "",
        "| mean absolute distance, grey levels | |", "|---|---|",
        *(table_row(name, text, found[name]) for name, text in ERRORS.items()), "",
        "How far a training step goes the right way: cosine of its gradient with the one that "
        "lowers the true error of the photographs as taken.", "",
        "| gradient of | cosine |", "|---|---|",
        *(table_row(name, text, found[name]) for name, text in COSINES.items()),
    ]  # fmt: skip
    (options.results / "teacher_errors.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
