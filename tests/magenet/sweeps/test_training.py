"""What a training logs is read while it is being written."""

from pathlib import Path

from magenet.sweeps.training import logged_names, logged_values, reason


def log(folder: Path, version: int, text: str) -> None:
    run = folder / f"version_{version}"
    run.mkdir(exist_ok=True)
    (run / "metrics.csv").write_text(text)


def test_values_are_those_of_the_metric_in_the_order_of_steps(tmp_path: Path) -> None:
    log(tmp_path, 0, "epoch,step,train/loss,val/psnr\n0,9,0.5,\n0,9,,20.5\n1,19,0.4,\n1,19,,21.0\n")
    assert logged_values(tmp_path, "val/psnr") == [20.5, 21.0]
    assert logged_values(tmp_path, "train/loss") == [0.5, 0.4]
    assert logged_values(tmp_path, "val/ssim") == []
    assert logged_names(tmp_path) == ["train/loss", "val/psnr"]


def test_a_run_that_went_on_replaces_the_steps_that_it_repeats(tmp_path: Path) -> None:
    for version, rows in ((2, "1,20,3.0\n"), (10, "1,20,4.0\n2,30,5.0\n"), (0, "0,10,1.0\n")):
        log(tmp_path, version, f"epoch,step,a\n{rows}")
    assert logged_values(tmp_path, "a") == [1.0, 4.0, 5.0], "runs by number, not by name"


def test_half_a_line_is_not_a_value(tmp_path: Path) -> None:
    whole = "epoch,step,a\n0,1,23.5\n0,2,24.25\n"
    for length in range(len(whole) + 1):
        log(tmp_path, 0, whole[:length])
        assert logged_values(tmp_path, "a") in ([], [23.5], [23.5, 24.25])
    assert logged_values(tmp_path, "a") == [23.5, 24.25]


def test_what_is_no_number_does_not_count(tmp_path: Path) -> None:
    log(tmp_path, 0, "epoch,step,a\n0,1,nan\n0,2,inf\n0,3,1.5\n")
    assert logged_values(tmp_path, "a") == [1.5]


def test_a_failure_is_told_by_what_the_training_said(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("Seed set to 0\nmagenet: error: the loss is nan\nat the end\n\n")
    assert reason(path, 1) == "the loss is nan"
    assert reason(path, -9) == "ended by SIGKILL"
    path.write_text("ValueError: no\n")
    assert reason(path, 1) == "ValueError: no"
    path.write_text("")
    assert reason(path, 3) == "exit status 3"
