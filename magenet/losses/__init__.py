"""Losses, in fp32 and inside the field of view: terms of an enhancer's loss, consistency."""

from magenet.losses.adversarial import AdversarialTerm
from magenet.losses.bands import BandLoss
from magenet.losses.consistency import ConsistencyLoss, ramp_up
from magenet.losses.masked import EnhancementLoss, charbonnier, mask_like, masked_mean
from magenet.losses.picture_terms import (
    CharbonnierTerm,
    EdgeTerm,
    FrequencyTerm,
    PerceptualTerm,
    SSIMTerm,
)
from magenet.losses.restoration_terms import BandTerms, RestorationTerms
from magenet.losses.severity import DirectionLoss, SeverityMeasure
from magenet.losses.structure import (
    HighFrequencyTarget,
    SegmenterTarget,
    Structure,
    StructureLoss,
    StructureTarget,
    VesselMaskTarget,
)
from magenet.losses.structure_terms import PreservationTerm, StructureTerm
from magenet.losses.term import LossTerm, LossTerms, PictureTerm, Restored, window_of

__all__ = [
    "AdversarialTerm",
    "BandLoss",
    "BandTerms",
    "CharbonnierTerm",
    "ConsistencyLoss",
    "DirectionLoss",
    "EdgeTerm",
    "EnhancementLoss",
    "FrequencyTerm",
    "HighFrequencyTarget",
    "LossTerm",
    "LossTerms",
    "PerceptualTerm",
    "PictureTerm",
    "PreservationTerm",
    "RestorationTerms",
    "Restored",
    "SSIMTerm",
    "SegmenterTarget",
    "SeverityMeasure",
    "Structure",
    "StructureLoss",
    "StructureTarget",
    "StructureTerm",
    "VesselMaskTarget",
    "charbonnier",
    "mask_like",
    "masked_mean",
    "ramp_up",
    "window_of",
]
