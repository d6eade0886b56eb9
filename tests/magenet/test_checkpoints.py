"""Checkpoints: verified when read, and never able to run foreign code."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from magenet.checkpoints import (
    VerifiedCheckpointIO,
    hash_path,
    latest_checkpoint,
    named_classes,
    read_checkpoint,
    require_harmless,
)
from magenet.errors import UserError
from magenet.models import MAGENet
from magenet.tasks import SupervisedTask
from tests.magenet.models.test_mage_net import TINY

PATH = Path("some.ckpt")


def written(path: Path, **content: Any) -> Path:
    VerifiedCheckpointIO().save_checkpoint({"state_dict": {}, **content}, path)
    return path


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"optimizer": "os.system"},
        {"optimizer": {"class_path": "os.system", "init_args": {"command": "true"}}},
        {"_class_path": "subprocess.Popen", "args": ["true"]},
        {"_instantiator": "os.system"},
        {"network": [{"class_path": "magenet.enhancement.released.ReleasedEnhancer"}]},
        {"network": {"class_path": "magenet.models.pretrained.hf_hub_download"}},
        {"network": {"class_path": "magenet.models.mage_net.torch.os.system"}},
        {"network": {"class_path": "magenet.models.MAGENet.from_pretrained"}},
        {"network": {"class_path": ["os.system"]}},
        {"network": {"class_path": "MAGENet"}},
    ],
)
def test_what_names_foreign_code_is_refused_by_name(hyperparameters: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"some\.ckpt: refused: its hyperparameters name '.+'"):
        require_harmless(hyperparameters, PATH)


def test_what_our_own_tasks_save_is_accepted() -> None:
    optimizer = {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1e-4, "betas": [0.9, 0.99]}}
    require_harmless(
        {
            "_class_path": "magenet.tasks.MeanTeacherTask",
            "_instantiator": "lightning.pytorch.cli.instantiate_module",
            "network": {"class_path": "magenet.models.MAGENet", "init_args": {"widths": [8, 16]}},
            "peer": {"class_path": "magenet.models.MAGENet.from_name"},
            "structure_target": {"class_path": "magenet.losses.VesselMaskTarget"},
            "optimizer": optimizer,
            "start": "best.ckpt",
            "note": "ends with a sentence. And another.",
            "warm_up": 0.05,
        },
        PATH,
    )


def test_what_the_user_has_named_is_accepted_and_nothing_beside_it() -> None:
    given = {"network": {"class_path": "json.JSONDecoder"}, "peers": ["json.JSONDecoder"]}
    trusted = named_classes({"model": {"init_args": given}})
    assert trusted == {"json.JSONDecoder"}
    require_harmless(given, PATH, trusted)
    for other in ({"network": {"class_path": "os.system"}}, {"_class_path": "json.JSONEncoder"}):
        with pytest.raises(UserError, match="refused"):
            require_harmless(other, PATH, trusted)


def test_a_crafted_checkpoint_runs_nothing_in_python(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    content = {
        "pytorch-lightning_version": "2.6.6",
        "hyper_parameters": {"_instantiator": "os.system", "command": f"touch {mark}"},
    }
    path = written(tmp_path / "evil.ckpt", **content)
    with pytest.raises(UserError, match=r"os\.system"):
        SupervisedTask.load_from_checkpoint(path)
    assert not mark.exists()


def test_one_changed_bit_is_noticed_and_the_one_before_is_named(tmp_path: Path) -> None:
    before = written(tmp_path / "step_000001.ckpt", state=torch.rand(50))
    path = written(tmp_path / "step_000002.ckpt", state=torch.rand(50))
    os.utime(before, (1, 1))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"2\.ckpt: is damaged.*use the one before: .*1\.ckpt"):
        read_checkpoint(path)
    assert latest_checkpoint(tmp_path) == before


def test_a_whole_checkpoint_is_the_last(tmp_path: Path) -> None:
    first = written(tmp_path / "version_0/checkpoints/step_000900.ckpt")
    second = written(tmp_path / "version_1/checkpoints/step_000100.ckpt")
    os.utime(first, (1, 1))
    assert latest_checkpoint(tmp_path) == second
    with pytest.raises(UserError, match="nothing to resume"):
        latest_checkpoint(tmp_path / "version_2")


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.ckpt", step=1)

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"a\.ckpt: cannot be written \(No space left on device\)"):
        written(path, step=2)
    monkeypatch.undo()
    assert read_checkpoint(path)["step"] == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.ckpt", "a.ckpt.sha256"]


def test_a_checkpoint_without_a_hash_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ckpt", step=7)
    hash_path(path).unlink()
    assert read_checkpoint(path)["step"] == 7


def test_a_deleted_checkpoint_takes_its_hash_along(tmp_path: Path) -> None:
    VerifiedCheckpointIO().remove_checkpoint(written(tmp_path / "a.ckpt"))
    assert not list(tmp_path.iterdir())


def test_a_task_is_built_from_its_own_checkpoint(tmp_path: Path) -> None:
    task = SupervisedTask(MAGENet(**TINY))
    path = written(
        tmp_path / "a.ckpt", state_dict=task.state_dict(), hyper_parameters={"edge_weight": 0.5},
        **{"pytorch-lightning_version": "2.6.6"},
    )  # fmt: skip
    other = SupervisedTask.load_from_checkpoint(path, network=MAGENet(**TINY))
    pairs = zip(task.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
