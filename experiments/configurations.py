"""The configurations as studies and benchmarks use them: where they lie, and what they build."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentParser
from omegaconf import OmegaConf

EXPERIMENTS = Path(__file__).parent
CONFIGS = EXPERIMENTS / "configs"
RESULTS = EXPERIMENTS / "results"
WEIGHTS = EXPERIMENTS / "weights"
BASE = CONFIGS / "base.yaml"

Built = TypeVar("Built")


def read_config(path: Path) -> dict[str, Any]:
    """Return a YAML file's content, with environment variables resolved.

    Raises:
        OmegaConfBaseException: If a variable that it names is not set.
    """
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    assert isinstance(content, dict)  # every configuration is one
    return {str(key): value for key, value in content.items()}


def build(kind: type[Built], section: Any) -> Built:
    """Return the object that a section of a configuration describes.

    Args:
        kind: Its class, or a base class of it.
        section: `class_path` and `init_args`.
    """
    parser = ArgumentParser()
    parser.add_subclass_arguments(kind, "built")
    made: Built = parser.instantiate(parser.parse_object({"built": section})).built
    return made
