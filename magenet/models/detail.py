"""Detail stage: the photograph at its own scale, guided by stages that see the whole eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from magenet.models.attention import ChannelAttention, corrected
from magenet.models.grain import grain_contrast
from magenet.models.information import CLIPPING
from magenet.models.light import (
    RETINA_LEVEL,
    colour_kept,
    light_weight,
    log_light_gain,
    retina_mean,
    weighted_light,
)
from magenet.models.pyramid import (
    above_noise,
    band_contrast,
    bands,
    collapsed,
    neighbourhood_mean,
)
from magenet.models.stages import BlockConv2d, EncoderDecoderStage
from magenet.models.window import Window

STRIDE = 2
"""Pixels of the photograph per pixel of the stage's features, along one axis."""

UNIT = 0.03
"""The strengths that the stage tells are multiplied by this: details are a few hundredths of the
range of pixel values, and a head that starts at 0 otherwise oversteps them with its first steps."""

LEAST_CONTRAST = 2.5e-4
"""Contrast below which a band is not equalised, in [0, 1]: about that of the rounding to 256 grey
levels in a band 4 to 8 px wide."""

TYPICAL_LOG_CONTRAST, LOG_CONTRAST_SPREAD = -5.7, 0.7
"""Mean and standard deviation of the logarithm of a band's contrast, of all bands: good train
photographs, sharp and blurred by up to 5 px."""

TYPICAL_LOG_COLOUR, LOG_COLOUR_SPREAD = -1.4, 0.8
"""Roughly the same of the logarithms of the local means of the three colours: good train
photographs have -1.3 and 0.8."""

GAIN_WIDTH = 48
"""Channels of the regression of the bands' gains (our choice)."""

NOISE_ALONE, SIGNAL = 0.2, 0.6
"""Shares of a band's power above noise up to which its predicted gain does not strengthen it, and
from which it does wholly (our choice): of white noise alone nine places of ten are below the
first."""

LARGEST = 8.0
"""Bound of an equalised band, and of its correction: an edge is as good as any larger one."""

GREATEST_GAIN = 8.0
"""Bound of a band's gain (our choice): a blur of 4 px leaves a ninth of the contrast of a vessel
6 px wide, and what is weaker cannot be told from noise."""

MOST_WIDTHS = 3
"""Most levels: with one more the widest band would be as wide as a contrast map's pixel."""

TYPICAL_ERROR = 0.03
"""Expected absolute error before any training, in [0, 1] (our choice)."""


class Context(NamedTuple):
    """What the stages that see the whole eye tell the detail stage.

    Attributes:
        features: `(B, C, h, w)` over the whole photograph.
        scale: Factor that equalises each band, `(B, bands, H/16, W/16)`.
        log_gain: See :class:`magenet.models.EnhancerOutput`.
        gain: The gain of each band that is applied, `(B, bands, H/16, W/16)`.
        expected: Contrast that each band is expected to have, without noise, likewise.
        light: Gain minus 1 and offset of each colour, `(B, 6, h, w)`.
        weight: Weight of each channel of the detail stage, `(B, width, 1, 1)` in (0, 1).
        log_error: See :class:`magenet.models.EnhancerOutput`.
        light_weight: Likewise.
    """

    features: Tensor
    scale: Tensor
    log_gain: Tensor
    gain: Tensor
    expected: Tensor
    light: Tensor
    weight: Tensor
    log_error: Tensor
    light_weight: Tensor


class DetailStage(nn.Module):
    """Original-resolution stage: an encoder-decoder on the photograph at its own scale.

    It works on windows. Four inputs are computed on the whole eye: features, the light's gain and
    offset, the share of them that is applied (see :mod:`magenet.models.light`), and weights of the
    channels (channel attention; from a window's own mean the result would depend on where it was
    cut). Everything else is local, so a window with a margin of :data:`MARGIN` pixels gives what
    the whole photograph would.

    Blur takes contrast from fine bands of the photograph, and what is left of it is so small that a
    network learns slowly from it. So deblurring has two parts. The gain that each band needs is
    read off the contrasts of all bands and the colour, here and in the whole eye, by a regression
    with a target of its own (see :class:`magenet.losses.BandLoss`): how wide the blur is, is known
    after a hundred steps, and little contrast is a shadow where there is little light, and a haze
    where there is much. And the stage sees the photograph also with every band divided by its local
    contrast, in which a blurred vessel is as strong as a sharp one, and tells pixel by pixel how
    much stronger or weaker each band should be than that gain makes it. A band that holds no more
    than noise would is not strengthened by it.

    A weight cannot average noise along a vessel, so a correction is added to each band, too, in
    units of the contrast that the band is expected to have, which is 0 where it holds no more than
    noise (the finest band's noise is not known, and its contrast stands for it). The correction is
    filtered to its band. Without the filter the stage changed the light of its window, which
    nothing limits, and good photographs fell from 57 dB to 35.

    Args:
        widths: Channels at 1/2, 1/4, 1/8 of the photograph's own resolution.
        blocks: Blocks of each level, in the encoder and in the decoder.
        context_width: Channels of the features of the whole eye.
        maps: Additional input maps, one value per pixel.

    Raises:
        ValueError: If there are no widths or too many.

    References:
        Zamir et al., MPRNet, CVPR 2021, section 3.2: its original resolution subnetwork works on
        single pixels without levels; levels are our choice, since blur is many pixels wide in a
        photograph of 2000 px.
    """

    def __init__(
        self, widths: Sequence[int], blocks: Sequence[int], context_width: int, maps: int = 0
    ) -> None:
        super().__init__()
        if not 1 <= len(widths) <= MOST_WIDTHS:
            raise ValueError(f"a detail stage has 1 to {MOST_WIDTHS} widths, got {list(widths)}")
        width = widths[0]
        self.bands = len(widths) + 1  # the finest one at the photograph's own resolution
        # Twice the coarsest level's stride, since its attention pools 2x2 features.
        self.multiple = 2 * STRIDE * 2 ** (len(widths) - 1)
        self.stem = BlockConv2d(6 + maps, width, STRIDE)
        context_width += self.bands
        self.carry = nn.Conv2d(context_width, width, 1)
        self.channel = ChannelAttention(context_width)
        self.channel.excite = nn.Conv2d(self.channel.squeeze.out_channels, width, 1)
        self.stage = EncoderDecoderStage(
            widths, blocks, stride=STRIDE, channel_attention=False, spatial_attention=True
        )
        # Bands 0 and 1 have 1 and 1/2 of the photograph's resolution, the finest features 1/2.
        # Of each colour a strength and a correction.
        self.heads = nn.ModuleList(
            [nn.Conv2d(width, 6 * STRIDE**2, 1)] + [nn.Conv2d(wide, 6, 1) for wide in widths]
        )
        measures = 2 * (self.bands + 1 + 3)  # one wider band, colour; here and in the eye
        self.gain = nn.Sequential(
            nn.Conv2d(measures, GAIN_WIDTH, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(GAIN_WIDTH, GAIN_WIDTH, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(GAIN_WIDTH, self.bands, 1),
        )
        self.error = nn.Conv2d(context_width, 2, 3, padding=1)
        heads = [(head, 0.0) for head in (self.gain[-1], *self.heads)]
        for output, start in (*heads, (self.error, math.log(TYPICAL_ERROR))):
            nn.init.zeros_(output.weight)
            nn.init.constant_(output.bias, start)

    def context(self, features: Tensor, light: Tensor, image: Tensor, filled: Tensor) -> Context:
        """Return the context of a batch from the features of the whole eye.

        Args:
            features: `(B, context_width, h, w)`.
            light: Gain minus 1 and offset of each colour, `(B, 6, h, w)`.
            image: The photographs at their own scale, `(B, 3, H, W)` in [0, 1].
            filled: See :meth:`forward`.
        """
        contrast = band_contrast(filled, self.bands + 1)
        logarithm = (contrast + LEAST_CONTRAST).log()
        logarithm = (logarithm - TYPICAL_LOG_CONTRAST) / LOG_CONTRAST_SPREAD
        colour = (neighbourhood_mean(filled, 0) + RETINA_LEVEL).log()
        colour = (colour - TYPICAL_LOG_COLOUR) / LOG_COLOUR_SPREAD
        with torch.autocast(image.device.type, enabled=False):  # few channels, and exponentiated
            here = torch.cat([logarithm, colour], dim=1)
            log_gain = self.gain(torch.cat([here, retina_mean(here, image).expand_as(here)], dim=1))
        contrast, logarithm = contrast[:, : self.bands], logarithm[:, : self.bands]
        reduced = functional.interpolate(
            logarithm, features.shape[-2:], mode="bilinear", antialias=True
        )
        features = torch.cat([features, reduced.to(features.dtype)], dim=1)
        with torch.autocast(image.device.type, enabled=False):  # their ratio is raised to a power
            log_error = self.error(features.float())
        weight = torch.ones_like(log_error[:, :1])
        if not self.training:  # a training sees the errors of what it trains
            weight = light_weight(log_error)
            light, log_error = weighted_light(light, log_error, weight)
            light = colour_kept(light, image)
        share = above_noise(contrast, grain_contrast(contrast, image))
        scale = share / (contrast + LEAST_CONTRAST)
        gain = applied_gain(log_gain - log_light_gain(light, log_gain), share)
        return Context(
            self.carry(features), scale, log_gain, gain, share * contrast * gain, light,
            self.channel(features), log_error, weight,
        )  # fmt: skip

    def forward(
        self, image: Tensor, filled: Tensor, seen: Tensor, context: Context, window: Window
    ) -> Tensor:
        """Return restored windows, `(B K, 3, height, width)`; clipped places stay.

        Args:
            image: Photographs, `(B, 3, H, W)` in [0, 1].
            filled: The same with their surround filled, whose bands the stage reads and weights
                (:func:`magenet.models.surround.surround_filled`).
            seen: The same standardised, with their maps, `(B, 3 + maps, H, W)`.
            context: Of the whole photographs.
            window: Which part of them.
        """
        image, seen = window.cut(image), window.cut(seen)
        signal = 1 - seen[:, CLIPPING]
        fine = bands(window.cut(filled), self.bands)[:-1]
        scale = [
            window.sample(context.scale[:, level : level + 1], 2**level)
            for level in range(self.bands)
        ]
        equal = [
            (band * factor).clamp(-LARGEST, LARGEST)
            for band, factor in zip(fine, scale, strict=True)
        ]
        seen = torch.cat([seen, collapsed(equal)], dim=1)
        carried = window.sample_features(context.features, STRIDE)
        weight = context.weight.repeat_interleave(len(window.corners[0]), dim=0)
        features = (self.stem(seen) + carried) * weight
        decoded = self.stage.decode(self.stage.encode(features))
        change = []
        for level, head in enumerate(self.heads):
            given = head(decoded[max(0, level - 1)])
            if level == 0:
                given = functional.pixel_shuffle(given, STRIDE)
            strength, correction = given.float().chunk(2, dim=1)
            wanted, expected = (
                window.sample(field[:, level : level + 1], 2**level)
                for field in (context.gain, context.expected)
            )
            gain = (wanted + UNIT * strength * scale[level]).clamp(max=GREATEST_GAIN)
            added = bands(correction.clamp(-LARGEST, LARGEST) * expected, 1)[0]
            change.append(fine[level] * (gain - 1.0) + added)
        restored = corrected(image + collapsed(change), window.sample(context.light, 1))
        return image + signal * (restored - image)


def applied_gain(log_gain: Tensor, share: Tensor) -> Tensor:
    """Return the predicted gains, but for bands of noise alone, which are not strengthened.

    Without gradient: gains have a loss of their own, and would learn slowly through the result.

    Args:
        log_gain: Logarithms of the gains wanted, `(B, bands, h, w)`.
        share: See :func:`magenet.models.pyramid.above_noise`.
    """
    change = log_gain.detach().exp() - 1.0
    trust = ((share - NOISE_ALONE) / (SIGNAL - NOISE_ALONE)).clamp(0.0, 1.0)
    return 1.0 + change.clamp(max=0.0) + trust * change.clamp(min=0.0)
