"""What a test measures: judges that see photographs, and what is made of their scores."""

from magenet.scoring.disc import DiscJudge
from magenet.scoring.fidelity import FidelityJudge
from magenet.scoring.full_reference import FullReference
from magenet.scoring.judge import Judge, NetworkJudge
from magenet.scoring.lesions import LesionJudge
from magenet.scoring.naturalness import NaturalnessJudge
from magenet.scoring.pairs import PairJudge
from magenet.scoring.quality import QualityJudge
from magenet.scoring.retinopathy import RetinopathyJudge
from magenet.scoring.scores import Scores
from magenet.scoring.vessels import VesselJudge

__all__ = [
    "DiscJudge",
    "FidelityJudge",
    "FullReference",
    "Judge",
    "LesionJudge",
    "NaturalnessJudge",
    "NetworkJudge",
    "PairJudge",
    "QualityJudge",
    "RetinopathyJudge",
    "Scores",
    "VesselJudge",
]
