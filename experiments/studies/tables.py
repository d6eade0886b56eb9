"""Test the rows of one of the three tables and make the table.

Command:  make table-synthetic table-real table-downstream
Needs:    MAGENET_DATA=<folder of the photographs>; trained rows (make comparison).
Hardware: 2 CPU cores.
Time:     a row 1 to 3 minutes (synthetic), 2 to 4 (real), 3 to 5 (downstream).
Writes:   experiments/results/<table>.csv, <table>_runs.csv, <table>_against.csv, rows/<table>.

Learned rows are the best checkpoints of `runs/comparison_<row>/seed<N>`. The scores of each
photograph are kept in `experiments/results/rows`, so that a table can be made anew, or a row added,
without the other rows' checkpoints. A row is not tested again with the same weights and judges, and
one that was tested by another test is left out of the table.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from experiments.configurations import BASE, CONFIGS, EXPERIMENTS, RESULTS, WEIGHTS
from experiments.studies.fingerprints import fingerprint
from experiments.studies.runs import as_options
from magenet.errors import UserError
from magenet.evaluation.tables import make_table, overview
from magenet.models import peers
from magenet.models.pretrained import WEIGHTS as PACKAGE

CLASSICAL = {
    "CLAHE": ("CLAHE", "clahe"),
    "Setiawan": ("Setiawan", "setiawan"),
    "DarkChannelPrior": ("dark channel prior", "dark_channel"),
    "BenGraham": ("Ben Graham", "ben_graham"),
    "UnsharpMask": ("unsharp mask", "unsharp"),
    "GlobalLocalContrast": ("GLCAE-like", "global_local"),
    "DPFR": ("DPFR", "dpfr"),
    "MUTE": ("MUTE-like", "mute"),
}
"""Label and folder in `experiments/results/rows/<table>` of the classical rows, in their order, by
class in `magenet.models.peers`."""

OTHER_LEARNED = {
    "unet": "U-Net",
    "unet_preservation": "U-Net with preservation",
    "nafnet": "NAFNet",
    "mprnet": "MPRNet-like",
    "i_secret": "I-SECRET-like",
    "cofe_net": "cofe-Net-like",
    "gfe_net": "GFE-Net-like",
}
"""Labels of the learned rows except MAGE-Net, in their order, by name of the configuration."""

LEARNED = {
    **OTHER_LEARNED,
    "mage_net_plain": "MAGE-Net without preservation",
    "mage_net": "MAGE-Net",
    "mean_teacher": "T-S MAGE-Net",
}
"""Labels of all learned rows, in their order, by name of the configuration."""

SHOWN = {
    "synthetic": ("psnr", "ssim"),
    "real": ("pair_vessel_dice", "pair_psnr", "pair_colour"),
    "downstream": ("vessel_iou", "disc_dice"),
}
"""Scores that are printed, by table; the CSV has all."""

RELEASED = "MAGE-Net, released"
"""The network in the package: a row beside the comparison, see docs/scoring.md."""

EARLIER = {"MAGE-Net, release 0.1": WEIGHTS / "mage_net_0.1"}
"""Folders of earlier releases' weights, by label."""

FILES = ("config.json", "model.safetensors")
"""Files of the network in the package."""

CARD = "see the README.md beside the weights"
"""Where the training of a released network is described."""

ENHANCER = "magenet.enhancement.released.ReleasedEnhancer"
"""What uses weights as `magenet enhance` does."""


class TableRow(NamedTuple):
    """A row of a table.

    Attributes:
        label: Label in the table.
        experiment: Configuration of the row, for its provenance.
        configs: Configurations of the test; empty where the row was tested on another machine and
            only its scores are in `experiments/results/rows`.
        checkpoint: None for a classical method or for weights in the package.
        files: Files that the row depends on, where there is no checkpoint.
        options: Further options of the command.
        facts: Provenance that the test cannot find out.
    """

    label: str
    experiment: str
    configs: list[Path]
    checkpoint: Path | None = None
    files: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()
    facts: dict[str, str] | None = None


def entries(runs: Path, rows: Path) -> dict[str, TableRow]:
    """Return every row that can be tested or was tested, in the order of the table, by folder name.

    Args:
        runs: Folder of the trainings.
        rows: Folder of the tested rows.
    """
    classical = CONFIGS / "runs/classical.yaml"
    code = tuple(sorted(Path(peers.__file__).parent.glob("*.py")))
    found = {}
    for network, (label, folder) in CLASSICAL.items():
        options = ("--model.network", f"magenet.models.peers.{network}")
        found[folder] = TableRow(
            label,
            f"runs/classical.yaml --model.network magenet.models.peers.{network}",
            [BASE, classical],
            files=(classical, *code),
            options=options,
        )
    for name, label in LEARNED.items():
        trained = {
            f"{name}_{path.parents[1].name}": path
            for path in (runs / f"comparison_{name}").glob("seed*/checkpoints/best.ckpt")
        }
        folders = sorted({*trained, *(path.name for path in rows.glob(f"{name}_seed*"))})
        if not folders:
            print(f"not trained, left out: {label} (make comparison)", file=sys.stderr)
        for folder in folders:
            suffix = f", seed {folder.rsplit('seed', 1)[1]}" if len(folders) > 1 else ""
            checkpoint = trained.get(folder)
            configs = [checkpoint.parents[1] / "config.yaml"] if checkpoint else []
            found[folder] = TableRow(
                label + suffix, f"runs/comparison/{name}.yaml", configs, checkpoint
            )
    for label, weights in EARLIER.items():
        name = f"{ENHANCER} --model.network.init_args.weights experiments/weights/{weights.name}"
        found[weights.name] = TableRow(
            label,
            f"runs/classical.yaml --model.network {name}",
            [BASE, classical],
            files=tuple(weights / file for file in FILES),
            options=("--model.network", *name.split()),
            facts={
                "checkpoint": f"experiments/weights/{weights.name}",
                "steps": CARD,
                "chosen": CARD,
            },
        )
    found["released"] = TableRow(
        RELEASED,
        "runs/release/detail.yaml",
        [BASE, classical],
        files=tuple(PACKAGE / "mage_net" / file for file in FILES),
        options=("--model.network", ENHANCER),
        facts={"checkpoint": "in the package", "steps": CARD, "chosen": CARD},
    )
    return found


def protocol(table: str) -> str:
    """Return the fingerprint of a table's test and of its judges' files."""
    layer = CONFIGS / f"tests/{table}.yaml"
    pattern = r"experiments/(?:weights|configs/tests)/\w+\.(?:ckpt|pt|csv)"
    named = re.findall(pattern, layer.read_text())
    return fingerprint(layer, *(EXPERIMENTS.parent / name for name in named))


def dependencies(entry: TableRow, table: str) -> dict[str, str]:
    """Return what the scores of a row depend on, besides the code, for its provenance."""
    tested = [entry.checkpoint] if entry.checkpoint else list(entry.files)
    return {
        "config": (
            f"experiments/configs/{entry.experiment} experiments/configs/tests/{table}.yaml"
        ),
        "checkpoint_sha256": fingerprint(*tested),
        "protocol_sha256": protocol(table),
    }


def is_current(folder: Path, wanted: Mapping[str, object]) -> bool:
    """Return whether a row was tested, with these values of its :func:`dependencies`."""
    provenance = folder / "provenance.json"
    if not (provenance.is_file() and (folder / "scores.csv").is_file()):
        return False
    facts = json.loads(provenance.read_text())
    return all(facts.get(name) == value for name, value in wanted.items())


def main(arguments: list[str] | None = None) -> int:
    """Test the rows that are not current, then make the table."""
    parser = argparse.ArgumentParser(description="Test the rows of a table and make it.")
    parser.add_argument("table", choices=tuple(SHOWN))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="test current rows, too")
    parser.add_argument("--only", nargs="+", help="folders of the rows to test; all if not given")
    parser.add_argument("--limit", type=int, help="batches of each test, to try it out")
    options = parser.parse_args(arguments)
    if options.limit is not None and (options.limit < 2 or options.results == RESULTS):
        parser.error("--limit is for a try: 2 or more (Lightning takes 1 for all), with --results")
    rows = options.results / "rows" / options.table
    layer = CONFIGS / f"tests/{options.table}.yaml"
    found = entries(options.runs, rows)
    for name, entry in tqdm(found.items(), unit="row"):
        wanted = {**dependencies(entry, options.table), "limit": options.limit}
        if not entry.configs or (options.only is not None and name not in options.only):
            continue
        if not options.again and is_current(rows / name, wanted):
            continue
        command = [
            sys.executable, "-m", "magenet.main", "test",
            *as_options((*entry.configs, layer)),
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
        tested = options.runs / "tables" / options.table / name
        shutil.copyfile(tested / "scores.csv", rows / name / "scores.csv")
        facts = json.loads((tested / "provenance.json").read_text()) | wanted
        facts |= entry.facts or {}
        (rows / name / "provenance.json").write_text(json.dumps(facts, indent=2) + "\n")
    path = options.results / f"{options.table}.csv"
    current = {"protocol_sha256": protocol(options.table), "limit": options.limit}
    tests = {
        entry.label: rows / name
        for name, entry in found.items()
        if is_current(rows / name, current)
    }
    for entry in found.values():
        if entry.label not in tests:
            print(f"not tested by this test, left out: {entry.label}", file=sys.stderr)
    references = [label for label in tests if label.startswith("MAGE-Net")]
    try:
        print(overview(make_table(path, tests, references), SHOWN[options.table]))
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
