"""One table from the scores of several tests: `python -m magenet.report.table`."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from magenet.degradation import TYPES

INPUT = "do nothing"


def read_means(path: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Return `{subject: {type: (psnr, ssim)}}` from the `scores.csv` of a test.

    Raises:
        SystemExit: If there is no such file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise SystemExit(f"{path}: no such scores; run the test first") from None
    result: dict[str, dict[str, tuple[float, float]]] = {}
    for subject in dict.fromkeys(row["subject"] for row in rows):
        result[subject] = {}
        for kind in TYPES:
            chosen = [r for r in rows if r["subject"] == subject and r["type"] == kind]
            if chosen:
                psnr = sum(float(row["psnr"]) for row in chosen) / len(chosen)
                ssim = sum(float(row["ssim"]) for row in chosen) / len(chosen)
                result[subject][kind] = (psnr, ssim)
    return result


def collect(runs: dict[str, Path]) -> dict[str, dict[str, tuple[float, float]]]:
    """Return `{row: {type: (psnr, ssim)}}`: the untouched input, then each run's networks.

    Args:
        runs: The folder of each test's results, by the name of its row.
    """
    table: dict[str, dict[str, tuple[float, float]]] = {}
    for name, folder in runs.items():
        means = read_means(folder / "scores.csv")
        table.setdefault(INPUT, means["input"])
        for subject, scores in means.items():
            if subject != "input":
                alone = len(means) == 2
                table[name if alone else f"{name}, {subject}"] = scores
    return table


def as_markdown(table: dict[str, dict[str, tuple[float, float]]]) -> str:
    """Return the table as Markdown: PSNR in dB / SSIM, inside the field of view."""
    lines = [
        "| PSNR dB / SSIM inside the field | "
        + " | ".join(k.replace("_", ", ") for k in TYPES)
        + " |",
        "|---" * (len(TYPES) + 1) + "|",
    ]
    for name, scores in table.items():
        cells = [f"{scores[k][0]:.2f} / {scores[k][1]:.3f}" if k in scores else "" for k in TYPES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_csv(table: dict[str, dict[str, tuple[float, float]]], path: Path) -> None:
    """Write the table as CSV: `row, type, psnr, ssim`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("row", "type", "psnr", "ssim"))
        for name, scores in table.items():
            for kind, (psnr, ssim) in scores.items():
                writer.writerow((name, kind, f"{psnr:.4f}", f"{ssim:.5f}"))


def main(arguments: list[str] | None = None) -> int:
    """Print a table and write it beside as CSV."""
    parser = argparse.ArgumentParser(description="Make one table from the scores of several tests.")
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER", help="row and test folder")
    parser.add_argument("--csv", type=Path, required=True, help="where to write the table")
    options = parser.parse_args(arguments)
    runs: dict[str, Path] = {}
    for run in options.runs:
        name, separator, folder = run.partition("=")
        if not separator:
            parser.error(f"'{run}' is not NAME=FOLDER")
        runs[name] = Path(folder)
    table = collect(runs)
    write_csv(table, options.csv)
    print(as_markdown(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
