"""Evaluation set of real photographs: pairs of the same eye, and photographs without a partner."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

from torch import Tensor
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import FundusDataModule, require_one_size, to_unit
from data_modules.batch import AnyBatch, Batch
from data_modules.datasets.manifest import Manifest, ManifestError, Photograph, read_rows
from data_modules.datasets.photographs import (
    AnnotatedDataset,
    PhotographDataset,
    PhotographSource,
    Sample,
    cut_to_field,
    require_field,
)
from data_modules.files.reading import read_mask, read_photograph
from magenet.imaging.crop import crop, resize

COLUMNS = ("pair_id", "patient", "low", "high_aligned", "valid_mask")


class Pair(NamedTuple):
    """Low- and high-quality photograph of the same eye.

    Attributes:
        name: Identifier.
        patient: The patient it belongs to.
        low: The low-quality photograph.
        high: File of the high-quality photograph, warped onto the low-quality one's pixels.
        valid: File of the mask of pixels that both show well.
    """

    name: str
    patient: str
    low: Photograph
    high: Path
    valid: Path


def read_pairs(path: str | Path, manifest: Manifest) -> list[Pair]:
    """Read pairs from a CSV file with the columns of :data:`COLUMNS`.

    Args:
        path: The file; `low` names photographs as the manifest does, the other files are relative
            to the manifest's folder.
        manifest: Manifest of the low-quality photographs.

    Raises:
        ManifestError: If the file, a column, a value or a photograph is missing.
    """
    path = Path(path)
    _, rows = read_rows(path, COLUMNS)
    known = {photograph.name: photograph for photograph in manifest}
    folder = Path(manifest.source).parent
    pairs = []
    for line, row in rows.items():
        if row["low"] not in known:
            raise ManifestError(f"{path}: line {line}: {row['low']} is not in {manifest.source}")
        files = [folder / row[column] for column in ("high_aligned", "valid_mask")]
        for file in files:
            if not file.is_file():
                raise ManifestError(f"{path}: line {line}: {file} is missing")
        pairs.append(Pair(row["pair_id"], row["patient"], known[row["low"]], *files))
    return pairs


class PairDataset(PhotographDataset):
    """Pairs, both photographs cut to the low-quality one's field of view.

    Args:
        pairs: The pairs.
        image_size: Side of the square, in pixels.
    """

    def __init__(self, pairs: list[Pair], image_size: int) -> None:
        self.pairs = pairs
        self.image_size = image_size

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.pairs)

    def name(self, index: int) -> str:
        """Return the pair's identifier."""
        return self.pairs[index].name

    def patient(self, index: int) -> str:
        """Return the pair's patient."""
        return self.pairs[index].patient

    def load(self, index: int) -> Sample:
        """Return the low-quality photograph with uint8 `image_high` and bool `mask_valid`.

        Raises:
            PictureError: If a picture cannot be read, or the low one shows no field of view.
            ManifestError: If the two differ in size, or no pixel is valid.
        """
        pair = self.pairs[index]
        low = read_photograph(pair.low.image)
        field = require_field(pair.low, low)
        sample = cut_to_field(low, field, self.image_size)
        high = read_photograph(pair.high)
        if high.shape[-2:] != low.shape[-2:]:
            sizes = [f"{w}x{h}" for h, w in (high.shape[-2:], low.shape[-2:])]
            raise ManifestError(
                f"{pair.high}: has {sizes[0]} pixels, and {pair.low.image} has {sizes[1]}: a pair "
                f"must be aligned pixel by pixel"
            )
        sample["image_high"] = resize(crop(high, field.square), self.image_size)
        valid = read_mask(pair.valid, low) & field.mask
        if not bool(valid.any()):
            raise ManifestError(f"{pair.valid}: no pixel is valid inside the field of view")
        sample["mask_valid"] = resize(crop(valid, field.square), self.image_size)
        sample["condition"] = "pair"
        return sample


class Unpaired(AnnotatedDataset):
    """Photographs without a partner, under the condition `unpaired`."""

    def annotation(self, index: int) -> Sample:
        """Return the condition."""
        return {"condition": "unpaired"}


class EvaluationDataModule(FundusDataModule):
    """Real photographs of low quality, for a test only.

    Two loaders: pairs of the same eye, `image` (the low-quality one), `image_high`, `mask_valid`;
    and photographs without a partner, `image`. All with `mask_fov`.

    Args:
        photographs: Photographs without a partner; pairs alone are tested if null.
        manifest: CSV manifest of the low-quality photographs of the pairs.
        pairs: CSV file of the pairs; see :func:`read_pairs`. Photographs without a partner alone
            are tested if it and the manifest are null.
        scored_size: Side of the photographs that are enhanced and scored, in pixels.
        batch_size: Photographs per batch.
        workers: Processes that decode; 0 decodes in the main process.

    Raises:
        ValueError: If only one of `manifest` and `pairs` is given, or the photographs keep their
            own sizes, and `batch_size` is not 1.
    """

    def __init__(
        self,
        photographs: PhotographSource | None,
        manifest: str | None = None,
        pairs: str | None = None,
        scored_size: int = 512,
        batch_size: int = 4,
        workers: int = 1,
    ) -> None:
        if (manifest is None) != (pairs is None):
            raise ValueError("manifest and pairs go together: give both, or neither")
        super().__init__(scored_size, batch_size, workers)
        if photographs is not None:
            require_one_size(photographs, batch_size)
        self.photographs = photographs
        self.manifest = manifest
        self.pairs = pairs
        self.scored_size = scored_size

    def test_dataloader(self) -> list[StatefulDataLoader[Any]]:
        """Return the loader of the pairs, then that of the photographs without a partner."""
        datasets: list[PhotographDataset] = []
        if self.manifest is not None and self.pairs is not None:
            pairs = read_pairs(self.pairs, Manifest.from_csv(self.manifest))
            datasets.append(PairDataset(pairs, self.scored_size))
        if self.photographs is not None:
            datasets.append(Unpaired(self.photographs.dataset("test", self.scored_size)))
        return [self.fixed_loader(dataset) for dataset in datasets]

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats in [0, 1], black outside the field of view."""
        prepared: AnyBatch = {}
        mask = to_unit(batch["mask_fov"])
        for name, value in dict[str, Any](batch).items():
            if isinstance(value, Tensor) and value.ndim == 4:
                value = to_unit(value)
            prepared[name] = value * mask if name.startswith("image") else value
        return cast(Batch, prepared)
