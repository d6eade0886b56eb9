"""Base class of the tasks of an enhancer: losses, validation, test and prediction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from data_modules.batch import Batch, unenhanced
from magenet.checkpoints import read_network
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.outcome import Options, Outcome, enhance_photograph
from magenet.enhancement.settings import OWN_SCALE, Settings, seen_side
from magenet.errors import UsageError, UserError
from magenet.imaging.transfer import enhance_at
from magenet.losses import (
    BandLoss,
    LossTerm,
    LossTerms,
    PreservationTerm,
    RestorationTerms,
    Restored,
    StructureTarget,
    StructureTerm,
    VesselMaskTarget,
    window_of,
)
from magenet.metrics import MaskedPSNR, MaskedSSIM
from magenet.models import Enhancer, EnhancerOutput, VesselSegmenter
from magenet.targets import output_of
from magenet.tasks.base import FundusTask
from magenet.tasks.network_output import require_output

SUBJECTS = ("input", "student", "teacher")
"""Whose photographs are scored; tasks without a teacher have the first two."""


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
        band_loss: Loss of batches with windows, which train a network with a detail stage; its
            defaults if null.
        losses: Terms of the loss by name, beside `enhancement`, `structure` and `preservation`,
            which the arguments above describe; one of the same name takes its place, and null
            leaves it out.
        gradients_every: Steps between two logs of the norm of each term's gradient; 0 for none.
        start: Checkpoint of a task whose network a new training starts from, such as one at a
            smaller image size: the teacher where it has one. Random weights if null.
        trained: Part of the network that is trained, by its attribute's name, such as `detail`; the
            rest keeps its weights. All of it if null.
        kwargs: See :class:`FundusTask`.

    Raises:
        ValueError: If a term needs a structure target that reads photographs, as that of
            `preservation_weight` does, or the network has no part called `trained`.
    """

    sees_real = False
    """Whether it trains on real photographs beside the pairs."""

    def __init__(
        self,
        network: Enhancer,
        structure_target: StructureTarget | None = None,
        structure_weight: float = 0.1,
        preservation_weight: float = 0.0,
        edge_weight: float = 0.05,
        band_loss: BandLoss | None = None,
        losses: dict[str, LossTerm | None] | None = None,
        gradients_every: int = 0,
        start: str | None = None,
        trained: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        self.start = start
        if trained is not None:
            part = getattr(network, trained, None)
            if not isinstance(part, nn.Module):
                parts = ", ".join(name for name, _ in network.named_children())
                raise ValueError(f"trained: the network has no part '{trained}', but {parts}")
            network.requires_grad_(False)
            part.requires_grad_(True)
        self.prediction = PredictionOptions("checkpoint")
        self.structure_target = structure_target or VesselMaskTarget()
        own: dict[str, LossTerm | None] = {
            "enhancement": RestorationTerms(edge_weight, band_loss),
            "structure": StructureTerm(structure_weight),
            "preservation": PreservationTerm(preservation_weight),
        }
        self.losses = LossTerms({**own, **(losses or {})}, self.structure_target)
        self.gradients_every = gradients_every
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
    def prediction_network(self) -> Enhancer:
        """Return the network that prediction uses."""
        return self.enhancers()["student"]

    def setup(self, stage: str) -> None:
        """Convert the weights; before a training, read those that it starts from.

        Raises:
            UsageError: If a term of the loss needs real photographs, and the training sees none.
        """
        if stage == "fit":
            if not self.sees_real:
                self.losses.require_no_real_photographs()
            self.structure_target.load()
            if self.start is not None:  # a resumed training's own weights come after this
                read_network(self.network, self.start, "train it first")
        super().setup(stage)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Do not name the weights of the start: what reads the checkpoint need not have them."""
        super().on_save_checkpoint(checkpoint)
        if "start" in checkpoint["hyper_parameters"]:
            checkpoint["hyper_parameters"]["start"] = None

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the network and of the terms of the loss that learn."""
        learning = [p for p in self.losses.parameters() if p.requires_grad]
        return [*super().trained_parameters(), *learning]

    def on_train_start(self) -> None:
        """Note the size of the photographs, which the structure target must be able to read."""
        super().on_train_start()
        if self.image_size is not None:
            self.structure_target.require_sizes(self.least_size or self.image_size, self.image_size)

    def forward(self, image: Tensor) -> EnhancerOutput:
        """Enhance photographs `(B, 3, H, W)` in [0, 1] by the network that prediction uses."""
        return self.prediction_network(self.in_memory_format(image))

    def student_output(self, image: Tensor, batch: Batch) -> EnhancerOutput:
        """Return the student's output for photographs, in the batch's windows where it has some."""
        window = window_of(batch)
        output = output_of(self.student, self.in_memory_format(image), window)
        return require_output(self.student, output, image, window)

    def supervised_terms(
        self,
        output: EnhancerOutput,
        batch: Batch,
        real: tuple[EnhancerOutput, Batch] | None = None,
    ) -> dict[str, Tensor]:
        """Return the weighted terms of the loss against the clean photographs of a batch of pairs.

        Args:
            output: Of the student for the degraded photographs.
            batch: The pairs, with windows where the output is restored in some.
            real: The student's output for real photographs, and these, where there are some.
        """
        layout = torch.channels_last if self.channels_last else torch.preserve_format
        terms: dict[str, Tensor] = self.losses(
            Restored(output, batch, self.structure_target, real, layout)
        )
        return terms

    def summed(self, terms: dict[str, Tensor]) -> Tensor:
        """Return the sum of the terms of the loss, and log each.

        Every :attr:`gradients_every` steps the norm of each term's gradient is logged, too
        (`train/gradient_light`), where the logger writes at that step (`log_every_n_steps`): terms
        whose gradients differ by orders do not act together.

        Raises:
            UsageError: If there is none.
        """
        if not terms:
            raise UsageError(
                f"none of the losses {', '.join(self.losses)} applies to this network and batch, "
                "so there is nothing to learn from"
            )
        self.log_dict({f"train/{name}": term for name, term in terms.items()})
        self.terms = {name: term.detach() for name, term in terms.items()}
        # The logger writes after every tenth step, not before it.
        if self.gradients_every and (self.global_step + 1) % self.gradients_every == 0:
            parameters = [p for p in self.student.parameters() if p.requires_grad]
            for name, term in terms.items():
                if term.requires_grad:
                    gradients = torch.autograd.grad(
                        term, parameters, retain_graph=True, allow_unused=True
                    )
                    squares = [
                        part.float().square().sum() for part in gradients if part is not None
                    ]
                    self.log(f"train/gradient_{name}", torch.stack(squares).sum().sqrt())
        return torch.stack(list(terms.values())).sum()

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score the networks on synthetic pairs; subclasses may score real photographs, too."""
        if dataloader_idx == 1:
            self.validate_real(batch)
            return
        clean, mask = batch["image_clean"], batch["mask_fov"]
        images = {"input": batch["image_degraded"]}
        for subject, network in self.enhancers().items():
            output = network(self.in_memory_format(batch["image_degraded"]))
            images[subject] = require_output(network, output, batch["image_degraded"]).image
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
        image = unenhanced(batch)
        images = {"input": image}
        for subject, network in self.enhancers().items():
            size = seen_side(self._sizes(network), image.shape[-1])
            images[subject] = enhance_at(size, partial(self._through, network), image, mask)
        if "image_clean" in batch:
            images["clean"] = batch["image_clean"]
        if "image_high" in batch:
            images["high"] = batch["image_high"]
        return {subject: image * mask for subject, image in images.items()}

    def _sizes(self, network: Enhancer) -> int | tuple[int, int] | None:
        """Return the side, or sides, at which a network sees photographs, in pixels."""
        return OWN_SCALE if network.own_scale else self.image_size

    def _through(self, network: Enhancer, image: Tensor, mask: Tensor) -> Tensor:
        """Return the output of a network, `(B, 3, S, S)` in [0, 1]."""
        output = network(self.in_memory_format(image), mask)
        return require_output(network, output, image).image

    def on_predict_start(self) -> None:
        """Make the enhancer of the photographs, as :attr:`prediction` says.

        It is that of `magenet enhance` without what was never measured for a checkpoint: no
        shrinkage, no expected error. Lightning calls callbacks first, so a writer has set the
        options.

        Raises:
            UserError: If the checkpoint does not hold the size of its photographs.
        """
        options = self.prediction
        size = options.size or self._sizes(self.prediction_network)
        if size is None and self.learns:
            raise UserError("the checkpoint does not say its image size: give --output.size")
        settings = Settings(size, FundusCheck.released())
        vessels = VesselSegmenter.from_pretrained("vessels").requires_grad_(False)
        half = "bf16" in str(self.trainer.precision)
        self.photograph_enhancer = PhotographEnhancer(
            self.prediction_network, settings, vessels, self.device, options.max_memory,
            options.raw or not self.learns, half,
        )  # fmt: skip

    def predict_step(self, batch: Batch, batch_idx: int) -> list[Outcome]:
        """Return the outcome of each photograph of a batch, enhanced at its own size."""
        return [
            enhance_photograph(self.photograph_enhancer, photograph, decoded, self.prediction)
            for photograph, decoded, _ in batch["photographs"]
        ]
