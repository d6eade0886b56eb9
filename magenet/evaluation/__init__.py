"""Evaluation of a test: judges that score photographs, statistics and tables of their scores."""

from magenet.evaluation.disc import DiscJudge
from magenet.evaluation.fidelity import FidelityJudge
from magenet.evaluation.full_reference import FullReference
from magenet.evaluation.judge import Judge, NetworkJudge
from magenet.evaluation.lesions import LesionJudge
from magenet.evaluation.naturalness import NaturalnessJudge
from magenet.evaluation.pairs import PairJudge, PairVesselJudge
from magenet.evaluation.quality import QualityJudge
from magenet.evaluation.retinopathy import RetinopathyJudge
from magenet.evaluation.scores import Scores
from magenet.evaluation.vessels import VesselJudge

__all__ = [
    "DiscJudge",
    "FidelityJudge",
    "FullReference",
    "Judge",
    "LesionJudge",
    "NaturalnessJudge",
    "NetworkJudge",
    "PairJudge",
    "PairVesselJudge",
    "QualityJudge",
    "RetinopathyJudge",
    "Scores",
    "VesselJudge",
]
