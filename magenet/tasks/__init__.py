"""LightningModules: how networks are trained, scored and used."""

from magenet.tasks.grading import GradingTask, QualityTask, RetinopathyTask
from magenet.tasks.mean_teacher import MeanTeacherTask
from magenet.tasks.segmentation import SegmentationTask
from magenet.tasks.severity import SeverityTask
from magenet.tasks.supervised import ClassicalTask, SupervisedTask

__all__ = [
    "ClassicalTask",
    "GradingTask",
    "MeanTeacherTask",
    "QualityTask",
    "RetinopathyTask",
    "SegmentationTask",
    "SeverityTask",
    "SupervisedTask",
]
