"""Scores of the segmenters used as judges on the val photographs.

Command:  make judge-scores
Needs:    MAGENET_DATA=<folder of the photographs>; experiments/weights.
Hardware: CPU with bf16.
Writes:   experiments/results/judges.md and judges.json.

The second observer of CHASE_DB1 is scored, too: the agreement of two experts, of whom the first
drew the reference masks.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from data_modules import SegmentationDataModule
from data_modules.datasets.manifest import Manifest
from data_modules.files.reading import read_mask
from experiments.configurations import (
    CONFIGS,
    RESULTS,
    WEIGHTS,
    build,
    photographs_folder,
    read_config,
)
from experiments.studies.patients import patients_of
from magenet.callbacks.provenance import commit
from magenet.checkpoints import read_network
from magenet.evaluation.statistics import LEAST_PATIENTS, bootstrap_interval
from magenet.imaging.crop import crop, resize
from magenet.imaging.field_of_view import field_from_mask
from magenet.metrics import vessel_scores

SCORES = ("dice", "iou", "balanced_accuracy", "roc_auc", "cldice")


def build_experiment(path: Path) -> tuple[nn.Module, SegmentationDataModule]:
    """Return the network and the data module of a segmentation experiment."""
    experiment = read_config(path)
    network: nn.Module = build(nn.Module, experiment["model"]["init_args"]["network"])
    return network, build(SegmentationDataModule, experiment["data"])


def score_photographs(
    network: nn.Module, data: SegmentationDataModule, patients: dict[str, str]
) -> list[dict[str, Any]]:
    """Return the scores of each val photograph, with its patient."""
    rows: list[dict[str, Any]] = []
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    for batch in tqdm(data.val_dataloader(), desc="photographs", unit="batch"):
        prepared = data.prepare(batch, training=False)
        image = prepared["image"].contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            probability = network(image).float().sigmoid()
        scores = vessel_scores(probability, prepared["mask_structure"], prepared["mask_fov"])
        for index, name in enumerate(batch["name"]):
            values = {score: float(scores[score][index]) for score in SCORES}
            rows.append({"name": name, "patient": patients[name], **values})
    return rows


def score_second_observer(
    folder: Path, size: int, patients: dict[str, str]
) -> list[dict[str, Any]]:
    """Return the scores of the second observer on CHASE_DB1's val photographs.

    Args:
        folder: Folder of the photographs.
        size: Side at which masks are compared, in pixels.
        patients: Patients by name of the photograph.
    """
    rows = []
    for photograph in Manifest.from_csv(folder / "index.csv").select(splits=["val"]):
        second = folder / "chase_db1/vessels_observer2" / f"{photograph.image.stem}.png"
        if photograph.vessel_mask is None or photograph.fov_mask is None or not second.is_file():
            continue
        field = field_from_mask(read_mask(photograph.fov_mask))

        def cut(mask: Tensor, field: Any = field) -> Tensor:
            return resize(crop(mask, field.square).to(torch.uint8) * 255, size)[None] / 255

        reference, observed = (cut(read_mask(path)) for path in (photograph.vessel_mask, second))
        inside = resize(crop(field.mask, field.square), size)[None].float()
        scores = vessel_scores(observed, reference, inside)
        values = {score: float(scores[score]) for score in SCORES if score != "roc_auc"}
        patient = patients[photograph.name]
        rows.append({"name": photograph.name, "patient": patient, **values})
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Score both segmenters and the second observer; write Markdown and JSON."""
    parser = argparse.ArgumentParser(description="Score the segmenters used as judges.")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the weights")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    folder = photographs_folder()
    patients = patients_of(folder)
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in ("vessels", "disc"):
        network, data = build_experiment(CONFIGS / f"runs/judges/{name}.yaml")
        checkpoint = options.weights / f"{name}.ckpt"
        read_network(network, checkpoint, "train it first ('make judges')")
        rows = score_photographs(network, data, patients)
        for data_set in dict.fromkeys(row["name"].split("/")[0] for row in rows):
            subset = [row for row in rows if row["name"].startswith(f"{data_set}/")]
            tables[f"{name}, {data_set}, {data.image_size} px"] = subset
        if name == "vessels":
            tables[f"{name}, both sets, {data.image_size} px"] = rows
            human = score_second_observer(folder, data.image_size, patients)
            if human:
                tables[f"second observer, chase_db1, {data.image_size} px"] = human
    lines = [
        "# Scores of the segmenters used as judges", "",
        "Made by `python -m experiments.studies.segmenters`: val photographs, inside the field,",
        "mean and 95 % interval by bootstrap over patients (CHASE_DB1: two children, too few for",
        "one; HRF and IDRiD name no patients: each photograph counts as one). Checkpoints were",
        "chosen on the same photographs by Dice: the numbers are slightly optimistic. "
        f"Commit {commit()}.", "",
        "| | photographs | " + " | ".join(SCORES) + " |", "|---" * (len(SCORES) + 2) + "|",
    ]  # fmt: skip
    for label, rows in tables.items():
        cells = []
        for score in SCORES:
            values = [row[score] for row in rows if score in row]
            row_patients = [row["patient"] for row in rows if score in row]
            cell = f"{fmean(values):.3f}" if values else ""
            if len(set(row_patients)) >= LEAST_PATIENTS:
                mean, low, high = bootstrap_interval(values, row_patients)
                cell = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            cells.append(cell)
        lines.append(f"| {label} | {len(rows)} | " + " | ".join(cells) + " |")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "judges.md").write_text("\n".join(lines) + "\n")
    (options.out / "judges.json").write_text(json.dumps(tables, indent=1) + "\n")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
