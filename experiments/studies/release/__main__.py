"""Calibrate a trained network on the val photographs and publish it in the package.

Command:  make train-release
Needs:    MAGENET_DATA=<folder of the photographs>; a checkpoint of the release's trainings.
Hardware: 2 CPU cores.
Time:     25 minutes; 10 with --recalibrate, after a change of how the weights are used.
Writes:   magenet/weights and experiments/results/uncertainty.md.

Calibrated are the fundus check (image statistics of fundus photographs), the expected error and
the expected share of the field that is made worse.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from scipy.stats import spearmanr
from tqdm import tqdm

from experiments.checkpoints import load_network
from experiments.configurations import RESULTS, WEIGHTS
from experiments.studies.fundus_check.transformations import (
    GROUPS,
    chosen,
    statistics_of,
    transformed,
)
from experiments.studies.release.calibration import cross_fitted, curve_rows, fit_curve, flag_rows
from experiments.studies.release.measurement import DRAWS, PLACES, SIZE, Measured, measure
from magenet.checkpoints import read_network
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import OWN_SCALE, Settings
from magenet.enhancement.verdict import ERROR_LIMITS, HARM_LIMITS
from magenet.errors import UserError
from magenet.models import MAGENet, VesselSegmenter
from magenet.models.pretrained import WEIGHTS as PACKAGE

CHECKED = 120
"""Train photographs that the fundus check is made from."""

MEMORY = 8 << 30
"""Bytes that enhancement may use."""


def fundus_check() -> FundusCheck:
    """Return the fundus check of train photographs and of what they may be transformed into.

    The limit refuses 1 % of what becomes of every third photograph, which the models are not
    fitted on; val photographs test it (:mod:`experiments.studies.fundus_check`).
    """
    rows: dict[tuple[str, bool], list[torch.Tensor]] = {}
    for index, photograph in enumerate(tqdm(chosen("train", CHECKED), "fundus check")):
        for name, image in transformed(photograph):
            rows.setdefault((name, index % 3 == 2), []).append(statistics_of(image))
    fitted = [torch.cat([row for name in group for row in rows[name, False]]) for group in GROUPS]
    check = FundusCheck.fit(fitted, 0.0)
    held_out = torch.cat([row for (_, held), part in rows.items() if held for row in part])
    return replace(check, limit=round(float(check.distance_of(held_out).quantile(0.99)), 1))


def calibrated(settings: Settings, measured: Measured) -> Settings:
    """Return the settings with the calibration of the expected error and of harm."""
    degraded = measured.degraded
    return replace(
        settings,
        uncertainty=fit_curve(
            measured.score[degraded].flatten(), measured.error[degraded].flatten()
        ),
        harm=fit_curve(measured.harm, measured.harmed),
    )


def as_markdown(measured: Measured, settings: Settings) -> str:
    """Return the content of `uncertainty.md`."""
    assert settings.uncertainty is not None  # they were measured
    assert settings.harm is not None
    of_degraded = Measured(*(column[measured.degraded] for column in measured))
    score, change, error = of_degraded.score, of_degraded.change, of_degraded.error
    within = {
        name: torch.tensor([spearmanr(*row).statistic for row in zip(plane, error, strict=True)])
        for name, plane in (("expected error", score), ("size of the change", change))
    }
    expected = 255 * cross_fitted(score, error, of_degraded.patient).mean(dim=1)
    levels = 255 * error.mean(dim=1)
    harm = cross_fitted(measured.harm, measured.harmed, measured.patient)
    flags = "| flag | limit | flagged | above limit | both | precision | recall |"
    count = int(measured.degraded.sum()) // DRAWS
    lines = [
        "# Calibration of the released network", "",
        f"Made by `python -m experiments.studies.release` on {count} "
        f"good val photographs at up to {SIZE} px, each degraded {DRAWS} times and as it is; "
        f"{PLACES} places in each. Curves are tested on patients that they were not fitted on.",
        "",
        "## Expected error", "",
        "Spearman's correlation with the measured error around the place, degraded photographs:",
        "", "| score | all places | inside one photograph, mean |", "|---|---|---|",
        *(
            f"| {name} | {spearmanr(plane.flatten(), error.flatten()).statistic:.3f} | "
            f"{within[name].nanmean():.3f} |"
            for name, plane in (("expected error", score), ("size of the change", change))
        ), "",
        "In grey levels of 255:", "", "| score | error |", "|---|---|",
        *curve_rows(settings.uncertainty, 255, 255), "",
        "Flags by the expected mean error, degraded photographs, limits in grey levels:", "",
        flags, "|---|---|---|---|---|---|---|",
        *flag_rows(expected, levels, ERROR_LIMITS, 1), "",
        "Correlation of a photograph's expected with its measured mean error: "
        f"**{spearmanr(expected, levels).statistic:.3f}**.", "",
        "## Harm", "",
        "A place is harmed where its error is larger than before by more than 4 grey levels. "
        "Shares of the field:", "",
        "| mean probability | share harmed |", "|---|---|", *curve_rows(settings.harm, 1, 1), "",
        "Flags by the expected share, all photographs:", "",
        flags, "|---|---|---|---|---|---|---|",
        *flag_rows(harm, measured.harmed, HARM_LIMITS, 1), "",
        "Correlation of the expected with the measured share: "
        f"**{spearmanr(harm, measured.harmed).statistic:.3f}**.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Calibrate the network, then write its weights and the report."""
    parser = argparse.ArgumentParser(description="Publish a trained network in the package.")
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("runs/release_detail/checkpoints/best.ckpt")
    )
    parser.add_argument(
        "--subject", choices=("teacher", "student"), default="student", help="network of it"
    )
    parser.add_argument("--vessels", type=Path, default=WEIGHTS / "vessels.ckpt")
    parser.add_argument("--out", type=Path, default=PACKAGE)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--recalibrate",
        action="store_true",
        help="fit the curves of the weights in --out anew; they and their fundus check stay",
    )
    options = parser.parse_args(arguments)
    if options.recalibrate:
        network = MAGENet.from_pretrained(str(options.out / "mage_net"))
        segmenter = VesselSegmenter.from_pretrained(str(options.out / "vessels"))
        settings = Settings.of(network)
    else:
        segmenter = VesselSegmenter()
        read_network(segmenter, options.vessels, "train it first ('make judges')")
        trained = load_network(options.checkpoint, options.subject)
        if not trained.own_scale or not isinstance(trained, MAGENet):
            raise UserError(f"{options.checkpoint}: no MAGENet with a detail stage (detail_widths)")
        network, settings = trained, Settings(OWN_SCALE, fundus_check())
    enhancer = PhotographEnhancer(network, settings, segmenter, torch.device("cpu"), MEMORY)
    measured = measure(enhancer)
    settings = calibrated(settings, measured)
    network.use.update(settings.as_config())
    segmenter.save_pretrained(options.out / "vessels")
    network.save_pretrained(options.out / "mage_net")
    (options.results / "uncertainty.md").write_text(as_markdown(measured, settings))


if __name__ == "__main__":
    main()
