"""Lightning callbacks: provenance, before/after pictures, resume point, prediction writer."""

from magenet.callbacks.before_after import BeforeAfterPictures
from magenet.callbacks.prediction_writer import EnhancedPhotographWriter
from magenet.callbacks.provenance import Provenance
from magenet.callbacks.resume_point import ResumePoint

__all__ = ["BeforeAfterPictures", "EnhancedPhotographWriter", "Provenance", "ResumePoint"]
