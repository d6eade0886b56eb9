"""Runs a sweep whose trainings are stand-ins, in a process of its own: `driver.py FILE OUT`."""

import sys
from pathlib import Path

from magenet.errors import UserError
from magenet.sweeps import rehearsal, run, training, trial
from magenet.sweeps.sweep_file import read_sweep


def use_stand_in() -> None:
    """Replace `magenet fit` by its stand-in, and wait less."""
    training.PROGRAM = (sys.executable, str(Path(__file__).with_name("stand_in.py")))
    trial.POLL = run.WAIT = 0.02
    rehearsal.SHORT = ()


if __name__ == "__main__":
    use_stand_in()
    try:
        run.run_sweep(read_sweep(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3:])
    except UserError as error:
        print(f"magenet: error: {error}")
        sys.exit(error.status)
