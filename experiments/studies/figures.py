"""Figures and the short table of the README and of docs/results.md.

Command:  make figures   (with MAGENET_DATA, the photographs are drawn anew, too)
Hardware: one CPU core. Time: 2 s; with photographs 15 s.

Written from `experiments/results/evidence`: the five rows between the markers of the README, and
`real_pairs.svg`. Written from three real pairs and the weights in the package: `before_after.jpg`.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import magenet
from experiments.configurations import EXPERIMENTS, RESULTS
from experiments.studies.evidence.report import pair_table, read_rows
from experiments.studies.interval_plot import OURS, TEXT, Panel, interval_plot
from experiments.studies.picture_grid import TILE, picture_grid
from experiments.studies.tables import EARLIER, RELEASED
from magenet.errors import UserError
from magenet.evaluation.statistics import Interval
from magenet.evaluation.tables import LABELS, Cells, as_markdown

ROOT = EXPERIMENTS.parent
DICE, RIDGE = "vessel Dice, network", "vessel Dice, ridge filter"
COLOUR, PSNR = "colour", "psnr"
"""Scores of real pairs."""

NOTHING = LABELS["input"]

METHODS = {
    "untouched": NOTHING,
    "CLAHE": "CLAHE",
    "Setiawan": "Setiawan",
    **{weights.name: label for label, weights in EARLIER.items()},
    "mage_net": RELEASED,
}
"""Names of the rows by method of the evidence, in their order."""

FIVE_ROWS = re.compile(r"<!-- five rows -->\n.*?<!-- end five rows -->", re.DOTALL)

PAIRS = ("dp05", "dp20", "dp07")
"""Pairs shown in the README, chosen for damage that is visible in a small picture."""

Enhance = Callable[[Path], tuple[NDArray[np.uint8], str]]
"""From a file to the enhanced photograph `(H, W, 3)` and its verdict."""


PANELS = (
    Panel(DICE, "Vessels, Dice: right is better", "agreement with the better photograph", 0.1),
    Panel(COLOUR, "Colour distance: left is better", "CIEDE2000 to the better photograph", 2.0),
)


def five_rows(table: Sequence[Cells]) -> str:
    """Return the README's table: doing nothing, CLAHE, Setiawan, the releases.

    Args:
        table: Lines of :func:`experiments.studies.evidence.report.pair_table`.

    Raises:
        UserError: If one of the rows is missing.
    """
    dice = {c["row"]: c for c in table if (c["condition"], c["score"]) == ("pair", DICE)}
    rows = METHODS.values()
    if missing := [row for row in rows if row not in dice]:
        raise UserError(f"the table of real pairs lacks {', '.join(missing)}")
    shown = {row: f"**{row}**" if row == RELEASED else row for row in rows}
    chosen = [{**c, "row": text} for row, text in shown.items() for c in table if c["row"] == row]
    body = as_markdown(chosen, [DICE, RIDGE, COLOUR, PSNR], ["pair"]).split("\n")[1:]
    count = dice[NOTHING]
    head = (
        f"| {count['photographs']} real pairs, {count['patients']} patients "
        "| vessels found, Dice ↑ | by a ridge filter ↑ | colour distance ↓ | PSNR, dB ↑ |"
    )
    return "\n".join((head, *body))


def put_five_rows(path: Path, table: Sequence[Cells]) -> None:
    """Write the five rows between the markers of a Markdown file.

    Raises:
        UserError: If it has no markers, or a row is missing.
    """
    rows = f"<!-- five rows -->\n\n{five_rows(table)}\n\n<!-- end five rows -->"
    text, found = FIVE_ROWS.subn(lambda _: rows, path.read_text(encoding="utf-8"))
    if not found:
        raise UserError(f"{path}: no '<!-- five rows --> ... <!-- end five rows -->' in it")
    path.write_text(text, encoding="utf-8")


def figure(table: Sequence[Cells]) -> str:
    """Return the figure of the real pairs as SVG: a mean and its 95 % interval per method.

    Args:
        table: Lines of :func:`experiments.studies.evidence.report.pair_table`.

    Raises:
        UserError: If a score is missing.
    """
    cells = {(c["row"], c["score"]): c for c in table if c["condition"] == "pair"}
    rows = [row for row in METHODS.values() if (row, DICE) in cells]
    wanted = [(row, panel.score) for row in rows for panel in PANELS]
    if NOTHING not in rows or any(key not in cells for key in wanted):
        raise UserError("the table of real pairs lacks a score or the row of doing nothing")
    found = {
        key: Interval(*(float(cells[key][end]) for end in ("mean", "low", "high")))
        for key in wanted
    }
    title = "Vessel Dice and colour distance on real pairs, per method"
    colours = {row: OURS for row in rows if "MAGE-Net" in row} | {NOTHING: TEXT}
    return interval_plot(title, PANELS, found, NOTHING, colours, RELEASED)


def before_after(photographs: Path, enhance: Enhance, pairs: Sequence[str] = PAIRS) -> Image.Image:
    """Return a sheet of real pairs: the low photograph, the same enhanced, the better photograph.

    Args:
        photographs: Folder of `index.csv`, with `hygd/pairs.csv`.
        enhance: What enhances a file.
        pairs: Which pairs, by `pair_id`; one row of the sheet each.

    Raises:
        UserError: If the folder lacks the pairs.
    """
    listing = photographs / "hygd/pairs.csv"
    try:
        with listing.open(newline="", encoding="utf-8") as stream:
            lines = {line["pair_id"]: line for line in csv.DictReader(stream)}
    except FileNotFoundError:
        raise UserError(f"{listing}: no such file; it lists the real pairs") from None
    if missing := [pair for pair in pairs if pair not in lines]:
        raise UserError(f"{listing}: lacks {', '.join(missing)}")
    rows = []
    for pair in pairs:
        low = photographs / lines[pair]["low"]
        enhanced, verdict = enhance(low)
        before, after, better = (
            picture.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)
            for picture in (
                Image.open(low),
                Image.fromarray(enhanced),
                Image.open(photographs / lines[pair]["high_aligned"]),
            )
        )
        font = ImageFont.load_default(15)
        ImageDraw.Draw(after).text((8, TILE - 24), f"verdict: {verdict}", "white", font)
        rows.append((before, after, better))
    return picture_grid(("before", "enhanced", "a better photograph of this eye"), rows)


def by_release(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Return a photograph enhanced with the weights in the package, and its verdict in words."""
    result = magenet.enhance(path)
    return result.image, {"abstain": "do not use"}.get(result.report.verdict, result.report.verdict)


def main(arguments: list[str] | None = None) -> int:
    """Draw the figures and fill the README's table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--evidence", type=Path, default=RESULTS / "evidence", help="its folder")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images", help="folder of pictures")
    parser.add_argument("--photographs", type=Path, help="folder of index.csv: draw them, too")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        table = pair_table(read_rows(options.evidence), METHODS)
        put_five_rows(options.readme, table)
        (options.out / "real_pairs.svg").write_text(figure(table), encoding="utf-8")
        if options.photographs is not None:
            sheet = before_after(options.photographs, by_release)
            sheet.save(options.out / "before_after.jpg", quality=86, optimize=True)
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
