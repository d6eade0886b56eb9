"""Error and gradient direction of a consistency step where the clean photograph is known.

Command:  make teacher-errors
Needs:    MAGENET_DATA=<folder of the photographs>; runs/comparison_mage_net/seed1.
Hardware: CPU.
Writes:   experiments/results/teacher_errors.md.

Good val photographs, degraded as in training, replace the real ones. The teacher is the student
itself, as at the start of an adaptation. Its target and the gradient of the consistency loss are
compared with the clean photograph and with the gradient of the error against it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule, StrongView
from experiments.configurations import RESULTS, comparison_recipe, photographs_folder
from magenet.checkpoints import read_network
from magenet.degradation import CounterRNG
from magenet.evaluation.statistics import bootstrap_interval
from magenet.losses import masked_mean
from magenet.models import MAGENet

CHECKPOINT = Path("runs/comparison_mage_net/seed1/checkpoints/best.ckpt")

ERRORS = {
    "target": "teacher's target and clean photograph",
    "student": "student's estimate from its strong view and clean photograph",
    "difference": "target and estimate: what the consistency loss can correct",
}
COSINES = {
    "consistency": "consistency loss",
    "supervised": "same views, against the clean photographs",
    "other": "other photographs, against their clean ones",
}
"""Labels of the report's rows."""


def gradient(loss: Tensor, network: MAGENet) -> Tensor:
    """Return the gradient of a loss with respect to all parameters, flattened."""
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
    """Return the values of each row of the report, one a batch.

    Args:
        network: Student and teacher alike.
        module: Pairs of degraded and clean photographs.
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
        # The reference: a step along this gradient lowers the error on the weak view.
        direction = gradient(weak_error, network)
        for name, loss in (("consistency", consistency), ("supervised", strong_error)):
            found[name].append(cosine(gradient(loss, network), direction))
        directions.append(direction)
    found["other"] = [
        cosine(directions[i - 1], direction) for i, direction in enumerate(directions)
    ]
    return found


def table_row(name: str, text: str, values: list[float]) -> str:
    """Return a row of the report: mean and 95 % interval."""
    mean, low, high = bootstrap_interval(values, range(len(values)))
    digits = 1 if name in ERRORS else 2
    return f"| {text} | {mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] |"


def main(arguments: list[str] | None = None) -> None:
    """Measure errors and gradients and write the report."""
    parser = argparse.ArgumentParser(
        description="Measure a consistency step against clean photographs."
    )
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--size", type=int, default=256, help="side of the photographs, in pixels")
    parser.add_argument("--batch", type=int, default=4, help="photographs a batch")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    network = MAGENet.from_name("compact")
    read_network(network, options.checkpoint, "train it first ('make comparison')")
    photographs = ManifestPhotographs(
        str(photographs_folder() / "index.csv"), cache="runs/cache", qualities=["good"]
    )
    module = PairedDataModule(
        photographs, comparison_recipe(), options.size, options.batch, workers=0
    )
    found = measure(network.eval(), module)
    lines = [
        "# A consistency step against the clean photograph", "",
        "Made by `python -m experiments.studies.teacher_errors` with the supervised MAGE-Net of "
        "the tables on the good val photographs, degraded as in training, instead of real ones: "
        f"{len(found['target'])} batches of {options.batch}, means over batches with 95 % "
        "intervals.", "",
        "| mean absolute difference, grey levels of 255 | |", "|---|---|",
        *(table_row(name, text, found[name]) for name, text in ERRORS.items()), "",
        "Direction of a training step: cosine of its gradient with the gradient of the mean "
        "absolute error, against the clean photograph, on the teacher's weak view.", "",
        "| gradient of | cosine |", "|---|---|",
        *(table_row(name, text, found[name]) for name, text in COSINES.items()),
    ]  # fmt: skip
    (options.results / "teacher_errors.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
