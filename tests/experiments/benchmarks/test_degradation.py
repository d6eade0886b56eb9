import json
from pathlib import Path

import pytest

from experiments.benchmarks import degradation as benchmark
from magenet.degradation import FundusDegradation


@pytest.mark.slow
def test_every_recipe_and_factor_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "speed.json"
    arguments = ["--json", str(out), "--sizes", "48", "64", "--batches", "1", "8"]
    arguments += ["--steps", "1", "--step-size", "48", "--no-compile"]
    monkeypatch.setattr(benchmark, "BUDGET", 0.0)
    assert benchmark.main(arguments) == 0
    result = json.loads(out.read_text())
    measured = {(row["what"], row["size"], row["batch"]) for row in result["rates"]}
    assert ("cofe, seven types", 64, 1) in measured
    assert sum(what.startswith("fundus, ") for what, size, _ in measured if size == 48) == 2 * (
        1 + len(FundusDegradation().factors)
    )
    assert all(0 < row["share_percent"] < 100 for row in result["training_step"])
    assert set(result["cost_growth_over_pixel_growth"]) == {
        f"{what}, batch {batch}"
        for what in ("cofe, seven types", "fundus, mixed")
        for batch in (1, 8)
    }
