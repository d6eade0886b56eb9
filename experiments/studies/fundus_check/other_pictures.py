"""Pictures that are no fundus photographs, drawn by code: scenes, pages, textures, discs, scans."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from experiments.studies.fundus_check.canvas import HEIGHT, WIDTH, Canvas


def landscape(c: Canvas) -> None:
    """Sky, hills and grass."""
    down = c.y / HEIGHT
    c.paint(down >= 0, (0.35, 0.55, 0.9), 1 - 0.6 * down)
    c.paint(c.noise(1.6) + 1 - 4 * down > 1.2, (0.95, 0.95, 0.97), 0.8)
    hills = down > 0.5 + 0.08 * c.noise(2.0)[HEIGHT // 2]
    c.paint(hills, (0.2, 0.4, 0.15))
    c.pixels = torch.where(hills, c.pixels * (1 + 0.3 * c.noise(0.8)), c.pixels)


def sunset(c: Canvas) -> None:
    """Orange sky, a low sun, dark ground."""
    down = c.y / HEIGHT
    c.paint(down >= 0, (0.95, 0.5, 0.15), 0.4 + 0.6 * down)
    sun = c.radius(0.6, c.draw(0.3, 0.7))
    c.paint(sun > 0, (1.0, 0.9, 0.5), (-sun / 0.2).exp())
    c.paint(down > 0.75 + 0.03 * c.noise(2.0)[0], (0.1, 0.05, 0.05))


def face(c: Canvas) -> None:
    """Oval of skin with eyes, mouth and hair."""
    c.paint(c.y >= 0, c.colour())
    c.paint(c.radius(0.42, 0.5, 1.1) < 0.4, (0.25, 0.15, 0.08))
    skin = c.radius(0.52, 0.5, 1.3) < 0.38
    c.paint(skin, (0.85, 0.62, 0.5), (1 - 0.4 * c.radius(0.4, 0.4)).clamp(0, 1))
    for x in (0.4, 0.6):
        c.paint(c.radius(0.45, x, 0.6) < 0.035, (0.95, 0.95, 0.95))
        c.paint(c.radius(0.45, x) < 0.025, (0.2, 0.15, 0.1))
    c.paint(c.radius(0.72, 0.5, 0.4) < 0.035, (0.7, 0.3, 0.3))
    c.vary(c.noise(1.2), 0.03)


def house(c: Canvas) -> None:
    """House with windows under a sky."""
    c.paint(c.y >= 0, (0.6, 0.75, 0.95))
    c.paint(c.box(0.8, 0, 1, 1), (0.35, 0.5, 0.25))
    c.paint(c.box(0.4, 0.2, 0.85, 0.8), (0.75, 0.4, 0.3))
    roof = (c.y / HEIGHT > 0.15) & (c.y / HEIGHT < 0.4)
    c.paint(roof & ((c.x / WIDTH - 0.5).abs() < 1.4 * (c.y / HEIGHT - 0.15)), (0.4, 0.2, 0.15))
    for x in (0.28, 0.48, 0.66):
        c.paint(c.box(0.5, x, 0.64, x + 0.08), (0.2, 0.25, 0.35))
    c.vary(c.noise(0.7), 0.06)


def page(c: Canvas) -> None:
    """Page of text: words of dark strokes on white."""
    c.paint(c.y >= 0, (0.97, 0.97, 0.95))
    for line in range(8, HEIGHT - 16, 16):
        words = torch.rand(WIDTH // 6, generator=c.generator) > 0.2
        strokes = (torch.rand(10, WIDTH, generator=c.generator) > 0.5).float()
        strokes *= words.repeat_interleave(6).float()
        c.pixels[:, line : line + 10, 20:-20] *= 1 - 0.9 * strokes[:, 20:-20]


def bars(c: Canvas) -> None:
    """Bar chart."""
    c.paint(c.y >= 0, (1.0, 1.0, 1.0))
    for bar in range(8):
        left = 0.12 + 0.1 * bar
        c.paint(c.box(c.draw(0.15, 0.8), left, 0.9, left + 0.07), c.colour())
    c.paint(c.box(0.9, 0.1, 0.91, 0.95) | c.box(0.1, 0.1, 0.9, 0.104), (0.0, 0.0, 0.0))


def curves(c: Canvas) -> None:
    """Line chart on a dark background."""
    for _ in range(4):
        height = HEIGHT * (0.5 + 0.15 * c.noise(1.5)[0])
        c.paint((c.y - height).abs() < 2, c.colour())


def pie(c: Canvas) -> None:
    """Pie chart on black."""
    angle = torch.atan2(c.y / HEIGHT - 0.5, (c.x / WIDTH - 0.5) * WIDTH / HEIGHT)
    for part in range(6):
        sector = ((angle + math.pi) / (2 * math.pi) * 6).floor() == part
        c.paint((c.radius(0.5, 0.5) < 0.42) & sector, c.colour())


def grey_noise(c: Canvas) -> None:
    """Noise in grey, of a random spectrum."""
    c.pixels += 0.5 + 0.15 * c.noise(c.draw(0.0, 2.0))


def colour_noise(c: Canvas) -> None:
    """Noise in colours, of a random spectrum."""
    slope = c.draw(0.0, 2.0)
    c.pixels += 0.5 + 0.15 * torch.stack([c.noise(slope) for _ in range(3)])


def orange_noise(c: Canvas) -> None:
    """Noise in light of an orange surface."""
    c.paint(c.y >= 0, (0.7, 0.35, 0.15))
    c.vary(c.noise(c.draw(0.5, 1.8)), 0.15)


def gradient(c: Canvas) -> None:
    """One colour runs into another."""
    c.paint(c.y >= 0, c.colour())
    c.paint(c.y >= 0, c.colour(), (c.x / WIDTH + c.y / HEIGHT) / 2)


def orange_disc(c: Canvas) -> None:
    """Flat disc in orange or red."""
    c.ball((c.draw(0.6, 0.9), c.draw(0.1, 0.45), c.draw(0.0, 0.2)), shade=0.0)


def textured_disc(c: Canvas) -> None:
    """Orange disc with noise."""
    inside = c.ball((0.75, 0.4, 0.15), shade=c.draw(0.0, 0.4))
    c.vary(inside * c.noise(c.draw(0.0, 1.5)), c.draw(0.05, 0.2))


def red_ball(c: Canvas) -> None:
    """Shaded ball in a warm colour."""
    c.ball((c.draw(0.6, 0.95), c.draw(0.1, 0.5), c.draw(0.05, 0.3)), shade=c.draw(0.4, 0.9))


def tomato(c: Canvas) -> None:
    """Red ball with a highlight and green leaves."""
    c.ball((0.8, 0.15, 0.1), shade=0.5)
    c.paint(c.radius(0.32, 0.4) > 0, (1, 0.95, 0.9), (-((c.radius(0.32, 0.4) / 0.05) ** 2)).exp())
    angle = torch.atan2(c.y / HEIGHT - 0.3, (c.x / WIDTH - 0.55) * WIDTH / HEIGHT)
    c.paint(c.radius(0.3, 0.55) < 0.1 + 0.07 * (5 * angle).cos(), (0.2, 0.45, 0.15))


def basketball(c: Canvas) -> None:
    """Orange ball with dark seams."""
    inside = c.ball((0.85, 0.42, 0.12), shade=0.5)
    seams = ((c.x / WIDTH - 0.5).abs() < 0.006) | ((c.y / HEIGHT - 0.5).abs() < 0.006)
    for x in (0.1, 0.9):
        seams |= (c.radius(0.5, x) - 0.3).abs() < 0.007
    c.paint(inside & seams, (0.1, 0.06, 0.04))
    c.vary(inside * c.noise(0.3), 0.06)


def moon(c: Canvas) -> None:
    """Grey disc with seas and craters."""
    inside = c.ball((0.75, 0.74, 0.7), shade=0.3)
    c.vary(inside * (c.noise(1.6) > 0.5), -0.3)
    for _ in range(60):
        crater = c.radius(c.draw(0.1, 0.9), c.draw(0.1, 0.9)) / c.draw(0.005, 0.03)
        c.paint(inside & (crater < 1), (0.5, 0.5, 0.48), 0.5)
        c.paint(inside & (crater > 1) & (crater < 1.2), (0.95, 0.95, 0.9), 0.5)


def planet(c: Canvas) -> None:
    """Orange planet with bands."""
    inside = c.ball((0.8, 0.55, 0.35), shade=0.5)
    bands = (c.y / HEIGHT * c.draw(20, 50) + 0.6 * c.noise(1.8)).sin()
    c.vary(inside * bands, 0.18)


def mars(c: Canvas) -> None:
    """Red planet with dark patches and a bright pole: close to a fundus in colour and shape."""
    inside = c.ball((0.75, 0.4, 0.22), shade=0.4)
    c.vary(inside * c.noise(1.4), 0.15)
    c.paint(inside & (c.radius(0.12, 0.5, 0.6) < 0.06 + 0.01 * c.noise(1.5)), (0.95, 0.9, 0.85))


def sun(c: Canvas) -> None:
    """Orange sun with granules, spots and a dark limb."""
    inside = c.ball((1.0, 0.6, 0.15), shade=0.35)
    c.vary(inside * c.noise(0.6), 0.08)
    for _ in range(5):
        spot = c.radius(c.draw(0.3, 0.7), c.draw(0.35, 0.65)) / c.draw(0.01, 0.03)
        c.paint(inside & (spot < 1), (0.2, 0.08, 0.02), 0.9)


def pizza(c: Canvas) -> None:
    """Pizza on a dark table."""
    inside = c.ball((0.85, 0.6, 0.3), shade=0.05)
    c.paint(c.radius(0.5, 0.5) < 0.37, (0.8, 0.35, 0.15))
    c.paint(inside & (c.noise(1.3) > 0.6), (0.95, 0.85, 0.55), 0.8)
    for _ in range(14):
        slice_ = c.radius(c.draw(0.2, 0.8), c.draw(0.25, 0.75))
        c.paint(inside & (slice_ < 0.05), (0.65, 0.12, 0.08))


def coffee(c: Canvas) -> None:
    """Cup of coffee from above."""
    c.paint(c.y >= 0, (0.35, 0.25, 0.2))
    c.paint(c.radius(0.5, 0.5) < 0.42, (0.95, 0.95, 0.92))
    c.paint(c.radius(0.5, 0.5) < 0.37, (0.3, 0.16, 0.07))
    c.paint((c.radius(0.5, 0.5) < 0.35) & (c.noise(1.8) > 0.8), (0.75, 0.55, 0.35), 0.7)


def clock(c: Canvas) -> None:
    """Clock face on a dark wall."""
    inside = c.ball((0.9, 0.88, 0.8), shade=0.0)
    angle = torch.atan2(c.y / HEIGHT - 0.5, (c.x / WIDTH - 0.5) * WIDTH / HEIGHT)
    marks = ((angle * 6 / math.pi).frac().abs() < 0.08) & (c.radius(0.5, 0.5) > 0.36)
    hands = ((angle - c.draw(-3, 3)).abs() < 0.04) & (c.radius(0.5, 0.5) < 0.3)
    c.paint(inside & (marks | hands), (0.05, 0.05, 0.05))


def pebbles(c: Canvas) -> None:
    """Pebbles: grey and brown cells with dark gaps."""
    index, edge = c.cells(150)
    colours = 0.3 + 0.5 * torch.rand(150, 1, generator=c.generator)
    colours = colours * torch.tensor([1.0, 0.92, 0.8])
    c.pixels = colours[index].permute(2, 0, 1) * (edge / 8).clamp(0.1, 1)
    c.vary(c.noise(0.8), 0.08)


def wood(c: Canvas) -> None:
    """Wood grain."""
    c.paint(c.y >= 0, (0.6, 0.38, 0.2))
    rings = (c.x / WIDTH * 6 + c.y / HEIGHT * 40 + 1.5 * c.noise(2.0)).sin()
    c.vary(rings, 0.15)
    c.vary(c.noise(0.6), 0.05)


def checkerboard(c: Canvas) -> None:
    """Checkerboard in two colours."""
    side = c.draw(12, 60)
    c.paint(((c.y / side).floor() + (c.x / side).floor()) % 2 == 0, c.colour())


def bricks(c: Canvas) -> None:
    """Wall of red bricks."""
    row = (c.y / 24).floor()
    gap = (c.y % 24 < 3) | ((c.x + 30 * (row % 2)) % 60 < 3)
    c.paint(c.y >= 0, (0.6, 0.28, 0.2))
    c.paint(gap, (0.75, 0.72, 0.68))
    c.vary(c.noise(0.8), 0.1)


def chest(c: Canvas) -> None:
    """Chest X-ray: grey, two dark lungs, ribs."""
    c.pixels += 0.7 - 0.5 * (c.x / WIDTH - 0.5).abs()
    for x in (0.33, 0.67):
        lung = c.radius(0.5, x, 1.6)
        c.paint(lung > 0, (0.15, 0.15, 0.15), (-((lung / 0.28) ** 4)).exp())
    c.vary((c.y / HEIGHT * 70 + 8 * (c.x / WIDTH - 0.5).square() * 10).sin(), 0.08)
    c.vary(c.noise(1.0), 0.04)


def oct_scan(c: Canvas) -> None:
    """Optical coherence tomography: bright layers with speckle on black."""
    middle = 0.5 + 0.04 * c.noise(2.0)[0]
    for layer in range(5):
        depth = (c.y / HEIGHT - middle - 0.05 * layer) / 0.015
        c.paint(c.y >= 0, (0.8, 0.8, 0.8), c.draw(0.3, 0.9) * (-depth.square()).exp())
    c.pixels += 0.1
    c.vary(c.noise(0.0), 0.4)


def lesion(c: Canvas) -> None:
    """Skin lesion through a round dermatoscope."""
    inside = c.ball((0.85, 0.65, 0.55), shade=0.15)
    border = c.radius(0.5, 0.5) + 0.03 * c.noise(1.8)
    c.paint(inside, (0.35, 0.2, 0.15), 1 / (1 + ((border - 0.2) / 0.02).exp()))
    c.vary(inside * c.noise(1.0), 0.06)


def endoscopy(c: Canvas) -> None:
    """Pink folds with highlights in a round field."""
    inside = c.ball((0.8, 0.4, 0.35), shade=0.2)
    tunnel = c.radius(0.5 + c.draw(-0.1, 0.1), 0.5)
    c.vary(inside * ((tunnel * 50 + c.noise(1.8)).sin()), 0.2)
    c.paint(inside & (tunnel < 0.1), (0.1, 0.02, 0.02), 0.9)
    c.paint(inside & (c.noise(1.4) > 2.2), (1.0, 1.0, 1.0), 0.9)


def outer_eye(c: Canvas) -> None:
    """Iris and pupil in the white of the eye, skin around."""
    c.paint(c.y >= 0, (0.8, 0.6, 0.5))
    c.paint(c.radius(0.5, 0.5, 0.6) < 0.33, (0.92, 0.88, 0.86))
    angle = torch.atan2(c.y / HEIGHT - 0.5, (c.x / WIDTH - 0.5) * WIDTH / HEIGHT)
    iris = c.radius(0.5, 0.5)
    c.paint(iris < 0.25, (c.draw(0.2, 0.5), 0.35, c.draw(0.2, 0.5)), 0.8 + 0.2 * (40 * angle).sin())
    c.paint(iris < 0.1, (0.02, 0.02, 0.02))
    c.paint(c.radius(0.44, 0.47) < 0.02, (1.0, 1.0, 1.0))


def cells(c: Canvas) -> None:
    """Stained cells in the round field of a microscope."""
    index, edge = c.cells(200)
    nucleus = edge > torch.rand(200, generator=c.generator)[index] * 20 + 12
    c.paint(c.radius(0.5, 0.5) < 0.45, (0.9, 0.7, 0.8))
    c.paint((c.radius(0.5, 0.5) < 0.45) & nucleus, (0.45, 0.2, 0.5))
    c.vary(c.noise(1.0), 0.03)


def screenshot(c: Canvas) -> None:
    """Windows, menus and lines of text."""
    c.paint(c.y >= 0, (0.2, 0.3, 0.4))
    for top, left in ((0.1, 0.05), (0.3, 0.4)):
        c.paint(c.box(top, left, top + 0.6, left + 0.5), (0.95, 0.95, 0.95))
        c.paint(c.box(top, left, top + 0.05, left + 0.5), c.colour())
        for line in range(10):
            y = top + 0.09 + 0.045 * line
            c.paint(c.box(y, left + 0.03, y + 0.015, left + c.draw(0.2, 0.45)), (0.2, 0.2, 0.2))


def leaf(c: Canvas) -> None:
    """Leaf with branching veins."""
    c.paint(c.y >= 0, (0.25, 0.5, 0.15))
    for side in (-1.0, 1.0):
        vein = c.y / HEIGHT - 0.5 + side * 0.8 * (c.x / WIDTH)
        c.paint((vein * 8).frac().abs() < 0.08, (0.5, 0.7, 0.35), 0.7)
    c.paint((c.y / HEIGHT - 0.5).abs() < 0.012, (0.6, 0.75, 0.4))
    c.vary(c.noise(1.0), 0.08)


def night(c: Canvas) -> None:
    """Street lamps at night."""
    for _ in range(25):
        lamp = c.radius(c.draw(), c.draw()) / c.draw(0.005, 0.04)
        c.paint(lamp > 0, (1.0, 0.75, 0.4), (-lamp).exp())


KINDS: tuple[Callable[[Canvas], None], ...] = (
    landscape, sunset, face, house, page, bars, curves, pie, grey_noise, colour_noise,
    orange_noise, gradient, orange_disc, textured_disc, red_ball, tomato, basketball, moon, planet,
    mars, sun, pizza, coffee, clock, pebbles, wood, checkerboard, bricks, chest, oct_scan, lesion,
    endoscopy, outer_eye, cells, screenshot, leaf, night,
)  # fmt: skip


def other_pictures(draws: int = 2) -> Iterator[tuple[str, Tensor]]:
    """Yield name and picture, uint8 `(3, HEIGHT, WIDTH)`: each kind whole and in a round field.

    Args:
        draws: Pictures of each kind, each yielded both ways.
    """
    for kind in KINDS:
        for draw in range(draws):
            canvas = Canvas(draw)
            kind(canvas)
            soft = functional.avg_pool2d(canvas.pixels, 3, 1, 1, count_include_pad=False)
            picture = (soft.clamp(0, 1) * 255).round().to(torch.uint8)
            yield f"{kind.__name__}_{draw}", picture
            yield f"{kind.__name__}_{draw}_round", picture * (canvas.radius(0.5, 0.5) < 0.46)
