"""Agreement of the graders with their labels, and dependence of the grade on the file's size.

Command:  python -m experiments.studies.graders --photographs <folder> --out runs/grading
          (or: make grading-results), with the weights in experiments/weights.
Hardware: 2 CPU cores. Time: about 4 minutes.
Writes:   grading.json and grading.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from data_modules import GradingDataModule, ManifestPhotographs
from data_modules.batch import Batch
from data_modules.datasets.photographs import cut_to_field, find_field
from data_modules.files.reading import read_photograph
from data_modules.grading import DECODED, Grade
from experiments.configurations import BASE, CONFIGS, WEIGHTS, build, read_config
from experiments.studies.patients import CHILDREN
from magenet.callbacks.provenance import commit
from magenet.checkpoints import read_network
from magenet.hashing import file_sha256
from magenet.imaging.field_of_view import FieldOfView, estimate_field, field_from_mask
from magenet.metrics import balanced_accuracy
from magenet.models import Grader
from magenet.tasks import GradingTask, QualityTask, RetinopathyTask

SIDES = (512, 1024)
"""Long sides, in pixels, of the two files of each photograph whose grades are compared."""

RESAMPLES = 1000
"""Number of bootstrap samples of the patients."""

PARTS: dict[Grade, list[str]] = {"quality": ["val", "pair"], "dr_grade": ["val"]}
"""Graded parts of the photographs: the one that selected the checkpoint and, where there is one, a
part that was not used before."""

Graded = tuple[Tensor, Tensor, list[str], list[str]]


def read_grader(name: str, path: Path, kind: type[QualityTask | RetinopathyTask]) -> GradingTask:
    """Return a trained task in evaluation mode.

    Args:
        name: Name of the experiment in `configs/runs/judges`.
        path: Its checkpoint.
        kind: Class of the task.
    """
    experiment = read_config(CONFIGS / f"runs/judges/{name}.yaml")
    task = kind(build(Grader, experiment["model"]["init_args"]["network"]))
    read_network(task.network, path, "train it first ('make judges')")
    return task.eval()


def seed(name: str) -> int:
    """Return the seed that an experiment in `configs/runs/judges` is trained with."""
    settings = read_config(BASE) | read_config(CONFIGS / f"runs/judges/{name}.yaml")
    return int(settings["seed_everything"])


def data(folder: Path, label: Grade, part: str, size: int) -> GradingDataModule:
    """Return the data module of one part of the photographs, set up as in the training."""
    labels = {"quality": ("hygd", None), "dr_grade": ("idrid", ["idrid"])}[label]
    photographs = ManifestPhotographs(
        str(folder / "index.csv"), test_split=part, only_with=label, sets=labels[1],
        labels=[str(folder / labels[0] / "labels.csv"), str(CHILDREN)],
    )  # fmt: skip
    return GradingDataModule(photographs, label, image_size=size, workers=0)


@torch.no_grad()
def grade(task: GradingTask, source: GradingDataModule) -> Graded:
    """Return logits, labels, patients and data sets of the test part."""
    logits, labels = [], []
    patients: list[str] = []
    sets: list[str] = []
    for loaded in source.test_dataloader():
        batch = source.prepare(loaded, training=False)
        logits.append(task.grader(task.in_memory_format(batch["image"])))
        labels.append(batch["label"])
        patients.extend(batch["patient"])
        sets.extend(name.split("/")[0] for name in batch["name"])
    return torch.cat(logits), torch.cat(labels), patients, sets


def interval(task: GradingTask, grades: Tensor, labels: Tensor, patients: Sequence[str]) -> Any:
    """Return the 95 % cluster bootstrap interval over patients of each score."""
    of_patient: dict[str, list[int]] = {}
    for index, patient in enumerate(patients):
        of_patient.setdefault(patient, []).append(index)
    groups = list(of_patient.values())
    generator = np.random.default_rng(0)
    samples: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        chosen = generator.integers(len(groups), size=len(groups))
        indices = torch.tensor([index for group in chosen for index in groups[group]])
        for name, score in task.scores(grades[indices], labels[indices]).items():
            samples.setdefault(name, []).append(float(score))
    limits = {name: np.nanquantile(values, (0.025, 0.975)) for name, values in samples.items()}
    return {name: [round(float(limit), 3) for limit in pair] for name, pair in limits.items()}


def describe(task: GradingTask, source: GradingDataModule) -> dict[str, Any]:
    """Return the task's report of a part, with intervals, and the agreement for each data set."""
    logits, labels, patients, sets = grade(task, source)
    grades = logits.argmax(dim=1)
    report = task.report(logits, labels, patients)
    report["interval_95"] = interval(task, grades, labels, patients)
    report["sets"] = {}
    for name in sorted(set(sets)):
        member = torch.tensor([name == other for other in sets])
        confusion = multiclass_confusion_matrix(grades[member], labels[member], len(task.classes))
        accuracy = float(balanced_accuracy(confusion))
        report["sets"][name] = {"balanced_accuracy": accuracy, "confusion": confusion.tolist()}
    return report


def resized(image: Tensor, side: int, mode: Image.Resampling) -> Tensor:
    """Resize a picture, uint8 `(C, H, W)`, to a long side in pixels, by Pillow and not our code."""
    picture = Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy())
    scale = side / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    array = np.array(picture.resize(size, mode))
    return torch.from_numpy(array.reshape(*array.shape[:2], -1)).permute(2, 0, 1)


@torch.no_grad()
def changed_grades(task: GradingTask, source: GradingDataModule) -> dict[str, Any]:
    """Count the photographs whose grade differs between files of the two sizes.

    Counted twice: with the field's mask resized like the photograph, and with the field estimated
    in each file, as for a photograph without a mask.
    """
    photographs = source.photographs.dataset("test", source.image_size).photographs
    grades: dict[str, list[list[int]]] = {"given": [], "estimated": []}
    for photograph in photographs:
        image = read_photograph(photograph.image)
        mask = find_field(photograph, image).mask
        fields: dict[str, list[int]] = {"given": [], "estimated": []}
        for side in SIDES:
            file = resized(image, side, Image.Resampling.LANCZOS)
            small = resized(mask.to(torch.uint8), side, Image.Resampling.NEAREST).bool()
            fields["given"].append(predicted_grade(task, source, file, field_from_mask(small)))
            fields["estimated"].append(predicted_grade(task, source, file, estimate_field(file)))
        for name, pair in fields.items():
            grades[name].append(pair)
    return {
        "photographs": len(photographs),
        "sides": list(SIDES),
        **{f"changed_{k}_field": sum(a != b for a, b in pairs) for k, pairs in grades.items()},
    }


def predicted_grade(
    task: GradingTask, source: GradingDataModule, file: Tensor, field: FieldOfView
) -> int:
    """Return the predicted class of a photograph prepared by the data module."""
    sample = cut_to_field(file, field, DECODED * source.image_size)
    batch: Batch = {
        "image": sample["image"][None], "mask_fov": sample["mask_fov"][None],
        "label": torch.zeros(1, dtype=torch.long), "name": [""], "patient": [""],
    }  # fmt: skip
    return int(task(source.prepare(batch, training=False)["image"]).argmax())


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = [
        "# Graders",
        "",
        f"Made by `make grading-results` at commit {report['commit']}; do not edit.",
        "",
        "Quality: HYGD, IDRiD, HRF and CHASE_DB1. **No quality label was given by an expert**: "
        "HYGD's are the score of a published network (FundusQ-Net) with thresholds 4.5 and 6.5, "
        "IDRiD's a heuristic of sharpness, HRF and CHASE_DB1 are assumed good. Only HYGD has "
        "rejects, so the agreement over all sets is partly recognition of the camera: read the "
        "value of HYGD alone. Retinopathy: IDRiD's grades, by experts. The checkpoint and its "
        "temperature were selected on `val`, which is therefore optimistic; `pair` (HYGD, other "
        "patients) was not used.",
    ]  # fmt: skip
    for name, part in report["graders"].items():
        lines += [
            "",
            f"## {name}",
            "",
            f"{part['parameters']} parameters, {part['size']} px, checkpoint at step "
            f"{part['step']}, seed {part['seed']}, trained on {part['trained_on']} photographs; "
            f"sha256 {part['checkpoint_sha256'][:12]}.",
        ]
        for split, result in part["parts"].items():
            scores = ", ".join(
                f"{score.replace('_', ' ')} {result[score]:.3f} ({low:.3f} to {high:.3f})"
                for score, (low, high) in result["interval_95"].items()
            )
            errors = [result["calibration"][when]["error"] for when in ("before", "after")]
            lines += [
                "",
                f"### {split}: {result['photographs']} photographs, {result['patients']} patients",
                "",
                f"{scores} (95 % bootstrap intervals over patients). Expected calibration error "
                f"{errors[0]:.3f} before, {errors[1]:.3f} after temperature "
                f"{result['temperature']:.2f}.",
                "",
                "Photographs (different patients), a row for each label, a column for each grade:",
                "",
                f"| | {' | '.join(result['classes'])} |",
                f"|---{'|---' * len(result['classes'])}|",
            ]
            for grade_name, counts, people in zip(
                result["classes"], result["confusion"], result["confusion_patients"], strict=True
            ):
                cells = [f"{n} ({p})" for n, p in zip(counts, people, strict=True)]
                lines.append(f"| {grade_name} | {' | '.join(cells)} |")
            if len(result["sets"]) > 1:
                of_sets = [f"{k} {v['balanced_accuracy']:.3f}" for k, v in result["sets"].items()]
                lines += ["", f"Balanced accuracy of each set: {', '.join(of_sets)}."]
            lines += [
                "",
                "| confidence, after | photographs | mean | correct |",
                "|---|---|---|---|",
            ]
            for bin_ in result["calibration"]["after"]["bins"]:
                lines.append(
                    f"| {bin_['low']:.1f} to {bin_['high']:.1f} | {bin_['count']} "
                    f"| {bin_['confidence']:.2f} | {bin_['accuracy']:.2f} |"
                )
        for split, result in part["invariance"].items():
            given, estimated = result["changed_given_field"], result["changed_estimated_field"]
            count = result["photographs"]
            lines += [
                "",
                f"Files resized to {SIDES[0]} and {SIDES[1]} px (long side), {split}: the grade "
                f"changes for {given} of {count} photographs ({100 * given / count:.1f} %); with "
                f"the field estimated in each file, for {estimated} "
                f"({100 * estimated / count:.1f} %).",
            ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Score both graders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True, help="the folder of index.csv")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {"commit": commit(), "graders": {}}
    graders: list[tuple[str, Grade, type[QualityTask | RetinopathyTask]]] = [
        ("quality", "quality", QualityTask),
        ("retinopathy", "dr_grade", RetinopathyTask),
    ]
    for name, label, kind in graders:
        path = options.weights / f"{name}.ckpt"
        task = read_grader(name, path, kind)
        content = torch.load(path, map_location="cpu", weights_only=True)
        sources = {
            part: data(options.photographs, label, part, task.grader.size) for part in PARTS[label]
        }
        report["graders"][name] = {
            "parameters": sum(p.numel() for p in task.network.parameters()),
            "size": task.grader.size,
            "step": content["global_step"],
            "seed": seed(name),
            "trained_on": len(sources["val"].graded("train")),
            "checkpoint_sha256": file_sha256(path),
            "parts": {part: describe(task, source) for part, source in sources.items()},
            "invariance": {k: changed_grades(task, source) for k, source in sources.items()},
        }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "grading.json").write_text(json.dumps(report, indent=1) + "\n")
    markdown = as_markdown(report)
    (options.out / "grading.md").write_text(markdown)
    print(markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
