"""Deprecated: judges and scores are in :mod:`magenet.evaluation`."""

from __future__ import annotations

from magenet.deprecation import moved

NAMES = (
    "DiscJudge", "FidelityJudge", "FullReference", "Judge", "LesionJudge", "NaturalnessJudge",
    "NetworkJudge", "PairJudge", "QualityJudge", "RetinopathyJudge", "Scores", "VesselJudge",
)  # fmt: skip

__getattr__ = moved(__name__, {name: f"magenet.evaluation.{name}" for name in NAMES})
