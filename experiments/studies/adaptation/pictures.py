"""Pictures of the study: a figure of every arm, and where one differs from the continued source.

Command:  make adaptation-pictures      (`--arm <arm>`, `--seed 0`)
Needs:    MAGENET_DATA=<folder of the photographs>; the arms and report of `make adaptation-study`.
Hardware: 2 CPU cores. Time: 1 minute.
Writes:   docs/images/adaptation.svg, from the scores alone; docs/images/adaptation.jpg.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from data_modules.batch import Batch
from experiments.configurations import EXPERIMENTS, RESULTS, photographs_folder
from experiments.studies.adaptation.arms import ARMS, CONFIRMATORY, REFERENCE, RUNS, slug
from experiments.studies.adaptation.report import PILOT, common_seeds, compared
from experiments.studies.adaptation.scores import PRIMARY, RIDGE, read_scores
from experiments.studies.evidence.pairs import pair_batches
from experiments.studies.interval_plot import OTHERS, OURS, TEXT, Panel, interval_plot
from experiments.studies.picture_grid import picture_grid, tile
from experiments.studies.runs import Runs
from magenet.atomic_write import atomic_write
from magenet.checkpoints import read_network
from magenet.errors import UserError
from magenet.evaluation.statistics import Interval
from magenet.imaging.transfer import enhance_at
from magenet.losses import masked_mean
from magenet.models import MAGENet

PANELS = (
    Panel(PRIMARY, "Vessels, Dice: right is better", "found by a network", 0.02),
    Panel(RIDGE, "Vessels, Dice: right is better", "found by a ridge filter", 0.02),
)

SHOWN = 4
"""Pairs shown: those that the arm changes most against the continued source."""

GAIN = 6.0
"""Factor of the difference, which is shown around grey."""


def arms_plot(path: Path) -> str:
    """Return the figure as SVG: each arm against the continued source, on the seeds of both.

    Arms of which there is the pilot alone are grey.

    Args:
        path: `adaptation.csv` of the study.
    """
    table = read_scores(path)
    found: dict[tuple[str, str], Interval] = {}
    colours = {REFERENCE: TEXT}
    for label in ARMS:
        if seeds := common_seeds(table, label):
            colours.setdefault(label, OTHERS if seeds == [PILOT] else OURS)
            for score in (PRIMARY, RIDGE):
                difference, low, high, *_ = compared(table, score, label, REFERENCE, seeds)
                found[label, score] = Interval(difference, low, high)
    title = f"Vessel Dice of every arm minus that of the {REFERENCE}, on real pairs, by two judges"
    return interval_plot(title, PANELS, found, REFERENCE, colours, CONFIRMATORY)


def enhanced(label: str, seed: int, size: int, pairs: Sequence[Batch]) -> list[Tensor]:
    """Return the low photographs of pairs, enhanced by the network that an arm ended with.

    Raises:
        UserError: If the arm was not trained.
    """
    network = MAGENet.from_name("compact").eval()
    hint = f"train it first ('make adaptation-study': '{label}', seed {seed})"
    read_network(network, Runs(RUNS).checkpoint(f"{slug(label)}_{seed}"), hint)
    with torch.inference_mode():
        return [
            enhance_at(size, lambda image, _: network(image).image, pair["image"], pair["mask_fov"])
            for pair in tqdm(pairs, label, unit="pair")
        ]


def sheet(
    pairs: Sequence[Batch], reference: Sequence[Tensor], arm: Sequence[Tensor], label: str
) -> Image.Image:
    """Return the pairs that an arm changes most: a row each, the largest change first."""
    changes = [
        float(masked_mean((ours - theirs).abs(), pair["mask_fov"]))
        for pair, ours, theirs in zip(pairs, arm, reference, strict=True)
    ]
    order = sorted(range(len(pairs)), key=lambda index: -changes[index])[:SHOWN]
    titles = ("photograph", REFERENCE, label, f"difference, {GAIN:g} times", "a better photograph")
    rows = []
    for index in order:
        pair = pairs[index]
        difference = (0.5 + GAIN * (arm[index] - reference[index])) * pair["mask_fov"]
        shown = (pair["image"], reference[index], arm[index], difference, pair["image_high"])
        rows.append([tile(image) for image in shown])
    return picture_grid(titles, rows)


def main(arguments: list[str] | None = None) -> None:
    """Draw both pictures.

    Raises:
        UserError: If the study was not run, or an arm was not trained.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arm", choices=ARMS, default=CONFIRMATORY)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=256, help="side that the arm was trained at")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=EXPERIMENTS.parent / "docs/images")
    options = parser.parse_args(arguments)
    table = options.results / "adaptation.csv"
    if not table.is_file():
        raise UserError(f"{table}: no such file; run 'make adaptation-study' first")
    with atomic_write(options.out / "adaptation.svg") as path:  # it needs the scores alone
        path.write_text(arms_plot(table), encoding="utf-8")
    pairs = pair_batches(photographs_folder())
    reference = enhanced(REFERENCE, options.seed, options.size, pairs)
    arm = enhanced(options.arm, options.seed, options.size, pairs)
    picture = sheet(pairs, reference, arm, options.arm)
    picture.save(options.out / "adaptation.jpg", quality=80, optimize=True)


if __name__ == "__main__":
    main()
