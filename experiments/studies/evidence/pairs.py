"""Real pairs of one eye by two judges; two good photographs of one eye are the ceiling."""

from __future__ import annotations

from pathlib import Path

import torch

from data_modules.batch import Batch
from data_modules.datasets.manifest import Manifest, Photograph, read_rows
from data_modules.evaluation import Pair, PairDataset, read_pairs
from experiments.studies.evidence.methods import Method
from magenet.evaluation.judged_size import judged_batch
from magenet.evaluation.pairs import PairJudge
from magenet.imaging.crop import at_side

ENHANCED_AT = 1024
"""Side that photographs are loaded at, in pixels; methods see their own scale, which is smaller."""

JUDGED_AT = 512
"""Side at which judges see photographs, in pixels: that of their training."""


def pair_batches(folder: Path) -> list[Batch]:
    """Return the real pairs: low photograph `image`, `image_high`, `mask_fov`, `mask_valid`."""
    manifest = Manifest.from_csv(folder / "index.csv")
    pairs = read_pairs(folder / "hygd/pairs.csv", manifest)
    return _batches(pairs)


def repeat_batches(folder: Path) -> list[Batch]:
    """Return pairs of two good photographs of one eye."""
    manifest = Manifest.from_csv(folder / "index.csv")
    known: dict[str, Photograph] = {photograph.name: photograph for photograph in manifest}
    _, rows = read_rows(folder / "hygd/repeats.csv", ("pair_id", "first", "second_aligned"))
    return _batches(
        [
            Pair(
                row["pair_id"], row["patient"], known[row["first"]],
                folder / row["second_aligned"], folder / row["valid_mask"],
            )
            for row in rows.values()
        ]
    )  # fmt: skip


def _batches(pairs: list[Pair]) -> list[Batch]:
    """Return pairs at the scale of the low photograph, each a batch of one."""
    dataset = PairDataset(pairs, ENHANCED_AT)
    batches = []
    for index in range(len(dataset)):
        sample = dataset[index]
        batch = {
            name: (value.float() / (255 if value.dtype == torch.uint8 else 1))[None]
            for name, value in sample.items()
            if name in ("image", "image_high", "mask_fov", "mask_valid")
        }
        for name in ("image", "image_high"):
            batch[name] = batch[name] * batch["mask_fov"]
        batches.append(
            Batch(**batch, name=[sample["name"]], patient=[sample["patient"]])  # type: ignore[typeddict-item]
        )
    return batches


def pair_scores(judges: dict[str, PairJudge], enhance: Method, batch: Batch) -> dict[str, float]:
    """Return the scores of one pair, each judge's vessels under its name."""
    small = judged_batch(batch, JUDGED_AT)
    image = at_side(enhance(batch["image"], batch["mask_fov"]), JUDGED_AT) * small["mask_fov"]
    scores = {}
    for name, judge in judges.items():
        judge.start_batch(small)
        found = judge(image, small)
        scores[f"vessel Dice, {name}"] = float(found["pair_vessel_dice"])
        scores[f"vessel AUC, {name}"] = float(found["pair_vessel_auc"])
        if name == "network":
            scores |= {key: float(found[f"pair_{key}"]) for key in ("colour", "psnr", "ssim")}
    return scores
