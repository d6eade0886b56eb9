"""The sections for a GPU also run on a CPU, with small numbers."""

from pathlib import Path

import pytest

from experiments.benchmarks import degradation, distributed, on_device
from tests.experiments.benchmarks.test_precisions import last, setting

pytestmark = pytest.mark.slow


def test_degradation_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degradation, "BUDGET", 0.0)
    tables = on_device.degradation(setting(tmp_path, batch=1, size=48))
    assert {"48 px", "96 px"} == {table.title.split(", ")[1] for table in tables}
    for table in tables:
        assert table.rows["fundus, mixed"]["photographs/s"] > 0  # type: ignore[operator]


def test_enhancing_is_measured(tmp_path: Path) -> None:
    sizes = setting(tmp_path, inference_sizes=[96, 192])
    (table,) = last(on_device.enhancing(sizes)).values()
    for size in ("96 px", "192 px"):
        assert table.rows[size]["photographs/s"]["value"] > 0  # type: ignore[index]
        assert table.rows[size]["fast ms"]["value"] > 0  # type: ignore[index]
    assert isinstance(table.rows["all"]["exponent"], float)


def test_the_tests_for_a_gpu_are_found(tmp_path: Path) -> None:
    (table,) = on_device.tests(setting(tmp_path))
    (row,) = table.rows.values()
    assert "failed" not in row
    assert set(row) & {"passed", "skipped"}


def test_ddp_is_compared_on_one_device(tmp_path: Path) -> None:
    (table,) = distributed.on_gpu(setting(tmp_path, batch=2), accelerator="cpu", devices=1)
    assert list(table.rows) == ["without DDP", "DDP, 1 device"]
    assert table.rows["DDP, 1 device"]["over without"]["value"] > 0  # type: ignore[index]
