"""Lightning callbacks: provenance, pictures, resume point, prediction writer, progress."""

from magenet.callbacks.before_after import BeforeAfterPictures
from magenet.callbacks.prediction_writer import EnhancedPhotographWriter
from magenet.callbacks.provenance import Provenance
from magenet.callbacks.resume_point import ResumePoint
from magenet.callbacks.step_progress import StepProgress

__all__ = [
    "BeforeAfterPictures",
    "EnhancedPhotographWriter",
    "Provenance",
    "ResumePoint",
    "StepProgress",
]
