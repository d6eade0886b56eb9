"""Paths of the configurations, and the objects that their sections describe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentParser
from omegaconf import OmegaConf

from magenet.degradation import DegradationMixture
from magenet.errors import UserError

EXPERIMENTS = Path(__file__).parent
CONFIGS = EXPERIMENTS / "configs"
RESULTS = EXPERIMENTS / "results"
WEIGHTS = EXPERIMENTS / "weights"
BASE = CONFIGS / "base.yaml"
PROTOCOL = CONFIGS / "layers/protocol/comparison.yaml"

Built = TypeVar("Built")


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file, with environment variables resolved.

    Raises:
        OmegaConfBaseException: If an environment variable in it is not set.
    """
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    assert isinstance(content, dict)  # a configuration is a mapping
    return {str(key): value for key, value in content.items()}


def photographs_folder(variable: str = "MAGENET_DATA") -> Path:
    """Return the folder of the photographs and their `index.csv`, by an environment variable.

    Args:
        variable: `MAGENET_DATA`, or `MAGENET_DATA_2048` for their larger versions.

    Raises:
        UserError: If the variable is not set or the folder has no `index.csv`.
    """
    what = "the folder that holds index.csv and the photographs"
    if not os.environ.get(variable):
        raise UserError(f"{variable} is not set: export {variable}=<{what}>")
    folder = Path(os.environ[variable])
    if not (folder / "index.csv").is_file():
        raise UserError(f"{folder / 'index.csv'}: no such file; set {variable} to {what}")
    return folder


def comparison_recipe() -> DegradationMixture:
    """Return the degradation recipe of the comparison's training."""
    section = read_config(PROTOCOL)["data"]["init_args"]["degradation"]
    return build(DegradationMixture, section)


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
