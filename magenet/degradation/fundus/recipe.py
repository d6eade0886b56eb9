"""The fundus recipe: degradation as in real photographs, at any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from magenet.degradation.counter_rng import CounterRNG
from magenet.degradation.factor import Factor
from magenet.degradation.fundus.blur import Blur
from magenet.degradation.fundus.burnout import Burnout
from magenet.degradation.fundus.cast import Cast
from magenet.degradation.fundus.colour import Colour
from magenet.degradation.fundus.defocus import Defocus
from magenet.degradation.fundus.dust import Dust
from magenet.degradation.fundus.exposure import Exposure
from magenet.degradation.fundus.flare import Flare
from magenet.degradation.fundus.grain import Grain
from magenet.degradation.fundus.halo import Halo
from magenet.degradation.fundus.haze import Haze
from magenet.degradation.fundus.jpeg import Jpeg
from magenet.degradation.fundus.motion import Motion
from magenet.degradation.fundus.noise import Noise
from magenet.degradation.fundus.presets import BLURRED, PRESETS, Mix, Share
from magenet.degradation.fundus.shadow import Shadow
from magenet.degradation.fundus.spots import Spots
from magenet.degradation.fundus.vignette import Vignette
from magenet.degradation.pipeline import Degradation


def factors() -> dict[str, Factor]:
    """Return all factors in the order in which they are applied.

    First the illumination of the retina (`shadow` to `cast`); then what blurs its image (`defocus`
    to `blur`), before what is added to that image and has an edge or a softness of its own: light
    scattered in the eye and in the optics, and dust (`haze` to `dust`). Then the exposure, the
    sensor (`noise`, `grain`) and the camera's software (`colour`, `jpeg`). `burnout` comes after
    noise and colours, although it is one of exposure: what is clipped shows neither.
    """
    return {
        "shadow": Shadow(),
        "vignette": Vignette(),
        "cast": Cast(),
        "defocus": Defocus(),
        "motion": Motion(),
        "blur": Blur(),
        "haze": Haze(),
        "flare": Flare(),
        "halo": Halo(),
        "spots": Spots(),
        "dust": Dust(),
        "exposure": Exposure(),
        "noise": Noise(),
        "grain": Grain(),
        "colour": Colour(),
        "burnout": Burnout(),
        "jpeg": Jpeg(),
    }


@dataclass
class AddedFactor:
    """A factor of your own in the fundus recipe.

    Attributes:
        factor: The factor.
        share: Probability, lowest severity and highest severity, as in `mix`.
        before: Name of the factor that it is applied before; after all others if null.
    """

    factor: Factor
    share: Sequence[float] = (0.5, 0.0, 1.0)
    before: str | None = None


class FundusDegradation(Degradation):
    """The fundus recipe: degradation as in real photographs, the default for training.

    Each factor is applied with its own probability and severity, independently of the others.
    Lengths are fractions of the field's diameter, so that the result does not depend on the size
    of the photograph (except noise, grain and JPEG, which depend on the pixel). Factors, ranges and
    presets are our choice.

    Args:
        preset: Probabilities and severities: `mixed` (tuned on real photographs of low quality),
            `clinic`, `handheld`, `cataract` or `blurred`; see `fundus/presets.py`.
        severity: Scales the severity of every factor, 0 to 1; 0 changes no photograph.
        mix: Factors that replace those of the preset: `{name: [probability, lowest severity,
            highest severity]}`.
        gentle: Fraction of the photographs whose severities are all scaled by one more number,
            drawn from 0 to 1, so that a network learns not to change good photographs.
        blurred: Fraction of the photographs degraded as by the preset `blurred` instead, so that a
            network learns to deblur, which takes many strongly blurred photographs.
        added: Factors of your own by name, beside those of the preset or of `mix`; the photographs
            of `blurred` do not get them.

    Raises:
        ValueError: If the preset or a factor is unknown, a number is out of range, or an added
            factor has the name of another one.

    Example:
        >>> image, mask = torch.full((2, 3, 64, 64), 0.5), torch.ones(2, 1, 64, 64)
        >>> degrade = FundusDegradation(mix={"cast": [1, 1, 1]})
        >>> rng = CounterRNG(torch.tensor([1, 2]))
        >>> bool((degrade(image, mask, rng) <= image).all()), *degrade.draw(rng).records()[0]
        (True, 'cast')
    """

    def __init__(
        self,
        preset: str = "mixed",
        severity: float = 1.0,
        mix: Mapping[str, Sequence[float]] | None = None,
        gentle: float = 0.0,
        blurred: float = 0.0,
        added: Mapping[str, AddedFactor] | None = None,
    ) -> None:
        super().__init__(_with_added(factors(), added or {}))
        if preset not in PRESETS:
            raise ValueError(f"unknown preset '{preset}'; use one of {', '.join(PRESETS)}")
        if not 0.0 <= severity <= 1.0:
            raise ValueError(f"severity must lie in [0, 1], got {severity}")
        if not 0.0 <= gentle <= 1.0:
            raise ValueError(f"gentle must lie in [0, 1], got {gentle}")
        if not 0.0 <= blurred <= 1.0:
            raise ValueError(f"blurred must lie in [0, 1], got {blurred}")
        self.severity = severity
        self.gentle = gentle
        self.blurred = blurred
        self.mix = PRESETS[preset]
        if mix is not None:
            self.mix = {name: _share(name, numbers) for name, numbers in mix.items()}
            unknown = set(self.mix) - set(self.factors)
            if unknown:
                raise ValueError(
                    f"unknown factor '{min(unknown)}'; known are {', '.join(self.factors)}"
                )
        shares = {name: _share(name, own.share) for name, own in (added or {}).items()}
        self.mix = {**self.mix, **shares}

    def choose(self, rng: CounterRNG) -> dict[str, Tensor]:
        """Draw each factor's severity; see :meth:`Degradation.choose`."""
        gentle = rng.uniform("gentle", 0.0, 1.0) < self.gentle
        scale = torch.where(gentle, rng.uniform("scale", 0.0, 1.0), 1.0) * self.severity
        usual = _severities(self.mix, rng, scale)
        if not self.blurred:
            return usual
        blurred = _severities(BLURRED, rng, scale)
        is_blurred = rng.uniform("blurred", 0.0, 1.0) < self.blurred
        none = torch.zeros_like(scale)
        return {
            name: torch.where(is_blurred, blurred.get(name, none), usual.get(name, none))
            for name in self.factors
        }


def _with_added(known: dict[str, Factor], added: Mapping[str, AddedFactor]) -> dict[str, Factor]:
    """Return factors with others among them, in the order in which they are applied.

    Raises:
        ValueError: If an added one has the name of another, or its place is unknown.
    """
    for name, own in added.items():
        if name in known:
            raise ValueError(f"added: there is a factor '{name}' already; use another name")
        if own.before is not None and own.before not in known:
            raise ValueError(
                f"added: '{name}' is to come before '{own.before}', which is unknown; known are "
                f"{', '.join(known)}"
            )
        items = list(known.items())
        place = len(items) if own.before is None else list(known).index(own.before)
        known = dict([*items[:place], (name, own.factor), *items[place:]])
    return known


def _severities(mix: Mix, rng: CounterRNG, scale: Tensor) -> dict[str, Tensor]:
    """Return each factor's severity, 0 where it is not applied.

    Args:
        mix: Probabilities and severities.
        rng: Generator of the batch.
        scale: Scales each photograph's severities, `(B,)`.
    """
    chosen = {}
    for name, share in mix.items():
        forked = rng.fork(name)
        applies = forked.uniform("strikes", 0.0, 1.0) < share.probability
        severity = forked.uniform("severity", share.least, share.most) * scale
        chosen[name] = torch.where(applies, severity, 0.0)
    return chosen


def _share(name: str, numbers: Sequence[float]) -> Share:
    """Return the probability and severities of a factor in `mix`.

    Raises:
        ValueError: If they are not three numbers in [0, 1], the second at most the third.
    """
    if (
        not isinstance(numbers, Sequence)
        or len(numbers) != 3
        or not all(0.0 <= n <= 1.0 for n in numbers)
        or numbers[1] > numbers[2]
    ):
        raise ValueError(
            f"mix: '{name}' needs [probability, lowest severity, highest severity], in [0, 1], "
            f"got {numbers}"
        )
    return Share(*numbers)
