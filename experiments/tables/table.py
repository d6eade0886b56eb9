"""Make one of the three tables: test every row that there is, then put them side by side.

`python experiments/tables/table.py synthetic` (or `real`, `downstream`). Learned rows are the best
checkpoints of `runs/comparison_<row>/seed<N>`; those that are not trained are named and left out.
A row that was tested since its checkpoint was made is not tested again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

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


def runs(folder: Path) -> dict[str, tuple[list[Path], Path | None]]:
    """Return the configurations and the checkpoint of every row that there is, by its name."""
    base = EXPERIMENTS / "base.yaml"
    found: dict[str, tuple[list[Path], Path | None]] = {
        label: ([base, EXPERIMENTS / f"peers/{name}.yaml"], None)
        for name, label in CLASSICAL.items()
    }
    for name, label in LEARNED.items():
        seeds = sorted((folder / f"comparison_{name}").glob("seed*/checkpoints/best.ckpt"))
        if not seeds:
            print(f"not trained, left out: {label} (make comparison)", file=sys.stderr)
        for checkpoint in seeds:
            run = checkpoint.parents[1]
            suffix = f", {run.name.replace('seed', 'seed ')}" if len(seeds) > 1 else ""
            found[f"{label}{suffix}"] = ([run / "config.yaml"], checkpoint)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Test the rows, then make the table."""
    parser = argparse.ArgumentParser(description="Make one of the tables.")
    parser.add_argument("table", choices=("synthetic", "real", "downstream"))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=EXPERIMENTS / "results")
    parser.add_argument("--limit", type=int, help="batches of each test, for a try")
    options = parser.parse_args(arguments)
    layer = EXPERIMENTS / f"tables/{options.table}.yaml"
    tested = {}
    for label, (configs, checkpoint) in tqdm(runs(options.runs).items(), unit="row"):
        name = label.lower().replace(" ", "_").replace(",", "")
        folder = options.runs / "tables" / options.table / name
        tested[label] = folder
        scores = folder / "scores.csv"
        made = max(
            p.stat().st_mtime for p in (*configs, layer, *([checkpoint] if checkpoint else []))
        )
        if scores.is_file() and scores.stat().st_mtime > made:
            continue
        command = [
            sys.executable, "-m", "magenet.main", "test",
            *(part for config in (*configs, layer) for part in ("--config", str(config))),
            "--trainer.logger.init_args.save_dir", str(options.runs / "tables"),
            "--trainer.logger.init_args.name", options.table,
            "--trainer.logger.init_args.version", name,
            "--trainer.devices", "1", "--trainer.enable_progress_bar", "false",
            *(["--ckpt_path", str(checkpoint)] if checkpoint else []),
            *(["--trainer.limit_test_batches", str(options.limit)] if options.limit else []),
        ]  # fmt: skip
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            print(f"the test of '{label}' failed: see above", file=sys.stderr)
            return 1
    table = options.results / f"{options.table}.csv"
    against = ["--against", "MAGE-Net"] if "MAGE-Net" in tested else []
    rows = [f"{label}={folder}" for label, folder in tested.items()]
    return make_table([*rows, "--csv", str(table), *against, "--scores", "psnr"]) if rows else 1


if __name__ == "__main__":
    sys.exit(main())
