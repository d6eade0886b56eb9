"""Distance of degraded photographs from published scores and from real ones of low quality.

Command:  make calibrate
Needs:    MAGENET_DATA=<folder of the photographs>.
Hardware: 2 CPU cores.
Time:     about 4 minutes.
Writes:   experiments/results/calibration.json and calibration.md; contact sheets of photographs in
          runs/calibration.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from data_modules.datasets.photographs import Split
from data_modules.datasets.sources import ManifestPhotographs
from experiments.studies.patients import patients_of
from magenet.callbacks.provenance import commit
from magenet.degradation import (
    TYPES,
    CofeDegradation,
    CounterRNG,
    Degradation,
    FundusDegradation,
    type_code,
)
from magenet.imaging.contact_sheet import sheet
from magenet.metrics import (
    STATISTICS,
    appearance,
    masked_psnr,
    masked_ssim,
    two_sample_distance,
)  # fmt: skip

PUBLISHED = {
    512: {
        "illumination": (17.2, 0.83), "spots": (39.3, 0.994), "illumination_spots": (17.0, 0.82),
        "blur": (37.1, 0.90), "illumination_blur": (16.9, 0.77), "spots_blur": (34.5, 0.89),
        "illumination_spots_blur": (16.8, 0.74),
    },
    256: {
        "illumination": (17.2, 0.80), "spots": (39.4, 0.990), "illumination_spots": (17.1, 0.79),
        "blur": (41.1, 0.966), "illumination_blur": (17.0, 0.79), "spots_blur": (36.7, 0.954),
        "illumination_spots_blur": (16.8, 0.76),
    },
}  # fmt: skip
"""PSNR in dB and SSIM of degraded, unenhanced photographs: cofe-Net's released functions on the
five photographs released with them, whole frame, SSIM with a flat 7 px window (ours: Gaussian, 11
px). Both sizes are degraded at 512 px; 256 px is downsampled afterwards."""

SIZE = 512
DRAWS = 3
"""Degradations of each good photograph for the distances."""


class Photographs(NamedTuple):
    """Photographs of one size.

    Attributes:
        images: uint8 `(N, 3, SIZE, SIZE)`.
        masks: Their fields of view, bool `(N, 1, SIZE, SIZE)`.
        patients: Whose they are, N.
    """

    images: Tensor
    masks: Tensor
    patients: list[str]


def load(path: str, split: Split, qualities: list[str], sets: list[str] | None) -> Photographs:
    """Return the photographs of a manifest."""
    source = ManifestPhotographs(path, sets=sets, qualities=qualities)
    dataset = source.dataset(split, SIZE)
    what = f"{split} {'+'.join(qualities)}"
    samples = [dataset[i] for i in tqdm(range(len(dataset)), desc=what, unit="photograph")]
    patients = patients_of(Path(path).parent)
    return Photographs(
        torch.stack([sample["image"] for sample in samples]),
        torch.stack([sample["mask_fov"] for sample in samples]),
        [patients[sample["name"]] for sample in samples],
    )


def unenhanced_scores(photographs: Photographs) -> list[dict[str, object]]:
    """Return the scores of degraded, unenhanced photographs, one row a size and type."""
    rows: list[dict[str, object]] = []
    degrade = CofeDegradation()
    images, masks, _ = photographs
    everything = torch.arange(len(images))
    for name in tqdm(TYPES, desc="unenhanced", unit="type"):
        scores: dict[tuple[int, str], list[Tensor]] = {}
        for indices in torch.split(everything, 8):
            mask = masks[indices].float()
            clean = images[indices].float() / 255 * mask
            degraded = degrade(
                clean, mask, CounterRNG(indices), torch.full((len(indices),), type_code(name))
            )
            for size in PUBLISHED:
                small = [
                    functional.interpolate(t, (size, size), mode="area") for t in (clean, degraded)
                ]
                inside = functional.interpolate(mask, (size, size), mode="nearest")
                for region, area in (("field", inside), ("frame", torch.ones_like(inside))):
                    pair = torch.stack(
                        [score(small[1], small[0], area) for score in (masked_psnr, masked_ssim)]
                    )
                    scores.setdefault((size, region), []).append(pair)
        for size, published in PUBLISHED.items():
            row: dict[str, object] = {"size": size, "type": name, "photographs": len(images)}
            for region in ("frame", "field"):
                psnr, ssim = torch.cat(scores[size, region], dim=1)
                row |= {
                    f"psnr_{region}": round(float(psnr.mean()), 2),
                    f"psnr_{region}_sd": round(float(psnr.std(correction=0)), 2),
                    f"ssim_{region}": round(float(ssim.mean()), 3),
                }
            row |= {"psnr_published": published[name][0], "ssim_published": published[name][1]}
            rows.append(row)
    return sorted(rows, key=lambda row: (-int(str(row["size"])), TYPES.index(str(row["type"]))))


def statistics_of(
    photographs: Photographs, degrade: Degradation | None = None
) -> dict[str, Tensor]:
    """Return the image statistics of photographs, :data:`DRAWS` times degraded where asked for."""
    images, masks, _ = photographs
    found: list[dict[str, Tensor]] = []
    for draw in range(1 if degrade is None else DRAWS):
        for indices in torch.split(torch.arange(len(images)), 8):
            mask = masks[indices].float()
            image = images[indices].float() / 255 * mask
            if degrade is not None:
                image = degrade(image, mask, CounterRNG(indices + 10_000 * draw))
            found.append(appearance(image, mask))
    return {name: torch.cat([part[name] for part in found]) for name in STATISTICS}


def resampled(patients: list[str], generator: torch.Generator) -> Tensor:
    """Return a bootstrap sample of patients: the indices of all photographs of each."""
    names = sorted(set(patients))
    chosen = torch.randint(len(names), (len(names),), generator=generator).tolist()
    own = {name: [i for i, patient in enumerate(patients) if patient == name] for name in names}
    return torch.tensor([index for number in chosen for index in own[names[number]]])


def distances(good: Photographs, bad: Photographs) -> list[dict[str, object]]:
    """Return the distance of good photographs, before and after degradation, from bad ones."""
    real = statistics_of(bad)
    sets = {"good": statistics_of(good), "cofe": statistics_of(good, CofeDegradation())}
    sets["fundus"] = statistics_of(good, FundusDegradation())
    rows: list[dict[str, object]] = []
    generator = torch.Generator().manual_seed(0)
    for name in STATISTICS:
        row: dict[str, object] = {"statistic": name}
        for label, values in (("real", real[name]), *((k, v[name]) for k, v in sets.items())):
            spread = values.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
            row[f"{label}_10_50_90"] = [round(value, 3) for value in spread]
        for label, measured in sets.items():
            row[f"distance_{label}"] = round(two_sample_distance(measured[name], real[name]), 3)
        differences = []
        for _ in range(200):
            real_sample = real[name][resampled(bad.patients, generator)]
            chosen = resampled(good.patients, generator)  # the same for both recipes
            pair = [
                two_sample_distance(
                    sets[label][name].view(DRAWS, -1)[:, chosen].flatten(), real_sample
                )
                for label in ("cofe", "fundus")
            ]
            differences.append(pair[0] - pair[1])
        interval = torch.tensor(differences).quantile(torch.tensor([0.025, 0.975])).tolist()
        row["cofe_less_fundus_95"] = [round(value, 3) for value in interval]
        rows.append(row)
    return rows


def closer_recipe(row: dict[str, object]) -> str:
    """Return which recipe is closer, and whether the difference is within chance."""
    low, high = row["cofe_less_fundus_95"]  # type: ignore[misc]
    closer = float(str(row["distance_fundus"])) < float(str(row["distance_cofe"]))
    significant = low > 0 or high < 0  # type: ignore[has-type]
    return ("fundus" if closer else "cofe") + ("" if significant else ", within chance")


def as_markdown(report: dict[str, object]) -> str:
    """Return the report as Markdown."""
    lines = [
        "# Calibration of the degradations",
        "",
        f"Made by `make calibrate` at commit {report['commit']}; do not edit.",
        "",
        "## Unenhanced photographs, cofe-Net's seven types",
        "",
        f"{report['do_nothing'][0]['photographs']} good photographs (val): PSNR dB (standard "  # type: ignore[index]
        "deviation) / SSIM. Published: the released functions on five photographs, whole frame.",
        "",
        "| size | type | frame | published, frame | field |",
        "|---|---|---|---|---|",
    ]
    for row in report["do_nothing"]:  # type: ignore[attr-defined]
        lines.append(
            f"| {row['size']} | {row['type'].replace('_', ', ')} "
            f"| {row['psnr_frame']:.1f} ({row['psnr_frame_sd']:.1f}) / {row['ssim_frame']:.3f} "
            f"| {row['psnr_published']:.1f} / {row['ssim_published']:.3f} "
            f"| {row['psnr_field']:.1f} ({row['psnr_field_sd']:.1f}) / {row['ssim_field']:.3f} |"
        )
    for part, title in (
        ("train", "the part that the fundus recipe was tuned on"),
        ("val", "a part that was not used for tuning"),
    ):
        counts = report[f"counts_{part}"]
        lines += [
            "",
            f"## Distance from real photographs of low quality: {part}, {title}",
            "",
            f"HYGD: {counts['bad']} usable and reject photographs, against {counts['good']} good "  # type: ignore[index]
            f"ones, undegraded and degraded {DRAWS} times each. 10, 50 and 90 % quantiles of the "
            "statistics; Kolmogorov-Smirnov distance, from 0 (equal) to 1 (disjoint). Closer: the "
            "recipe of smaller distance; `within chance` where the 95 % bootstrap interval of the "
            "difference, over patients, includes 0.",
            "",
            "| statistic | real low | good | cofe | fundus | distance: good "
            "| cofe | fundus | closer |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in report[f"distances_{part}"]:  # type: ignore[attr-defined]
            spreads = " | ".join(
                " ".join(f"{value:.2f}" for value in row[f"{label}_10_50_90"])
                for label in ("real", "good", "cofe", "fundus")
            )
            apart = " | ".join(f"{row[f'distance_{k}']:.2f}" for k in ("good", "cofe", "fundus"))
            lines.append(f"| {row['statistic']} | {spreads} | {apart} | {closer_recipe(row)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the calibration."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photographs", required=True, help="manifest: index.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, object] = {"commit": commit(), "size": SIZE, "draws": DRAWS}
    report["do_nothing"] = unenhanced_scores(load(options.photographs, "val", ["good"], None))
    for split in ("train", "val"):
        good = load(options.photographs, split, ["good"], ["hygd"])
        bad = load(options.photographs, split, ["usable", "reject"], ["hygd"])
        report[f"counts_{split}"] = {"good": len(good.images), "bad": len(bad.images)}
        report[f"distances_{split}"] = distances(good, bad)
        if split == "train":
            indices = torch.arange(min(48, len(good.images), len(bad.images)))
            image, mask = good.images[indices].float() / 255, good.masks[indices].float()
            pictures = {
                "real_low": bad.images[indices].float() / 255,
                "cofe": CofeDegradation()(image, mask, CounterRNG(indices)),
                "fundus": FundusDegradation()(image, mask, CounterRNG(indices)),
            }
            for name, many in pictures.items():
                small = functional.interpolate(many, (192, 192), mode="area")
                rows = [small[i : i + 8].unbind() for i in range(0, len(small) // 8 * 8, 8)]
                if rows:
                    sheet(rows).save(options.out / f"{name}.jpg", quality=90)
    (options.out / "calibration.json").write_text(json.dumps(report, indent=1) + "\n")
    markdown = as_markdown(report)
    (options.out / "calibration.md").write_text(markdown)
    print(markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
