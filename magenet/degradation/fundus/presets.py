"""Presets: probability and severity of each factor, for several kinds of photographs."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """Probability of a factor, and the range of its severity.

    Attributes:
        probability: Fraction of the photographs that it degrades, 0 to 1.
        least: Lowest severity, 0 to 1.
        most: Highest severity, 0 to 1.
    """

    probability: float
    least: float
    most: float


Mix = dict[str, Share]

MIXED: Mix = {
    "shadow": Share(0.75, 0.25, 1.0),
    "vignette": Share(0.6, 0.2, 1.0),
    "cast": Share(0.25, 0.1, 0.5),
    "defocus": Share(0.4, 0.1, 0.8),
    "motion": Share(0.15, 0.1, 0.6),
    "blur": Share(0.35, 0.1, 1.0),
    "haze": Share(0.5, 0.1, 0.7),
    "flare": Share(0.4, 0.2, 0.9),
    "halo": Share(0.2, 0.1, 0.8),
    "spots": Share(0.25, 0.2, 1.0),
    "dust": Share(0.25, 0.1, 1.0),
    "exposure": Share(0.3, 0.1, 0.6),
    "noise": Share(0.95, 0.05, 0.4),
    "grain": Share(0.8, 0.1, 0.8),
    "colour": Share(0.4, 0.1, 0.6),
    "burnout": Share(0.2, 0.3, 1.0),
    "jpeg": Share(0.4, 0.05, 0.4),
}
"""Any camera; tuned on training photographs of usable and reject quality."""

CLINIC: Mix = {
    "shadow": Share(0.4, 0.1, 0.6),
    "vignette": Share(0.3, 0.1, 0.5),
    "cast": Share(0.2, 0.1, 0.4),
    "defocus": Share(0.3, 0.1, 0.5),
    "haze": Share(0.3, 0.1, 0.4),
    "flare": Share(0.2, 0.2, 0.8),
    "halo": Share(0.2, 0.1, 0.5),
    "spots": Share(0.3, 0.2, 0.8),
    "dust": Share(0.3, 0.2, 0.8),
    "exposure": Share(0.3, 0.1, 0.5),
    "colour": Share(0.3, 0.1, 0.4),
}
"""Table-top camera: small pupils, dust, some lens opacity; no motion blur or noise."""

HANDHELD: Mix = {
    "shadow": Share(0.6, 0.3, 1.0),
    "vignette": Share(0.6, 0.3, 1.0),
    "cast": Share(0.4, 0.2, 0.8),
    "defocus": Share(0.5, 0.2, 0.8),
    "motion": Share(0.4, 0.2, 1.0),
    "haze": Share(0.3, 0.1, 0.5),
    "flare": Share(0.6, 0.3, 1.0),
    "halo": Share(0.4, 0.2, 0.8),
    "spots": Share(0.2, 0.2, 0.6),
    "exposure": Share(0.5, 0.2, 0.8),
    "noise": Share(0.7, 0.2, 1.0),
    "grain": Share(0.6, 0.2, 1.0),
    "colour": Share(0.4, 0.2, 0.6),
    "jpeg": Share(0.5, 0.2, 0.9),
}
"""Hand-held camera or smartphone lens: uneven light, flare, motion, noise, JPEG."""

CATARACT: Mix = {
    "haze": Share(1.0, 0.4, 1.0),
    "blur": Share(0.8, 0.2, 1.0),
    "defocus": Share(0.3, 0.1, 0.5),
    "shadow": Share(0.4, 0.1, 0.7),
    "vignette": Share(0.3, 0.1, 0.6),
    "exposure": Share(0.3, 0.1, 0.5),
    "noise": Share(0.95, 0.05, 0.3),
    "grain": Share(0.8, 0.1, 0.8),
    "colour": Share(0.3, 0.1, 0.4),
    "jpeg": Share(0.4, 0.05, 0.4),
}
"""Cataract: veil, scatter, pale colours, blur; with noise, without which an enhancer learns that
any contrast, however faint, is the retina's."""

BLURRED: Mix = {
    "defocus": Share(0.4, 0.2, 0.8),
    "motion": Share(0.15, 0.1, 0.6),
    "blur": Share(0.6, 0.2, 1.0),
    "noise": Share(0.95, 0.05, 0.3),
    "grain": Share(0.7, 0.1, 0.6),
    "jpeg": Share(0.4, 0.05, 0.4),
}
"""Blur of a steady camera: the light is right, and detail is all that is missing."""

PRESETS: dict[str, Mix] = {
    "mixed": MIXED,
    "clinic": CLINIC,
    "handheld": HANDHELD,
    "cataract": CATARACT,
    "blurred": BLURRED,
}
