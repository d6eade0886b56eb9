"""Fundus photographs that the fundus check refuses, and other pictures that it lets through.

Command:  python -m experiments.studies.fundus_check
Needs:    MAGENET_DATA=<folder of the photographs>.
Hardware: 2 CPU cores.
Time:     5 minutes.
Writes:   experiments/results/fundus_check.md and .csv.

60 val photographs, each as taken and after transformations that leave it a fundus photograph; and
drawn pictures that are none, whole and in a round field. Pictures that are not refused are enhanced
for their verdict. `--pictures FOLDER` tests photographs of other things instead of the drawn ones.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from experiments.configurations import RESULTS
from experiments.studies.fundus_check.other_pictures import other_pictures
from experiments.studies.fundus_check.transformations import (
    chosen,
    image_of,
    statistics_of,
    transformed,
)
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.imaging.field_of_view import LEAST_CONFIDENCE, estimate_field

COUNT = 60
"""Val photographs."""

MEMORY = 8 << 30
"""Bytes that enhancement may use."""

Row = tuple[str, str, float, str]
"""Picture, transformation (empty for other pictures), distance and outcome."""


def fundus_rows(enhancer: PhotographEnhancer) -> list[Row]:
    """Return a row for each photograph and transformation: `refused`, or `accepted`."""
    rows = []
    check = enhancer.settings.fundus_check
    for photograph in tqdm(chosen("val", COUNT), "fundus photographs"):
        for name, image in transformed(photograph):
            distance = float(check.distance_of(statistics_of(image)))
            confidence = estimate_field(image).confidence
            sure = "accepted" if confidence >= LEAST_CONFIDENCE else "field uncertain"
            refused = confidence == 0.0 or distance > check.limit
            outcome = "refused" if refused else sure
            rows.append((photograph.name, name, round(distance, 2), outcome))
    return rows


def other_rows(enhancer: PhotographEnhancer, pictures: Iterable[tuple[str, Tensor]]) -> list[Row]:
    """Return a row for each picture that is no fundus photograph.

    The outcome is `refused`, `flagged` (verdict `check` or `abstain`) or `ok`.
    """
    rows = []
    check = enhancer.settings.fundus_check
    for name, image in tqdm(list(pictures), "other pictures"):
        distance = float(check.distance_of(statistics_of(image)))
        confidence = estimate_field(image).confidence
        if confidence == 0.0 or distance > check.limit:
            outcome = "refused"
        elif confidence < LEAST_CONFIDENCE:
            outcome = "flagged"  # an uncertain field is at least `check`
        else:
            outcome = "ok" if enhancer(image).report.verdict == "ok" else "flagged"
        rows.append((name, "", round(distance, 2), outcome))
    return rows


def pictures_in(folder: Path) -> Iterable[tuple[str, Tensor]]:
    """Yield the pictures of a folder, and each in a round field."""
    for path in sorted(folder.iterdir()):
        image = image_of(Image.open(path))
        height, width = image.shape[-2:]
        y, x = torch.arange(height)[:, None] - height / 2, torch.arange(width) - width / 2
        yield path.name, image
        inside = (y.square() + x.square()).sqrt() < 0.46 * min(height, width)
        yield f"{path.name}_round", image * inside


def as_markdown(fundus: list[Row], others: list[Row], limit: float) -> str:
    """Return the content of `fundus_check.md`."""
    names = list(dict.fromkeys(name for _, name, _, _ in fundus))
    outcomes = {name: [row for row in fundus if row[1] == name] for name in names}
    changed = [row for row in fundus if row[1] != "none"]
    refused = sum(row[3] == "refused" for row in changed)
    lines = [
        "# Fundus check", "",
        "Made by `python -m experiments.studies.fundus_check`. Distances are in standard "
        f"deviations of fundus photographs; the limit is {limit}.", "",
        f"{COUNT} val photographs, each transformed in {len(names) - 1} ways: "
        f"{refused} of {len(changed)} are refused.", "",
        "| transformation | refused | not refused, field uncertain (verdict `check`) | "
        "greatest distance |", "|---|---|---|---|",
        *(
            f"| {name} | {sum(row[3] == 'refused' for row in rows)} | "
            f"{sum(row[3] == 'field uncertain' for row in rows)} | "
            f"{max(row[2] for row in rows):.1f} |"
            for name, rows in outcomes.items()
        ), "",
        f"{len(others)} pictures that are no fundus photographs, drawn by code, whole and in a "
        "round field:", "",
        "| refused | verdict `check` or `abstain` | `ok` |", "|---|---|---|",
        "| " + " | ".join(
            str(sum(row[3] == outcome for row in others))
            for outcome in ("refused", "flagged", "ok")
        ) + " |", "",
        "Called `ok`: "
        + (", ".join(name for name, _, _, outcome in others if outcome == "ok") or "none")
        + ".",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description="Measure the fundus check.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--pictures", type=Path, help="test the pictures of a folder alone")
    options = parser.parse_args(arguments)
    device = torch.device("cpu")
    enhancer = PhotographEnhancer.from_pretrained("mage_net", device, MEMORY)
    if options.pictures:
        for row in other_rows(enhancer, pictures_in(options.pictures)):
            print(*row)
        return
    others = other_rows(enhancer, other_pictures())
    fundus = fundus_rows(enhancer)
    limit = enhancer.settings.fundus_check.limit
    (options.results / "fundus_check.md").write_text(as_markdown(fundus, others, limit))
    with (options.results / "fundus_check.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["picture", "transformation", "distance", "outcome"])
        writer.writerows(fundus + others)


if __name__ == "__main__":
    main()
