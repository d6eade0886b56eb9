"""Try hyperparameters as a sweep file says: `magenet sweep FILE`."""

from __future__ import annotations

from pathlib import Path

from magenet.commands.named_configs import config_path
from magenet.commands.parser import CommandParser
from magenet.errors import UsageError
from magenet.sweeps.run import run_sweep
from magenet.sweeps.sweep_file import read_sweep


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If the file is no sweep, or its trainings fail.
    """
    parser = CommandParser(
        prog="magenet sweep",
        usage="magenet sweep [-h] [-o OUT] [--trials N] FILE [-- OPTIONS OF FIT]",
        description="Train once per point of a sweep file in W&B's format, without an account: "
        "grid, random, or bayes (TPE of Optuna). Writes trials.csv and sweep.html. The same "
        "command goes on after a stop, and may run in several processes at once.",
        epilog="For example: magenet sweep magenet:sweeps/ema_decay. Options of "
        "fit after -- are those of all trials: -- --trainer.max_epochs 2",
    )
    parser.add_argument("file", metavar="FILE", help="sweep file (YAML), or magenet:sweeps/NAME")
    parser.add_argument(
        "-o", "--out", type=Path, help="folder of the sweep (default: runs/sweeps/<file's name>)"
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="most trials (default: the file's run_cap)"
    )
    mark = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:mark])
    if options.trials is not None and options.trials < 1:
        raise UsageError(f"--trials must be at least 1, got {options.trials}")
    file = config_path(options.file)
    sweep = read_sweep(file, options.trials)
    out = options.out or Path("runs/sweeps", file.stem)
    run_sweep(sweep, out, arguments[mark + 1 :])
    return 0
