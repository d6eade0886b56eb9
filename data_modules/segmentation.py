"""Photographs with vessel masks, for the segmenter that MAGE-Net's structure target comes from."""

from __future__ import annotations

from typing import Any

from kornia.enhance import adjust_brightness_accumulative, adjust_gamma
from torchdata.stateful_dataloader import StatefulDataLoader

from data_modules.base import Batch, SourceDataModule, orient, to_unit
from data_modules.sources import PhotographSource
from magenet.degradation import Draws
from magenet.errors import UserError


class SegmentationDataModule(SourceDataModule):
    """Give clean photographs and their vessel masks.

    Training varies orientation, brightness and gamma, but never degrades: a segmenter that
    has seen degradation would hide it.

    Args:
        photographs: Photographs that all have a vessel mask.
        image_size: Side of the square that photographs are cut and resized to, in pixels.
        batch_size: Photographs a batch and device.
        steps: Batches an epoch; one pass if null.
        workers: Processes that decode; 0 decodes in the main one.
        seed: Seed of orders and variations.
    """

    def __init__(
        self,
        photographs: PhotographSource,
        image_size: int = 256,
        batch_size: int = 4,
        steps: int | None = None,
        workers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(photographs, image_size, batch_size, workers, seed)
        self.steps = steps

    def train_dataloader(self) -> StatefulDataLoader[Any]:
        """Return the loader of the training photographs."""
        dataset = self.photographs.dataset("train", self.image_size)
        return self.training_loader(dataset, self.steps)

    def prepare(self, batch: Batch, training: bool) -> Batch:
        """Return the batch `image, mask_fov, mask_vessel, name` as floats.

        Raises:
            UserError: If a photograph has no vessel mask.
        """
        if not bool(batch["vessel_known"].all()):
            names = [n for n, k in zip(batch["name"], batch["vessel_known"], strict=True) if not k]
            raise UserError(f"no vessel mask: {', '.join(names)} (see only_with)")
        image, mask, vessels = (to_unit(batch[k]) for k in ("image", "mask_fov", "mask_vessel"))
        if training:
            draws = Draws(batch["key"], self.seed)
            image, mask, vessels = orient([image, mask, vessels], draws)
            image = adjust_brightness_accumulative(
                image, draws.uniform("brightness", 0.7, 1.3).to(image.device)
            )
            image = adjust_gamma(image, draws.uniform("gamma", 0.7, 1.4).to(image.device))
        return {
            "name": batch["name"],
            "image": image * mask,
            "mask_fov": mask,
            "mask_vessel": vessels,
        }
