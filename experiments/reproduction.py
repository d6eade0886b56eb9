"""Check of a reproduction on drawn retinas: each network must gain where it was trained to.

Command:  make reproduce SCALE=smoke, which calls  python -m experiments.reproduction <results.csv>
Reads:    the table of CLAHE and the tiny networks; beside it the published one,
          experiments/results/demo.csv, is shown. Their numbers differ with processor, precision and
          versions, so that only the gain is asked for.
Time:     a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.configurations import RESULTS
from magenet.errors import UserError
from magenet.evaluation.tables import Cells, read_table

PUBLISHED = RESULTS / "demo.csv"
CONDITION, SCORE = "fundus", "psnr"
"""The recipe that the networks are trained on, and the score that their loss is nearest to."""

NETWORK = "MAGE-Net"
"""Beginning of the names of the rows that are trained."""


def gains(table: Sequence[Cells]) -> dict[str, tuple[float, float]]:
    """Return by row the mean gain over doing nothing, in dB, and the lower end of its interval.

    Args:
        table: Lines of the table.
    """
    return {
        cells["row"]: (float(cells["difference"]), float(cells["difference_low"]))
        for cells in table
        if cells["condition"] == CONDITION and cells["score"] == SCORE and cells["difference"]
    }


def check(table: Sequence[Cells], published: Sequence[Cells]) -> list[str]:
    """Return a line for each network: its gain, and the published one.

    Args:
        table: Lines of the table that was made anew.
        published: Lines of the published table.

    Raises:
        UserError: If a published network is missing, or does not gain: the 95 % interval of its
            difference from doing nothing reaches 0.
    """
    own, lines = gains(table), []
    for row, (expected, _) in gains(published).items():
        if not row.startswith(NETWORK):
            continue
        if row not in own:
            raise UserError(f"the table has no row '{row}'; it has {', '.join(own) or 'none'}")
        gain, low = own[row]
        if not low > 0.0:
            raise UserError(
                f"'{row}' does not gain under {CONDITION}: {gain:+.2f} dB, 95 % from {low:+.2f}; "
                f"published {expected:+.2f}"
            )
        lines.append(f"{row}: {gain:+.2f} dB under {CONDITION} (published {expected:+.2f})")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Check a table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path, help="results.csv of the reproduction")
    options = parser.parse_args(arguments)
    try:
        print("\n".join(check(read_table(options.table), read_table(PUBLISHED))))
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
