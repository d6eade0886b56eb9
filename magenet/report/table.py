"""One table from the scores of several tests: `python -m magenet.report.table`.

With tests it writes a CSV; without, it prints the table of a CSV written before, or puts it into
a Markdown file between `<!-- table NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path

INPUT = "do nothing"
PROVENANCE = (
    "commit", "seed", "versions", "hardware", "parameters", "checkpoint", "checkpoint_sha256",
)  # fmt: skip
COLUMNS = ("row", "type", "psnr", "ssim", "photographs", *PROVENANCE)

Row = dict[str, str]


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV file.

    Raises:
        SystemExit: If there is no such file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError:
        raise SystemExit(f"{path}: no such file; run the test first") from None


def collect(runs: dict[str, Path]) -> list[Row]:
    """Return one row per table row and type: the untouched input, then each run's networks.

    Args:
        runs: The folder of each test's results, by the name of its row.
    """
    table: list[Row] = []
    for name, folder in runs.items():
        scores = read_csv(folder / "scores.csv")
        facts = json.loads((folder / "provenance.json").read_text())
        subjects = list(dict.fromkeys(row["subject"] for row in scores))
        for subject in subjects:
            if subject == "input":
                label = INPUT
                if any(row["row"] == INPUT for row in table):
                    continue
            else:
                label = name if len(subjects) == 2 else f"{name}, {subject}"
            for kind in dict.fromkeys(row["type"] for row in scores):
                chosen = [r for r in scores if r["subject"] == subject and r["type"] == kind]
                means = {
                    score: f"{sum(float(r[score]) for r in chosen) / len(chosen):.4f}"
                    for score in ("psnr", "ssim")
                }
                facts_of = {key: str(facts[key]) for key in PROVENANCE}
                table.append(
                    {"row": label, "type": kind, "photographs": str(len(chosen))}
                    | means
                    | (facts_of if subject != "input" else {})
                )
    return table


def as_markdown(table: list[Row]) -> str:
    """Return the table as Markdown: PSNR in dB / SSIM, inside the field of view."""
    kinds = list(dict.fromkeys(row["type"] for row in table))
    heads = [kind.replace("_", ", ") for kind in kinds]
    lines = [
        "| PSNR dB / SSIM inside the field | " + " | ".join(heads) + " |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for name in dict.fromkeys(row["row"] for row in table):
        own = {row["type"]: row for row in table if row["row"] == name}
        cells = [
            f"{float(own[k]['psnr']):.2f} / {float(own[k]['ssim']):.3f}" if k in own else ""
            for k in kinds
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def put_into(path: Path, name: str, table: str) -> None:
    """Replace the table of a name in a Markdown file.

    Raises:
        SystemExit: If the file has no place for it.
    """
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{path}: no place '<!-- table {name} --> ... <!-- end -->' in it")
    path.write_text(pattern.sub(rf"\g<1>\n{table}\n\n\g<2>", text), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Make, print or place a table."""
    parser = argparse.ArgumentParser(description="Make one table from the scores of several tests.")
    parser.add_argument("runs", nargs="*", metavar="NAME=FOLDER", help="row and test folder")
    parser.add_argument("--csv", type=Path, required=True, help="the table's file")
    parser.add_argument("--into", type=Path, help="Markdown file to put the table into")
    options = parser.parse_args(arguments)
    runs: dict[str, Path] = {}
    for run in options.runs:
        name, separator, folder = run.rpartition("=")
        if not separator:
            parser.error(f"'{run}' is not NAME=FOLDER")
        runs[name] = Path(folder)
    if runs:
        table = collect(runs)
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        with options.csv.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(table)
    else:
        table = read_csv(options.csv)
    markdown = as_markdown(table)
    if options.into is None:
        print(markdown)
    else:
        put_into(options.into, options.csv.stem, markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
