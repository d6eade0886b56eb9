"""Argument parser of the commands: a mistake is one line that names the nearest option."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

from magenet.errors import UsageError

ALIKE = 0.8
"""Least likeness of a dotted word's beginning to the one that was meant: `loses` to `losses` has
0.9, but to `loggers` 0.5 (our choice)."""


class CommandParser(argparse.ArgumentParser):
    """Argument parser that raises what argparse would print below its usage.

    Options are not abbreviated: a shortened one is more often a mistake.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise with the mistake, the option that was meant, and where all of them are.

        Raises:
            UsageError: Always.
        """
        meant = options_meant(message, self._option_string_actions)
        raise UsageError(f"{message}{meant}; see {self.prog} --help")


def add_enhancer_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of what enhances: weights, device, memory."""
    parser.add_argument(
        "--weights", default="mage_net", help="name, folder or hub id (default: %(default)s)"
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--max-memory",
        default="2G",
        help="memory that the process may use to enhance (default: %(default)s)",
    )


def options_meant(message: str, known: Iterable[str]) -> str:
    """Return :func:`did_you_mean` for each option that argparse's message does not recognize."""
    kind, _, given = message.partition(": ")
    words = given.split() if kind == "unrecognized arguments" else []
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    return "".join(did_you_mean(option, known) for option in options)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest known word, or nothing if none is near.

    Of a dotted word whose beginning is unknown, the beginning is looked for.

    Example:
        >>> did_you_mean("--strenght", ["--strength", "--out"])
        ' (did you mean --strength?)'
        >>> did_you_mean("loses.edge.weight", ["losses", "edge_weight"])
        ' (did you mean losses.edge.weight?)'
    """
    known = list(known)
    beginning, dot, rest = word.partition(".")
    beginnings = {one.partition(".")[0] for one in known}
    if dot and beginning not in beginnings:
        near = [one + dot + rest for one in get_close_matches(beginning, beginnings, 1, ALIKE)]
    else:
        near = []
    near = near or get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
