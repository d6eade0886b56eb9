"""Files are whole or absent, and a folder that cannot be written to is named."""

from pathlib import Path

import pytest

from data_modules.files.errors import PictureError
from magenet.atomic_write import atomic_write, make_folder
from magenet.errors import UserError
from magenet.main import main


@pytest.mark.parametrize("below", ["", "sub", "sub/sub"])
def test_a_file_in_the_place_of_a_folder_is_named(below: str, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    told = f"^{tmp_path / 'a'}: is a file, not a folder to write to$"
    with pytest.raises(UserError, match=told):
        make_folder(tmp_path / "a" / below)
    with (
        pytest.raises(PictureError, match=told),
        atomic_write(tmp_path / "a" / below / "b.png", PictureError),
    ):
        pass


def test_writers_of_one_file_do_not_meet_wherever_they_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)  # as in containers on two machines
    with atomic_write(tmp_path / "a") as one, atomic_write(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one", "the last to finish"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_created_is_named() -> None:
    with pytest.raises(UserError, match=r"^/proc/nowhere: cannot be created \(.+\)$"):
        make_folder(Path("/proc/nowhere"))


@pytest.mark.parametrize(
    "arguments", [["enhance", "IN", "-o"], ["degrade", "IN"], ["shards", "IN"], ["phantom"]]
)
def test_every_command_tells_it_alike(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["phantom", "IN", "--count", "2", "--size", "64"]) == 0
    Path("file").touch()
    assert main([*arguments, "file"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("magenet: error: ")
    assert line.endswith("file: is a file, not a folder to write to")


def test_a_file_that_fails_halfway_is_as_before(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("before")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "a.txt") as part:
        fail(part)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"
