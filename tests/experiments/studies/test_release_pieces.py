"""The release is trained in pieces: each goes on from small files, and ends by itself."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from experiments.checkpoints import load_network
from experiments.studies.release import pieces
from experiments.studies.release.pieces import DONE, MOMENTS, Folder, Plan, State
from magenet.checkpoints import read_checkpoint
from magenet.errors import UserError
from tests.magenet.tasks.tiny import data, flat, task, trainer

SMALL: dict[str, Any] = {
    "model": {
        "init_args": {
            "network": {
                "init_args": {
                    "widths": [8] * 4, "blocks": [1] * 4, "guide_width": 8,
                    "detail_widths": [8] * 3, "context_size": 48,
                }
            },
            "structure_target": None, "structure_weight": 0.0, "preservation_weight": 0.0,
        }
    },
    "data": {
        "init_args": {
            "photographs": {"init_args": {"dust": False}}, "image_size": 48, "least_size": 32,
            "window_size": 32, "windows": 2, "batch_size": 1, "workers": 0, "steps": 50,
        }
    },
    "trainer": {"log_every_n_steps": 5, "limit_val_batches": 1},
    "resume_point": {"every_n_steps": 5},
}  # fmt: skip


def test_all_pieces_together_are_the_plan() -> None:
    plan = Plan(minutes=9, pieces=3)
    assert plan.piece == 480
    state, now = State(), 5000.0
    for part, seconds in (("light", 480.0), ("detail", 480.0), ("detail", 480.0)):
        assert state.part == part
        end = plan.end(state, now, now + plan.piece)
        state.spent[part] += seconds
        if part == "light":
            assert end == pytest.approx(now + 480), "all of the first piece"
            state.part = "detail"
    assert plan.left(state) == pytest.approx(0)
    assert end == now + 480, "nothing ends later than the last piece"


def test_time_that_was_lost_does_not_move_the_end_of_the_last_piece() -> None:
    plan, state = Plan(minutes=9, pieces=2, light_share=0.5), State("detail")
    state.spent = {"light": 480.0, "detail": 0.0}
    assert plan.end(state, now=100.0, stop=400.0) == 400.0
    state.spent["light"] = 0.0  # two pieces are left: this one need not end
    assert plan.end(state, now=100.0, stop=400.0) == 580.0


def test_detail_that_begins_within_a_piece_goes_on_in_the_next() -> None:
    plan = Plan(minutes=9, pieces=2)
    state = State("detail", {"light": 320.0, "detail": 0.0})
    assert plan.end(state, now=320.0, stop=480.0) == pytest.approx(320 + 640)
    state.spent["detail"] = 160.0
    assert plan.end(state, now=0.0, stop=480.0) == pytest.approx(480)


def test_a_part_is_not_stopped_just_before_its_end() -> None:
    """Its end is counted from a little later than the piece's: another piece for it is waste."""
    plan = Plan(minutes=9, pieces=3)
    assert plan.end(State("light"), now=2.0, stop=plan.piece) == plan.piece
    assert plan.end(State("light"), now=100.0, stop=plan.piece) == pytest.approx(580)


@pytest.mark.parametrize(("obeys", "status"), [(True, -15), (False, -9)])
def test_a_training_that_does_not_stop_is_ended(obeys: bool, status: int) -> None:
    ignore = "" if obeys else "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code = f"import signal, time; {ignore}print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        kill = time.time() + (600 if obeys else 0.2)
        assert pieces.wait(process, time.time(), kill) == status


def test_a_carried_resume_point_is_small_and_goes_on(tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_steps": 6, "enable_checkpointing": True}
    saved = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)
    trainer(tmp_path, callbacks=[saved], **options).fit(task(), data())
    source, folder = tmp_path / "step=3.ckpt", Folder(tmp_path / "carried")
    folder.light.write_bytes(b"not needed any more")
    folder.keep_point(source)
    before, after = read_checkpoint(source), read_checkpoint(folder.point)
    assert any(name.startswith("ModelCheckpoint") for name in before["callbacks"])
    assert not after["callbacks"], (
        "the score of a network that is left behind would never be beaten"
    )
    for name, value in before["state_dict"].items():
        assert torch.equal(value, after["state_dict"][name])
    (old,), (new,) = (x["optimizer_states"] for x in (before, after))
    for key, moments in old["state"].items():
        for name in MOMENTS:
            assert new["state"][key][name].dtype == torch.bfloat16
            torch.testing.assert_close(
                new["state"][key][name].float(), moments[name], rtol=0.01, atol=0
            )
    assert not folder.light.exists()
    resumed = task()
    run = trainer(tmp_path / "again", **options)
    run.fit(resumed, data(), ckpt_path=folder.point, weights_only=True)
    state = run.optimizers[0].state.values()
    assert all(moments["exp_avg"].dtype == torch.float32 for moments in state)
    assert run.global_step == 6
    assert flat(resumed.network).isfinite().all()


def test_a_folder_that_lacks_what_it_needs_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.read() == State()
    folder.write(State("detail"))
    with pytest.raises(UserError, match=r"needs point\.ckpt or light\.ckpt"):
        folder.read()
    folder.state_file.write_text('{"parts": 3}')
    with pytest.raises(UserError, match="not a state"):
        folder.read()


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_pieces_train_light_then_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stops after few steps in place of the clock, which a busy machine makes useless."""
    Path("small.yaml").write_text(yaml.safe_dump(SMALL))
    arguments = ["--device", "cpu", "--minutes", "60", "--layers", "small.yaml"]
    folder = Folder(Path("runs/pieces"))

    def after_some_steps(process: subprocess.Popen[bytes], stop: float | None, kill: float) -> int:
        while process.poll() is None and not list(folder.work.rglob("step_*.ckpt")):
            time.sleep(0.1)
        process.terminate()
        return process.wait()

    with monkeypatch.context() as patch:
        patch.setattr(pieces, "wait", after_some_steps)
        assert pieces.main(arguments) == 0
        assert folder.read().part == "light"
        first = read_checkpoint(folder.point)
        assert first["global_step"] >= 5
    # The part has next to no time left: it ends by itself, and another begins.
    with monkeypatch.context() as patch:
        patch.setattr(Plan, "end", lambda *_: time.time())
        assert pieces.main(arguments) == 0
    state = json.loads(folder.state_file.read_text())
    assert state["part"] == DONE
    assert [run["part"] for run in state["runs"]] == ["light", "light", "detail"]
    assert all(run["validations"] for run in state["runs"][1:])
    assert state["runs"][1]["step"] >= first["global_step"], "it went on"
    assert load_network(folder.trained, "student").own_scale
    assert not folder.point.exists()
    assert min(state["spent"].values()) > 0
    assert pieces.main(arguments) == 0, "nothing is left to do"
