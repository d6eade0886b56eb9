"""Sets of fundus photographs, and the data modules that make batches of them.

Names are imported on first use: reading a picture must not load Lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from magenet.deprecation import moved

if TYPE_CHECKING:
    from data_modules.adaptation import AdaptationDataModule
    from data_modules.datasets.sources import (
        FolderPhotographs,
        ManifestPhotographs,
        PhantomPhotographs,
    )
    from data_modules.datasets.streaming import StreamedPhotographs
    from data_modules.detail import DetailDataModule
    from data_modules.evaluation import EvaluationDataModule
    from data_modules.grading import GradingDataModule
    from data_modules.paired import PairedDataModule
    from data_modules.prediction import PredictionDataModule
    from data_modules.segmentation import SegmentationDataModule
    from data_modules.unpaired import SameView, StrongView, UnpairedDataModule

HOMES = {
    "AdaptationDataModule": "adaptation",
    "DetailDataModule": "detail",
    "FolderPhotographs": "datasets.sources",
    "GradingDataModule": "grading",
    "ManifestPhotographs": "datasets.sources",
    "PairedDataModule": "paired",
    "PhantomPhotographs": "datasets.sources",
    "PredictionDataModule": "prediction",
    "EvaluationDataModule": "evaluation",
    "SameView": "unpaired",
    "SegmentationDataModule": "segmentation",
    "StreamedPhotographs": "datasets.streaming",
    "StrongView": "unpaired",
    "UnpairedDataModule": "unpaired",
}
"""Module of each public name."""

__all__ = [
    "AdaptationDataModule",
    "DetailDataModule",
    "EvaluationDataModule",
    "FolderPhotographs",
    "GradingDataModule",
    "ManifestPhotographs",
    "PairedDataModule",
    "PhantomPhotographs",
    "PredictionDataModule",
    "SameView",
    "SegmentationDataModule",
    "StreamedPhotographs",
    "StrongView",
    "UnpairedDataModule",
]


OLD = moved(__name__, {"RealDataModule": f"{__name__}.EvaluationDataModule"})


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in HOMES:
        return OLD(name)
    value: object = getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    return value
