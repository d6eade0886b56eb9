"""The speed benchmark runs as `make bench` calls it, but smaller, and its numbers are right."""

import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from experiments.benchmarks import (
    ceilings,
    inference,
    networks,
    setting,
    speed,
    startup,
    steps,
    timing,
)
from experiments.benchmarks.setting import Table
from experiments.benchmarks.time_limit import TimeIsUp
from magenet.models import Enhancer, EnhancerOutput

pytestmark = pytest.mark.slow

TINY = [
    "--size", "64", "--batch", "2", "--networks", "tiny", "MPRNet", "--network", "tiny",
    "--seconds", "0", "--steps", "2", "--inference-sizes", "64", "--photograph-size", "96",
    "--photograph-count", "2", "--matrix-side", "64",
]  # fmt: skip


class SmallPeer(Enhancer):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 3, 3, padding=1)
        self.fine = nn.Conv2d(8, 3, 1)

    def forward(self, image: torch.Tensor, mask: torch.Tensor | None = None) -> EnhancerOutput:
        hidden = self.first(image).relu()
        return EnhancerOutput((image + self.second(hidden) + self.fine(hidden),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run with tiny networks and photographs."""
    folder = tmp_path_factory.mktemp("speed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "MIN_ROUNDS", 1)
        patch.setattr(startup, "COMMANDS", {"magenet --help": ["--help"]})
        patch.setattr(networks, "MPRNet", SmallPeer)
        written = ["--json", str(folder / "a.json"), "--markdown", str(folder / "a.md")]
        assert speed.main([*TINY, *written]) == 0
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "a.json").read_text())
    return {title: table["rows"] for title, table in result["tables"].items()}


def one(tables: dict[str, Any], start: str) -> Any:
    found = [rows for title, rows in tables.items() if title.startswith(start)]
    assert len(found) == 1, f"{start}: {list(tables)}"
    return found[0]


def test_parts_add_up_to_the_step(tables: dict[str, Any]) -> None:
    rows = one(tables, "Parts of a training step")
    for kind in ("supervised", "mean teacher"):
        times, shares = rows[f"{kind}, ms"], rows[f"{kind}, %"]
        assert sum(times[part] for part in shares) == pytest.approx(times["mean step"], rel=0.01)
        assert sum(shares.values()) == pytest.approx(100, abs=0.5)
        for part in ("loading", "preparation", "student forward", "losses", "backward"):
            assert times[part] > 0, part
        for part in ("teacher forward", "ema"):
            assert (times[part] > 0) == (kind == "mean teacher")
        assert all(times[part] > 0 for part in ("clipping", "optimizer", "logging", "rest"))


def test_networks_are_compared_with_the_machine(tables: dict[str, Any]) -> None:
    for size, names in ((64, {"tiny", "MPRNet"}), (128, {"tiny"})):
        rows = one(tables, f"Networks at {size} px")
        assert set(rows) == names
        for row in rows.values():
            for column in ("utilisation", "of mean ceiling", "of best ceiling"):
                assert row[column]["value"] > 0
            assert row["of best ceiling"]["value"] <= row["of mean ceiling"]["value"]
            assert row["step ms"]["value"] > 0 < row["forward ms"]["value"]
    assert one(tables, "Networks at 64 px")["MPRNet"]["precision"].startswith("fp32")
    assert one(tables, "tiny against MPRNet")["step"]["ratio"]["value"] > 0


def test_every_section_gives_numbers(tables: dict[str, Any]) -> None:
    assert not [title for title in tables if title.startswith("FAILED")]
    assert one(tables, "Enhancing one photograph")["64 px"]["added MB"] > 0
    assert one(tables, "Start-up")["magenet enhance <one of 96 px>"]["ms"]["value"] > 0
    beside = one(tables, "Enhancing beside other processes")
    assert beside["alone"]["over alone"]["value"] == 1
    assert beside["beside 4"]["ms"]["value"] > 0
    assert len(one(tables, "Loading photographs")) == 6
    ddp = one(tables, "Two processes against one")["two over one"]
    assert ddp["ratio"]["value"] > 0
    assert ddp["largest difference"] < 0.01, "the same photographs in each step"
    assert len(one(tables, "Losses of the first steps")) == 10


def test_a_comparison_marks_what_changed_beyond_the_spread(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "a.md").read_text()
    assert "## Networks at 64 px" in text
    assert "utilisation: ideal time over" in text
    old = json.loads((folder / "a.json").read_text())
    rate = next(iter(old["tables"]["Ceilings of the machine"]["rows"].values()))["rate"]
    rate |= {"value": 1000 * rate["value"], "spread": 0.0}
    (folder / "old.json").write_text(json.dumps(old))
    arguments = [*TINY, "--only", "ceilings", "--compare", str(folder / "old.json")]
    assert speed.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    changed = [line for line in lines if line.startswith("| Ceilings of the machine: matrix")]
    assert len(changed) == 2
    assert changed[0].endswith("| * |")


def test_a_failing_section_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(setting: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setitem(speed.SECTIONS, "startup", broken)
    out = tmp_path / "a.json"
    assert speed.main([*TINY, "--only", "startup", "ceilings", "--json", str(out)]) == 1
    titles = list(json.loads(out.read_text())["tables"])
    assert titles[:2] == ["FAILED: startup", "Ceilings of the machine"]


def test_what_the_time_does_not_suffice_for_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.json"

    def slow(setting: object) -> Iterator[Table]:
        yield Table("First", {}, {"row": {}})
        assert list(json.loads(out.read_text())["tables"]) == ["First"], "written as it comes"
        raise TimeIsUp

    monkeypatch.setitem(speed.SECTIONS, "startup", slow)
    arguments = [*TINY, "--only", "startup", "--json", str(out)]
    assert speed.main(arguments) == 0
    result = json.loads(out.read_text())
    assert list(result["tables"]) == ["First"]
    assert result["facts"]["took"] == "startup not completed, the time was up"
    assert speed.main([*arguments, "--minutes", "0"]) == 0
    assert not json.loads(out.read_text())["tables"]


def test_every_section_has_a_place() -> None:
    assert set().union(*speed.ORDER.values()) == set(speed.SECTIONS)


def test_a_failed_child_process_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that compares fp32 with bf16."""

    def child(module: str, arguments: dict[str, Any], threads: int) -> dict[str, Any]:
        if "fp32" in arguments["precisions"]:
            return {"failed": "out of memory"}
        return {"times": {"bf16": (1.0, 0.1)}, "before": 1.0, "peak": 2.0}

    monkeypatch.setattr(inference, "child", child)
    out = tmp_path / "a.json"
    assert speed.main([*TINY, "--only", "inference", "--json", str(out)]) == 1
    rows = one(
        {t: table["rows"] for t, table in json.loads(out.read_text())["tables"].items()}, "Growth"
    )
    assert rows["fp32 over bf16, 64 px"] == {"failed": "out of memory"}


SMALL = setting.Setting(
    Path(), torch.device("cpu"), 64, 1, [], "tiny", 0.0, 1, [], 64, 1, 8, False, 1
)  # fmt: skip


def test_memory_is_that_of_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = networks.workload_of

    def limited(name: str, batch: int, size: int, device: torch.device) -> networks.Workload:
        if batch > 4 or name == "too large":
            raise torch.cuda.OutOfMemoryError
        return made(name, batch, size, device)

    monkeypatch.setattr(steps, "workload_of", limited)
    small, large = (steps.memory_of(SMALL, "tiny", 64, batch) for batch in (1, 32))
    assert small["largest batch"] == large["largest batch"] == 4
    assert large["peak MB"] > small["peak MB"] + 32 * 3 * 64**2 * 4 / 1e6
    failed = steps.memory_of(SMALL, "too large", 64, 1)
    assert failed == {"failed": "KeyError: 'too large'", "largest batch": 0}


def test_timed_networks_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = networks.workload_of
    kept: list[weakref.ref[networks.Workload]] = []

    def recorded(name: str, batch: int, size: int, device: torch.device) -> networks.Workload:
        workload = made(name, batch, size, device)
        kept.append(weakref.ref(workload))
        return workload

    monkeypatch.setattr(timing, "MIN_ROUNDS", 1)
    monkeypatch.setattr(steps, "workload_of", recorded)
    steps.timed(SMALL, ["tiny"], 64, 1)
    assert [reference() for reference in kept] == [None]


def test_convolutions_and_macs_are_counted_by_their_shapes() -> None:
    workload = networks.Workload(SmallPeer(), 2, 32, torch.device("cpu"), bf16=False)
    shapes, macs = workload.demand()
    by_shape = {(s.channels_in, s.channels_out, s.kernel): s for s in shapes}
    assert set(by_shape) == {(3, 8, 3), (8, 3, 3), (8, 3, 1)}
    assert macs == 2 * 32 * 32 * (2 * 3 * 8 * 9 + 3 * 8)
    assert [s.input_gradient for s in by_shape.values()] == [False, True, True]
    assert by_shape[3, 8, 3].flops(2) == 4 * 2 * 32 * 32 * 3 * 8 * 9
    times = {s: timing.Timing(1.0, 0.0) for s in shapes if s.kernel == 3}
    ideal = ceilings.Ideal(shapes, 2, times)
    # Each 3x3 takes a second of its own; the 1x1 is as quick as the nearest, per operation.
    nearest = by_shape[8, 3, 3].flops(2)
    assert ideal.seconds == pytest.approx(2 + by_shape[8, 3, 1].flops(2) / nearest)


@pytest.mark.parametrize("exponent", [1.0, 1.5])
def test_the_exponent_of_time_is_that_of_the_pixels(exponent: float) -> None:
    seconds = {side: 3e-6 * (side**2) ** exponent for side in (512, 1024, 4096)}
    assert inference.slope(seconds) == pytest.approx(exponent)
