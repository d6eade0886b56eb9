"""The scores of a test, photograph by photograph, and their means per type of degradation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from magenet.metrics.full_reference import masked_psnr, masked_ssim

COLUMNS = ("subject", "name", "type", "psnr", "ssim")


class ScoreTable:
    """Collect scores of one or more subjects (input, student, teacher) on the same photographs."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str | float]] = []

    def add(
        self,
        subject: str,
        names: Sequence[str],
        types: Sequence[str],
        image: Tensor,
        clean: Tensor,
        mask: Tensor,
    ) -> None:
        """Score a batch.

        Args:
            subject: Whose photographs these are.
            names: Of the photographs.
            types: Names of their degradation.
            image: `(B, 3, H, W)` in [0, 1].
            clean: Same shape.
            mask: Field of view, `(B, 1, H, W)`, 0 or 1.
        """
        psnr, ssim = masked_psnr(image, clean, mask), masked_ssim(image, clean, mask)
        for place, name in enumerate(names):
            self.rows.append(
                {
                    "subject": subject,
                    "name": name,
                    "type": types[place],
                    "psnr": round(float(psnr[place]), 4),
                    "ssim": round(float(ssim[place]), 5),
                }
            )

    def means(self, subject: str) -> dict[str, float]:
        """Return `psnr_<type>` and `ssim_<type>` of one subject, and `psnr`, `ssim` over all.

        The mean over all types hides two clusters 20 dB apart; compare types.
        """
        result: dict[str, float] = {}
        rows = [row for row in self.rows if row["subject"] == subject]
        for kind in (None, *dict.fromkeys(str(row["type"]) for row in rows)):
            chosen = [row for row in rows if kind is None or row["type"] == kind]
            for score in ("psnr", "ssim"):
                values = [float(row[score]) for row in chosen]
                if values:
                    result[f"{score}_{kind}" if kind else score] = sum(values) / len(values)
        return result

    def write(self, path: str | Path) -> None:
        """Write all rows as CSV."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
