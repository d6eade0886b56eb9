"""Transformations after which a fundus photograph is still a fundus photograph."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional

from data_modules.datasets.manifest import Manifest, Photograph
from data_modules.datasets.photographs import cut_to_field
from data_modules.files.reading import read_photograph
from experiments.configurations import photographs_folder
from magenet.enhancement.fundus_check import CHECK_SIZE, image_statistics
from magenet.imaging.field_of_view import FieldOfView, estimate_field

Transformation = Callable[[Tensor, FieldOfView], Tensor]
"""From a photograph, uint8 `(3, H, W)`, and its field of view to a photograph."""


def picture_of(image: Tensor) -> Image.Image:
    """Return an image, uint8 `(3, H, W)`, as Pillow's."""
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def image_of(picture: Image.Image) -> Tensor:
    """Return Pillow's picture as uint8 `(3, H, W)`."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous()


def rounded(values: Tensor) -> Tensor:
    """Return values of 0 to 255 as uint8."""
    return values.round().clamp(0, 255).to(torch.uint8)


def blur(image: Tensor, field: FieldOfView, sigma: float) -> Tensor:
    """Blur; `sigma` is in pixels where the field is 512 px wide. No noise is added."""
    radius = sigma * field.square.side / 512
    return image_of(picture_of(image).filter(ImageFilter.GaussianBlur(radius)))


def grey(image: Tensor, field: FieldOfView) -> Tensor:
    """Return luminance."""
    return image_of(picture_of(image).convert("L"))


def red_free(image: Tensor, field: FieldOfView) -> Tensor:
    """Return the green channel as grey."""
    return image[1:2].expand(3, -1, -1).contiguous()


def white_border(image: Tensor, field: FieldOfView) -> Tensor:
    """Put a white frame around the photograph."""
    width = round(0.05 * max(image.shape))
    return functional.pad(image, (width,) * 4, value=255)


def white_surround(image: Tensor, field: FieldOfView) -> Tensor:
    """Turn the surround white."""
    return torch.where(field.mask, image, 255).to(torch.uint8)


def light(image: Tensor, field: FieldOfView, share: float) -> Tensor:
    """Keep a share of the light, by a factor on the stored values."""
    return rounded(image * share)


def double_contrast(image: Tensor, field: FieldOfView) -> Tensor:
    """Double the differences from the mean colour of the field."""
    mean = (image * field.mask).sum(dim=(1, 2)) / field.mask.sum()
    stretched = 2 * image - mean[:, None, None]
    return rounded(torch.where(field.mask, stretched, image.float()))


def rotate(image: Tensor, field: FieldOfView, degrees: float) -> Tensor:
    """Rotate the frame, black where it was not photographed."""
    picture = picture_of(image).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    return image_of(picture)


def rimless(image: Tensor, field: FieldOfView) -> Tensor:
    """Cut the square inside the field, without surround."""
    square = field.square
    half = round(0.34 * square.side)
    y, x = square.top + square.side // 2, square.left + square.side // 2
    return image[:, max(0, y - half) : y + half, max(0, x - half) : x + half].contiguous()


def flip(image: Tensor, field: FieldOfView) -> Tensor:
    """Mirror left and right: the other eye."""
    return image.flip(-1)


def jpeg(image: Tensor, field: FieldOfView) -> Tensor:
    """Compress to JPEG of quality 20."""
    stream = io.BytesIO()
    picture_of(image).save(stream, "JPEG", quality=20)
    return image_of(Image.open(stream))


def noise(image: Tensor, field: FieldOfView) -> Tensor:
    """Add noise of 12 grey levels inside the field."""
    generator = torch.Generator().manual_seed(0)
    added = 12.0 * torch.randn(image.shape, generator=generator)
    return rounded(image + added * field.mask)


def cast(image: Tensor, field: FieldOfView, red: float, blue: float) -> Tensor:
    """Multiply red and blue."""
    return rounded(image * torch.tensor([red, 1.0, blue])[:, None, None])


def small(image: Tensor, field: FieldOfView) -> Tensor:
    """Reduce to 256 px on the longer side."""
    picture = picture_of(image)
    picture.thumbnail((256, 256))
    return image_of(picture)


def haze(image: Tensor, field: FieldOfView) -> Tensor:
    """Mix with a pale veil, 40 %, inside the field."""
    veil = torch.tensor([180.0, 150.0, 130.0])[:, None, None]
    return rounded(torch.where(field.mask, 0.6 * image + 0.4 * veil, image.float()))


TRANSFORMATIONS: dict[str, Transformation] = {
    "none": lambda image, field: image,
    "blur of 3 px": lambda image, field: blur(image, field, 3.0),
    "blur of 6 px": lambda image, field: blur(image, field, 6.0),
    "grey": grey,
    "red-free": red_free,
    "white border": white_border,
    "white surround": white_surround,
    "half the light": lambda image, field: light(image, field, 0.5),
    "a quarter of the light": lambda image, field: light(image, field, 0.25),
    "double contrast": double_contrast,
    "rotation by 30 degrees": lambda image, field: rotate(image, field, 30.0),
    "rotation by 90 degrees": lambda image, field: rotate(image, field, 90.0),
    "rimless square": rimless,
    "mirrored": flip,
    "JPEG of quality 20": jpeg,
    "noise of 12 grey levels": noise,
    "warm cast": lambda image, field: cast(image, field, 1.25, 0.75),
    "cool cast": lambda image, field: cast(image, field, 0.8, 1.25),
    "256 px": small,
    "haze": haze,
}
"""By name. `none` is the photograph as taken."""

GROUPS = (
    (
        "none", "white border", "white surround", "half the light", "a quarter of the light",
        "rotation by 30 degrees", "rotation by 90 degrees", "mirrored", "JPEG of quality 20",
        "warm cast", "cool cast", "256 px", "haze",
    ),
    ("blur of 3 px", "blur of 6 px"),
    ("noise of 12 grey levels",),
    ("grey", "red-free"),
    ("double contrast",),
    ("rimless square",),
)  # fmt: skip
"""Transformations whose photographs the fundus check describes by one Gaussian each."""


def chosen(split: str, count: int) -> list[Photograph]:
    """Return photographs of a split of the manifest in `MAGENET_DATA`, spread over its rows."""
    manifest = Manifest.from_csv(photographs_folder() / "index.csv")
    rows = list(manifest.select(splits=[split]))
    return [rows[index * len(rows) // count] for index in range(count)]


def transformed(photograph: Photograph) -> Iterator[tuple[str, Tensor]]:
    """Yield the name of each transformation and the photograph after it, uint8 `(3, H, W)`."""
    image = read_photograph(photograph.image)
    field = estimate_field(image)
    for name, transformation in TRANSFORMATIONS.items():
        yield name, transformation(image, field)


def statistics_of(image: Tensor) -> Tensor:
    """Return what the fundus check sees of an image, uint8 `(3, H, W)`: `(1, N)`."""
    sample = cut_to_field(image, estimate_field(image), CHECK_SIZE)
    mask = sample["mask_fov"][None].float()
    return image_statistics(sample["image"][None] / 255 * mask, mask)
