"""Undefined scores are empty cells on disk."""

import math
import os
from pathlib import Path

import pytest

from magenet.errors import UserError
from magenet.evaluation.score_rows import read_rows, write_rows
from tests.magenet.evaluation.test_summary import CLEAN, INPUT


def test_rows_come_back_from_disk_with_their_gaps(tmp_path: Path) -> None:
    written = [*INPUT, {**CLEAN[0], "vessel_dice": math.nan, "dice": 0.5}]
    write_rows(tmp_path / "scores.csv", written)
    read = read_rows(tmp_path / "scores.csv")
    assert [row["vessel_dice"] for row in read[:-1]] == [row["vessel_dice"] for row in INPUT]
    assert math.isnan(float(read[-1]["vessel_dice"]))
    assert math.isnan(float(read[0]["dice"])), "a score that only others have"
    with pytest.raises(UserError, match="run the test first"):
        read_rows(tmp_path / "none.csv")


def test_a_name_that_is_not_utf_8_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"eye\xff.png")
    write_rows(tmp_path / "scores.csv", [{**INPUT[0], "name": name}])
    assert [row["name"] for row in read_rows(tmp_path / "scores.csv")] == [name]


def test_a_failed_write_leaves_the_earlier_rows(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_rows(path, INPUT)
    before = path.read_text()
    with pytest.raises(UnicodeEncodeError):
        write_rows(path, [{**INPUT[0], "name": "\ud800"}])
    assert path.read_text() == before


def test_a_table_that_a_spreadsheet_saved_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text('subject,name,patient,condition,psnr\ninput,a,a,spots,"20,5"\n')
    with pytest.raises(UserError, match="is no table of scores"):
        read_rows(path)
