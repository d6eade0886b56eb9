"""The store: what survives a restart, in which order, and for how long."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from magenet.errors import UserError
from magenet.serving import app as app_module
from magenet.serving.limits import Limits
from magenet.serving.private_folder import MARK
from magenet.serving.store import MOST_ATTEMPTS, Store, StoredResult
from magenet.serving.upload import NewUpload, Upload
from tests.magenet.serving.serving import (
    URL,
    Clock,
    StandIn,
    files_below,
    finished,
    is_at_work,
    picture,
    send,
    served,
    until,
)

DONE = StoredResult({"status": "failed", "verdict": "", "reasons": ["as a test says"]}, [], None)


def added(store: Store, *names: str) -> str:
    """Add a job without a server."""
    with store.arrival() as folder:
        arrived = []
        for number, name in enumerate(names):
            (folder / str(number)).mkdir()
            file = folder / str(number) / "given.png"
            file.write_bytes(picture())
            arrived.append(NewUpload(name, file))
        return store.accept(folder, arrived, 1.0, False).id


def taken(store: Store) -> Upload:
    upload = store.take()
    assert upload is not None
    return upload


def test_what_waited_waits_again_in_the_order_of_arrival(tmp_path: Path) -> None:
    clock = Clock()
    store = Store(tmp_path / "s", Limits(), clock)
    jobs = []
    for number in range(12):
        clock.now += 1
        jobs.append(added(store, f"{number}.png", f"{number}b.png"))
    store.finish(taken(store), DONE)
    at_work = taken(store)
    store.close()  # as if killed: it is not finished
    store = Store(tmp_path / "s", Limits(), clock)
    assert [job.id for job in store.snapshot()] == jobs
    assert store.status(store.jobs[jobs[0]].uploads[0]) == "failed", "what is done stays done"
    order = []
    for _ in range(23):
        upload = taken(store)
        order.append(upload.name)
        store.finish(upload, DONE)
    expected = [name for n in range(12) for name in (f"{n}.png", f"{n}b.png")]
    assert order == expected[1:]
    assert order[0] == at_work.name


def test_a_server_that_was_killed_goes_on_and_gives_the_result(tmp_path: Path) -> None:
    stand_in = StandIn()
    stand_in.open.clear()
    app, _ = served(tmp_path / "s", enhancer=stand_in)
    with TestClient(app, base_url=URL) as client:
        job = send(client, ("eye.png", picture()))["job"]
        until(lambda: is_at_work(client, job))
        shutil.copytree(tmp_path / "s", tmp_path / "killed")  # the disk at that moment
        stand_in.open.set()
    (tmp_path / "killed/jobs" / job / "0/enhanced").mkdir()
    (tmp_path / "killed/jobs" / job / "0/enhanced/given.png").write_bytes(b"a half result")
    app, _ = served(tmp_path / "killed")
    with TestClient(app, base_url=URL) as client:
        (photograph,) = finished(client, job)
        assert photograph["status"] == "enhanced"
        assert client.get("/" + photograph["pictures"]["result"]).content != b"a half result"


def test_what_did_not_arrive_whole_is_removed_at_the_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", Limits())
    job = added(store, "a.png", "b.png")
    store.close()
    folder = tmp_path / "s"
    (folder / "moving/half/0").mkdir(parents=True)
    (folder / "moving/half/0/given.png").write_bytes(b"x")
    (folder / "jobs/torn/0").mkdir(parents=True)
    (folder / "jobs/torn/0/given.png").write_bytes(b"x")
    (folder / "jobs" / job / "1/upload.json").write_text('{"job": ')
    store = Store(folder, Limits())
    assert [list(job.uploads) for job in store.snapshot()] == [[0]]
    assert files_below(folder) == {
        f"jobs/{job}/{file}" for file in ("job.json", "0/upload.json", "0/given.png")
    }


def test_a_photograph_that_ends_the_server_again_and_again_is_left_out(tmp_path: Path) -> None:
    job = added(Store(tmp_path / "s", Limits()), "poison.png", "b.png")
    for _ in range(MOST_ATTEMPTS):
        os.unlink(tmp_path / "s/.serve.lock")  # its process is gone
        store = Store(tmp_path / "s", Limits())
        assert taken(store).name == "poison.png"
    os.unlink(tmp_path / "s/.serve.lock")
    store = Store(tmp_path / "s", Limits())
    assert store.status(store.jobs[job].uploads[0]) == "failed"
    assert taken(store).name == "b.png"


def test_nothing_is_kept_longer_than_said(tmp_path: Path) -> None:
    clock = Clock()
    app, store = served(tmp_path / "s", Limits(keep=10), clock=clock)
    with TestClient(app, base_url=URL) as client:
        old = send(client, ("old.png", picture()))["job"]
        finished(client, old)
        clock.now += 9 * 60
        new = send(client, ("new.png", picture()))["job"]
        finished(client, new)
        clock.now += 61
        assert client.get(f"/jobs/{old}").status_code == 404, "at once, not at the next look"
        assert client.get(f"/jobs/{old}/photographs/0/result").status_code == 404
        assert len(client.get("/jobs").json()) == 1
        store.remove_expired()
        assert {file.split("/")[1] for file in files_below(tmp_path / "s")} == {new}
    clock.now += 9 * 60
    Store(tmp_path / "s", Limits(keep=10), clock)
    assert files_below(tmp_path / "s") == set(), "at the start, too"


def test_a_running_server_deletes_what_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of itself; also what it is at work on, and what waits."""
    monkeypatch.setattr(app_module, "SWEEP", 0.01)
    stand_in, clock = StandIn(), Clock()
    stand_in.open.clear()
    app, store = served(tmp_path / "s", Limits(keep=10), enhancer=stand_in, clock=clock)
    with TestClient(app, base_url=URL) as client:
        job = send(client, ("now.png", picture(0)), ("waits.png", picture(1)))["job"]
        until(lambda: is_at_work(client, job))
        clock.now += 601
        until(lambda: not store.jobs)
        stand_in.open.set()
        until(lambda: files_below(tmp_path / "s") == set())
    assert len(stand_in.sizes) == 1, "what waited was not enhanced any more"


def test_one_that_cannot_be_deleted_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Windows holds the files of a download."""
    clock = Clock()
    store = Store(tmp_path / "s", Limits(keep=10), clock)
    held, other = added(store, "held.png"), added(store, "other.png")
    clock.now += 601
    remove = store.remove

    def in_use(job: str, number: int | None = None) -> bool:
        if job == held:
            raise PermissionError("in use")
        return remove(job, number)

    with monkeypatch.context() as patch:
        patch.setattr(store, "remove", in_use)
        with pytest.raises(PermissionError):
            store.remove_expired()
    assert list(store.jobs) == [held]
    assert not (tmp_path / "s/jobs" / other).exists()
    store.remove_expired()
    assert not store.jobs


def test_a_clock_that_was_set_back_keeps_nothing_longer(tmp_path: Path) -> None:
    clock = Clock()
    store = Store(tmp_path / "s", Limits(keep=10), clock)
    job = added(store, "a.png")
    store.close()
    clock.now -= 1e6
    store = Store(tmp_path / "s", Limits(keep=10), clock)
    assert store.expires(store.jobs[job]) == clock.now + 600


def test_the_folder_is_private_and_of_one_server(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    store = Store(folder, Limits())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(UserError, match="another magenet writes to this folder"):
        Store(folder, Limits())
    store.close()
    folder.chmod(0o755)
    Store(folder, Limits()).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_other_files_or_a_link_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "mine/jobs").mkdir(parents=True)
    (tmp_path / "mine/jobs/letter.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        Store(tmp_path / "mine", Limits())
    assert (tmp_path / "mine/jobs/letter.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(UserError, match="is a link"):
        Store(tmp_path / "link", Limits())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be created"):
        Store(tmp_path / "file", Limits())


def test_a_job_on_disk_is_whole_or_absent(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", Limits())
    with store.arrival() as folder:  # the client goes before the job is accepted
        (folder / "0").mkdir()
        (folder / "0/given.png").write_bytes(picture())
    assert files_below(tmp_path / "s") == set()
    job = added(store, "a.png")
    assert json.loads((tmp_path / "s/jobs" / job / "job.json").read_text())["created"] > 0


def test_what_cannot_be_deleted_is_still_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where a file is open for a download."""
    store = Store(tmp_path / "s", Limits(), Clock())
    job = added(store, "a.png", "b.png")

    def in_use(self: Path, target: Path) -> Path:
        raise PermissionError("in use")

    with monkeypatch.context() as blocked:
        blocked.setattr(Path, "replace", in_use)
        for number in (0, None):
            with pytest.raises(PermissionError):
                store.remove(job, number)
    assert store.find(job, 0) is not None
    shutil.rmtree(tmp_path / "s/moving")  # as a cleaner of temporary folders does
    assert store.remove(job)
    assert store.find(job, 0) is None
    assert not files_below(tmp_path / "s/jobs")


def test_a_cleaner_of_temporary_files_stops_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", Limits(), Clock())
    for name in ("moving", "jobs"):
        shutil.rmtree(tmp_path / "s" / name)
    (tmp_path / "s" / MARK).unlink()
    job = added(store, "a.png")
    store.close()
    again = Store(tmp_path / "s", Limits(), Clock())
    assert again.find(job, 0) is not None
    again.close()
