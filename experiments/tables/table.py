"""Make one of the three tables: test every row that there is, then put them side by side.

`python experiments/tables/table.py synthetic` (or `real`, `downstream`). Learned rows are the best
checkpoints of `runs/comparison_<row>/seed<N>`. The scores of each photograph are kept in
`experiments/results/rows`, so that a table can be made anew, or a row added, without the others'
checkpoints; what was tested with the same checkpoint is not tested again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from magenet.report.table import main as make_table

EXPERIMENTS = Path(__file__).parents[1]
CLASSICAL = {
    "clahe": "CLAHE",
    "setiawan": "Setiawan",
    "dark_channel": "dark channel prior",
    "ben_graham": "Ben Graham",
    "unsharp": "unsharp mask",
    "global_local": "GLCAE-like",
}
LEARNED = {
    "unet": "U-Net",
    "nafnet": "NAFNet",
    "mprnet": "MPRNet-like",
    "i_secret": "I-SECRET-like",
    "cofe_net": "cofe-Net-like",
    "gfe_net": "GFE-Net-like",
    "mage_net": "MAGE-Net",
    "mean_teacher": "T-S MAGE-Net",
}
"""Rows of the tables, in their order, by the name of their configuration."""

RELEASED = "MAGE-Net, released"
"""The network in the package: a row beside the comparison, see docs/scoring.md."""

KEPT = ("scores.csv", "provenance.json")
"""What is kept of a test."""


class Entry(NamedTuple):
    """Describe a row: what it is called, and what there is to be tested.

    Attributes:
        label: In the table.
        configs: Of the test; empty where the row was tested elsewhere and only its scores are here.
        checkpoint: None for a method without learning.
        options: More of the command.
    """

    label: str
    configs: list[Path]
    checkpoint: Path | None = None
    options: tuple[str, ...] = ()


def entries(table: str, runs: Path, rows: Path) -> dict[str, Entry]:
    """Return every row that can be tested or was, in the order of the table, by its folder's name.

    Args:
        table: Which one.
        runs: Folder of the trainings.
        rows: Folder of the rows that were tested.
    """
    base = EXPERIMENTS / "base.yaml"
    found = {
        name: Entry(label, [base, EXPERIMENTS / f"peers/{name}.yaml"])
        for name, label in CLASSICAL.items()
    }
    for name, label in LEARNED.items():
        trained = {
            f"{name}_{path.parents[1].name}": path
            for path in (runs / f"comparison_{name}").glob("seed*/checkpoints/best.ckpt")
        }
        known = sorted({*trained, *(path.name for path in rows.glob(f"{name}_seed*"))})
        if not known:
            print(f"not trained, left out: {label} (make comparison)", file=sys.stderr)
        for own in known:
            suffix = f", seed {own.rsplit('seed', 1)[1]}" if len(known) > 1 else ""
            checkpoint = trained.get(own)
            configs = [checkpoint.parents[1] / "config.yaml"] if checkpoint else []
            found[own] = Entry(label + suffix, configs, checkpoint)
    # It was trained at 512 px, where the other two tables score.
    size = () if table == "synthetic" else ("--data.image_size", "512")
    configs = [base, EXPERIMENTS / "peers/released.yaml"]
    found["released"] = Entry(RELEASED, configs, options=size)
    return found


def is_current(folder: Path, checkpoint: Path | None) -> bool:
    """Return whether a row was tested, and with this checkpoint."""
    if not (folder / "scores.csv").is_file():
        return False
    facts = json.loads((folder / "provenance.json").read_text())
    wanted = hashlib.sha256(checkpoint.read_bytes()).hexdigest() if checkpoint else "none"
    return bool(facts["checkpoint_sha256"] == wanted)


def main(arguments: list[str] | None = None) -> int:
    """Test the rows, then make the table."""
    parser = argparse.ArgumentParser(description="Make one of the tables.")
    parser.add_argument("table", choices=("synthetic", "real", "downstream"))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=EXPERIMENTS / "results")
    parser.add_argument("--again", action="store_true", help="test what was tested before")
    parser.add_argument("--limit", type=int, help="batches of each test, for a try")
    options = parser.parse_args(arguments)
    rows = options.results / "rows" / options.table
    layer = EXPERIMENTS / f"tables/{options.table}.yaml"
    found = entries(options.table, options.runs, rows)
    for name, entry in tqdm(found.items(), unit="row"):
        if not entry.configs or (not options.again and is_current(rows / name, entry.checkpoint)):
            continue
        command = [
            sys.executable, "-m", "magenet.main", "test",
            *(part for config in (*entry.configs, layer) for part in ("--config", str(config))),
            "--trainer.logger.init_args.save_dir", str(options.runs / "tables"),
            "--trainer.logger.init_args.name", options.table,
            "--trainer.logger.init_args.version", name,
            "--trainer.devices", "1", "--trainer.enable_progress_bar", "false", *entry.options,
            *(["--ckpt_path", str(entry.checkpoint)] if entry.checkpoint else []),
            *(["--trainer.limit_test_batches", str(options.limit)] if options.limit else []),
        ]  # fmt: skip
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            print(f"the test of '{entry.label}' failed: see above", file=sys.stderr)
            return 1
        (rows / name).mkdir(parents=True, exist_ok=True)
        for file in KEPT:
            shutil.copyfile(
                options.runs / "tables" / options.table / name / file, rows / name / file
            )
    table = options.results / f"{options.table}.csv"
    labels = [entry.label for entry in found.values()]
    reference = next((label for label in labels if label.startswith("MAGE-Net")), None)
    against = ["--against", reference] if reference else []
    folders = [f"{entry.label}={rows / name}" for name, entry in found.items()]
    return make_table([*folders, "--csv", str(table), *against])


if __name__ == "__main__":
    sys.exit(main())
