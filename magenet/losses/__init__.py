"""Losses, in fp32 and inside the field of view: pixels, bands, structure, consistency."""

from magenet.losses.bands import BandLoss
from magenet.losses.consistency import ConsistencyLoss, ramp_up
from magenet.losses.masked import EnhancementLoss, charbonnier, mask_like, masked_mean
from magenet.losses.severity import DirectionLoss, SeverityMeasure
from magenet.losses.structure import (
    HighFrequencyTarget,
    SegmenterTarget,
    Structure,
    StructureLoss,
    StructureTarget,
    VesselMaskTarget,
)

__all__ = [
    "BandLoss",
    "ConsistencyLoss",
    "DirectionLoss",
    "EnhancementLoss",
    "HighFrequencyTarget",
    "SegmenterTarget",
    "SeverityMeasure",
    "Structure",
    "StructureLoss",
    "StructureTarget",
    "VesselMaskTarget",
    "charbonnier",
    "mask_like",
    "masked_mean",
    "ramp_up",
]
