"""Paths of the configurations, and the objects that their sections describe."""

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
    """Return the content of a YAML file, with environment variables resolved.

    Raises:
        OmegaConfBaseException: If an environment variable in it is not set.
    """
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    assert isinstance(content, dict)  # a configuration is a mapping
    return {str(key): value for key, value in content.items()}


def build(kind: type[Built], section: Any) -> Built:
    """Return the object that a section of a configuration describes.

    Args:
        kind: Class of the object, or a base class of it.
        section: `class_path` and `init_args`, as in YAML.
    """
    parser = ArgumentParser()
    parser.add_subclass_arguments(kind, "built")
    instance: Built = parser.instantiate(parser.parse_object({"built": section})).built
    return instance
