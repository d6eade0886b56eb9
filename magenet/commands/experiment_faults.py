"""Why a run failed, in one line."""

from __future__ import annotations

import re
import traceback

import torch
from omegaconf.errors import OmegaConfBaseException

INSTALLED = ("magenet", "data_modules", "lightning", "jsonargparse", "torch")
"""Packages whose messages need no name of a class in front."""


def last_line(error: Exception) -> str:
    """Return the message of an error that a worker may have wrapped in its traceback.

    The last line of a traceback is "package.SomeError: message".
    """
    line = str(error).strip().splitlines()[-1]
    return re.sub(r"^[\w.]+Error: ", "", line)


def lost_process(error: RuntimeError) -> str | None:
    """Return why another process cannot be reached, or None if the error is another one.

    Of torch's errors of that kind those of gloo, on CPUs, have no class of their own.
    """
    line = str(error).partition("\n")[0]
    if not isinstance(error, torch.distributed.DistError) and "gloo/transport" not in line:
        return None
    return re.sub(r"^\[[^]]*\] |\. This is typically.*", "", line)


def config_fault(error: OmegaConfBaseException) -> str:
    """Return what is wrong with a config file, in one line."""
    line = str(error).splitlines()[0]
    if unset := re.search(r"Environment variable '(\w+)' not found", line):
        name = unset[1]
        return f"a config file needs {name}, which is not set: export {name}=<its folder>"
    return f"in a config file: {line}"


def value_fault(error: ValueError) -> str:
    """Return the message of the class that rejected a value, in one line.

    Where the option takes several types, jsonargparse lists the message of each after a dash,
    its own messages among them. Our classes' messages say what they are about; in front of that of
    a class of the user's own is its path.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [x for x in lines if not x.startswith("Problem with given class_path")] or lines
    messages = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    of_class = [m for m in messages if not m.startswith(("Does not validate", "Expected a "))]
    return _own_class(error) + (of_class or messages or lines)[0]


def _own_class(error: BaseException | None) -> str:
    """Return the path of the user's class whose `__init__` raised and a colon, or nothing."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_name != "__init__" or "self" not in frame.f_locals:
                continue
            kind = type(frame.f_locals["self"])
            if kind.__module__.partition(".")[0] not in INSTALLED:
                return f"{kind.__module__}.{kind.__name__}: "
        error = error.__cause__ or error.__context__  # jsonargparse raises another one in its place
    return ""
