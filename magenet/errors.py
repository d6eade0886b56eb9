"""The errors that a person at the shell can mend."""

from __future__ import annotations


class UserError(Exception):
    """Say in one line what is wrong with a file, a key or an option, and what to do.

    The command line prints the message without a traceback and exits with :attr:`status`.
    """

    status = 1
    """Exit status of the process: something could not be done."""


class UsageError(UserError):
    """Say what is wrong with the command line or a config file."""

    status = 2


class StoppedError(UserError):
    """Say what a run that was stopped by a signal left behind, and how to go on.

    Args:
        message: What is printed.
        status: 128 plus the number of the signal, as shells report it; Ctrl-C's by default.
    """

    def __init__(self, message: str, status: int = 130) -> None:
        super().__init__(message)
        self.status = status


def printable(text: str) -> str:
    r"""Return a text, such as a file's name, in one line that cannot control a terminal.

    What cannot be printed is escaped as in Python: control characters, marks that turn the
    direction of writing, bytes that are not valid UTF-8.

    Example:
        >>> printable("M\xfcller\x1b[2J.png\n")
        'Müller\\x1b[2J.png\\n'
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
