"""What a run says at its end."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from magenet.callbacks import RunFiles


@pytest.mark.parametrize("is_logged", [True, False])
def test_the_page_of_a_run_is_named_where_there_is_something_to_show(
    is_logged: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_logged:
        (tmp_path / "metrics.csv").write_text("step\n1\n")
    trainer: Any = SimpleNamespace(log_dir=str(tmp_path), is_global_zero=True, loggers=[])
    files, task = RunFiles(), SimpleNamespace()
    files.setup(trainer, task, "fit")  # type: ignore[arg-type]
    files.teardown(trainer, task, "fit")  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert said.startswith(f"run: {tmp_path}")
    assert ("magenet report" in said) == is_logged
