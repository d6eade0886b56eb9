"""The runtime is the one that was pinned, or there is none."""

import stat
from pathlib import Path

import pytest

from magenet.errors import UserError
from magenet.web_export import runtime
from magenet.web_export.runtime import write_runtime


def npm_that(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in for npm before everything else."""
    (folder / "bin").mkdir()
    npm = folder / "bin/npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def test_a_package_with_another_hash_is_refused_and_nothing_written(tmp_path: Path) -> None:
    file = tmp_path / "onnxruntime-web-1.30.0.tgz"
    file.write_bytes(b"something else")
    with pytest.raises(
        UserError, match=r"1\.30\.0\.tgz: is not onnxruntime-web 1\.30\.0, or is dam"
    ):
        write_runtime(tmp_path / "out", file)
    assert not (tmp_path / "out").exists()


def test_a_download_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm_that('echo evil > "$4/onnxruntime-web-1.30.0.tgz"', tmp_path, monkeypatch)
    with pytest.raises(UserError, match="onnxruntime-web: is not onnxruntime-web"):
        write_runtime(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--onnxruntime .*nowhere\.tgz: cannot be read"):
        write_runtime(tmp_path / "out", tmp_path / "nowhere.tgz")


def test_without_npm_a_person_is_told_how_to_get_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"needs npm.*it is missing; .* --onnxruntime onnx"):
        write_runtime(tmp_path / "out")


def test_why_npm_fails_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'npm error code ENOTFOUND' >&2; echo 'npm error no network' >&2; exit 1"
    npm_that(script, tmp_path, monkeypatch)
    with pytest.raises(
        UserError, match=r"cannot fetch onnxruntime-web@1\.30\.0 \(no network\); wh"
    ):
        write_runtime(tmp_path / "out")
