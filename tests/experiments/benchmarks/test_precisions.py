"""What does not fit is told, and the measurements beside it stay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.benchmarks import precisions
from experiments.benchmarks.setting import Setting, Table


def setting(tmp_path: Path, **changes: Any) -> Setting:
    options: dict[str, Any] = {
        "folder": tmp_path, "device": torch.device("cpu"), "size": 64, "batch": 4,
        "networks": ["tiny"], "network": "tiny", "seconds": 0.0, "steps": 2,
        "inference_sizes": [96], "photograph_size": 96, "photograph_count": 2, "matrix_side": 64,
        "compile": False, "most_batch": 2,
    }  # fmt: skip
    return Setting(**{**options, **changes})


def last(tables: Iterator[Table]) -> dict[str, Table]:
    return {table.title: table for table in tables}


def test_the_batch_doubles_until_it_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(setting: Setting, size: int, batch: int, *_: object) -> dict[str, Any]:
        if batch * size**2 > 4 * 64**2:
            raise torch.OutOfMemoryError("no memory")
        return {"batch": batch}

    monkeypatch.setattr(precisions, "timed", timed)
    small, large = last(precisions.batches(setting(tmp_path, most_batch=1 << 20))).values()
    assert list(small.rows) == ["1", "2", "4"]
    assert [row for row in small.rows if "largest" in small.rows[row]] == ["4"]
    assert list(large.rows) == ["1"]


def test_not_even_one_photograph_may_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(*_: object) -> dict[str, Any]:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(precisions, "timed", timed)
    tables = last(precisions.batches(setting(tmp_path)))
    assert all(table.rows == {"1": {"failed": "no memory"}} for table in tables.values())


def test_a_precision_that_fails_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(setting: Setting, size: int, batch: int, bf16: bool, *_: object) -> dict[str, Any]:
        if not bf16:
            raise RuntimeError("no fp32\nat all")
        return {"batch": batch}

    monkeypatch.setattr(precisions, "timed", timed)
    small, large = last(precisions.measure(setting(tmp_path, compile=True))).values()
    assert small.rows["fp32"] == {"failed": "no fp32"}
    assert list(small.rows) == ["fp32", "bf16", "bf16, compiled"]
    assert large.rows["bf16"] == {"batch": 1}


@pytest.mark.slow
def test_steps_are_measured(tmp_path: Path) -> None:
    for table in last(precisions.measure(setting(tmp_path))).values():
        assert list(table.rows) == ["fp32", "bf16"]
        for row in table.rows.values():
            assert row["step ms"]["value"] > 0  # type: ignore[index]
    for table in last(precisions.batches(setting(tmp_path))).values():
        assert list(table.rows) == ["1", "2"]
