"""Sources of photographs for the data modules: a manifest, a folder, or phantoms."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from data_modules.datasets.cache import Cache
from data_modules.datasets.dust import Dust
from data_modules.datasets.held_out import hold_out, warn_of_shared_patients
from data_modules.datasets.manifest import FILE_COLUMNS, Manifest, ManifestError, Photograph
from data_modules.datasets.phantom import Camera, draw_phantom
from data_modules.datasets.photographs import (
    LESIONS,
    Label,
    PhotographDataset,
    PhotographSource,
    Sample,
    Split,
    cut_to_field,
    require_field,
)
from data_modules.files.reading import (
    is_rotated,
    read_bits,
    read_header,
    read_mask,
    read_photograph,
)
from magenet.imaging.crop import Square, crop, resize
from magenet.imaging.field_of_view import FieldOfView


class ManifestDataset(PhotographDataset):
    """Photographs of a manifest.

    Args:
        manifest: The photographs.
        image_size: Side of the square, in pixels.
        cache: Folder of decoded photographs; not cached if None.
        own_scale: Whether photographs smaller than `image_size` keep their own size.
        dust: Dust of their cameras; samples then have `mask_dust`, uint8 `(1, S, S)`: the share of
            the pixel values that is lost, 255 for `dust.DEEPEST`.
    """

    def __init__(
        self,
        manifest: Manifest,
        image_size: int,
        cache: str | None = None,
        own_scale: bool = False,
        dust: Dust | None = None,
    ) -> None:
        self.photographs = manifest.photographs
        self.image_size = image_size
        self.own_scale = own_scale
        self.dust = dust
        self.squares: dict[str, Square] = {}
        self.cache = None if cache is None else Cache(cache)

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return len(self.photographs)

    def name(self, index: int) -> str:
        """Return the photograph's name in the manifest."""
        return self.photographs[index].name

    def patient(self, index: int) -> str:
        """Return the patient in the manifest; the photograph's name if there is none."""
        photograph = self.photographs[index]
        return photograph.patient or photograph.name

    def load(self, index: int) -> Sample:
        """Return a photograph and its masks, from the cache where it has them.

        Raises:
            PictureError: If a file cannot be read, a mask does not fit, or no field of view is
                found.
        """
        photograph = self.photographs[index]
        if self.cache is None:
            sample = self._decode(photograph)
        else:
            files = (photograph.image, photograph.fov_mask, photograph.vessel_mask)
            size = f"own{self.image_size}" if self.own_scale else self.image_size
            sample = self.cache.sample(files, size, lambda: self._decode(photograph))
        if self.dust is not None:
            sample["mask_dust"] = self._dust_of(self.dust, photograph, sample)
        return sample

    def _decode(self, photograph: Photograph) -> Sample:
        """Decode a photograph and its masks."""
        image = read_photograph(photograph.image)
        path = photograph.vessel_mask
        vessels = None if path is None else read_mask(path, image)
        field = require_field(photograph, image)
        size = min(self.image_size, field.square.side) if self.own_scale else self.image_size
        return cut_to_field(image, field, size, vessels)

    def _dust_of(self, dust: Dust, photograph: Photograph, sample: Sample) -> Tensor:
        """Return the dust of a photograph as a plane of its sample."""
        header = read_header(photograph.image)
        plane = dust.plane(photograph, header.height, header.width)
        if plane is None or is_rotated(photograph.image):
            return torch.zeros_like(sample["mask_vessel"])
        if photograph.name not in self.squares:
            image = read_photograph(photograph.image)
            self.squares[photograph.name] = require_field(photograph, image).square
        return resize(crop(plane, self.squares[photograph.name]), sample["image"].shape[-1])


class LabelledDataset(ManifestDataset):
    """Photographs of a manifest with the labels of downstream tasks.

    Adds to a sample uint8 `mask_disc` and `mask_cup`, `(1, S, S)`, 0 to 255, bool `mask_lesions`,
    `(4, S, S)`, one plane per kind, long `dr_grade`, -1 where unknown, and bool `disc_known`,
    `cup_known`, `lesions_known`.
    """

    def load(self, index: int) -> Sample:
        """Return a photograph, its masks and its labels; see :meth:`ManifestDataset.load`."""
        photograph = self.photographs[index]
        sample = super().load(index)
        size = sample["image"].shape[-1]
        masks = {"disc": photograph.disc_mask, "cup": photograph.cup_mask}
        planes = dict.fromkeys(masks, torch.zeros(1, size, size, dtype=torch.uint8))
        lesions = torch.zeros(len(LESIONS), size, size, dtype=torch.bool)
        if photograph.lesion_bitmask is not None or any(masks.values()):
            image = read_photograph(photograph.image)
            square = require_field(photograph, image).square
            for structure, path in masks.items():
                if path is not None:
                    mask = crop(read_mask(path, image), square).to(torch.uint8) * 255
                    planes[structure] = resize(mask, size)
            if photograph.lesion_bitmask is not None:
                bits = read_bits(photograph.lesion_bitmask, image)
                # Any part of a pixel counts: a microaneurysm is smaller than one.
                lesions = torch.cat(
                    [
                        resize(crop(bits & 1 << kind > 0, square).to(torch.uint8) * 255, size) > 0
                        for kind in range(len(LESIONS))
                    ]
                )
        grade = -1 if photograph.dr_grade is None else photograph.dr_grade
        return sample | {
            **{f"mask_{structure}": plane for structure, plane in planes.items()},
            **{f"{structure}_known": torch.tensor(p is not None) for structure, p in masks.items()},
            "mask_lesions": lesions,
            "lesions_known": torch.tensor(photograph.lesion_bitmask is not None),
            "dr_grade": torch.tensor(grade),
        }


def in_sizes_of(versions: Mapping[str, Photograph], manifest: Manifest, larger: str) -> Manifest:
    """Return photographs with the picture and the masks of their versions in another size.

    Warns if no photograph has a version, or versions lack masks that photographs have.

    Args:
        versions: Photographs by name.
        manifest: The photographs.
        larger: The CSV file of the versions, for warnings.
    """
    given, lacking = [], 0
    for photograph in manifest:
        if version := versions.get(photograph.name):
            files = {column: getattr(version, column) for column in ("image", *FILE_COLUMNS)}
            lacking += any(getattr(photograph, c) and not files[c] for c in FILE_COLUMNS)
            photograph = replace(photograph, **files)
        given.append(photograph)
    if not any(photograph.name in versions for photograph in manifest):
        warnings.warn(
            f"{larger}: has none of the photographs of {manifest.source}: all keep their size",
            stacklevel=3,
        )
    if lacking:
        warnings.warn(
            f"{larger}: {lacking} of its photographs lack a mask that they have in "
            f"{manifest.source}; they are used without it, since masks have a photograph's size",
            stacklevel=3,
        )
    return Manifest(given, manifest.source)


def require_share(share: float) -> None:
    """Raise unless a share held out lies in [0, 1].

    Raises:
        ValueError: If it does not, as 20 for 20 %.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"val_share must lie in [0, 1], got {share:g}")


class ManifestPhotographs(PhotographSource):
    """Photographs of a CSV manifest.

    Args:
        path: The CSV file; see `data_modules.datasets.manifest.Manifest.from_csv` for its columns.
        sets: Data sets to take; all if null.
        qualities: Qualities to take (good, usable, reject, unknown); all if null.
        train_split: Value of the column `split` for training.
        val_split: Value of the column `split` for validation.
        test_split: Value of the column `split` for the test: by default `val`, which also chooses
            checkpoints, since few of the public sets have a third part.
        only_with: Label that a photograph must have; all are taken if null.
        labels: More CSV files with labels; see :meth:`Manifest.from_csv`. With them, samples hold
            the labels of :class:`LabelledDataset`.
        val_share: Share of the patients held out for validation and test where there is no column
            `split`.
        cache: Folder of decoded photographs, so that later epochs and runs need not decode again;
            it may be deleted at any time. Not cached if null.
        own_scale: Whether photographs that are smaller than asked for keep their own size; a batch
            then must be one of them (`batch_size` 1).
        larger: CSV file with larger versions of some of the photographs and their masks, of the
            same names; its other columns are not used.
        dust: Whether samples tell the dust of their camera, found in its training photographs of
            any quality; see :class:`data_modules.datasets.dust.Dust`.

    Raises:
        ValueError: If the share is not one.
    """

    def __init__(
        self,
        path: str,
        sets: list[str] | None = None,
        qualities: list[str] | None = None,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "val",
        only_with: Label | None = None,
        labels: list[str] | None = None,
        val_share: float = 0.2,
        cache: str | None = None,
        own_scale: bool = False,
        larger: str | None = None,
        dust: bool = False,
    ) -> None:
        require_share(val_share)
        self.path = path
        self.sets = sets
        self.qualities = qualities
        self.splits = {"train": train_split, "val": val_split, "test": test_split}
        self.only_with = only_with
        self.labels = labels
        self.val_share = val_share
        self.cache = cache
        self.own_scale = own_scale
        self.larger = larger
        self.dust = dust

    def dataset(self, split: Split, image_size: int) -> ManifestDataset:
        """Return the photographs of one split; see :meth:`PhotographSource.dataset`."""
        manifest = Manifest.from_csv(self.path, self.labels or ())
        if self.larger is not None:
            versions = {p.name: p for p in Manifest.from_csv(self.larger, self.labels or ())}
            manifest = in_sizes_of(versions, manifest, self.larger)
        manifest = manifest.select(sets=self.sets)
        dust = self._dust_of(manifest) if self.dust else None
        manifest = manifest.select(qualities=self.qualities)
        without = sum(not photograph.split for photograph in manifest)
        if without < len(manifest):
            if without:
                warnings.warn(
                    f"{self.path}: {without} of {len(manifest)} photographs have no split and are "
                    "in no part",
                    stacklevel=2,
                )
            warn_of_shared_patients(manifest, self.splits)
            manifest = manifest.select(splits=[self.splits[split]])
        else:
            manifest = hold_out(manifest, split, self.val_share)
        if self.only_with is not None:
            kept = [p for p in manifest if getattr(p, self.only_with) not in (None, "unknown")]
            if not kept:
                raise ManifestError(f"{self.path}: no photograph with a {self.only_with} is left")
            manifest = Manifest(kept, self.path)
        manifest.require_readable()
        kind = ManifestDataset if self.labels is None else LabelledDataset
        return kind(manifest, image_size, self.cache, self.own_scale, dust)

    def _dust_of(self, manifest: Manifest) -> Dust:
        """Return the dust of the cameras, from photographs of the training split."""
        if any(photograph.split for photograph in manifest):
            manifest = manifest.select(splits=[self.splits["train"]])
        else:
            manifest = hold_out(manifest, "train", self.val_share)
        return Dust(manifest.photographs, self.cache)


class FolderPhotographs(PhotographSource):
    """Photographs of a plain folder, their fields of view estimated.

    Args:
        path: The folder, with its sub-folders.
        val_share: Share held out for validation and test, by the hash of each file's name.
        cache: Folder of decoded photographs, so that later epochs and runs need not decode again;
            it may be deleted at any time. Not cached if null.
    """

    def __init__(self, path: str, val_share: float = 0.2, cache: str | None = None) -> None:
        require_share(val_share)
        self.path = path
        self.val_share = val_share
        self.cache = cache

    def dataset(self, split: Split, image_size: int) -> ManifestDataset:
        """Return the photographs of one split; see :meth:`PhotographSource.dataset`."""
        manifest = hold_out(Manifest.from_folder(self.path), split, self.val_share)
        manifest.require_readable()
        return ManifestDataset(manifest, image_size, self.cache)


class PhantomDataset(PhotographDataset):
    """Phantoms, each drawn from its own seed.

    Args:
        seeds: Seed of each phantom.
        image_size: Side of the square, in pixels.
        camera: See `data_modules.datasets.phantom.draw_phantom`.
    """

    def __init__(self, seeds: range, image_size: int, camera: Camera) -> None:
        self.seeds = seeds
        self.image_size = image_size
        self.camera: Camera = camera

    def __len__(self) -> int:
        """Return how many phantoms there are."""
        return len(self.seeds)

    def name(self, index: int) -> str:
        """Return the phantom's name."""
        return f"phantom_{self.camera}_{self.seeds[index]:06d}"

    def load(self, index: int) -> Sample:
        """Draw a phantom."""
        phantom = draw_phantom(self.seeds[index], self.image_size, camera=self.camera)
        # The whole square is kept, so that every phantom of a size has the same scale.
        field = FieldOfView(phantom.field.mask, Square(0, 0, self.image_size), 1.0)
        return cut_to_field(phantom.image, field, self.image_size, phantom.vessels)


class PhantomPhotographs(PhotographSource):
    """Phantoms: synthetic retinas, nothing to download.

    Args:
        count: Number of phantoms for training.
        val_count: Number for validation, and as many others for the test.
        camera: `clinic`, or `handheld` for the unlabelled domain.
        seed: Seed of the set; another seed gives other retinas.
    """

    def __init__(
        self, count: int = 256, val_count: int = 16, camera: Camera = "clinic", seed: int = 0
    ) -> None:
        self.count = count
        self.val_count = val_count
        self.camera: Camera = camera
        self.seed = seed

    def dataset(self, split: Split, image_size: int) -> PhantomDataset:
        """Return the phantoms of one split; see :meth:`PhotographSource.dataset`."""
        start = 1_000_000 * self.seed + {"train": 0, "val": 800_000, "test": 900_000}[split]
        count = self.count if split == "train" else self.val_count
        return PhantomDataset(range(start, start + count), image_size, self.camera)
