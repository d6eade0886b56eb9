"""Train and test MAGE-Net without one of its parts at a time, and its teacher likewise.

Command:  make table-ablation SCALE=smoke      (or cpu, gpu; `--only <variant> ...` for some)
Needs:    MAGENET_DATA=<folder of the photographs>, but for smoke.
Hardware: see experiments/configs/ablation/scales.
Time:     see there. What is trained and tested already is not run again, nor is a row whose scores
          are kept, even where the folder of its training is lost.
Writes:   ablation_<scale>.md, ablation_<scale>_network.csv and _teacher.csv with the files beside
          them, and rows/ablation_<scale>, in experiments/results; at the scale smoke in
          runs/ablation_smoke.
Expected: PSNR of the whole network under the fundus recipe in :data:`EXPECTED`, where the scale has
          been measured; it fails otherwise.

A variant is a file of `experiments/configs/ablation/network` or `teacher`, a layer that says what
it is without. All variants of a scale have the same steps, photographs and seeds.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from experiments.configurations import BASE, CONFIGS, PROTOCOL, RESULTS
from experiments.studies.runs import RECIPE, Runs, as_options, recipe_of
from magenet.atomic_write import atomic_write
from magenet.errors import UserError
from magenet.evaluation.tables import Cells, as_markdown, make_table, read_table

FOLDER = CONFIGS / "ablation"

SCALES = ("smoke", "cpu", "gpu")

WHOLE = {"network": "MAGE-Net", "teacher": "T-S MAGE-Net, teacher"}
"""Label of the row that nothing is missing from, by group."""

BASES = {"network": FOLDER / "supervised.yaml", "teacher": FOLDER / "mean_teacher.yaml"}

TESTS = {"network": FOLDER / "test.yaml", "teacher": CONFIGS / "tests/pairs.yaml"}
"""Test of each group: networks on photographs whose truth is known, teachers on real pairs."""

SHOWN = {
    "network": (("psnr", "ssim", "vessel_iou"), ("fundus", "none")),
    "teacher": (
        ("pair_vessel_dice", "pair_psnr", "pair_colour", "psnr", "ssim"),
        ("pair", "fundus"),
    ),
}
"""Scores and conditions that the page shows, where there are any: the scale smoke has no real
pairs. The CSV has all."""

TWICE = ("without_structure", "one_stage", "two_stages", "without_consistency", "same_view")
"""Variants that are trained with two seeds, as the whole networks are: the parts that the paper's
title and abstract name."""

EXPECTED: dict[str, tuple[float, float]] = {"smoke": (20.6, 21.6)}
"""By scale: least and greatest PSNR, in dB, of the whole network under the fundus recipe. At the
scale smoke 20.98 were measured in fp32 and 20.96 in bf16; without a network it is 20.29."""


def variants(group: str) -> dict[str, list[Path]]:
    """Return the layers of each variant of a group, by name; the whole network first."""
    names = {"whole": [], **{path.stem: [path] for path in sorted((FOLDER / group).glob("*.yaml"))}}
    return {name: [BASES[group], *layers] for name, layers in names.items()}


def scale_layers(scale: str, group: str) -> list[Path]:
    """Return the layers of a scale: that of all, then that of a group where there is one."""
    paths = (FOLDER / f"scales/{scale}.yaml", FOLDER / f"scales/{scale}_{group}.yaml")
    return [path for path in paths if path.is_file()]


def label(group: str, name: str, seed: int) -> str:
    """Return the name of a row."""
    whole = WHOLE[group].removesuffix(", teacher")
    text = whole if name == "whole" else name.replace("_", " ")
    return text if seed == 0 else f"{text}, seed {seed}"


def tested(
    runs: Runs, rows: Path, scale: str, group: str, only: Sequence[str], seeds: int
) -> dict[str, Path]:
    """Train and test what is missing of a group, and return the folder of each row's scores.

    Args:
        runs: The trainings and tests.
        rows: Folder of the scores, which outlive the trainings.
        scale: See :data:`SCALES`.
        group: See :data:`BASES`.
        only: Variants to train and test; all if empty. Others are rows if they were tested before.
        seeds: Number of seeds of the main variants.
    """
    wanted = [
        (name, layers, seed)
        for name, layers in variants(group).items()
        for seed in range(seeds if name == "whole" or name in TWICE else 1)
    ]
    test = [] if scale == "smoke" else [TESTS[group]]
    found = {}
    for name, (base, *changes), seed in tqdm(wanted, group):
        run = f"{group}_{name}_{seed}"
        configs = [PROTOCOL, base, *scale_layers(scale, group), *changes]
        numbers = ("--seed_everything", str(seed), "--data.seed", str(seed))
        recipe = recipe_of([*as_options([BASE, *configs]), *numbers, *as_options(test)])
        if not is_kept(rows / run, recipe):
            if only and name not in only:
                continue
            runs.train(run, configs, *numbers)
            keep(runs.test(run, test), rows / run, recipe)
        found[label(group, name, seed)] = rows / run
    return found


def is_kept(row: Path, recipe: str) -> bool:
    """Return whether a row has scores that were made by a recipe."""
    path = row / RECIPE
    return path.is_file() and path.read_text(encoding="utf-8") == recipe


def keep(tested: Path, row: Path, recipe: str) -> None:
    """Keep the results of a test as a row, with the recipe they were made by."""
    row.mkdir(parents=True, exist_ok=True)
    (row / RECIPE).unlink(missing_ok=True)  # the last to be written: a row has it or does not count
    for name in ("scores.csv", "provenance.json"):
        shutil.copyfile(tested / name, row / name)
    with atomic_write(row / RECIPE) as path:
        path.write_text(recipe, encoding="utf-8")


def wholes(group: str, tests: Collection[str]) -> list[str]:
    """Return the rows of a table that nothing is missing from, one of each seed.

    Args:
        group: See :data:`BASES`.
        tests: Names of the tests that there are.
    """
    of_seeds = [label(group, "whole", seed) for seed in range(len(tests))]
    ending = ", teacher" if WHOLE[group].endswith(", teacher") else ""
    return [f"{name}{ending}" for name in of_seeds if name in tests]


def page(scale: str, tables: Mapping[str, Sequence[Cells]]) -> str:
    """Return the page of a scale."""
    parts = [
        "# Ablation", "",
        f"Made by `make table-ablation SCALE={scale}`: each row is trained like the first, without "
        "one of its parts ([configurations](../configs/ablation)). Mean and 95 % interval over "
        "patients; paired comparisons with the whole network of each seed, to be read within a "
        "seed: `*_against.csv`.",
    ]  # fmt: skip
    for group, table in tables.items():
        scores, conditions = SHOWN[group]
        for condition in conditions:
            if any(cells["condition"] == condition for cells in table):
                shown = [s for s in scores if any(cells["score"] == s for cells in table)]
                parts += ["", f"## {WHOLE[group].removesuffix(', teacher')}, {condition}", ""]
                parts.append(as_markdown(table, shown, [condition]))
    return "\n".join(parts) + "\n"


def require_expected(scale: str, table: Sequence[Cells]) -> None:
    """Check the PSNR of the whole network.

    Raises:
        UserError: If it is not in :data:`EXPECTED`.
    """
    wanted = (WHOLE["network"], "fundus", "psnr")
    found = {(c["row"], c["condition"], c["score"]): float(c["mean"]) for c in table}
    if scale not in EXPECTED or wanted not in found:
        return
    low, high = EXPECTED[scale]
    if not low <= found[wanted] <= high:
        raise UserError(
            f"{wanted[0]} has {found[wanted]:.2f} dB under the fundus recipe, expected are {low} "
            f"to {high}: the code or the data changed; the tables are written, do not trust them"
        )


def main(arguments: list[str] | None = None) -> int:
    """Train and test what is missing, then write the tables and the page."""
    parser = argparse.ArgumentParser(description="Leave out one part of MAGE-Net at a time.")
    names = {name for group in BASES for name in variants(group)}
    parser.add_argument("--scale", choices=SCALES, default="smoke")
    parser.add_argument("--groups", nargs="+", choices=BASES, default=list(BASES))
    parser.add_argument("--only", nargs="+", choices=sorted(names), default=[])
    parser.add_argument("--seeds", type=int, default=2, help="of the main variants")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, help="folder of the tables")
    try:
        _make(parser.parse_args(arguments))
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return error.status
    return 0


def _make(options: argparse.Namespace) -> None:
    """Train and test what is missing, then write the tables and the page.

    Raises:
        UserError: If a row was made by another recipe, or the whole network scores unexpectedly.
    """
    folder = options.runs / f"ablation_{options.scale}"
    results = options.results or (folder if options.scale == "smoke" else RESULTS)
    runs = Runs(folder)
    paths = {group: results / f"ablation_{options.scale}_{group}.csv" for group in BASES}
    for group in options.groups:
        rows = results / "rows" / f"ablation_{options.scale}"
        tests = tested(runs, rows, options.scale, group, options.only, options.seeds)
        if tests:
            make_table(paths[group], tests, wholes(group, tests))
    tables = {group: read_table(path) for group, path in paths.items() if path.is_file()}
    with atomic_write(results / f"ablation_{options.scale}.md") as path:
        path.write_text(page(options.scale, tables), encoding="utf-8")
    require_expected(options.scale, tables.get("network", []))


if __name__ == "__main__":
    sys.exit(main())
