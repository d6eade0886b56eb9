"""Scores of the released network by the size of the photograph.

Command:  make input-sizes
Needs:    MAGENET_DATA and MAGENET_DATA_2048, the folders of the photographs and larger versions.
Hardware: CPU.
Time:     1.5 minutes of enhancing, by the seconds in the table.
Writes:   experiments/results/input_size.md.

Good val photographs of HRF are degraded at their own size, and enhanced, as by `magenet enhance`,
at that size and reduced to others; none is enlarged. The results are compared with the clean
photographs at 512 px, which is what the segmenter sees.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule
from experiments.configurations import RESULTS, photographs_folder
from magenet.callbacks.provenance import processor
from magenet.degradation import FundusDegradation
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.imaging.crop import at_side
from magenet.imaging.field_of_view import field_from_mask
from magenet.metrics import masked_psnr, masked_ssim, vessel_scores

SIZES = (256, 512, 1024, 2048)
"""Widths of the field, in pixels. The largest stands for each photograph's own, at most as wide."""

COMPARED_AT = 512
"""Side at which results are compared, in pixels."""


def main(arguments: list[str] | None = None) -> None:
    """Enhance at every size and write the table."""
    parser = argparse.ArgumentParser(description="Score the released network by input size.")
    parser.add_argument("--weights", default="mage_net")
    parser.add_argument("--count", type=int, default=9, help="photographs, with vessel masks")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    enhancer = PhotographEnhancer.from_pretrained(options.weights, torch.device("cpu"), 4 << 30)
    source = ManifestPhotographs(
        str(photographs_folder() / "index.csv"), cache="runs/cache", sets=["hrf"],
        qualities=["good"], larger=str(photographs_folder("MAGENET_DATA_2048") / "index.csv"),
        own_scale=True,
    )  # fmt: skip
    most = max(options.sizes)
    module = PairedDataModule(source, FundusDegradation(), most, batch_size=1, workers=0)
    scores: dict[str, list[list[float]]] = {}
    batches = list(module.val_dataloader())[: options.count]
    times = dict.fromkeys(options.sizes, 0.0)
    for batch in tqdm(batches, unit="photograph"):
        pair = module.prepare(batch, training=False)
        inside = (at_side(pair["mask_fov"], COMPARED_AT) >= 0.5).float()
        clean = at_side(pair["image_clean"], COMPARED_AT) * inside
        reference = (at_side(pair["mask_vessel"], COMPARED_AT) >= 0.5).float()

        def score(
            picture: Tensor,
            clean: Tensor = clean,
            inside: Tensor = inside,
            reference: Tensor = reference,
        ) -> list[float]:
            picture = at_side(picture, COMPARED_AT) * inside
            with torch.inference_mode():
                vessels = enhancer.vessels(picture).sigmoid()
            return [
                float(masked_psnr(picture, clean, inside)),
                float(masked_ssim(picture, clean, inside)),
                float(vessel_scores(vessels, reference, inside)["dice"]),
            ]

        scores.setdefault("do nothing", []).append(score(pair["image_degraded"]))
        for size in options.sizes:
            side = min(size, pair["image_degraded"].shape[-1])
            photograph = (255 * at_side(pair["image_degraded"], side)[0]).round().byte()
            field = field_from_mask(at_side(pair["mask_fov"], side)[0] >= 0.5)
            start = time.perf_counter()
            result = enhancer(photograph, field, force=True).image
            times[size] += time.perf_counter() - start
            scores.setdefault(f"{size} px", []).append(score(result[None].float() / 255))
        scores.setdefault("clean", []).append(score(pair["image_clean"]))
    lines = [
        "# Scores by the size of the photograph", "",
        f"Made by `python -m experiments.studies.input_sizes`: {len(batches)} good val photographs "
        f"of HRF under `fundus`, degraded at their own size of at most {most} px, enhanced at that "
        f"and at smaller sizes, compared at {COMPARED_AT} px. Vessels: Dice of the vessels found "
        "by the report's segmenter with the reference mask. Seconds: mean time to enhance one "
        f"photograph, with {torch.get_num_threads()} threads of {processor()}.", "",
        "| size | psnr | ssim | vessels | seconds |", "|---|---|---|---|---|",
    ]  # fmt: skip
    seconds = {f"{size} px": f"{took / len(batches):.1f}" for size, took in times.items()}
    for name, rows in scores.items():
        psnr, ssim, dice = torch.tensor(rows).mean(dim=0).tolist()
        took = seconds.get(name, "")
        lines.append(f"| {name} | {psnr:.2f} | {ssim:.3f} | {dice:.3f} | {took} |")
    (options.results / "input_size.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
