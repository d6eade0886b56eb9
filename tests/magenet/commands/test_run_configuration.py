"""The link to the latest training."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from lightning.pytorch.loggers import CSVLogger

from magenet.commands.run_configuration import keep_earlier_run, link_latest, runs_folder


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


@pytest.mark.parametrize("command", ["fit", "test", "validate"])
@pytest.mark.parametrize("training", [True, False])
def test_no_run_replaces_the_log_of_a_training(
    tmp_path: Path, command: str, training: bool
) -> None:
    folder = tmp_path / "net/seed0"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(f"{'train/loss' if training else 'test/psnr'},step\n1,2\n")
    logger = SimpleNamespace(save_dir=str(tmp_path), name="net", version="seed0")
    options = SimpleNamespace(trainer=SimpleNamespace(logger=SimpleNamespace(init_args=logger)))
    keep_earlier_run(options, command)
    assert (logger.version is None) == (command != "fit" and training), "a folder of its own"
    kept = [path.read_text() for path in folder.glob("metrics*.csv")]
    assert len(kept) == 1
    assert (folder / "metrics.csv").exists() == (command != "fit")


@pytest.mark.parametrize("version", [3, "job_3"])
def test_a_run_is_looked_for_where_its_logger_writes(tmp_path: Path, version: int | str) -> None:
    logger = CSVLogger(tmp_path, name="net", version=version)
    arguments = SimpleNamespace(save_dir=str(tmp_path), name="net", version=version)
    assert runs_folder(arguments) == Path(logger.log_dir)
    assert runs_folder(SimpleNamespace(save_dir=tmp_path, name="net", version=None)) == (
        tmp_path / "net"
    )


def test_a_run_without_a_folder_of_that_name_is_as_it_was(tmp_path: Path) -> None:
    for logger in (
        None, SimpleNamespace(init_args=SimpleNamespace(version=None)),
        SimpleNamespace(init_args=SimpleNamespace(save_dir=tmp_path, name="a", version="b")),
    ):  # fmt: skip
        options = SimpleNamespace(trainer=SimpleNamespace(logger=logger))
        keep_earlier_run(options, "test")
        assert logger is None or getattr(logger.init_args, "version", None) in (None, "b")
