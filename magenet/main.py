"""The command line `magenet`: import the command's module, run it, print its errors."""

from __future__ import annotations

import io
import os
import re
import sys
from importlib import import_module

from magenet.commands.experiment_help import short_help
from magenet.commands.parser import did_you_mean
from magenet.errors import UserError, printable
from magenet.installation import share_name, version

COMMANDS = {
    "enhance": "enhance photographs with the weights in the package",
    "serve": "enhance photographs on a local web page, with a REST API",
    "adapt": "fine-tune these weights on a camera's own photographs",
    "fit": "train a network, as an experiment's YAML says",
    "sweep": "train with many values of options, as a sweep's YAML says",
    "validate": "score it on the validation part",
    "test": "score it photograph by photograph, per type of degradation",
    "table": "put the scores of several tests into one table",
    "predict": "enhance photographs with a trained network",
    "report": "show a training and its tests on one page",
    "degrade": "degrade photographs, with a file of what was done to each",
    "export": "write the network for other programs (ONNX), or as a page for browsers",
    "phantom": "draw synthetic retinas to try the commands on",
    "prepare": "make a manifest of a public data set, with masks and splits",
    "manifest": "make a manifest of any folder of photographs",
    "shards": "write photographs into tar files, for training that streams them",
}
"""Description of each command. A command is a module of `magenet.commands` but for Lightning's."""

SPINS = 1000
"""Rounds for which a thread of GNU OpenMP waits actively for the next operation before it sleeps:
some 10 microseconds; its own 300,000 are milliseconds. Measured on two cores: alone as fast to
within 2 %; beside four processes that compute, a photograph took 3.0 s instead of 6 to 49 s, since
threads that wait keep the cores from those that work."""

EXPERIMENT = ("fit", "validate", "test", "predict")
"""Commands of Lightning's command line, :mod:`magenet.commands.experiment`."""


def usage() -> str:
    """Return the text of `magenet --help`."""
    commands = "\n".join(f"  {name:10}{description}" for name, description in COMMANDS.items())
    return (
        "usage: magenet COMMAND ...\n       magenet --version\n\n"
        f"{commands}\n\nmagenet COMMAND --help shows its options."
    )


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: As on the command line; those of the process if None.

    Returns:
        The exit status: 0, or that of the error: 1 if something could not be done, 2 for a mistake
        on the command line, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    share_name()
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)  # read when torch is imported, by a command
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that it lacks must not cost a run
        sys.stdout.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    name = given[0] if given else "--help"
    if name in ("--help", "-h"):
        print(usage())
        return 0
    if name == "--version":
        print(f"magenet {version()}")
        return 0
    if name not in COMMANDS:
        print(
            f"magenet: error: no command '{name}'{did_you_mean(name, COMMANDS)}; "
            f"choose one of {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        return 2
    if name in EXPERIMENT and ("--help" in given or "-h" in given):
        print(short_help(name))
        return 0
    try:
        if name in EXPERIMENT:
            asked = [name, "--help"] if "--help-all" in given else arguments
            return int(import_module("magenet.commands.experiment").main(asked))
        return int(import_module(f"magenet.commands.{name}").main(given[1:]))
    except UserError as error:
        lines = map(printable, str(error).split("\n"))
        print("magenet: error: " + "\n".join(lines), file=sys.stderr)
        return error.status
    except RuntimeError as error:
        if (lost := _lost_worker(error)) is None:
            raise
        after = "; go on with --ckpt_path last" if name == "fit" else ""
        print(f"magenet: error: {lost}{after}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before or after what the command itself can say more about
        print("magenet: error: stopped by Ctrl-C", file=sys.stderr)
        return 130


def _lost_worker(error: RuntimeError) -> str | None:
    """Return what to do if a process that loads photographs was killed; None for other errors.

    torch's error of that kind has no class of its own.
    """
    line = str(error).strip().partition("\n")[0].rstrip(".")
    if not re.match(r"DataLoader worker \(pid(\(s\))? [\d, ]+\) (is killed|exited)", line):
        return None
    return (
        f"a process that loads photographs has ended ({line}); if memory ran out, use fewer "
        "workers (--data.workers) or a smaller --data.batch_size"
    )


if __name__ == "__main__":
    sys.exit(main())
