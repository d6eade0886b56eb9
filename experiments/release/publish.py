"""Put a trained network into the package: `python experiments/release/publish.py`.

Measures on the validation photographs what its settings need (how fundus photographs look, how
much the network changes good ones, what error a doubt leads to), writes `magenet/weights`, and
says in `experiments/results/uncertainty.md` how much the doubt knows of the true error.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from scipy.stats import spearmanr
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule
from magenet.checkpoints import read_network
from magenet.degradation import CofeDegradation, EitherDegradation, FundusDegradation
from magenet.inference.photograph import LOOKS_SIZE, PhotographEnhancer, Settings
from magenet.inference.recognition import Looks, described
from magenet.inference.uncertainty import Calibration, smoothed
from magenet.models import MAGENet, VesselSegmenter
from magenet.models.pretrained import WEIGHTS

RESULTS = Path(__file__).parents[1] / "results"

PLACES = 400
"""Places of each photograph whose doubt and error are compared."""

DRAWS = 2
"""Degradations of each photograph."""

MEMORY = 8 << 30
RESTRAINED = 0.5
"""Share of the good photographs whose change counts as noise altogether (our choice)."""


class Measured(NamedTuple):
    """Hold what was measured on pairs, place by place.

    Attributes:
        doubt: `(n,)`.
        error: Mean absolute error around the place, `(n,)`.
    """

    doubt: Tensor
    error: Tensor


def network_of(checkpoint: Path, subject: str) -> MAGENet:
    """Return the network of a checkpoint: its `teacher` or its `student`."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network = MAGENet(**content["hyper_parameters"]["network"]["init_args"])
    prefix = "teacher.network." if subject == "teacher" else "network."
    read_network(network, checkpoint, "train it first ('make train-release')", prefix)
    return network.eval()


def photographs(**chosen: object) -> ManifestPhotographs:
    """Return photographs of the shared manifest."""
    path = Path(os.environ["MAGENET_DATA"]) / "index.csv"
    return ManifestPhotographs(path=str(path), cache="runs/cache", **chosen)  # type: ignore[arg-type]


def looks() -> Looks:
    """Return how the train photographs look, with room for the worst of the val photographs."""
    rows = {}
    for stage in ("train", "test"):
        dataset = photographs().dataset(stage, LOOKS_SIZE)  # type: ignore[arg-type]
        samples = [dataset.load(index) for index in tqdm(range(len(dataset)), f"{stage} looks")]
        image = torch.stack([sample["image"] for sample in samples]).float() / 255
        mask = torch.stack([sample["mask_fov"] for sample in samples]).float()
        rows[stage] = (image * mask, mask)
    fitted = Looks.fitted(described(*rows["train"]), 0.0)
    farthest = float(fitted.distance(*rows["test"]).max())
    return Looks(fitted.mean, fitted.precision, round(1.25 * farthest, 1))


def pairs(size: int) -> PairedDataModule:
    """Return the good val photographs, to be degraded as in the training."""
    recipe = EitherDegradation(FundusDegradation(gentle=0.3), CofeDegradation(), 0.33)
    return PairedDataModule(photographs(qualities=["good"]), recipe, size, batch_size=1, workers=0)


def changes_of_good(enhancer: PhotographEnhancer) -> Tensor:
    """Return the root mean square change of each good val photograph, `(n,)`."""
    changes = []
    for batch in tqdm(pairs(enhancer.settings.size).val_dataloader(), "good"):
        mask = batch["mask_fov"][0].float()
        change = enhancer.estimate(batch["image"][0].float() / 255 * mask, mask).change
        changes.append((change.square() * mask).sum() / (3 * mask.sum()))
    return torch.stack(changes).sqrt()


def measure(enhancer: PhotographEnhancer) -> Measured:
    """Return doubt and true error of the good val photographs, degraded."""
    module = pairs(enhancer.settings.size)
    doubts, errors = [], []
    generator = torch.Generator().manual_seed(0)
    for batch in tqdm(module.val_dataloader(), "pairs"):
        for draw in range(DRAWS):
            pair = module.prepare({**batch, "key": batch["key"] + draw}, training=False)
            seen, clean, mask = (
                pair[name][0] for name in ("image_degraded", "image_clean", "mask_fov")
            )
            estimate = enhancer.estimate(seen, mask)
            wrong = (seen + estimate.change - clean).abs().mean(dim=0)[None, None]
            error = smoothed(wrong, mask[None])
            inside = mask.flatten().nonzero()[:, 0]
            some = inside[torch.randint(len(inside), (PLACES,), generator=generator)]
            doubts.append(estimate.doubt.flatten()[some])
            errors.append(error.flatten()[some])
    return Measured(torch.cat(doubts), torch.cat(errors))


def described_in_words(measured: Measured, settings: Settings, changes: Tensor) -> str:
    """Return what was measured, as `uncertainty.md`."""
    correlation = spearmanr(measured.doubt, measured.error).statistic
    cases = len(measured.error) // PLACES
    lines = [
        "# How much the doubt knows of the error", "",
        f"Made by `python experiments/release/publish.py`: {cases // DRAWS} good val photographs, "
        f"{DRAWS} degradations each, as in training; {PLACES} places in each. Spearman's "
        f"correlation of the doubt with the mean absolute error around the place: "
        f"**{correlation:.3f}**.", "",
        "What is expected of it (grey levels of 255, twelve groups of equal size):", "",
        "| doubt | error |", "|---|---|",
    ]  # fmt: skip
    points = zip(settings.calibration.doubt, settings.calibration.error, strict=True)
    lines += [f"| {255 * x:.2f} | {255 * y:.1f} |" for x, y in points]
    quantiles = changes.quantile(torch.tensor([0.1, 0.5, 0.9]))
    lines += [
        "",
        "Root mean square change that the network alone would make to the good photographs, in "
        f"grey levels: 10 % below {255 * quantiles[0]:.1f}, half below {255 * quantiles[1]:.1f}, "
        f"90 % below {255 * quantiles[2]:.1f}. Changes up to {255 * settings.noise:.1f} are held "
        "back altogether, larger ones in part.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Measure, write the weights, and write what was measured."""
    parser = argparse.ArgumentParser(description="Put a trained network into the package.")
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("runs/release/checkpoints/best.ckpt")
    )
    parser.add_argument("--subject", choices=("teacher", "student"), default="teacher")
    parser.add_argument("--size", type=int, default=512, help="side at which the network works")
    parser.add_argument("--vessels", type=Path, default=Path("experiments/weights/vessels.ckpt"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    segmenter = VesselSegmenter(24, 12, 1)
    read_network(segmenter, options.vessels, "train it first ('make judges')")
    segmenter.save_pretrained(options.out / "vessels")
    network = network_of(options.checkpoint, options.subject)
    unknown = Settings(options.size, 0.0, Calibration((0.0, 1.0), (0.0, 1.0)), looks())
    network.use.update(unknown.as_use())
    enhancer = PhotographEnhancer(network, segmenter, torch.device("cpu"), MEMORY)
    changes = changes_of_good(enhancer)
    noise = round(float(changes.quantile(RESTRAINED)), 4)
    enhancer.settings = replace(unknown, noise=noise)
    measured = measure(enhancer)
    settings = replace(
        enhancer.settings, calibration=Calibration.fitted(measured.doubt, measured.error)
    )
    network.use.update(settings.as_use())
    network.save_pretrained(options.out / "mage_net")
    text = described_in_words(measured, settings, changes)
    (options.results / "uncertainty.md").write_text(text)


if __name__ == "__main__":
    main()
