"""Evidence on enhancers: detail that comes back, invention, harm, synthetic and real pairs.

Command:  python -m experiments.studies.evidence --checkpoint runs/<run>/checkpoints/best.ckpt
Needs:    MAGENET_DATA and MAGENET_DATA_2048, the folders of the photographs and larger versions.
Hardware: CPU. Time: about 25 minutes a network on 2 cores; `--count` limits the photographs.
Writes:   the scores of every photograph as CSV, and a page beside it, anew after each method. Rows
          of methods that were measured before, and are not measured again, stay.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from tqdm import tqdm

from data_modules import ManifestPhotographs
from data_modules.batch import Batch
from experiments.configurations import WEIGHTS, photographs_folder
from experiments.studies.evidence import (
    detail,
    dust,
    harm,
    invention,
    pairs,
    report,
    synthetic,
)
from experiments.studies.evidence.methods import Method, methods
from experiments.studies.evidence.report import Row
from experiments.studies.patients import patients_of
from magenet.checkpoints import read_network
from magenet.evaluation.pairs import PairJudge
from magenet.models import VesselSegmenter
from magenet.models.ridge import RidgeFilter

SIDE = 1024
"""Side of the photographs, in pixels: reduced from their larger versions where there are some."""

FULL_SIDE = 2048
"""Side of photographs whose finest detail is measured, in pixels."""

SYNTHETIC = 12
"""Most photographs of a set that are degraded."""

LABELLED_SIDE = 800
"""Side of photographs with labels, in pixels: about their own."""

PARTS = ("detail", "invention", "harm", "synthetic", "pairs")


def photographs(name: str, side: int = SIDE, labels: bool = False) -> Iterator[Batch]:
    """Yield the good val photographs of a set, each a batch of one, floats.

    Args:
        name: Of the set.
        side: Of the photographs, in pixels.
        labels: Whether to read labels, which IDRiD has for the smaller versions only.
    """
    folder = photographs_folder()
    larger = photographs_folder("MAGENET_DATA_2048") / "index.csv"
    own: dict[str, Any] = (
        {"labels": [str(folder / "idrid/labels.csv")]}
        if labels
        else {"larger": str(larger), "own_scale": True, "dust": name == "idrid"}
    )
    source = ManifestPhotographs(
        str(folder / "index.csv"), [name], ["good"], cache="runs/cache", **own
    )
    dataset = source.dataset("val", LABELLED_SIDE if labels else side)
    patients = patients_of(folder)
    for index in range(len(dataset)):
        sample: dict[str, Any] = dataset[index]
        batch: dict[str, Any] = {"name": [sample["name"]], "patient": [patients[sample["name"]]]}
        for name, value in sample.items():
            if isinstance(value, Tensor) and name.startswith(("image", "mask")):
                batch[name] = value.float()[None] / (255 if value.dtype == torch.uint8 else 1)
            elif isinstance(value, Tensor):
                batch[name] = value[None]
        batch["image"] = batch["image"] * batch["mask_fov"]
        yield cast(Batch, batch)


def segmenter() -> Method:
    """Return the judges' vessel segmenter, which works at 512 px, as a method."""
    network = VesselSegmenter().eval()
    read_network(network, WEIGHTS / "vessels.ckpt", "train it first ('make judges')")

    def segment(image: Tensor, mask: Tensor) -> Tensor:
        size = (512, 512)
        small = torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            logits = network(small).float()
        return torch.nn.functional.interpolate(logits, image.shape[-2:], mode="bilinear")

    return segment


def judges() -> dict[str, PairJudge]:
    """Return the judges of real pairs by name."""
    network = PairJudge(VesselSegmenter(), str(WEIGHTS / "vessels.ckpt"))
    network.load()
    return {"network": network, "ridge filter": PairJudge(RidgeFilter())}


def detail_rows(enhance: Method, count: int) -> Iterator[tuple[str, Batch, dict[str, float]]]:
    """Yield the scores of :mod:`experiments.studies.evidence.detail`."""
    segment = segmenter()
    for index, batch in zip(range(count), photographs("hrf"), strict=False):
        clean, mask, vessels = batch["image"], batch["mask_fov"], batch["mask_vessel"] >= 0.5
        scores = detail.octave_scores(enhance, clean, mask)
        for draw in range(2):
            key = 1000 * draw + index
            found = detail.thin_scores(enhance, segment, clean, mask, vessels.float(), key)
            scores |= {f"{name} [{draw}]": score for name, score in found.items()}
        yield "hrf", batch, scores
    for _, batch in zip(range(count), photographs("hrf", FULL_SIDE), strict=False):
        yield "hrf", batch, detail.fine_scores(enhance, batch["image"], batch["mask_fov"])
    for _, batch in zip(range(count), photographs("idrid"), strict=False):
        grains = batch["mask_dust"]
        yield "idrid", batch, dust.dust_scores(enhance, batch["image"], batch["mask_fov"], grains)


def invention_rows(enhance: Method, count: int) -> Iterator[tuple[str, Batch, dict[str, float]]]:
    """Yield the scores of :mod:`experiments.studies.evidence.invention`."""
    with_disc = (b for b in photographs("idrid", labels=True) if bool(b["disc_known"].all()))
    for _, batch in zip(range(count), with_disc, strict=False):
        clean, mask = batch["image"], batch["mask_fov"]
        yield "idrid", batch, invention.burnt_scores(enhance, clean, mask, batch["mask_disc"])
    for _, batch in zip(range(count), photographs("hrf"), strict=False):
        clean, mask, vessels = batch["image"], batch["mask_fov"], batch["mask_vessel"] >= 0.5
        yield "hrf", batch, invention.blank_scores(enhance, clean, mask, vessels.float())
        if batch["name"][0].endswith("04_dr.jpg"):
            yield "flat", batch, invention.noise_scores(enhance)


def harm_rows(enhance: Method, count: int) -> Iterator[tuple[str, Batch, dict[str, float]]]:
    """Yield the scores of :mod:`experiments.studies.evidence.harm`."""
    for name in ("hrf", "chase_db1", "idrid", "hygd"):
        own = photographs(name, labels=name == "idrid")
        for index, batch in zip(range(count), own, strict=False):
            clean, mask = batch["image"], batch["mask_fov"]
            scores = harm.good_scores(enhance, clean, mask)
            scores |= harm.camera_scores(enhance, clean, mask, index)
            if bool(batch.get("lesions_known", torch.zeros(1)).all()):
                scores |= harm.lesion_scores(enhance, batch)
            yield name, batch, scores


def synthetic_rows(enhance: Method, count: int) -> Iterator[tuple[str, Batch, dict[str, float]]]:
    """Yield the scores of :mod:`experiments.studies.evidence.synthetic`."""
    segment = segmenter()
    for name in ("hrf", "chase_db1", "idrid"):
        for index, batch in zip(range(min(count, SYNTHETIC)), photographs(name), strict=False):
            yield name, batch, synthetic.degraded_scores(enhance, segment, batch, index)


def pair_rows(enhance: Method, count: int) -> Iterator[tuple[str, Batch, dict[str, float]]]:
    """Yield the scores of :mod:`experiments.studies.evidence.pairs`, those of the ceiling too."""
    folder, found = photographs_folder(), judges()
    for name, batches in (
        ("real", pairs.pair_batches(folder)), ("ceiling", pairs.repeat_batches(folder)),
    ):  # fmt: skip
        for batch in batches[:count]:
            yield name, batch, pairs.pair_scores(found, enhance, batch)


MEASURES = dict(
    zip(PARTS, (detail_rows, invention_rows, harm_rows, synthetic_rows, pair_rows), strict=True)
)  # fmt: skip


def measured(name: str, enhance: Method, parts: Sequence[str], count: int) -> list[Row]:
    """Return the scores of a method.

    Args:
        name: Of the method.
        enhance: The method.
        parts: Which of :data:`PARTS`.
        count: Of photographs of each set.
    """
    rows = []
    for part in parts:
        for group, batch, scores in tqdm(MEASURES[part](enhance, count), f"{name}, {part}"):
            patient = batch["patient"][0]
            rows += [Row(f"{part}, {group}", patient, name, *score) for score in scores.items()]
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Measure the methods and write the table."""
    parser = argparse.ArgumentParser(
        description="Measure detail, invention, harm, synthetic and real pairs."
    )
    parser.add_argument("--checkpoint", type=Path, help="of an enhancement task")
    parser.add_argument("--subject", choices=("teacher", "student"), default="student")
    parser.add_argument("--weights", nargs="*", default=[], help="as magenet enhance uses them")
    parser.add_argument("--fast", nargs="*", default=[], help="weights as with its option --fast")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--only", nargs="+", help="methods to measure; all if not given")
    parser.add_argument("--count", type=int, default=99, help="photographs of each set")
    parser.add_argument("--out", type=Path, default=Path("runs/evidence"))
    options = parser.parse_args(arguments)
    rows = report.read_rows(options.out)
    networks = (options.checkpoint, options.subject, options.weights, options.fast)
    for name, enhance in methods(*networks).items():
        if options.only is not None and name not in options.only:
            continue
        new = measured(name, enhance, options.parts, options.count)
        rows = report.merged(rows, new)
        report.write(options.out, rows)
    print("\n".join(report.table(rows)))


if __name__ == "__main__":
    main()
