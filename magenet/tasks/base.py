"""Base classes of the tasks: optimizer, schedule, checkpoints, validation, test, prediction."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from data_modules.batch import Batch
from magenet.checkpoints import read_network
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder import Options, Outcome, enhance_photograph
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
from magenet.imaging.transfer import enhance_at
from magenet.losses import EnhancementLoss, StructureLoss, StructureTarget, VesselMaskTarget
from magenet.metrics import MaskedPSNR, MaskedSSIM
from magenet.models import Enhancer, EnhancerOutput, VesselSegmenter

LEARNING_RATE = 2e-4
"""Adam's learning rate (MPRNet)."""

LOOK_EVERY = 10
"""Steps between two checks of the losses, as many as between two logs in `configs/base.yaml`."""

SUBJECTS = ("input", "student", "teacher")
"""Whose photographs are scored; tasks without a teacher have the first two."""

FINAL_SHARE = 0.005
"""Learning rate at the end of the cosine, as a share of its peak (MPRNet: 1e-6 of 2e-4)."""


def cosine_with_warm_up(progress: float, warm_up: float) -> float:
    """Return the factor of the learning rate: linear warm-up, then cosine annealing.

    Args:
        progress: Share of the training that is done, 0 to 1.
        warm_up: Share of the training over which the factor rises linearly from zero.
    """
    if progress < warm_up:
        return max(progress / warm_up, 1e-3)
    rest = min(1.0, (progress - warm_up) / max(1e-9, 1.0 - warm_up))
    return FINAL_SHARE + (1.0 - FINAL_SHARE) * 0.5 * (1.0 + math.cos(math.pi * rest))


class FundusTask(LightningModule, ABC):
    """Base of all tasks: one network, Adam, a cosine schedule, and errors for people.

    Args:
        network: The network to train.
        optimizer: Returns the optimizer of given parameters; Adam at 2e-4 if null.
        warm_up: Share of the training over which the learning rate rises.
        channels_last: Whether to store tensors channels-last: several times faster on CPUs in
            bf16 and on GPUs with tensor cores.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable | None = None,
        warm_up: float = 0.03,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # Lightning warns of modules among them; see on_save_checkpoint.
            warnings.filterwarnings(
                "ignore", message="Attribute '.*' is an instance of `nn.Module`"
            )
            self.save_hyperparameters(logger=False)  # with the arguments of the subclass
        self.network = network
        self.optimizer = optimizer
        self.warm_up = warm_up
        self.channels_last = channels_last
        self.image_size: int | None = None
        """Side of the photographs that the network was trained on, in pixels: with its weights."""
        self.total_steps = 0
        self.unseen_losses: list[tuple[int, Tensor, list[str]]] = []

    @abstractmethod
    def training_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a training batch, and log its terms."""

    def setup(self, stage: str) -> None:
        """Convert the weights to their memory format."""
        if self.channels_last:
            self.to(memory_format=torch.channels_last)

    def on_train_start(self) -> None:
        """Note the size of the photographs, which the checkpoint then tells."""
        datamodule = getattr(self.trainer, "datamodule", None)
        self.image_size = getattr(datamodule, "image_size", None)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss; every few steps :meth:`require_finite` checks the recent ones.

        Raises:
            UserError: If one of them is not finite.
        """
        loss = self.training_loss(batch)
        self.log("train/loss", loss, prog_bar=True)
        self.unseen_losses.append((self.global_step, loss.detach(), _names(batch)))
        if len(self.unseen_losses) >= LOOK_EVERY:
            self.require_finite()
        return loss

    def require_finite(self) -> None:
        """Check all losses since the last check at once.

        Reading a number makes the host wait for the device: never in every step.

        Raises:
            UserError: If one is not finite, with the names of its photographs.
        """
        seen, self.unseen_losses = self.unseen_losses, []
        if not seen or bool(torch.stack([loss for _, loss, _ in seen]).isfinite().all()):
            return
        step, loss, names = next(item for item in seen if not bool(item[1].isfinite()))
        raise UserError(
            f"the loss is {float(loss)} at step {step}, on the photographs {', '.join(names)}: "
            "look at them, or lower the learning rate"
        )

    def on_train_end(self) -> None:
        """Check the last losses."""
        self.require_finite()

    def laid_out(self, image: Tensor) -> Tensor:
        """Return photographs in the memory format of the weights."""
        if self.channels_last:
            return image.contiguous(memory_format=torch.channels_last)
        return image

    def configure_optimizers(self) -> Any:
        """Return the optimizer of the network alone (never of a teacher) and its schedule."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        if self.optimizer is None:
            optimizer: torch.optim.Optimizer = torch.optim.Adam(
                parameters, lr=LEARNING_RATE, foreach=True
            )
        else:
            optimizer = self.optimizer(parameters)
        total = self.total_steps = self._count_steps()
        schedule = LambdaLR(optimizer, lambda step: cosine_with_warm_up(step / total, self.warm_up))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep plain hyper-parameters only, so that loading a checkpoint cannot run code.

        A task built by the command line has its networks among them as class paths and can be
        rebuilt from the checkpoint; built in Python they are objects and left out.

        Raises:
            UserError: If a loss was not finite: such weights are not saved.
        """
        self.require_finite()
        checkpoint["image_size"] = self.image_size
        saved = checkpoint.get("hyper_parameters", {})
        checkpoint["hyper_parameters"] = {
            name: value for name, value in saved.items() if _is_plain(value)
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the size of the photographs that the network was trained on."""
        self.image_size = checkpoint.get("image_size")

    def _count_steps(self) -> int:
        """Return the optimizer steps of the whole training.

        Raises:
            UserError: If the training has no end.
        """
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps) or steps < 1:
            raise UserError(
                "the learning-rate schedule needs an end: set trainer.max_steps or "
                "trainer.max_epochs"
            )
        return int(steps)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights.

        Raises:
            UserError: If they are of another network, naming the first that does not fit.
        """
        own = self.state_dict()
        for name in sorted(own.keys() | state_dict.keys()) if strict else ():
            shapes = [
                "absent" if name not in weights else "x".join(map(str, weights[name].shape))
                for weights in (state_dict, own)
            ]
            if shapes[0] != shapes[1]:
                raise UserError(
                    f"the checkpoint is of another network: '{name}' is {shapes[0] or 'a number'} "
                    f"in it and {shapes[1] or 'a number'} in the model as configured"
                )
        return super().load_state_dict(state_dict, strict=strict, assign=assign)


@dataclass(frozen=True)
class PredictionOptions(Options):
    """How `magenet predict` enhances.

    Attributes:
        raw: Whether to apply one pass of the network as it is; see :class:`PhotographEnhancer`.
        size: Side that the network sees, in pixels; the checkpoint's if None.
        max_memory: Bytes that the process may use.
    """

    raw: bool = False
    size: int | None = None
    max_memory: int = 1 << 62


class EnhancementTask(FundusTask):
    """Common part of the tasks of an enhancer: losses, validation, test and prediction.

    Args:
        network: The enhancer.
        structure_target: Source of the wanted structure maps; the reference vessel masks if null.
        structure_weight: Weight of the structure loss; 0.1 as in cofe-Net's trainer.
        preservation_weight: Weight of the same loss on the structure that the target reads off
            the enhanced photograph; our choice, in the sense of structure preservation. It needs
            a target that reads photographs, such as `SegmenterTarget`.
        edge_weight: Weight of the edge loss; 0.05 as in MPRNet.
        start: Checkpoint of a task whose network a new training starts from, such as one at a
            smaller image size; random weights if null.
        kwargs: See :class:`FundusTask`.

    Raises:
        ValueError: If `preservation_weight` is given with a target that cannot read photographs.
    """

    learns = True
    """Whether the network has weights to be trained, at one size of photograph."""

    def __init__(
        self,
        network: Enhancer,
        structure_target: StructureTarget | None = None,
        structure_weight: float = 0.1,
        preservation_weight: float = 0.0,
        edge_weight: float = 0.05,
        start: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        self.start = start
        self.prediction = PredictionOptions("checkpoint")
        self.structure_target = structure_target or VesselMaskTarget()
        self.structure_weight = structure_weight
        if preservation_weight and not self.structure_target.reads_photographs:
            raise ValueError(
                "preservation_weight needs a structure target that reads photographs: "
                "SegmenterTarget"
            )
        self.preservation_weight = preservation_weight
        self.enhancement_loss = EnhancementLoss(edge_weight)
        self.structure_loss = StructureLoss()
        self.val_metrics = nn.ModuleDict(
            {
                subject: nn.ModuleDict({"psnr": MaskedPSNR(), "ssim": MaskedSSIM()})
                for subject in SUBJECTS
            }
        )

    @property
    def student(self) -> Enhancer:
        """Return the network that is trained."""
        network = self.network
        assert isinstance(network, Enhancer)  # by construction
        return network

    def enhancers(self) -> dict[str, Enhancer]:
        """Return the networks to be scored by subject: the student at least."""
        return {"student": self.student}

    @property
    def chosen(self) -> Enhancer:
        """Return the network that prediction uses."""
        return self.enhancers()["student"]

    def setup(self, stage: str) -> None:
        """Convert the weights; before a training, read those that it starts from."""
        if stage == "fit":
            self.structure_target.load()
            if self.start is not None:  # a resumed training's own weights come after this
                read_network(self.network, self.start, "train it first")
        super().setup(stage)

    def forward(self, image: Tensor) -> EnhancerOutput:
        """Enhance photographs `(B, 3, H, W)` in [0, 1] by the network that prediction uses."""
        return self.chosen(self.laid_out(image))

    def supervised_loss(self, output: EnhancerOutput, batch: Batch) -> Tensor:
        """Return the loss against the clean photographs of a synthetic batch, and log its terms."""
        clean, mask = batch["image_clean"], batch["mask_fov"]
        loss: Tensor = self.enhancement_loss(output, clean, mask)
        self.log("train/enhancement", loss)
        if output.structure_logits is None and not self.preservation_weight:
            return loss
        wanted = self.structure_target(clean, batch["mask_vessel"], batch["vessel_known"])
        if output.structure_logits is not None:
            structure = self.structure_loss(output.structure_logits, wanted, mask)
            self.log("train/structure", structure)
            loss = loss + self.structure_weight * structure
        if self.preservation_weight:
            shown = self.structure_target.read(self.laid_out(output.image))
            preservation = self.structure_loss(shown, wanted, mask)
            self.log("train/preservation", preservation)
            loss = loss + self.preservation_weight * preservation
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score the networks on synthetic pairs; subclasses may score real photographs, too."""
        if dataloader_idx == 1:
            self.validate_real(batch)
            return
        clean, mask = batch["image_clean"], batch["mask_fov"]
        images = {"input": batch["image_degraded"]}
        for subject, network in self.enhancers().items():
            images[subject] = network(self.laid_out(batch["image_degraded"])).image
        for subject, image in images.items():
            stage = "val" if subject == "student" else f"val_{subject}"
            for name, metric in self.val_metrics[subject].items():  # type: ignore[operator]
                metric.update(image, clean, mask)
                self.log(
                    f"{stage}/{name}", metric, prog_bar=name == "psnr", on_epoch=True,
                    on_step=False, add_dataloader_idx=False,
                )  # fmt: skip

    def validate_real(self, batch: Batch) -> None:
        """Score real photographs; nothing to compare for a single network."""

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Tensor]:
        """Enhance photographs as a prediction would, for :class:`magenet.evaluation.Scores`.

        Args:
            batch: `image_degraded`, or `image` unenhanced, of any size, and `mask_fov`; beside it
                what the photographs are compared with: `image_clean`, or `image_high`.
            batch_idx: Not used.
            dataloader_idx: Not used.

        Returns:
            Photographs by subject, `(B, 3, H, W)` in [0, 1]: `input`, then each network's, then
            `clean` or `high`; all black outside the field.
        """
        mask = batch["mask_fov"]
        image = batch["image_degraded"] if "image_degraded" in batch else batch["image"]
        size = self.image_size or image.shape[-1]
        images = {"input": image}
        for subject, network in self.enhancers().items():
            images[subject] = enhance_at(size, partial(self._through, network), image, mask)
        if "image_clean" in batch:
            images["clean"] = batch["image_clean"]
        if "image_high" in batch:
            images["high"] = batch["image_high"]
        return {subject: image * mask for subject, image in images.items()}

    def _through(self, network: Enhancer, image: Tensor, mask: Tensor) -> Tensor:
        """Return the output of a network, `(B, 3, S, S)` in [0, 1]."""
        return network(self.laid_out(image), mask).image

    def on_predict_start(self) -> None:
        """Make the enhancer of the photographs, as `magenet enhance` uses it.

        Raises:
            UserError: If the checkpoint does not hold the size of its photographs.
        """
        options = self.prediction
        size = options.size or self.image_size
        if size is None and self.learns:
            raise UserError("the checkpoint does not say its image size: give --output.size")
        settings = Settings(size, FundusCheck.released())
        vessels = VesselSegmenter.from_pretrained("vessels").requires_grad_(False)
        half = "bf16" in str(self.trainer.precision)
        self.photograph_enhancer = PhotographEnhancer(
            self.chosen, settings, vessels, self.device, options.max_memory,
            options.raw or not self.learns, half,
        )  # fmt: skip

    def predict_step(self, batch: Batch, batch_idx: int) -> list[Outcome]:
        """Return the outcome of each photograph of a batch, enhanced at its own size."""
        return [
            enhance_photograph(self.photograph_enhancer, photograph, decoded, self.prediction)
            for photograph, decoded in batch["photographs"]
        ]


def _is_plain(value: Any) -> bool:
    """Return whether a value consists of plain Python values only."""
    if isinstance(value, dict):
        return all(_is_plain(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _names(batch: Batch) -> list[str]:
    """Return the names of the photographs in a batch, of both parts of a mixed one."""
    if "synthetic" in batch and "real" in batch:
        return _names(batch["synthetic"]) + _names(batch["real"])
    return batch.get("name", [])
