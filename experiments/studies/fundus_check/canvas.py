"""Canvas on which pictures are drawn by code: shapes, colours, noise."""

from __future__ import annotations

import torch
from torch import Tensor

HEIGHT, WIDTH = 480, 600
"""Size of the pictures, in pixels."""

Colour = tuple[float, float, float]


class Canvas:
    """Picture in [0, 1], `(3, HEIGHT, WIDTH)`, that is painted on.

    Args:
        seed: Of the random numbers; the same seed gives the same picture.
        colour: Of the background, each channel in [0, 1].
    """

    def __init__(self, seed: int, colour: Colour = (0.0, 0.0, 0.0)) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.pixels = torch.tensor(colour)[:, None, None].expand(3, HEIGHT, WIDTH).clone()
        self.y = torch.arange(HEIGHT).float()[:, None].expand(HEIGHT, WIDTH)
        self.x = torch.arange(WIDTH).float()[None, :].expand(HEIGHT, WIDTH)

    def draw(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return a random number."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def colour(self) -> Colour:
        """Return a random colour."""
        return self.draw(), self.draw(), self.draw()

    def noise(self, slope: float) -> Tensor:
        """Return noise `(HEIGHT, WIDTH)` with mean 0 and deviation 1, amplitude as f^-slope."""
        white = torch.randn(HEIGHT, WIDTH, generator=self.generator)
        rows = torch.fft.fftfreq(HEIGHT)[:, None]
        columns = torch.fft.rfftfreq(WIDTH)[None, :]
        frequency = (rows.square() + columns.square()).sqrt().clamp(min=1.0 / WIDTH)
        shaped: Tensor = torch.fft.irfft2(
            torch.fft.rfft2(white) / frequency**slope, s=(HEIGHT, WIDTH)
        )
        normal: Tensor = (shaped - shaped.mean()) / shaped.std()
        return normal

    def paint(self, where: Tensor, colour: Colour, share: float | Tensor = 1.0) -> None:
        """Paint where a mask `(HEIGHT, WIDTH)` is set, with opacity `share`."""
        share = where.float() * share
        self.pixels += share * (torch.tensor(colour)[:, None, None] - self.pixels)

    def box(self, top: float, left: float, bottom: float, right: float) -> Tensor:
        """Return the mask of a rectangle, in shares of the height and of the width."""
        rows = (self.y >= top * HEIGHT) & (self.y < bottom * HEIGHT)
        return rows & (self.x >= left * WIDTH) & (self.x < right * WIDTH)

    def radius(self, y: float, x: float, stretch: float = 1.0) -> Tensor:
        """Return distances from a point, in shares of the height; `stretch` makes ellipses."""
        down = self.y / HEIGHT - y
        across = (self.x - x * WIDTH) / HEIGHT * stretch
        return (down.square() + across.square()).sqrt()

    def ball(self, colour: Colour, radius: float = 0.42, shade: float = 0.6) -> Tensor:
        """Paint a ball lit from the upper left, `shade` 0 for a flat disc; return its mask."""
        distance = self.radius(0.5, 0.5)
        inside = distance < radius
        height = (1 - (distance / radius).square()).clamp(min=0).sqrt()
        toward = ((0.5 - self.y / HEIGHT) + (0.5 - self.x / WIDTH)) / radius
        light = 1 - shade + shade * (0.7 * height + 0.3 * toward).clamp(0, 1)
        self.pixels = torch.where(inside, torch.tensor(colour)[:, None, None] * light, self.pixels)
        return inside

    def vary(self, texture: Tensor, strength: float) -> None:
        """Multiply the light by `1 + strength * texture`."""
        self.pixels = self.pixels * (1 + strength * texture)

    def cells(self, count: int) -> tuple[Tensor, Tensor]:
        """Return, of random points, the index of the nearest and how near to the edge between."""
        points = torch.rand(count, 2, generator=self.generator) * torch.tensor([HEIGHT, WIDTH])
        places = torch.stack([self.y.flatten(), self.x.flatten()], dim=1)
        near, index = torch.cdist(places, points).topk(2, largest=False)
        edge = near[:, 1] - near[:, 0]
        return index[:, 0].view(HEIGHT, WIDTH), edge.view(HEIGHT, WIDTH)
