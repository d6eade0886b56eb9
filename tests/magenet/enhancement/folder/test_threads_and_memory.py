"""What a run takes from the machine: its threads, and memory after its end."""

from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules.files.writing import write_photograph
from magenet.enhancement.folder import results as module
from tests.magenet.commands.enhancing import enhance
from tests.magenet.conftest import retina


def enhance_two(folder: Path, weights: Path) -> int:
    """Enhance two photographs in this process, and return the exit status."""
    for seed in range(2):
        write_photograph(retina(seed), folder / f"photos/{seed}.png")
    return enhance(folder / "photos", "--force", "-o", folder / "out", "--weights", weights)


def test_memory_is_given_back_when_the_last_photograph_is_done(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--watch` then waits for the next ones, perhaps until tomorrow."""
    returned: list[int] = []
    monkeypatch.setattr(module, "return_freed_memory", lambda: returned.append(1))
    assert enhance_two(tmp_path, weights) == 0
    assert returned == [1]


def test_the_thread_that_reads_has_no_team(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would slow the network by a quarter; see `magenet.threads`."""
    numbers: list[int] = []
    prepare = module._prepare

    def noted(*arguments: Any) -> Any:
        numbers.append(torch.get_num_threads())
        return prepare(*arguments)

    monkeypatch.setattr(module, "_prepare", noted)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert enhance_two(tmp_path, weights) == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert numbers == [1, 1]
