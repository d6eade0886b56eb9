"""Train variants of the teacher-student training from one supervised network and compare them.

Command:  make teacher-variants
Needs:    MAGENET_DATA=<folder of the photographs>; runs/comparison_mage_net/seed1.
Hardware: 2 CPU cores with bf16.
Time:     1 hour; 4 minutes a training.
Writes:   experiments/results/teacher.md, teacher.csv, teacher_runs.csv, teacher_against.csv.

A variant is `configs/runs/teacher/variants.yaml` with the options named here. Variants that were
trained and tested before are not run again.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from pathlib import Path

from tqdm import tqdm

from experiments.configurations import BASE, CONFIGS, RESULTS
from magenet.evaluation.tables import make_table, put_into

REFERENCE = "no consistency"
VARIANTS = {
    REFERENCE: ("--model.consistency_weight", "0"),
    "as in the tables": (),
    "five times the weight": ("--model.consistency_weight", "1"),
    "usable photographs only": ("--data.real.qualities", "[usable]"),
    "student sees the same view": (
        "--data.strong_view.degradation.severity", "0",
        "--data.strong_view.brightness", "0", "--data.strong_view.gamma", "0",
    ),
}  # fmt: skip
"""Options of each variant, by its label; all are compared with the first."""

HEAD = """\
# Variants of the teacher-student training

Made by `make teacher-variants` from [variants.yaml](../configs/runs/teacher/variants.yaml): the
training of one supervised MAGE-Net is continued with and without a teacher, on the same pairs for
the same number of steps, so that the time of the teacher does not count.

| run | val PSNR, synthetic pairs | student and teacher differ on real photographs, grey levels |
|---|---|---|
"""


def run(*arguments: str) -> None:
    """Run the command line `magenet`.

    Raises:
        CalledProcessError: If it fails; its message is on the screen.
    """
    subprocess.run([sys.executable, "-m", "magenet.main", *arguments], check=True)


def last_value(path: Path, column: str) -> float:
    """Return the last logged value of a column of `metrics.csv`."""
    with path.open(newline="") as stream:
        return float([row[column] for row in csv.DictReader(stream) if row.get(column)][-1])


def main(arguments: list[str] | None = None) -> int:
    """Train and test the missing variants, then write the tables."""
    parser = argparse.ArgumentParser(
        description="Compare variants of the teacher-student training."
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--layer", type=Path, help="one more layer of every run, to try it out")
    options = parser.parse_args(arguments)
    layer = ("--config", str(options.layer)) if options.layer else ()
    lines, tests = [], {}
    for number, (name, changes) in enumerate(tqdm(VARIANTS.items(), unit="variant")):
        folder = options.runs / "teacher" / f"variant{number}"
        checkpoint = folder / "checkpoints" / "best.ckpt"
        common = (
            "--trainer.logger.init_args.save_dir", str(options.runs),
            "--trainer.enable_progress_bar", "false",
        )  # fmt: skip
        if not checkpoint.is_file():
            run(
                "fit", "--config", str(BASE),
                "--config", str(CONFIGS / "runs/teacher/variants.yaml"), *layer,
                "--trainer.logger.init_args.version", folder.name, *common, *changes,
            )  # fmt: skip
        tested = folder.with_name(f"{folder.name}_tested")
        if not (tested / "scores.csv").is_file():
            run(
                "test", "--config", str(folder / "config.yaml"),
                "--config", str(CONFIGS / "tests/pairs.yaml"), *layer,
                "--ckpt_path", str(checkpoint),
                "--trainer.logger.init_args.version", tested.name, "--trainer.devices", "1",
                *common,
            )  # fmt: skip
        psnr = last_value(folder / "metrics.csv", "val_teacher/psnr")
        difference = 255 * last_value(folder / "metrics.csv", "val_real/disagreement")
        lines.append(f"| {name} | {psnr:.2f} | {difference:.2f} |")
        tests[name] = tested
    page = options.results / "teacher.md"
    marker = "<!-- table teacher scores=pair_vessel_dice,pair_psnr,pair_colour conditions=pair -->"
    page.write_text(
        HEAD + "\n".join(lines) + "\n\nReal pairs, 95 % intervals; paired comparisons with the "
        f"first run: `teacher_against.csv`.\n\n{marker}\n<!-- end -->\n"
    )
    table = make_table(options.results / "teacher.csv", tests, [f"{REFERENCE}, teacher"])
    put_into(page, "teacher", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
