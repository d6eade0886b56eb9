"""Train and test the arms of the adaptation study, then write its report.

Command:  make adaptation-study          (`--only <arm> ...` for some of them, `--seeds 0 1 2`)
Needs:    MAGENET_DATA=<folder of the photographs>.
Hardware: 2 CPU cores with bf16.
Time:     80 minutes for both sources and the severity measure, then 40 minutes an arm and seed.
Writes:   experiments/results/adaptation.md, adaptation.csv and its other tables; runs/adaptation.

What is trained and tested already is not run again, so the study can be stopped at any time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from experiments.configurations import BASE, CONFIGS, RESULTS
from experiments.studies.adaptation.arms import ARMS, FOLDER, checkpoint, slug
from experiments.studies.adaptation.report import write_report

SOURCES: dict[str, tuple[Path, ...]] = {
    "source": (FOLDER / "source.yaml",),
    "calibrated": (FOLDER / "source.yaml", FOLDER / "calibrated.yaml"),
    "severity": (FOLDER / "severity.yaml",),
}
"""Configurations of the networks that the arms start from or need, by name of the run."""


def run(*arguments: str) -> None:
    """Run the command line `magenet`.

    Raises:
        CalledProcessError: If it fails; its message is on the screen.
    """
    subprocess.run([sys.executable, "-m", "magenet.main", *arguments], check=True)


class Study:
    """The runs of the study in one folder.

    Args:
        runs: Folder of the runs.
        layers: Further configurations of every training and test.
    """

    def __init__(self, runs: Path, layers: Sequence[Path]) -> None:
        self.runs = runs
        self.layers = tuple(part for layer in layers for part in ("--config", str(layer)))

    def _logged(self, version: str) -> tuple[str, ...]:
        """Return the options that name the folder of a run."""
        return (
            "--trainer.logger.init_args.save_dir", str(self.runs),
            "--trainer.logger.init_args.name", "adaptation",
            "--trainer.logger.init_args.version", version,
        )  # fmt: skip

    def train(self, name: str, configs: Sequence[Path], *options: str) -> None:
        """Train one run, unless it is trained."""
        if not checkpoint(self.runs, name).is_file():
            layers = tuple(part for path in (BASE, *configs) for part in ("--config", str(path)))
            run("fit", *layers, *self.layers, *options, *self._logged(name))

    def test(self, name: str) -> Path:
        """Test one run on the real pairs, unless it is tested, and return the folder."""
        folder = self.runs / "adaptation" / f"{name}_tested"
        if not (folder / "scores.csv").is_file():
            run(
                "test", "--config", str(self.runs / "adaptation" / name / "config.yaml"),
                "--config", str(CONFIGS / "tests/pairs.yaml"), *self.layers,
                "--ckpt_path", str(checkpoint(self.runs, name)), "--trainer.devices", "1",
                *self._logged(folder.name),
            )  # fmt: skip
        return folder

    def arm(self, label: str, seed: int) -> Path:
        """Train and test an arm, and return the folder of its test."""
        name = f"{slug(label)}_{seed}"
        seeds = ("--seed_everything", str(seed), "--data.seed", str(seed))
        self.train(name, [FOLDER / "arms.yaml"], *ARMS[label], *seeds)
        return self.test(name)


def main(arguments: list[str] | None = None) -> int:
    """Train and test what is missing, then write the report."""
    parser = argparse.ArgumentParser(description="Adapt to a camera whose damage nobody drew.")
    parser.add_argument("--only", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--layer", type=Path, nargs="*", default=[], help="more layers of every run"
    )
    options = parser.parse_args(arguments)
    study = Study(options.runs, options.layer)
    for name, configs in SOURCES.items():
        study.train(name, configs)
    sources = {name: study.test(name) for name in ("source", "calibrated")}
    arms = [(label, seed) for label in options.only for seed in options.seeds]
    tests = {arm: study.arm(*arm) for arm in tqdm(arms, unit="arm")}
    write_report(options.results, sources, tests)
    return 0


if __name__ == "__main__":
    sys.exit(main())
