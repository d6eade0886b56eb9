"""Networks as plain `torch.nn.Module`s: no Lightning, no files, no command line."""

from magenet.models.enhancer import Enhancer, EnhancerOutput
from magenet.models.grader import Grader
from magenet.models.mage_net import MAGENet
from magenet.models.segmenter import DilatedSegmenter, DiscSegmenter, VesselSegmenter
from magenet.models.severity import SeverityRegressor
from magenet.models.window import Window

__all__ = [
    "DilatedSegmenter",
    "DiscSegmenter",
    "Enhancer",
    "EnhancerOutput",
    "Grader",
    "MAGENet",
    "SeverityRegressor",
    "VesselSegmenter",
    "Window",
]
