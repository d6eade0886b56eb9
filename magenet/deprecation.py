"""Names of earlier versions, so that configurations saved with them still run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module


def moved(module: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` that resolves old names to new ones, with a warning.

    Args:
        module: Name of the module.
        homes: Full new name of each old one.

    Example:
        >>> find = moved("magenet.report", {"Provenance": "magenet.callbacks.Provenance"})
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", FutureWarning)
        ...     find("Provenance").__module__
        'magenet.callbacks.provenance'
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, new_name = homes[name].rpartition(".")
        warnings.warn(
            f"{module}.{name} is now {homes[name]}; the old name will be removed in 0.3",
            FutureWarning,
            stacklevel=2,
        )
        found: object = getattr(import_module(home), new_name)
        return found

    return find
