"""Checkpoints of tasks: written whole, verified when read, and never able to run foreign code."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import nn

from magenet.atomic_write import atomic_write
from magenet.errors import UserError
from magenet.hashing import file_sha256
from magenet.installation import only_in_clone

ALLOWED = ("magenet.models", "magenet.tasks", "magenet.losses", "magenet.targets", "torch.optim")
"""Packages whose classes a checkpoint may name in its hyperparameters."""

INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
"""The one function that Lightning may call to build a task from its checkpoint."""

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""Text that the command line could take for the path of a class or function."""


class VerifiedCheckpointIO(TorchCheckpointIO):
    """Checkpoint files that are whole or absent, each with its SHA-256 in a file beside it.

    Lightning's own go through the system's temporary folder, and a file torn by a full disk or a
    power cut can have its final name.

    Args:
        trusted: Classes that a checkpoint may name, too; see :func:`read_checkpoint`.
    """

    def __init__(self, trusted: Collection[str] = ()) -> None:
        self.trusted = trusted

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint in its own folder, then its hash.

        Raises:
            UserError: If it cannot be written.
        """
        path = Path(path)
        with atomic_write(path) as part:
            with part.open("w+b") as stream:
                torch.save(checkpoint, stream)
                stream.flush()
                os.fsync(stream.fileno())
                stream.seek(0)
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            # Between the two renames a checkpoint has no hash, but never that of another.
            hash_path(path).unlink(missing_ok=True)
        with atomic_write(hash_path(path)) as part:
            part.write_text(f"{digest}  {path.name}\n")

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        """Read a checkpoint; see :func:`read_checkpoint`. Pickled objects are never read."""
        return read_checkpoint(path, trusted=self.trusted)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint and its hash."""
        super().remove_checkpoint(path)
        hash_path(path).unlink(missing_ok=True)


def hash_path(path: str | Path) -> Path:
    """Return the path of a checkpoint's hash, in the format of `sha256sum`."""
    return Path(f"{path}.sha256")


def read_checkpoint(
    path: str | Path, advice: str = "", trusted: Collection[str] = ()
) -> dict[str, Any]:
    """Read a checkpoint on the CPU.

    Args:
        path: The file. One without a hash beside it is read, too: an older one, or another's.
        advice: How to get one if it is missing, for the message.
        trusted: Paths of classes that it may name beside those of :data:`ALLOWED`: those that the
            user has named.

    Raises:
        UserError: If it is missing, damaged, no checkpoint, or names what it may not.
    """
    path = Path(path)
    if not path.is_file():
        where = only_in_clone(path) or (advice and f"; {advice}")
        there = sorted(other.name for other in path.parent.glob("*.ckpt"))
        listed = f"; there are {', '.join(there)}" if there and not where else ""
        raise UserError(f"{path}: no such checkpoint{where}{listed}")
    if fault := _damage(path):
        raise UserError(f"{path}: {fault}{_instead_of(path)}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a broken file can raise anything
        raise UserError(f"{path}: not a checkpoint that can be read (or not a whole one)") from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{path}: not a checkpoint of magenet: it holds no 'state_dict'")
    require_harmless(content.get("hyper_parameters", {}), path, trusted)
    return content


def read_network(
    network: nn.Module, checkpoint: str | Path, advice: str, prefix: str | None = None
) -> None:
    """Load the weights of a task's network from its checkpoint.

    Args:
        network: The network to load them into.
        checkpoint: Checkpoint of the task that trained it.
        advice: How to get one if it is missing, for the message.
        prefix: Prefix of the network's weights in the task: `teacher.network.` for the teacher,
            `network.` for the student or a task's only network. Those that the task predicts with,
            the teacher's where it has one, if None.

    Raises:
        UserError: If the checkpoint is missing, cannot be read or holds another network.
    """
    weights = read_checkpoint(checkpoint, advice)["state_dict"]
    if prefix is None:
        taught = any(name.startswith("teacher.network.") for name in weights)
        prefix = "teacher.network." if taught else "network."
    state = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise UserError(
            f"{checkpoint}: holds another network than {type(network).__name__} as configured"
        ) from None


def latest_checkpoint(folder: Path) -> Path:
    """Return the latest resume point below a folder that is not damaged, naming those that are.

    Args:
        folder: Folder of an experiment, with its runs in sub-folders.

    Raises:
        UserError: If there is none.
    """
    found = sorted(folder.rglob("step_*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    for path in reversed(found):
        fault = _damage(path)
        if fault is None:
            return path
        print(f"magenet: {path}: {fault}; the one before is used")
    raise UserError(f"{folder}: no resume point that can be read, so there is nothing to resume")


def named_classes(configuration: Any) -> frozenset[str]:
    """Return the class paths in a configuration, at any depth."""
    if isinstance(configuration, (list, tuple)):
        return frozenset[str]().union(*map(named_classes, configuration))
    if not isinstance(configuration, dict):
        return frozenset()
    deeper = frozenset[str]().union(*map(named_classes, configuration.values()))
    named = configuration.get("class_path")
    return deeper | {named} if isinstance(named, str) else deeper


def require_harmless(hyperparameters: Any, path: Path, trusted: Collection[str] = ()) -> None:
    """Raise if the hyperparameters of a checkpoint name code that is not on the allow-list.

    The command line and `load_from_checkpoint` build what a checkpoint names: without this check,
    a checkpoint could call any function of any installed package. Texts that are no import path
    and numbers are plain values and pass.

    Args:
        hyperparameters: `hyper_parameters` of a checkpoint, or a part of them.
        path: The checkpoint, for the message.
        trusted: Paths of classes that the user has named.

    Raises:
        UserError: If they name anything but classes of :data:`ALLOWED` and trusted ones.
    """
    if isinstance(hyperparameters, dict):
        for key, value in hyperparameters.items():
            if key == "_instantiator" and value == INSTANTIATOR:
                continue
            names_code = key in ("class_path", "_class_path", "_instantiator")
            is_named = isinstance(value, str) and (value in trusted or _is_allowed(value))
            if names_code and not is_named:
                raise _refused(value, path)
            require_harmless(value, path, trusted)
    elif isinstance(hyperparameters, (list, tuple)):
        for value in hyperparameters:
            require_harmless(value, path, trusted)
    elif (
        isinstance(hyperparameters, str)
        and hyperparameters not in trusted
        and _names_foreign_code(hyperparameters)
    ):
        raise _refused(hyperparameters, path)


def _refused(name: Any, path: Path) -> UserError:
    """Return the error for a checkpoint that names foreign code."""
    return UserError(
        f"{path}: refused: its hyperparameters name '{name}'; a checkpoint may only name classes "
        f"of {', '.join(ALLOWED)}, and what the command's own configuration names, too: if this "
        "class is yours, add the --config that names it"
    )


def _names_foreign_code(text: str) -> bool:
    """Return whether a text is a path into an installed package, and none of those allowed."""
    if DOTTED.fullmatch(text) is None or importlib.util.find_spec(text.partition(".")[0]) is None:
        return False
    return not _is_allowed(text)


def _is_allowed(name: str) -> bool:
    """Return whether a text is the path of a class of :data:`ALLOWED`, or of its `from_name`."""
    if not any(name.startswith(f"{package}.") for package in ALLOWED):
        return False
    module, _, attribute = name.removesuffix(".from_name").rpartition(".")
    try:
        named = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return False
    return inspect.isclass(named) and named.__module__.startswith(ALLOWED)


def _damage(path: Path) -> str | None:
    """Return what is wrong with a checkpoint's bytes, or None."""
    try:
        expected = hash_path(path).read_text().split(maxsplit=1)[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return None  # without a hash there is nothing to compare with
    if file_sha256(path) == expected:
        return None
    return f"is damaged or was altered: its hash differs from {hash_path(path).name}"


def _instead_of(path: Path) -> str:
    """Return advice on the checkpoint to use instead of a damaged one, or nothing."""
    others = [other for other in path.parent.glob("*.ckpt") if other != path]
    whole = [other for other in others if _damage(other) is None]
    if not whole:
        return ""
    return f"; use the one before: {max(whole, key=lambda other: other.stat().st_mtime_ns)}"
