"""The link to the latest training."""

import os
from pathlib import Path

import pytest

from magenet.commands.run_configuration import link_latest


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_latest_leads_to_the_latest_training_wherever_the_runs_are_moved(tmp_path: Path) -> None:
    for number in (0, 1):
        run = tmp_path / f"runs/net/version_{number}"
        run.mkdir(parents=True)
        link_latest(tmp_path / "runs", run)
        assert (tmp_path / "runs/latest").resolve() == run.resolve()
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert (tmp_path / "moved/latest").resolve().name == "version_1"
    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) == ["latest", "net"]


def test_what_is_no_link_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    link_latest(tmp_path, tmp_path / "net")
    assert not (tmp_path / "latest").is_symlink()
