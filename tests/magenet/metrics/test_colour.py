"""CIEDE2000 is the published one, and colour and brightness are compared inside the field alone."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from magenet.metrics import brightness_drift, ciede2000, colour_difference

# Sharma, Wu, Dalal 2005, table 1: L*, a*, b* of either colour and their difference.
SHARMA = (
    (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
    (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
    (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
    (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
    (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
    (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
    (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
    (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
    (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
    (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
    (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
    (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
    (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
    (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
    (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
    (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
    (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
    (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
    (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
    (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
    (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
    (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
    (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
    (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
)
TABLE = torch.tensor(SHARMA, dtype=torch.float64)

GENERATOR = torch.Generator().manual_seed(0)
REFERENCE = torch.rand(5, 3, 20, 24, generator=GENERATOR)
IMAGE = (REFERENCE + 0.1 * torch.randn(5, 3, 20, 24, generator=GENERATOR)).clamp(0, 1)
MASK = torch.zeros(5, 1, 20, 24)
MASK[..., 3:17, 5:20] = 1.0
MASK[2, :, 6:] = 0.0  # fields of different areas


def slow_lab(colour: Tensor) -> list[float]:
    """From sRGB (IEC 61966-2-1) and CIELAB under D65, one colour."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.tolist()]
    matrix = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    f = []
    for row, white in zip(matrix, (0.95047, 1.0, 1.08883), strict=True):
        t = sum(m * v for m, v in zip(row, linear, strict=True)) / white
        f.append(t ** (1 / 3) if t > (6 / 29) ** 3 else t * (29 / 6) ** 2 / 3 + 4 / 29)
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]


def slow_ciede2000(one: list[float], other: list[float]) -> float:
    """The formula with plain numbers, hues as complex numbers and not as cases."""
    average = (math.hypot(*one[1:]) + math.hypot(*other[1:])) / 2
    stretch = 1.5 - 0.5 * math.sqrt(average**7 / (average**7 + 25**7))
    p, q = complex(stretch * one[1], one[2]), complex(stretch * other[1], other[2])
    chroma, light = (abs(p) + abs(q)) / 2, (one[0] + other[0]) / 2
    hue = math.degrees(np.angle(p / abs(p) + q / abs(q))) % 360
    turn = np.angle(q / p)
    t = 1.0
    for weight, times, less in ((-0.17, 1, 30), (0.24, 2, 0), (0.32, 3, -6), (-0.20, 4, 63)):
        t += weight * math.cos(math.radians(times * hue - less))
    away = (light - 50) ** 2
    dl = (other[0] - one[0]) / (1 + 0.015 * away / math.sqrt(20 + away))
    dc = (abs(q) - abs(p)) / (1 + 0.045 * chroma)
    dh = 2 * math.sqrt(abs(p * q)) * math.sin(turn / 2) / (1 + 0.015 * chroma * t)
    angle = math.radians(60 * math.exp(-(((hue - 275) / 25) ** 2)))
    mixed = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * math.sin(angle)
    return math.sqrt(dl**2 + dc**2 + dh**2 + mixed * dc * dh)


def test_ciede2000_is_the_published_one() -> None:
    one, other, published = TABLE[:, :3], TABLE[:, 3:6], TABLE[:, 6]
    assert torch.allclose(ciede2000(one, other), published, rtol=0, atol=6e-5)
    assert torch.allclose(ciede2000(other, one), published, rtol=0, atol=6e-5)
    # The same in single precision, but for hues on the edge of opposite (pairs 9 to 15).
    single = ciede2000(one.float(), other.float()).double()
    sure = torch.tensor([row not in range(8, 15) for row in range(len(SHARMA))])
    assert torch.allclose(single[sure], published[sure], rtol=0, atol=1e-3)


def test_equals_an_independent_implementation_inside_the_field() -> None:
    drift, difference = [], []
    for image, reference, mask in zip(IMAGE, REFERENCE, MASK, strict=True):
        inside = mask[0].bool()
        pairs = [
            (slow_lab(one), slow_lab(other))
            for one, other in zip(image[:, inside].T, reference[:, inside].T, strict=True)
        ]
        drift.append(np.mean([one[0] - other[0] for one, other in pairs]))
        difference.append(np.mean([slow_ciede2000(*pair) for pair in pairs]))
    assert colour_difference(IMAGE, REFERENCE, MASK).tolist() == pytest.approx(difference, rel=1e-3)
    assert brightness_drift(IMAGE, REFERENCE, MASK).tolist() == pytest.approx(drift, abs=5e-3)


def test_what_lies_outside_the_field_does_not_count() -> None:
    changed = torch.where(MASK.bool(), IMAGE, 1 - IMAGE)
    for score in (colour_difference, brightness_drift):
        assert torch.equal(score(changed, REFERENCE, MASK), score(IMAGE, REFERENCE, MASK))


def test_no_change_is_zero_and_drift_has_a_sign() -> None:
    for score in (colour_difference, brightness_drift):
        assert score(IMAGE, IMAGE, MASK).tolist() == [0.0] * 5
    assert bool((brightness_drift(0.8 * REFERENCE, REFERENCE, MASK) < -5).all())
    assert bool((brightness_drift(REFERENCE, 0.8 * REFERENCE, MASK) > 5).all())
    # A tint at equal lightness is colour, and no brightness.
    tinted = REFERENCE[:, [2, 1, 0]]
    assert bool((colour_difference(tinted, REFERENCE, MASK) > 10).all())


def test_nothing_to_compare_is_an_error_and_not_zero() -> None:
    for score in (colour_difference, brightness_drift):
        with pytest.raises(ValueError, match="empty"):
            score(IMAGE, REFERENCE, MASK * 0)
        with pytest.raises(ValueError, match="cannot score"):
            score(IMAGE, REFERENCE[..., 1:], MASK)
