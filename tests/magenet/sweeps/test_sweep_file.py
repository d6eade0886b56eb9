"""A sweep file is read as W&B reads it, and a mistake in it is one line that names its key."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from magenet.errors import UsageError
from magenet.sweeps.parameter import Parameter, read_parameter
from magenet.sweeps.sweep_file import Pruning, Sweep, read_sweep

GRID: dict[str, Any] = {
    "command": ["magenet", "fit", "--config", "a.yaml", "${args}", "--last"],
    "method": "grid",
    "metric": {"name": "val/psnr", "goal": "maximize"},
    "parameters": {"model.a": {"values": [1, 2]}, "model.b": {"value": True}},
}


def read(folder: Path, content: Any, trials: int | None = None) -> Sweep:
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(content))
    return read_sweep(path, trials)


def test_a_grid_is_the_product_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = GRID | {"parameters": {"a": {"values": [1, 2]}, "b": {"min": 3, "max": 4}}}
    sweep = read(tmp_path, content)
    assert sweep.grid() == [{"a": a, "b": b} for a in (1, 2) for b in (3, 4)]
    assert sweep.count() == 4
    assert read(tmp_path, content | {"run_cap": 3}).count() == 3
    assert read(tmp_path, content | {"run_cap": 3}, trials=1).count() == 1


def test_the_command_has_the_parameters_in_their_place(tmp_path: Path) -> None:
    words = read(tmp_path, GRID).words({"model.a": "[1, 2]", "model.b": True})
    assert words == [
        "magenet", "fit", "--config", "a.yaml", "--model.a=[1, 2]", "--model.b=True", "--last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "parameter"),
    [
        ({"value": 0.1}, Parameter((0.1,))),
        ({"values": ["null", [1, 2], {"a": 1}]}, Parameter(("null", "[1, 2]", "{'a': 1}"))),
        ({"min": 1, "max": 3}, Parameter((), 1, 3, integer=True)),
        ({"min": 0, "max": 1.5}, Parameter((), 0, 1.5)),
        ({"distribution": "uniform", "min": 0, "max": 1}, Parameter((), 0, 1)),
        (
            {"distribution": "log_uniform_values", "min": 0.1, "max": 1},
            Parameter((), 0.1, 1, log=True),
        ),
        (
            {"distribution": "q_uniform", "min": 0.0, "max": 0.3, "q": 0.1},
            Parameter((), 0, 0.3, 0.1),
        ),
    ],
)
def test_a_parameter_means_what_it_means_to_wandb(section: Any, parameter: Parameter) -> None:
    assert read_parameter("x", section) == parameter


def test_a_range_with_a_step_has_points() -> None:
    assert Parameter((), 0.0, 0.3, 0.1).points() == (0.0, 0.1, 0.2, 0.3)
    assert Parameter((), 1, 6, 2, integer=True).points() == (1, 3, 5)
    assert Parameter((), 0.0, 1.0).points() == ()


@pytest.mark.parametrize(
    ("section", "pruning"),
    [
        ({"type": "hyperband", "min_iter": 3}, Pruning(3, 3)),
        ({"type": "hyperband", "min_iter": 2, "eta": 2}, Pruning(2, 2)),
        ({"type": "hyperband", "max_iter": 27, "s": 2}, Pruning(3, 3)),
    ],
)
def test_hyperband_compares_where_wandb_does(
    tmp_path: Path, section: dict[str, Any], pruning: Pruning
) -> None:
    assert read(tmp_path, GRID | {"early_terminate": section}).pruning == pruning


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metod": "grid"}, "metod: unknown key; known are name, "),
        ({"method": "tpe"}, "method: must be one of grid, random, bayes, got 'tpe'"),
        ({"method": "bayes"}, "run_cap: bayes needs a number of trials (or give --trials)"),
        ({"run_cap": 0}, "run_cap: must be a positive whole number, got 0"),
        ({"metric": None}, "metric: missing, or no section with keys"),
        ({"metric": {"goal": "maximize"}}, "metric.name: missing"),
        ({"metric": {"name": "a", "target": 1}}, "metric.target: unknown key; known are name, "),
        ({"metric": {"name": "a", "goal": "most"}}, "metric.goal: must be minimize or maximize"),
        ({"parameters": {}}, "parameters: missing, or no section with keys"),
        ({"parameters": {"a": 1}}, "parameters.a: give its values, such as {values: "),
        ({"parameters": {"a": {"values": []}}}, "parameters.a.values: must be a list of at "),
        ({"parameters": {"a": {"values": [1, 1]}}}, "parameters.a.values: lists a value twice"),
        ({"parameters": {"a": {"values": [None]}}}, 'parameters.a: write "null" in quotation '),
        ({"parameters": {"a": {"min": 0.0}}}, "parameters.a: uniform needs max"),
        ({"parameters": {"a": {"min": 0.0, "max": 1.0}}}, "parameters.a: a grid needs a list "),
        ({"parameters": {"a": {"min": 2, "max": 1}}}, "parameters.a: min must be less than max"),
        ({"parameters": {"a": {"min": "1e-4", "max": 1}}}, "parameters.a.min: must be a number"),
        (
            {"parameters": {"a": {"distribution": "normal", "mu": 0}}},
            "parameters.a: distribution 'normal' is not supported; use one of constant, ",
        ),
        (
            {"parameters": {"a": {"values": [1], "probabilities": [1]}}},
            "parameters.a: categorical has no probabilities; it has values",
        ),
        ({"parameters": {"a": {"parameters": {}}}}, "parameters.a: nested parameters: give each"),
        ({"command": ["python", "fit"]}, "command: must be a list of words that begins with "),
        ({"command": ["magenet", "fit"]}, "command: must have ${args} once, for the parameters"),
        (
            {"command": ["magenet", "fit", "${args}", "${args_json}"]},
            "command: ${args_json} is not supported; ${args} is",
        ),
        ({"early_terminate": {"type": "median"}}, "early_terminate.type: must be hyperband, got"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate: hyperband needs min_iter"),
        (
            {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1}},
            "early_terminate.eta: must be a whole number of at least 2, got 1",
        ),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, GRID | change)
    assert str(error.value).startswith(f"{tmp_path / 's.yaml'}: {message}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    with pytest.raises(UsageError, match=r"s.yaml: cannot be read \(No such file"):
        read_sweep(path)
    path.write_text("a: [")
    with pytest.raises(UsageError, match=r"s.yaml: is no YAML: "):
        read_sweep(path)
    path.write_text("just words")
    with pytest.raises(UsageError, match=r"s.yaml: is no sweep: it needs method"):
        read_sweep(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match=r"s.yaml: is no text in UTF-8"):
        read_sweep(path)
