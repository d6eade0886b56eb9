"""Train the release's second part with one of its choices undone, for as many steps each.

Command:  make ablation-release          (`--only <variant> ...` for some of them)
Needs:    MAGENET_DATA and MAGENET_DATA_2048; runs/release_light, the first part.
Hardware: 2 CPU cores with bf16.
Time:     13 minutes a variant and seed, and 6 to measure it.
Writes:   experiments/results/ablation_release; runs/ablation_release.

A variant is `configs/runs/release/detail.yaml`, shortened, with the options named here. What was
trained and measured before by the same recipe, seeds and count is kept, so the study can be stopped
at any time; the rows of another recipe are replaced, all parts of a variant together. Without
`recipes.json`, all are measured anew, as after a change of the measures.
"""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from experiments.checkpoints import load_network
from experiments.configurations import CONFIGS, RESULTS, WEIGHTS
from experiments.studies.evidence.__main__ import PARTS, measured
from experiments.studies.evidence.methods import Method, method
from experiments.studies.evidence.report import Row, merged, read_rows, write
from experiments.studies.runs import Runs
from magenet.atomic_write import atomic_write
from magenet.degradation import CounterRNG, FundusDegradation
from magenet.degradation.factor import Factor, Values
from magenet.degradation.frame import Frame
from magenet.imaging.transfer import enhance_at

STEPS = (
    "--trainer.max_steps", "300", "--trainer.accumulate_grad_batches", "2",
    "--trainer.val_check_interval", "590", "--trainer.limit_val_batches", "2",
    "--model.decay", "0.5",
)  # fmt: skip
"""The one validation, whose checkpoint is used, is just before the end: the last photograph of an
epoch may be a step of its own, so 300 steps are a little fewer than 600 photographs."""

COARSE_TARGET = (
    "--model.structure_target.segmenter", "magenet.models.VesselSegmenter",
    "--model.structure_target.segmenter.width", "32",
    "--model.structure_target.segmenter.growth", "16",
    "--model.structure_target.segmenter.stride", "2",
    "--model.structure_target.checkpoint", str(WEIGHTS / "structure.ckpt"),
)  # fmt: skip

VARIANTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "structure target at 256 px": COARSE_TARGET,
    "structure target at 256 px of twice the weight": (
        *COARSE_TARGET, "--model.preservation_weight", "0.6",
    ),
    "loss sees light": ("--model.band_loss.init_args.detail_weight", "0.001"),
    "detail at 512 px": (
        "--data.photographs.own_scale", "false", "--data.image_size", "512",
    ),
    "blur of encoded values": (
        "--data.degradation.first.first", "experiments.studies.release.ablation.EncodedBlur",
        "--data.degradation.first.first.gentle", "0.4",
        "--data.degradation.first.first.blurred", "0.5",
    ),
    "hygd counts as clean": ("--data.photographs.sets", "[hrf,chase_db1,idrid,hygd]"),
    "no preservation": ("--model.preservation_weight", "0.0"),
    "preservation of three times the weight": ("--model.preservation_weight", "0.9"),
    "light not held back": (),
}  # fmt: skip
"""Options of each variant. The target at 256 px does not say so, else it would be refused. The last
variant is the first, used without the weights of its light."""

PAIRS = 99
"""Most real pairs: all."""

RECIPES = "recipes.json"
"""File beside the scores: by which recipe each variant was trained."""

HEAD = """\
# Ablation of the released network

Made by `make ablation-release`: the second part of the release's training, shortened, with one \
choice undone in each run, each for 300 steps of two photographs from the same first part. Four \
photographs of each set, all real pairs. Scores of each photograph: [scores.csv](scores.csv).
"""


class EncodedBlur(FundusDegradation):
    """The fundus recipe with its blurs on gamma-encoded values, as up to release 0.1."""

    def __init__(self, gentle: float = 0.0, blurred: float = 0.0) -> None:
        super().__init__(gentle=gentle, blurred=blurred)
        self.factors |= {
            name: Encoded(self.factors[name]) for name in ("defocus", "motion", "blur")
        }


class Encoded(Factor):
    """A factor that takes encoded values for linear light.

    Args:
        factor: The factor.
    """

    def __init__(self, factor: Factor) -> None:
        self.factor = factor
        self.parameters = factor.parameters  # type: ignore[misc]  # its own, not the class's

    def draw(self, rng: CounterRNG, severity: Tensor) -> Values:
        """Draw as the factor does."""
        return self.factor.draw(rng, severity)

    def apply(self, image: Tensor, frame: Frame, values: Values) -> Tensor:
        """Return degraded photographs."""
        return self.factor.apply(image.sqrt(), frame, values).square()


def used(name: str, checkpoint: Path) -> Method:
    """Return the network of a variant as a method."""
    network = load_network(checkpoint, "student")
    enhance = method(network)
    if name == "light not held back":
        assert network.detail is not None  # by the configuration
        network.detail.train()
    if name != "detail at 512 px":
        return enhance
    return lambda image, mask: enhance_at(512, enhance, image, mask) * mask


def read_recipes(folder: Path) -> dict[str, str]:
    """Return the hash of each variant's recipe, seeds and count, by its name; none if unknown."""
    path = folder / RECIPES
    recipes: dict[str, str] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return recipes


def main(arguments: list[str] | None = None) -> int:
    """Train and measure the missing variants, then write the table."""
    parser = argparse.ArgumentParser(description="Undo one choice of the release at a time.")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["pairs", "detail", "harm"])
    parser.add_argument("--count", type=int, default=4, help="photographs of each set; all pairs")
    parser.add_argument(
        "--layer", type=Path, nargs="*", default=[], help="more layers of every run"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    folder = options.results / "ablation_release"
    rows = read_rows(folder)
    runs = Runs(options.runs / "ablation_release", options.layer)
    recipes = read_recipes(folder)
    detail = [CONFIGS / "runs/release/detail.yaml"]
    for name in options.only:
        source = "all" if name == "light not held back" else name
        trainings = {
            f"{source.replace(' ', '_')}_{seed}": (
                *STEPS, *VARIANTS[source], "--seed_everything", str(seed), "--data.seed", str(seed),
            )
            for seed in options.seeds
        }  # fmt: skip
        texts = [runs.training_recipe(run, detail, *own) for run, own in trainings.items()]
        recipe = sha256("\n".join([*texts, str(options.count)]).encode()).hexdigest()
        if recipes.get(name) != recipe:
            rows = [row for row in rows if row.method != name]
        known = {row.part.split(",")[0] for row in rows if row.method == name}
        parts = [part for part in options.parts if part not in known]
        new: list[Row] = []
        for run, own in trainings.items() if parts else ():
            checkpoint = runs.train(run, detail, *own)
            for part in parts:
                count = PAIRS if part == "pairs" else options.count
                new += measured(name, used(name, checkpoint), [part], count)
        rows, recipes = merged(rows, new), recipes | {name: recipe}
        # The last is the one that others are compared with.
        write(folder, sorted(rows, key=lambda row: row.method == "all"), HEAD)
        with atomic_write(folder / RECIPES) as path:
            path.write_text(json.dumps(recipes, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
