"""What a set of photographs is: numbered samples, cut to their field of view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.sampling import Plan, StretchedSampler
from data_modules.files.errors import PictureError
from data_modules.files.memory import require_memory
from data_modules.files.pictures import read_header, read_mask, read_native
from magenet.errors import UserError
from magenet.hashing import name_key
from magenet.imaging.crop import crop, resize
from magenet.imaging.field_of_view import FieldOfView, estimate_field, field_from_mask

Stage = Literal["train", "val", "test"]
Label = Literal["quality", "vessel_mask", "disc_mask", "lesion_bitmask", "dr_grade"]
Sample = dict[str, Any]

LESIONS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
"""Kinds of lesion, in the order of their bits."""


def cut_to_field(
    image: Tensor, field: FieldOfView, size: int, vessels: Tensor | None = None
) -> Sample:
    """Return a photograph and its masks, cut to the square around the field and resized.

    Args:
        image: uint8 `(3, H, W)`.
        field: Its field of view.
        size: Side wanted, in pixels.
        vessels: bool `(1, H, W)`, or None where unknown.

    Returns:
        uint8 `image`, `(3, size, size)`; bool `mask_fov`, `(1, size, size)`; uint8 `mask_vessel`,
        `(1, size, size)`, 0 to 255 so that shares of a pixel survive; bool `vessel_known`.
    """
    if vessels is None:
        mask_vessel = torch.zeros(1, size, size, dtype=torch.uint8)
    else:
        mask_vessel = resize(crop(vessels, field.square).to(torch.uint8) * 255, size)
    return {
        "image": resize(crop(image, field.square), size),
        "mask_fov": resize(crop(field.mask, field.square), size),
        "mask_vessel": mask_vessel,
        "vessel_known": torch.tensor(vessels is not None),
    }


class PhotographDataset(Dataset[Sample], ABC):
    """Give photographs by number, each with a key for its randomness.

    An item is asked for by its number, or by number and key as its :meth:`sampler` does; a
    number alone takes the key from the photograph's name, so that validation never changes.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return how many photographs there are."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return what a photograph is called."""

    def patient(self, index: int) -> str:
        """Return whose eye it is; where nobody says so, each photograph is its own patient."""
        return self.name(index)

    @abstractmethod
    def load(self, index: int) -> Sample:
        """Return a photograph as :func:`cut_to_field` does."""

    def sampler(self, plan: Plan) -> DistributedSampler[tuple[int, int]]:
        """Return what chooses the photographs of a training epoch."""
        count = plan.steps * plan.batch_size * plan.ranks
        return StretchedSampler(self, count, plan.seed, plan.ranks, plan.rank)

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        """Return a photograph with its `name`, its `patient` and its `key`."""
        index, key = item if isinstance(item, tuple) else (item, None)
        name = self.name(index)
        sample = self.load(index)
        sample["name"], sample["patient"] = name, self.patient(index)
        sample["key"] = torch.tensor(name_key(name) if key is None else key)
        return sample


class PhotographSource(ABC):
    """Be a set of photographs that knows its parts for training, validation and test."""

    @abstractmethod
    def dataset(self, stage: Stage, image_size: int) -> PhotographDataset:
        """Return the photographs of one part.

        Args:
            stage: Which part.
            image_size: Side of the square that each is cut and resized to, in pixels.
        """


class DecodedPhotograph(NamedTuple):
    """A photograph at its own size.

    Attributes:
        image: uint8 or uint16 `(3, H, W)`.
        field: Its field of view.
    """

    image: Tensor
    field: FieldOfView


def read_with_field(photograph: Photograph, max_memory: int) -> DecodedPhotograph:
    """Read a photograph with its own bit depth, and its field of view.

    Args:
        photograph: Which one.
        max_memory: Bytes that the process may use.

    Raises:
        PictureError: If it cannot be read, or would not fit into the memory.
    """
    header = read_header(photograph.image)
    try:
        require_memory(*header, max_memory)
    except UserError as error:
        raise PictureError(f"{photograph.image}: {error}") from None
    image = read_native(photograph.image)
    return DecodedPhotograph(image, find_field(photograph, image))


def find_field(photograph: Photograph, image: Tensor) -> FieldOfView:
    """Return a photograph's field of view: from its mask where it has one, else estimated.

    Raises:
        PictureError: If the mask cannot be read, has another size, or is empty.
    """
    if photograph.fov_mask is None:
        return estimate_field(image)
    mask = read_mask(photograph.fov_mask, image)
    if not mask.any():
        raise PictureError(f"{photograph.fov_mask}: is an empty field-of-view mask")
    return field_from_mask(mask)


def require_field(photograph: Photograph, image: Tensor) -> FieldOfView:
    """Return a photograph's field of view for training or a test, which need one.

    Raises:
        PictureError: If none is found, or as :func:`find_field` does.
    """
    field = find_field(photograph, image)
    if field.confidence == 0.0:
        raise PictureError(
            f"{photograph.image}: no field of view can be seen; take it out, or name its mask in "
            f"the manifest's column fov_mask"
        )
    return field
