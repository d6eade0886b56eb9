"""Losses, in fp32 and inside the field of view: pixels and edges, structure, consistency."""

from magenet.losses.bands import BandLoss
from magenet.losses.consistency import ConsistencyLoss, ramp_up
from magenet.losses.masked import EnhancementLoss, charbonnier, mask_like, masked_mean
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
    "EnhancementLoss",
    "HighFrequencyTarget",
    "SegmenterTarget",
    "Structure",
    "StructureLoss",
    "StructureTarget",
    "VesselMaskTarget",
    "charbonnier",
    "mask_like",
    "masked_mean",
    "ramp_up",
]
