"""The error that a person at the shell can mend."""

from __future__ import annotations


class UserError(Exception):
    """Say in one line what is wrong with a file, a key or an option, and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """
