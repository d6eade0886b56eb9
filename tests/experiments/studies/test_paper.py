"""Published rows are marked as such, beside ours, and gaps are closed on one data set only."""

from pathlib import Path

import pytest

from experiments.configurations import RESULTS
from experiments.studies.paper import COLUMNS, OURS, as_markdown, main, ours, published
from magenet.errors import UserError


def test_published_rows_stand_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "published.csv").write_text(
        "table,row,score,value,data,source\n"
        "vessels,low-quality input,vessel_iou,0.4,DRIVE,paper\n"
        "vessels,MAGE-Net,vessel_iou,0.7,DRIVE,paper\n"
        "vessels,high-quality photograph,vessel_iou,0.8,DRIVE,paper\n"
    )
    (tmp_path / "downstream_0.1.csv").write_text(
        "row,condition,score,mean\n"
        "do nothing,illumination,vessel_iou,0.1\n"
        "MAGE-Net,illumination,vessel_iou,0.2\n"
        "MAGE-Net,none,vessel_iou,0.9\n"
        "clean,illumination,vessel_iou,0.5\n"
    )
    assert main(["--results", str(tmp_path)]) == 0
    lines = (tmp_path / "paper.md").read_text().splitlines()
    assert "| MAGE-Net | 0.700 | 75% | published, other data (1) |" in lines
    assert "| MAGE-Net | 0.200 | 25% | ours (2) |" in lines
    assert sum(line.startswith("| ") for line in lines) == 7, "a heading and six rows"
    assert lines[-2:] == ["1. published, other data: DRIVE (paper)", f"2. {OURS[0].data}"]


def test_a_score_without_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "published.csv").write_text("table,row,score,value,data,source\nv,a,beauty,1,d,s\n")
    with pytest.raises(UserError, match="no column for the score 'beauty'"):
        published(tmp_path)


def test_the_committed_page_is_that_of_the_committed_tables() -> None:
    table = as_markdown(published(RESULTS) | ours(RESULTS))
    assert (RESULTS / "paper.md").read_text().endswith(f"{table}\n")
    assert all(f"| {COLUMNS[name]} |" in table for name in ("vessel_iou", "fiqa", "psnr"))


def test_the_papers_own_table_is_complete() -> None:
    """Eight rows of three scores, as they were read; T-S MAGE-Net's row was not."""
    rows = {row: v for (data, row), v in published(RESULTS).items() if "2302.11795" in data}
    assert len(rows) == 8
    assert all(len(values) == 3 for values in rows.values())
    assert rows["MAGE-Net"]["vessel_iou"] == 0.726
