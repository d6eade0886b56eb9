"""Train and test the arms of the adaptation study, then write its report.

Command:  make adaptation-study          (`--only <arm> ...` for some of them, `--seeds 0 1 2`,
                                          `--source <checkpoint>` to begin with a network there is)
Needs:    MAGENET_DATA=<folder of the photographs>.
Hardware: 2 CPU cores.
Time:     80 minutes for both sources and the severity measure, then 20 to 50 minutes an arm and
          seed: half of it without a teacher.
Writes:   experiments/results/adaptation.md and adaptation.csv; runs/adaptation.

What is trained and tested already is not run again, so the study can be stopped at any time. The
report is written after every arm; an arm whose scores it has is not run again even where the folder
of the trainings is lost. With other seeds than the pilot's the continued source is
run, too: arms are compared within a seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from experiments.configurations import CONFIGS, RESULTS
from experiments.studies.adaptation.arms import ARMS, FOLDER, REFERENCE, RUNS, needs, slug
from experiments.studies.adaptation.report import PILOT, write_report
from experiments.studies.adaptation.scores import (
    CALIBRATED_SOURCE,
    DO_NOTHING,
    SOURCE,
    add_tests,
    tested,
)
from experiments.studies.runs import Runs

SOURCES: dict[str, tuple[Path, ...]] = {
    "source": (FOLDER / "source.yaml",),
    "calibrated": (FOLDER / "source.yaml", FOLDER / "calibrated.yaml"),
    "severity": (FOLDER / "severity.yaml",),
}
"""Configurations of the networks that the arms start from or need, by name of the run."""

PAIRS = CONFIGS / "tests/pairs.yaml"
"""The test of each arm."""


def main(arguments: list[str] | None = None) -> int:
    """Train and test what is missing, and write the report."""
    parser = argparse.ArgumentParser(description="Adapt to a camera whose damage nobody drew.")
    parser.add_argument("--only", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--source", type=Path, help="source network; trained and tested if missing")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--layer", type=Path, nargs="*", default=[], help="more layers of every run"
    )
    options = parser.parse_args(arguments)
    runs = Runs(RUNS, options.layer)
    source = options.source or runs.train("source", SOURCES["source"])
    scores = options.results / "adaptation.csv"
    done = tested(scores, source)
    # The reference first: until it is there, a seed's arms are compared with nothing.
    arms = [*([] if options.seeds == [PILOT] else [REFERENCE]), *options.only]
    wanted = dict.fromkeys((arm, seed) for seed in options.seeds for arm in arms)
    missing = [one for one in wanted if one not in done]
    needed = dict.fromkeys(name for label, _ in missing for name in needs(label))
    for name in needed:
        runs.train(name, SOURCES[name])

    def add(label: str, seed: int, name: str) -> None:
        """Test a network, add its scores to the file, and write the report anew."""
        tested = runs.test(name, [PAIRS])
        add_tests(scores, source, {(label, seed): tested})
        write_report(scores, options.results / "adaptation.md")

    if options.source is None:
        add(DO_NOTHING, 0, "source")
        add(SOURCE, 0, "source")
    if "calibrated" in needed:
        add(CALIBRATED_SOURCE, 0, "calibrated")
    for label, seed in tqdm(missing, unit="arm"):
        name = f"{slug(label)}_{seed}"
        seeds = ("--seed_everything", str(seed), "--data.seed", str(seed))
        start = ("--model.start", str(source))
        runs.train(name, [FOLDER / "arms.yaml"], *start, *ARMS[label], *seeds)
        add(label, seed, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
