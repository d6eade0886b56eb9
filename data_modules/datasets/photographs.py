"""Datasets of photographs: indexed samples, cut to their field of view."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from data_modules.datasets.manifest import Photograph
from data_modules.datasets.sampling import FixedLengthSampler, Plan
from data_modules.files.dicom import read_frames
from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import require_memory
from data_modules.files.reading import read_header, read_mask, read_native
from magenet.errors import UserError
from magenet.hashing import name_key
from magenet.imaging.crop import crop, resize
from magenet.imaging.field_of_view import FieldOfView, estimate_field, field_from_mask

Split = Literal["train", "val", "test"]
Label = Literal["quality", "vessel_mask", "disc_mask", "cup_mask", "lesion_bitmask", "dr_grade"]
Sample = dict[str, Any]

LESIONS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
"""Kinds of lesion, in the order of the bits of a lesion mask."""


def cut_to_field(
    image: Tensor, field: FieldOfView, size: int, vessels: Tensor | None = None
) -> Sample:
    """Return a photograph and its masks, cut to the square around the field and resized.

    Args:
        image: uint8 `(3, H, W)`.
        field: Its field of view.
        size: Side of the result, in pixels.
        vessels: Vessel mask, bool `(1, H, W)`, or None where unknown.

    Returns:
        uint8 `image`, `(3, size, size)`; bool `mask_fov`, `(1, size, size)`; uint8 `mask_vessel`,
        `(1, size, size)`, 0 to 255 for the share of a pixel; bool `vessel_known`.
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
    """Photographs by index, each with a key for its random numbers.

    An item is an index, or the index and key that :meth:`sampler` yields; an index alone takes the
    key from the photograph's name, so that validation never changes.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return how many photographs there are."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name of a photograph."""

    def patient(self, index: int) -> str:
        """Return the patient of a photograph; its own name if unknown."""
        return self.name(index)

    @abstractmethod
    def load(self, index: int) -> Sample:
        """Return a sample as :func:`cut_to_field` does."""

    def sampler(self, plan: Plan) -> DistributedSampler[tuple[int, int]]:
        """Return the sampler of a training epoch."""
        count = plan.steps * plan.batch_size * plan.ranks
        return FixedLengthSampler(self, count, plan.seed, plan.ranks, plan.rank)

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        """Return a sample with its `name`, `patient` and `key`."""
        index, key = item if isinstance(item, tuple) else (item, None)
        name = self.name(index)
        sample = self.load(index)
        sample["name"], sample["patient"] = name, self.patient(index)
        sample["key"] = torch.tensor(name_key(name) if key is None else key)
        return sample


class AnnotatedDataset(PhotographDataset):
    """Photographs of another data set, each with an :meth:`annotation`.

    Args:
        photographs: The photographs.
    """

    def __init__(self, photographs: PhotographDataset) -> None:
        self.photographs = photographs

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self.photographs)

    def name(self, index: int) -> str:
        """Return the photograph's name."""
        return self.photographs.name(index)

    def patient(self, index: int) -> str:
        """Return the photograph's patient."""
        return self.photographs.patient(index)

    @abstractmethod
    def annotation(self, index: int) -> Sample:
        """Return what a photograph's sample gets in addition."""

    def load(self, index: int) -> Sample:
        """Return the sample with its annotation."""
        return self.photographs.load(index) | self.annotation(index)


class PhotographSource(ABC):
    """Set of photographs with splits for training, validation and test."""

    own_scale = False
    """Whether its photographs may keep their own sizes, so that a batch can hold only one."""

    @abstractmethod
    def dataset(self, split: Split, image_size: int) -> PhotographDataset:
        """Return the photographs of one split.

        Args:
            split: `train`, `val` or `test`.
            image_size: Side of the square that each is cut and resized to, in pixels.
        """


class DecodedPhotograph(NamedTuple):
    """A photograph at its own size.

    Attributes:
        image: uint8 or uint16 `(3, H, W)`.
        field: Its field of view.
        notes: What a result will lack, in words: further pages, transparency.
    """

    image: Tensor
    field: FieldOfView
    notes: tuple[str, ...] = ()


def read_with_field(photograph: Photograph, max_memory: int, others: int = 0) -> DecodedPhotograph:
    """Read a photograph with its own bit depth, and its field of view.

    Args:
        photograph: The photograph.
        max_memory: Bytes that the process may use.
        others: See :func:`data_modules.files.memory_estimate.require_memory`.

    Raises:
        PictureError: If it cannot be read, or would not fit into the memory.
    """
    if photograph.fault:
        raise PictureError(f"{photograph.image}: {photograph.fault}")
    header = read_header(photograph.image)
    try:
        require_memory(header, max_memory, others)
    except UserError as error:
        raise PictureError(f"{photograph.image}: {error}") from None
    image = read_native(photograph.image)
    return DecodedPhotograph(image, find_field(photograph, image), header.notes)


class DecodedFrames:
    """Frames of a file with several, each read when it is asked for.

    Args:
        photograph: The file; its field-of-view mask, if any, is that of every frame.
        count: Number of its frames.
    """

    def __init__(self, photograph: Photograph, count: int) -> None:
        self.photograph = photograph
        self.count = count

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.count

    def __iter__(self) -> Iterator[DecodedPhotograph]:
        """Yield the frames in their order.

        Raises:
            PictureError: If one cannot be read.
        """
        for image in read_frames(self.photograph.image):
            yield DecodedPhotograph(image, find_field(self.photograph, image))


def read_frames_with_field(
    photograph: Photograph, max_memory: int
) -> DecodedPhotograph | DecodedFrames:
    """Read a photograph as :func:`read_with_field` does, or prepare to read several of one file.

    Args:
        photograph: The photograph, or the file of several.
        max_memory: Bytes that the process may use.

    Raises:
        PictureError: If it cannot be read, or a frame would not fit into the memory beside another.
    """
    header = None if photograph.fault else read_header(photograph.image)
    if header is None or header.frames == 1:
        return read_with_field(photograph, max_memory)
    try:
        require_memory(header, max_memory, others=1)
    except UserError as error:
        raise PictureError(f"{photograph.image}: {error}") from None
    return DecodedFrames(photograph, header.frames)


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
            f"{photograph.image}: no field of view can be seen; remove it, or name its mask in the "
            f"manifest's column fov_mask"
        )
    return field
