"""Sets of fundus photographs and the batches made of them."""

from data_modules.adaptation import AdaptationDataModule
from data_modules.grading import GradingDataModule
from data_modules.paired import PairedDataModule
from data_modules.prediction import PredictionDataModule
from data_modules.real import RealDataModule
from data_modules.segmentation import SegmentationDataModule
from data_modules.sources import FolderPhotographs, ManifestPhotographs, PhantomPhotographs
from data_modules.streaming import StreamedPhotographs
from data_modules.unpaired import StrongView, UnpairedDataModule

__all__ = [
    "AdaptationDataModule",
    "FolderPhotographs",
    "GradingDataModule",
    "ManifestPhotographs",
    "PairedDataModule",
    "PhantomPhotographs",
    "PredictionDataModule",
    "RealDataModule",
    "SegmentationDataModule",
    "StreamedPhotographs",
    "StrongView",
    "UnpairedDataModule",
]
