"""Configurations by name: `--config magenet:phantoms/mean_teacher`, in a clone and installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import wrap

from magenet.commands.parser import did_you_mean
from magenet.errors import UsageError
from magenet.installation import BASE, CONFIGS

SCHEME = "magenet:"
"""Beginning of a name."""

WIDTH = 100
"""Columns of the list of names (our choice)."""


def names() -> dict[str, Path]:
    """Return all configurations by name: their path below `configs`, of a run below `configs/runs`.

    Example:
        >>> names()["phantoms/mean_teacher"].relative_to(CONFIGS).as_posix()
        'runs/phantoms/mean_teacher.yaml'
    """
    paths = {p.relative_to(CONFIGS).with_suffix("").as_posix(): p for p in CONFIGS.rglob("*.yaml")}
    return {name.removeprefix("runs/"): paths[name] for name in sorted(paths)}


def config_path(given: str) -> Path:
    """Return the path of a configuration that is named, or given as a path.

    Args:
        given: `magenet:NAME`, where `runs/` and `.yaml` may be left out; or a path.

    Raises:
        UsageError: If there is none of this name; it lists those that there are.
    """
    if not given.startswith(SCHEME):
        return Path(given)
    known = names()
    name = given.removeprefix(SCHEME).removesuffix(".yaml").removeprefix("runs/")
    if name not in known:
        meant = did_you_mean(name, known)
        raise UsageError(
            f"{given}: no such configuration{meant}; after {SCHEME} there are\n{_listed(known)}"
        )
    return known[name]


def named(path: Path) -> str | None:
    """Return the name of the configuration that a path would be in a clone's folder, if there is.

    Example:
        >>> named(Path("experiments/configs/runs/predict.yaml"))
        'magenet:predict'
    """
    _, _, below = path.as_posix().rpartition("experiments/configs/")
    name = below.removesuffix(".yaml").removeprefix("runs/")
    return f"{SCHEME}{name}" if name in names() else None


def with_paths(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command line with paths in place of named configurations.

    Where the first configuration is named, `base.yaml` comes before it: a run needs it.

    Args:
        arguments: The words; `--config VALUE` becomes `--config=VALUE`.

    Raises:
        UsageError: If there is no configuration of a name.

    Example:
        >>> [Path(word).name for word in with_paths(["fit", "--config", "magenet:predict"])]
        ['fit', 'base.yaml', 'predict.yaml']
    """
    result: list[str] = []
    first = True
    words = iter(arguments)
    for word in words:
        option, _, value = word.partition("=")
        if option != "--config":
            result.append(word)
            continue
        if option == word and not (value := next(words, "")):
            return [*result, word]  # the parser says that the value is missing
        path = config_path(value)
        if value.startswith(SCHEME):
            if first and path != BASE:
                result.append(f"--config={BASE}")
            value = str(path)
        result.append(f"--config={value}")
        first = False
    return result


def _listed(known: Iterable[str]) -> str:
    """Return names as lines, one for each folder."""
    folders = groupby(sorted(known, key=_folder), key=_folder)
    lines = [wrap(" ".join(group), WIDTH, break_on_hyphens=False) for _, group in folders]
    return "\n".join(f"  {line}" for folder in lines for line in folder)


def _folder(name: str) -> str:
    """Return the folder in a name."""
    return name.rpartition("/")[0]
