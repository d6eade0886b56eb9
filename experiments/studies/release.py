"""Calibrate a trained network on the val photographs and publish it in the package.

Command:  make train-release
Needs:    MAGENET_DATA=<folder of the photographs>; the checkpoint of runs/release/mage_net.yaml.
Hardware: 2 CPU cores.
Time:     2 hours with the training.
Writes:   magenet/weights and experiments/results/uncertainty.md.

Calibrated are the fundus check (image statistics of fundus photographs), the shrinkage of the
change of light (share of a change that was right) and the uncertainty (error by uncertainty score).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from scipy.optimize import isotonic_regression
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from data_modules import ManifestPhotographs, PairedDataModule
from experiments.configurations import (
    RESULTS,
    WEIGHTS,
    build,
    comparison_recipe,
    photographs_folder,
)
from experiments.studies.transformations import GROUPS, chosen, statistics_of, transformed
from magenet.checkpoints import read_checkpoint, read_network
from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import OWN_SCALE, Settings
from magenet.enhancement.shrinkage import rms_inside, split_bands
from magenet.enhancement.uncertainty import disagreement, local_mean
from magenet.enhancement.verdict import ERROR_LIMITS
from magenet.models import MAGENet, VesselSegmenter
from magenet.models.pretrained import WEIGHTS as PACKAGE

SAMPLED_PIXELS = 400
"""Pixels of each photograph whose uncertainty score and error are compared."""

CHECKED = 120
"""Train photographs that the fundus check is made from."""

DRAWS = 2
"""Degradations of each photograph."""

POINTS = 12
"""Groups of equal size, whose means are the points of a calibration curve."""

OWN_SIZE = 1024
"""Greatest side of the photographs for a network that works at their own scale, in pixels."""

MEMORY = 8 << 30
"""Bytes that enhancement may use."""


SCORES = {
    False: "the mean disagreement of flipped views to the power 2/3 times the size of the change "
    "to 1/3",
    True: "the error that the network predicts",
}
"""What the uncertainty score is, by whether the network tells it."""


class Change(NamedTuple):
    """The network's change of light of one photograph, measured against the ideal change.

    Attributes:
        size: Root mean square of the change.
        product: Mean product of the change and the ideal change.
        square: Mean square of the change.
    """

    size: Tensor
    product: Tensor
    square: Tensor


class Measured(NamedTuple):
    """Uncertainty scores and errors of n degraded photographs.

    Attributes:
        uncertainty_score: Score at sampled pixels, `(n, SAMPLED_PIXELS)`.
        others: Alternative scores at the same pixels, by name, each `(n, SAMPLED_PIXELS)`.
        error: Mean absolute error around these pixels, `(n, SAMPLED_PIXELS)`.
        mean_error: Mean absolute error of each photograph, `(n,)`.
        maps: Score of every pixel inside the field, for each photograph `(pixels,)`.
    """

    uncertainty_score: Tensor
    others: dict[str, Tensor]
    error: Tensor
    mean_error: Tensor
    maps: list[Tensor]


def load_network(checkpoint: Path, subject: str) -> MAGENet:
    """Return the network of a checkpoint, its `teacher` or its `student`."""
    content = read_checkpoint(checkpoint, "train it first ('make train-release')")
    network = build(MAGENet, content["hyper_parameters"]["network"])
    prefix = "teacher.network." if subject == "teacher" else "network."
    read_network(network, checkpoint, "train it first ('make train-release')", prefix)
    return network.eval()


def photographs(**chosen: object) -> ManifestPhotographs:
    """Return photographs of the manifest in `MAGENET_DATA`."""
    path = photographs_folder() / "index.csv"
    return ManifestPhotographs(path=str(path), cache="runs/cache", **chosen)  # type: ignore[arg-type]


def fundus_check() -> FundusCheck:
    """Return the fundus check of train photographs and of what they may be transformed into.

    The limit refuses 1 % of what becomes of every third photograph, which the models are not
    fitted on; val photographs test it (:mod:`experiments.studies.fundus_check`).
    """
    rows: dict[tuple[str, bool], list[Tensor]] = {}
    for index, photograph in enumerate(tqdm(chosen("train", CHECKED), "fundus check")):
        for name, image in transformed(photograph):
            rows.setdefault((name, index % 3 == 2), []).append(statistics_of(image))
    fitted = [torch.cat([row for name in group for row in rows[name, False]]) for group in GROUPS]
    check = FundusCheck.fit(fitted, 0.0)
    held_out = torch.cat([row for (_, held), part in rows.items() if held for row in part])
    return replace(check, limit=round(float(check.distance_of(held_out).quantile(0.99)), 1))


def pairs(enhancer: PhotographEnhancer) -> PairedDataModule:
    """Return the good val photographs, to be degraded as in the comparison's training.

    They have the size that the enhancer sees, or their own if it works at their own scale.
    """
    own_scale = enhancer.network.own_scale
    good = photographs(qualities=["good"], own_scale=own_scale)
    size = OWN_SIZE if own_scale else enhancer.settings.side(OWN_SIZE)
    return PairedDataModule(good, comparison_recipe(), size, batch_size=1, workers=0)


def fit_curve(x: Tensor, y: Tensor, weight: Tensor) -> CalibrationCurve:
    """Return the isotonic regression of the weighted means of :data:`POINTS` groups.

    Args:
        x: Abscissae, `(n,)`.
        y: Measured values, `(n,)`.
        weight: Weights of the values, `(n,)`, positive.
    """
    groups = [g for g in x.argsort().chunk(POINTS) if float(weight[g].sum()) > 0.0]
    middle = torch.stack([x[g].double().mean() for g in groups])
    total = torch.stack([weight[g].double().sum() for g in groups])
    mean = torch.stack([(weight[g].double() * y[g]).sum() for g in groups]) / total
    rising = torch.from_numpy(isotonic_regression(mean.numpy(), weights=total.numpy()).x)
    distinct = torch.cat([torch.tensor([True]), middle.diff() > 1e-9])
    x, y = middle[distinct], rising[distinct]
    if len(x) == 1:  # all abscissae are equal: a constant
        x, y = torch.cat([x, x + 1.0]), y.repeat(2)
    return CalibrationCurve(tuple(x.tolist()), tuple(y.tolist()))


def degraded_pairs(enhancer: PhotographEnhancer, what: str) -> Iterator[dict[str, Tensor]]:
    """Yield pairs of the good val photographs, each degraded :data:`DRAWS` times.

    Args:
        enhancer: See :func:`pairs`.
        what: Text of the progress bar.
    """
    module = pairs(enhancer)
    for batch in tqdm(module.val_dataloader(), what):
        for draw in range(DRAWS):
            pair: Any = module.prepare(batch | {"key": batch["key"] + draw}, training=False)
            yield {name: pair[name][0] for name in ("image_degraded", "image_clean", "mask_fov")}


def measure_changes(enhancer: PhotographEnhancer) -> list[Change]:
    """Return the network's changes of light of degraded photographs and of as many clean ones."""
    found = []
    for pair in degraded_pairs(enhancer, "changes"):
        clean, mask = pair["image_clean"], pair["mask_fov"]
        area = 3 * mask.sum()
        for seen in (pair["image_degraded"], clean):
            light = split_bands(enhancer.estimate(seen, mask).change, mask).light
            ideal = split_bands(clean - seen, mask).light
            product, square = ((light * other * mask).sum() / area for other in (ideal, light))
            found.append(Change(rms_inside(light, mask), product, square))
    return found


def shrinkage_curve(found: list[Change]) -> CalibrationCurve:
    """Return the share of a change, in [0, 1], that minimises the squared error, by its RMS."""
    size, product, square = (torch.stack(values) for values in zip(*found, strict=True))
    curve = fit_curve(size, product / square.clamp(min=1e-12), square)
    return CalibrationCurve(curve.x, tuple(min(max(share, 0.0), 1.0) for share in curve.y))


def alternatives(enhancer: PhotographEnhancer, seen: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return alternative uncertainty scores, by name, each `(1, 1, S, S)`.

    Args:
        enhancer: Enhancer of the network.
        seen: `(3, S, S)` in [0, 1], black outside the field.
        mask: Field of view, `(1, S, S)`, 0 or 1.
    """
    inside = mask[None]
    with torch.inference_mode():
        views = enhancer.views(seen[None], inside)
        first, *_, last = enhancer.network(seen[None]).stages
        coarse = functional.interpolate(first.float(), seen.shape[-2:], mode="bilinear")
    flips = disagreement(views, inside)
    change = (views.mean(dim=0) - seen).abs().mean(dim=0)[None, None]
    return {
        "flips, pixel by pixel": local_mean(flips, inside),
        "flips, mean of the photograph": flips.sum() / inside.sum() * inside,
        "size of the change": local_mean(change, inside),
        "stages, first against last": local_mean(
            (coarse - last).abs().mean(1, keepdim=True), inside
        ),
    }


def measure_errors(enhancer: PhotographEnhancer) -> Measured:
    """Return uncertainty scores and errors of the good val photographs, degraded."""
    scores, errors, means, maps = [], [], [], []
    others: dict[str, list[Tensor]] = {}
    generator = torch.Generator().manual_seed(0)
    for pair in degraded_pairs(enhancer, "pairs"):
        seen, mask = pair["image_degraded"], pair["mask_fov"]
        estimate = enhancer.estimate(seen, mask)
        pixel_error = (seen + estimate.change - pair["image_clean"]).abs().mean(dim=0)[None, None]
        error = local_mean(pixel_error, mask[None])
        inside = mask.flatten().nonzero()[:, 0]
        sampled = inside[torch.randint(len(inside), (SAMPLED_PIXELS,), generator=generator)]
        assert estimate.uncertainty_score is not None  # there are several views
        scores.append(estimate.uncertainty_score.flatten()[sampled])
        for name, plane in alternatives(enhancer, seen, mask).items():
            others.setdefault(name, []).append(plane.flatten()[sampled])
        errors.append(error.flatten()[sampled])
        means.append(pixel_error.flatten()[inside].mean())
        maps.append(estimate.uncertainty_score.flatten()[inside].half())
    stacked = {name: torch.stack(planes) for name, planes in others.items()}
    return Measured(torch.stack(scores), stacked, torch.stack(errors), torch.stack(means), maps)


def calibration_curve(measured: Measured, which: Tensor | slice = slice(None)) -> CalibrationCurve:
    """Return the expected error by uncertainty score, fitted on some of the photographs."""
    uncertainty_score, error = (
        measured.uncertainty_score[which].flatten(),
        measured.error[which].flatten(),
    )
    return fit_curve(uncertainty_score, error, torch.ones_like(uncertainty_score))


def cross_fitted_errors(measured: Measured) -> Tensor:
    """Return the expected mean error of each photograph by two-fold cross-fitting.

    All degradations of a photograph, adjacent in the rows, belong to one fold.
    """
    fold = torch.arange(len(measured.maps)) // DRAWS % 2
    curves = [calibration_curve(measured, fold != held_out) for held_out in (0, 1)]
    values = [
        curves[int(held_out)](uncertainty_score.float()).mean()
        for held_out, uncertainty_score in zip(fold, measured.maps, strict=True)
    ]
    return torch.stack(values)


def curve_rows(curve: CalibrationCurve, x: float, y: float) -> list[str]:
    """Return the points of a curve as rows of a table, x and y multiplied by factors."""
    return [f"| {x * a:.2f} | {y * b:.2f} |" for a, b in zip(curve.x, curve.y, strict=True)]


def flag_lines(measured: Measured) -> list[str]:
    """Return precision and recall of the flags, cross-fitted, as rows of a table."""
    levels, expected = 255 * measured.mean_error, 255 * cross_fitted_errors(measured)
    lines = []
    for name, limit in zip(("check or abstain", "abstain"), ERROR_LIMITS, strict=True):
        flagged, bad = expected > limit, levels > limit
        correct = int((flagged & bad).sum())
        lines.append(
            f"| {name} | {limit:.0f} | {int(flagged.sum())} | {int(bad.sum())} | {correct} | "
            f"{correct / max(1, int(flagged.sum())):.2f} | {correct / max(1, int(bad.sum())):.2f} |"
        )
    correlation = spearmanr(expected, levels).statistic
    lines += [
        "",
        f"Spearman's correlation of a photograph's expected with its measured mean error: "
        f"**{correlation:.3f}**.",
    ]
    return lines


def light_lines(light: CalibrationCurve | None) -> list[str]:
    """Return the shrinkage of light as a section of a table; nothing if light is not shrunk."""
    if light is None:
        return []
    return [
        "## Light: shrinkage of the change", "",
        "Root mean square of the change, in grey levels of 255, and the share of it with the "
        "least squared error: half of the photographs degraded as in the comparison's training, "
        "half undegraded.", "",
        "| change of light and colour | share |", "|---|---|", *curve_rows(light, 255, 1), "",
    ]  # fmt: skip


def as_markdown(measured: Measured, settings: Settings) -> str:
    """Return the content of `uncertainty.md`."""
    error = measured.error.flatten()
    ranks = {"uncertainty score": measured.uncertainty_score, **measured.others}
    correlations = {
        name: spearmanr(uncertainty_score.flatten(), error).statistic
        for name, uncertainty_score in ranks.items()
    }
    cases = len(measured.mean_error)
    uncertainty = settings.uncertainty
    assert uncertainty is not None  # it was measured
    lines = [
        "# Calibration of the released network", "",
        "Made by `python -m experiments.studies.release` on the good val photographs, degraded.",
        "",
        *light_lines(settings.light),
        "## Uncertainty: expected error by uncertainty score", "",
        f"{cases // DRAWS} photographs, {DRAWS} degradations each, as above; {SAMPLED_PIXELS} "
        f"pixels in each. The uncertainty score is {SCORES[settings.light is None]}; Spearman's "
        "correlation with the mean absolute error around the pixel:", "",
        "| score | correlation |", "|---|---|",
        *(f"| {name} | {value:.3f} |" for name, value in correlations.items()), "",
        "In grey levels of 255:", "",
        "| uncertainty score | error |", "|---|---|", *curve_rows(uncertainty, 255, 255), "",
        "## Flags", "",
        f"By the expected mean error of {cases} degraded photographs, each from a curve fitted on "
        "the other half of them; `both` are flagged and have a measured mean error above the "
        "limit.", "",
        "| flag | limit, grey levels | flagged | above limit | both | precision | recall |",
        "|---|---|---|---|---|---|---|",
        *flag_lines(measured),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Calibrate the network, then write its weights and the report."""
    parser = argparse.ArgumentParser(description="Publish a trained network in the package.")
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("runs/release/checkpoints/best.ckpt")
    )
    parser.add_argument("--weights", help="published weights to calibrate instead of a checkpoint")
    parser.add_argument(
        "--subject", choices=("teacher", "student"), default="teacher", help="network of it"
    )
    parser.add_argument(
        "--size", type=int, default=512, help="side at which the network works, in pixels"
    )
    parser.add_argument("--vessels", type=Path, default=WEIGHTS / "vessels.ckpt")
    parser.add_argument("--out", type=Path, default=PACKAGE)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    segmenter = VesselSegmenter()
    read_network(segmenter, options.vessels, "train it first ('make judges')")
    network = (
        MAGENet.from_pretrained(options.weights)
        if options.weights
        else load_network(options.checkpoint, options.subject)
    )
    network.use.clear()
    settings = Settings(OWN_SCALE if network.own_scale else options.size, fundus_check())
    enhancer = PhotographEnhancer(network, settings, segmenter, torch.device("cpu"), MEMORY)
    if not network.own_scale:  # one that tells its error answers for its light
        settings = replace(settings, light=shrinkage_curve(measure_changes(enhancer)))
    enhancer.settings = settings
    measured = measure_errors(enhancer)
    settings = replace(settings, uncertainty=calibration_curve(measured))
    network.use.update(settings.as_config())
    segmenter.save_pretrained(options.out / "vessels")
    network.save_pretrained(options.out / "mage_net")
    text = as_markdown(measured, settings)
    (options.results / "uncertainty.md").write_text(text)


if __name__ == "__main__":
    main()
