"""Put a trained network into the package: `python experiments/release/publish.py`.

Measures on the photographs what its settings need (how fundus photographs look; what an error of
a disagreement is to be expected), writes `magenet/weights/mage_net`, and says in
`experiments/results/uncertainty.md` which measure of doubt tells most about the true error.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule
from magenet.checkpoints import read_network
from magenet.degradation import CofeDegradation, EitherDegradation, FundusDegradation
from magenet.inference.photograph import LOOKS_SIZE, VIEWS, Settings
from magenet.inference.recognition import Looks, described
from magenet.inference.uncertainty import Calibration, disagreement, smoothed
from magenet.models import MAGENet, VesselSegmenter
from magenet.models.pretrained import WEIGHTS

RESULTS = Path(__file__).parents[1] / "results"
PLACES = 400
"""Places of each photograph whose doubt and error are compared."""


class Measured(NamedTuple):
    """Hold what was measured on pairs: measures of doubt and the true error, place by place.

    Attributes:
        doubt: By the measure's name, `(n,)`.
        error: Mean absolute error around the place, `(n,)`.
    """

    doubt: dict[str, Tensor]
    error: Tensor


def network_of(checkpoint: Path, subject: str) -> MAGENet:
    """Return the network of a checkpoint: its `teacher` or its `student`."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network = MAGENet(**content["hyper_parameters"]["network"]["init_args"])
    prefix = "teacher.network." if subject == "teacher" else "network."
    read_network(network, checkpoint, "train it first ('make train-release')", prefix)
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


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


def measure(network: MAGENet, size: int) -> Measured:
    """Return doubt and true error of the val photographs under the training's degradation."""
    recipe = EitherDegradation(FundusDegradation(gentle=0.3), CofeDegradation(), 0.33)
    module = PairedDataModule(
        photographs(qualities=["good"]), recipe, size, batch_size=1, workers=0
    )
    doubt: dict[str, list[Tensor]] = {}
    errors = []
    generator = torch.Generator().manual_seed(0)
    for batch in tqdm(module.val_dataloader(), "pairs"):
        pair = module.prepare(batch, training=False)
        degraded, clean, mask = pair["image_degraded"], pair["image_clean"], pair["mask_fov"]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            outputs = [
                network(degraded.flip(axes).contiguous(memory_format=torch.channels_last))
                for axes in VIEWS
            ]
        estimates = torch.cat(
            [o.image.float().flip(a) * mask for o, a in zip(outputs, VIEWS, strict=True)]
        )
        mean = estimates.mean(dim=0, keepdim=True)
        stage = outputs[0].stages[-2].float()
        stage = functional.interpolate(stage, (size, size), mode="bilinear") * mask
        candidates = {
            "views": disagreement(estimates, mask),
            "stages": smoothed((stage - estimates[:1]).abs().mean(1, keepdim=True), mask),
            "change": smoothed((mean - degraded).abs().mean(1, keepdim=True), mask),
        }
        candidates["views x change"] = (candidates["views"] * candidates["change"]).sqrt()
        error = smoothed((mean - clean).abs().mean(1, keepdim=True), mask)
        inside = mask.flatten().nonzero()[:, 0]
        some = inside[torch.randint(len(inside), (PLACES,), generator=generator)]
        errors.append(error.flatten()[some])
        for name, plane in candidates.items():
            doubt.setdefault(name, []).append(plane.flatten()[some])
    return Measured({k: torch.cat(v) for k, v in doubt.items()}, torch.cat(errors))


def main() -> None:
    """Measure, write the weights, and write what was measured."""
    parser = argparse.ArgumentParser(description="Put a trained network into the package.")
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("runs/release/checkpoints/best.ckpt")
    )
    parser.add_argument("--subject", choices=("teacher", "student"), default="teacher")
    parser.add_argument("--size", type=int, default=512, help="side at which the network works")
    parser.add_argument("--vessels", type=Path, default=Path("experiments/weights/vessels.ckpt"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    network = network_of(options.checkpoint, options.subject)
    measured = measure(network, options.size)
    calibration = Calibration.fitted(measured.doubt["views"], measured.error)
    network.use.update(Settings(options.size, calibration, looks()).as_use())
    network.save_pretrained(options.out / "mage_net")
    segmenter = VesselSegmenter(24, 12, 1)
    read_network(segmenter, options.vessels, "train it first ('make judges')")
    segmenter.save_pretrained(options.out / "vessels")
    lines = [
        "# Which measure of doubt knows the error", "",
        f"Made by `python experiments/release/publish.py`: {len(measured.error) // PLACES} val "
        f"photographs, degraded as in training, {PLACES} places each. Spearman's correlation of "
        "the measure with the mean absolute error around the place.", "",
        "| measure | rank correlation |", "|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {name} | {spearmanr(values, measured.error).statistic:.3f} |"
        for name, values in measured.doubt.items()
    ]
    lines += [
        "",
        "What the package expects (grey levels of 255):",
        "",
        "| views differ by | error |",
        "|---|---|",
    ]
    pairs = zip(calibration.disagreement, calibration.error, strict=True)
    lines += [f"| {255 * x:.2f} | {255 * y:.1f} |" for x, y in pairs]
    (RESULTS / "uncertainty.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
