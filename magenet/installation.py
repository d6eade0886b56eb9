"""What differs between a clone and the installed package: version, configurations, a name.

In a clone, `data_modules` and `experiments/configs` lie beside `magenet`. In the wheel they lie in
it, as `magenet.data_modules` and `magenet/configs` (see `.github/wheel.py`): so a package of
somebody else that is called `data_modules`, and ours, never meet.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = Path(__file__).parent

INSTALLED = (PACKAGE / "data_modules").is_dir()
"""Whether this is the installed package, not a clone."""

CONFIGS = PACKAGE / "configs" if INSTALLED else PACKAGE.parent / "experiments/configs"
"""Folder of the experiments' configurations."""

BASE = CONFIGS / "base.yaml"
"""What all runs share."""

NAMES = ("magenet.data_modules", "data_modules")
"""Names of the package of data modules: where it is installed, and in a clone."""


def version() -> str:
    """Return the version, as `pyproject.toml` says it: the clone's own, or when it was built."""
    if INSTALLED:
        return metadata.version("magenet")
    import tomllib

    content = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    return str(content["project"]["version"])


def only_in_clone(path: str | Path) -> str:
    """Return where a missing file is if configurations name it and the package does not hold it.

    Args:
        path: The missing file, as the configuration names it.

    Example:
        >>> only_in_clone("experiments/weights/vessels.ckpt")[:55]
        "; it is in the project's repository, not in the package"
        >>> only_in_clone("runs/best.ckpt")
        ''
    """
    if not Path(path).as_posix().startswith(("experiments/weights/", "experiments/configs/")):
        return ""
    return (
        "; it is in the project's repository, not in the package: call the command in the folder "
        "of a clone, or name another file"
    )


def share_name() -> None:
    """Let data modules be found by the name of the other place, too, if nothing else has it.

    So a configuration with `class_path: data_modules.PairedDataModule` runs with the installed
    package, and one that was saved there runs in a clone. Both names lead to the same modules.
    """
    real, second = NAMES if INSTALLED else (NAMES[1], NAMES[0])
    if not any(isinstance(finder, SecondName) for finder in sys.meta_path):
        sys.meta_path.insert(0, SecondName(second, real))


class SecondName(MetaPathFinder, Loader):
    """Finder that imports a package and its modules by a second name, without loading them twice.

    Args:
        second: The second name. A package that has it already keeps it.
        real: Name of the package.
    """

    def __init__(self, second: str, real: str) -> None:
        self.second = second
        self.real = real

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import a module of the second name, or None if that is not ours."""
        if fullname == self.second:
            others = [finder for finder in sys.meta_path if finder is not self]
            if any(finder.find_spec(fullname, path) for finder in others):
                return None
        elif not fullname.startswith(f"{self.second}.") or (
            sys.modules.get(self.second) is not sys.modules.get(self.real)
        ):
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module of the real name."""
        module = import_module(self.real + spec.name.removeprefix(self.second))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own specification back, which Python has just replaced."""
        assert module.__spec__ is not None  # set by the import system
        module.__spec__ = module.__spec__.loader_state
