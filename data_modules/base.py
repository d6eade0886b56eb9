"""Base classes of the data modules: loaders, and conversion from uint8 to float."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from kornia.enhance import adjust_brightness_accumulative, adjust_gamma
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.batch import Batch
from data_modules.datasets.photographs import PhotographDataset, PhotographSource
from data_modules.datasets.sampling import DealtSampler, Plan
from data_modules.loading import PhotographLoader, outlive_signals
from magenet.atomic_write import atomic_write
from magenet.degradation import CounterRNG
from magenet.errors import UsageError
from magenet.imaging.contact_sheet import sheet

VIEWS = ("image_clean", "image_degraded", "image", "image_strong")
"""Images of a prepared batch, in the order of a row of the contact sheet."""


RANGES = {
    "image_size": (32, 8192), "batch_size": (1, 65536), "workers": (0, 1024),
    "steps": (1, 1 << 30),
}  # fmt: skip
"""Ranges of the arguments of a data module: below, nothing works; above (our choice), a slip of
the finger would take all of a machine's memory."""


def jitter_light(
    image: Tensor,
    rng: CounterRNG,
    brightness: tuple[float, float],
    gamma: tuple[float, float],
    prefix: str = "",
) -> Tensor:
    """Change brightness and gamma of photographs at random.

    Args:
        image: `(B, 3, S, S)`, not below 0.
        rng: Generator of the same batch.
        brightness: Range of the factor of brightness.
        gamma: Range of the exponent.
        prefix: What the names of the two random numbers begin with.

    Returns:
        Photographs of the same shape, in [0, 1].
    """
    factor = rng.uniform(f"{prefix}brightness", *brightness).to(image.device)
    exponent = rng.uniform(f"{prefix}gamma", *gamma).to(image.device)
    jittered: Tensor = adjust_gamma(adjust_brightness_accumulative(image, factor), exponent)
    return jittered


def to_unit(tensor: Tensor) -> Tensor:
    """Convert uint8 or bool to float32 in [0, 1]."""
    return tensor.float() if tensor.dtype == torch.bool else tensor.float() / 255


def require_one_size(photographs: PhotographSource, batch_size: int) -> None:
    """Raise if photographs that may differ in size are to be put into one batch.

    Args:
        photographs: The source.
        batch_size: Photographs per batch.

    Raises:
        ValueError: If they may differ, and a batch is more than one of them.
    """
    if photographs.own_scale and batch_size > 1:
        raise ValueError(
            "photographs at their own scale (own_scale: true) differ in size, so that a batch is "
            f"one of them: set batch_size (and real_batch_size) to 1, not {batch_size}"
        )


class FundusDataModule(LightningDataModule, ABC):
    """Base class: uint8 batches from worker processes, converted and augmented on the device.

    Args:
        image_size: Side of the square that photographs are cropped and resized to, in pixels.
        batch_size: Photographs per batch and device.
        workers: Processes that decode, for each set of photographs; 0 decodes in the main process.
        seed: Seed of all randomness in training: order, orientation, degradation, augmentation.
        dump_first_batch: Whether to write the first training batch into the run's folder, as the
            network sees it: `first_batch*.png`, one photograph per row, and `first_batch*.jsonl`
            with the degradation parameters of each synthetic pair.
        steps: Batches per epoch; one pass over the photographs if null. On a fast device a
            few hundred photographs are a short pass, and loading starts anew with each.

    Raises:
        ValueError: If `image_size`, `batch_size`, `workers` or `steps` is out of :data:`RANGES`.
    """

    def __init__(
        self,
        image_size: int = 256,
        batch_size: int = 8,
        workers: int = 1,
        seed: int = 0,
        dump_first_batch: bool = False,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        given = {"image_size": image_size, "batch_size": batch_size, "workers": workers}
        if steps is not None:
            given["steps"] = steps
        for name, value in given.items():
            low, high = RANGES[name]
            if not low <= value <= high:
                raise ValueError(f"{name} must lie between {low} and {high}, got {value}")
        self.image_size = image_size
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.dump_first_batch = dump_first_batch
        self.steps = steps

    @abstractmethod
    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch as floats with its degraded or strong views, on the same device."""

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Move a batch to a device, except its keys: random numbers are drawn on the host."""
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        moved_parts = _parts(moved)
        for name, part in _parts(batch).items():
            if "key" in part:
                moved_parts[name]["key"] = part["key"]
        return moved

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Prepare a batch on its device, in fp32 and outside autocast."""
        training = self.trainer is not None and self.trainer.training
        device = next(value.device for value in _tensors(batch))
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            prepared = self.prepare(batch, training)
        if training and self.dump_first_batch:
            self.dump_first_batch = False
            self._dump(prepared)
        return prepared

    def _dump(self, prepared: Batch) -> None:
        """Write the images of a training batch, and the degradation parameters of each."""
        trainer = self.trainer
        folder = trainer.log_dir if trainer else None  # every process asks: they agree on it
        if trainer is None or folder is None or not trainer.is_global_zero:
            return
        for name, part in _parts(prepared).items():
            found = dict(part.items())
            views = [found[view] for view in VIEWS if view in found]
            suffix = f"_{name}" if name else ""
            path = Path(folder) / f"first_batch{suffix}.png"
            with atomic_write(path) as half:
                sheet(list(zip(*views, strict=True))).save(half, "png")
            if "parameters" in part:
                named = zip(part["name"], part["parameters"].records(), strict=True)
                lines = [json.dumps({"name": n, "factors": record}) for n, record in named]
                path.with_suffix(".jsonl").write_text("\n".join(lines) + "\n")

    def ranks(self) -> tuple[int, int]:
        """Return the number of ranks and the index of this rank."""
        return (
            (1, 0) if self.trainer is None else (self.trainer.world_size, self.trainer.global_rank)
        )

    def training_loader(
        self, dataset: PhotographDataset, steps: int | None = None
    ) -> StatefulDataLoader[Any]:
        """Return a training loader, which can resume in the middle of an epoch.

        Args:
            dataset: Data set to load.
            steps: Batches per epoch; one pass over the data set if None.
        """
        ranks, rank = self.ranks()
        steps = self.steps_for(dataset) if steps is None else steps
        plan = Plan(steps, self.batch_size, max(1, self.workers), self.seed, ranks, rank)
        sampler = dataset.sampler(plan)
        if self.trainer is not None:
            # Lightning sets the epoch before each one, but not before a resumed one.
            sampler.set_epoch(self.trainer.current_epoch)
        return PhotographLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            worker_init_fn=outlive_signals,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def steps_for(self, dataset: PhotographDataset) -> int:
        """Return the batches per rank in an epoch: :attr:`steps`, or one pass."""
        return self.steps or max(1, len(dataset) // (self.batch_size * self.ranks()[0]))

    def fixed_loader(self, dataset: PhotographDataset) -> StatefulDataLoader[Any]:
        """Return a loader that yields every photograph once over all ranks, in order.

        Raises:
            UsageError: If there are fewer photographs than ranks.
        """
        ranks, rank = self.ranks()
        if len(dataset) < ranks > 1:  # a rank without any would wait for the others' metrics
            raise UsageError(
                f"{len(dataset)} photograph(s) to validate on for {ranks} devices; use at "
                f"most {len(dataset)} (--trainer.devices, --trainer.num_nodes)"
            )
        return PhotographLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=DealtSampler(dataset, ranks, rank) if ranks > 1 else None,
            num_workers=self.workers,
            worker_init_fn=outlive_signals,
            pin_memory=torch.cuda.is_available(),
        )


class SourceDataModule(FundusDataModule):
    """Base class for the photographs of one source: shuffled in training, in order otherwise.

    Args:
        photographs: The source.
        args: Arguments of :class:`FundusDataModule`, by position from `image_size` on.
        kwargs: Arguments of :class:`FundusDataModule`, by name.

    Raises:
        ValueError: If the photographs keep their own sizes, and `batch_size` is not 1.
    """

    def __init__(self, photographs: PhotographSource, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        require_one_size(photographs, self.batch_size)
        self.photographs = photographs

    def train_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the training photographs."""
        return self.training_loader(self.photographs.dataset("train", self.image_size))

    def val_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the validation photographs."""
        return self.fixed_loader(self.photographs.dataset("val", self.image_size))

    def test_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the test photographs."""
        return self.fixed_loader(self.photographs.dataset("test", self.image_size))


def _parts(batch: Batch) -> dict[str, Batch]:
    """Return the batches nested in a mixed batch by name; another one itself, without a name."""
    if "synthetic" in batch and "real" in batch:
        return {"synthetic": batch["synthetic"], "real": batch["real"]}
    return {"": batch}


def _tensors(batch: Batch) -> Iterator[Tensor]:
    """Yield the tensors of a batch, including nested ones."""
    for part in _parts(batch).values():
        yield from (value for value in part.values() if isinstance(value, Tensor))
