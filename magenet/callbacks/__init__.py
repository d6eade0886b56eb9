"""Lightning callbacks: provenance, pictures, run files, resume point, time, writer, progress."""

from magenet.callbacks.before_after import BeforeAfterPictures
from magenet.callbacks.logged import NumbersWandbLogger
from magenet.callbacks.prediction_writer import EnhancedPhotographWriter
from magenet.callbacks.provenance import Provenance
from magenet.callbacks.resume_point import ResumePoint
from magenet.callbacks.run_files import RunFiles
from magenet.callbacks.step_progress import StepProgress
from magenet.callbacks.time_budget import TimeBudget
from magenet.callbacks.validation_pictures import ValidationPictures

__all__ = [
    "BeforeAfterPictures",
    "EnhancedPhotographWriter",
    "NumbersWandbLogger",
    "Provenance",
    "ResumePoint",
    "RunFiles",
    "StepProgress",
    "TimeBudget",
    "ValidationPictures",
]
