"""What the configuration of a run says that neither the defaults nor `base.yaml` say."""

from __future__ import annotations

import inspect
import pydoc
from collections.abc import Callable, Iterator
from typing import Any

import data_modules

SECTIONS = {
    "trainer": "lightning.pytorch.Trainer",
    "checkpoint": "lightning.pytorch.callbacks.ModelCheckpoint",
    "resume_point": "magenet.callbacks.ResumePoint",
    "output": "magenet.callbacks.EnhancedPhotographWriter",
    "scores": "magenet.evaluation.Scores",
}
"""Classes whose arguments a section of a configuration holds."""

OURS = ("magenet.", f"{data_modules.__name__}.", "lightning.", "torch.optim.")
"""Where classes are looked at: a configuration makes a report import nothing else."""

LEFT_OUT = ("ckpt_path", "weights_only", "verbose", "return_predictions", "config")
"""Keys that say how a command was called, not what was trained."""


def differences(config: dict[str, Any], base: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each key of a configuration that differs, with its value.

    Args:
        config: Configuration of the run, with all defaults in it.
        base: Content of `base.yaml`; empty if it is not known.

    Example:
        >>> config = {"trainer": {"max_steps": 9, "devices": 2, "num_nodes": 1}}
        >>> differences(config, {"trainer": {"devices": 2}})
        [('trainer.max_steps', '9')]
    """
    ours = {key: value for key, value in config.items() if key not in LEFT_OUT}
    own, common = dict(flat(_pruned_sections(ours))), dict(flat(_pruned_sections(base)))
    return [
        (key, "null" if value is None else str(value))
        for key, value in own.items()
        if common.get(key, ...) != value
    ]


def flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a tree as on the command line: a class by its key, then its options."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            if key == "class_path":
                yield prefix, value
            else:
                name = prefix if key == "init_args" else f"{prefix}.{key}".lstrip(".")
                yield from flat(value, name)
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for index, item in enumerate(node):
            yield from flat(item, f"{prefix}[{index}]")
    elif prefix:
        yield prefix, node


def _pruned_sections(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without defaults."""
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key in SECTIONS and isinstance(value, dict):
            made = _pruned({"class_path": SECTIONS[key], "init_args": value})
            kept |= {key: made["init_args"]} if "init_args" in made else {}
        else:
            kept[key] = _pruned(value)
    return kept


def _pruned(node: Any) -> Any:
    """Return a part of a configuration without the arguments that are defaults of their class."""
    if isinstance(node, list):
        return [_pruned(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "class_path" not in node:
        return {key: _pruned(value) for key, value in node.items()}
    known = default_arguments(node["class_path"])
    given = node.get("init_args") or {}
    kept = {k: _pruned(v) for k, v in given.items() if known.get(k, ...) != v}
    return {"class_path": node["class_path"], **({"init_args": kept} if kept else {})}


def default_arguments(class_path: str) -> dict[str, Any]:
    """Return the default arguments of a class, those of its bases included, or of a function.

    Args:
        class_path: Its path; nothing is known of one that is not in :data:`OURS`.
    """
    maker = pydoc.locate(class_path) if class_path.startswith(OURS) else None
    if maker is None:
        return {}
    makers: list[Callable[..., Any]] = [maker] if callable(maker) else []
    if inspect.isclass(maker):
        makers = [vars(c)["__init__"] for c in reversed(maker.__mro__) if "__init__" in vars(c)]
    return {
        name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for function in makers
        for name, parameter in inspect.signature(function).parameters.items()
    }
