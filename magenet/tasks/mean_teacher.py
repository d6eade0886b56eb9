"""Mean-teacher training: enhancement and adaptation to real photographs at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from data_modules.base import SourceDataModule
from data_modules.batch import Batch
from magenet.ema import EMATeacher
from magenet.errors import UsageError
from magenet.losses import ConsistencyLoss, DirectionLoss, masked_mean, ramp_up, window_of
from magenet.metrics import local_contrast
from magenet.models import Enhancer, EnhancerOutput, Window
from magenet.targets import TeacherTarget
from magenet.tasks.enhancement import EnhancementTask

PRECISIONS = ("32-true", "bf16-mixed")
"""Precisions in which the moving average of the weights is exact enough."""


MIXED = "a mean teacher needs mixed batches: use AdaptationDataModule"
"""What is said where they are missing."""


class MeanTeacherTask(EnhancementTask):
    """Mean-teacher training: supervised on synthetic pairs, consistent on real photographs.

    The student learns from pairs as in :class:`SupervisedTask`; on real photographs its output for
    a strong view must agree with the output of the teacher, its exponential moving average, for
    the unchanged photograph. Prediction uses the teacher; validation and test score both.

    Args:
        network: The student; the teacher starts as its copy.
        consistency_weight: Greatest weight of the consistency losses; 0.2 as in Semi-UIR.
        stage_weight: Weight of each earlier stage among them; our choice.
        consistent_structure_weight: Weight of the structure map among them; our choice.
        consistent_light: Whether light and colour are to agree, or detail alone.
        consistency_trim: Share of a photograph's pixels, those that disagree most, that do not
            count.
        target: Ways to make the teacher's output more reliable; as it is if null.
        direction: Asks the enhanced photograph to be less severely degraded; not used if null.
        direction_weight: Weight of that term among the consistency losses; our choice.
        quality_conditioned: Whether the student's input says how far from clean each target is, so
            that it learns what a better one would be; for a network with a `quality_map`, and needs
            `target.severity`. Pairs, validation and prediction ask for a clean result.
        ema_decay: Share of itself that the teacher keeps per step; 0.999 as in the mean teacher. It
            is reached after 1 / (1 - ema_decay) steps, see :class:`EMATeacher`.
        supervised_share: Share of the training before the consistency losses begin; our choice.
        ramp_share: Share of the training over which they then ramp up; our choice. A learning rate
            that falls meanwhile leaves little of their weight: let it fall later (`decay`).
        kwargs: See :class:`EnhancementTask`; with `start` the teacher begins as the student does,
            and follows it from the first step on.

    Raises:
        ValueError: If `ramp_share` is not positive, `consistency_trim` not in [0, 1),
            `quality_conditioned` lacks what it needs, or `consistent_light` is asked of a network
            at the photographs' own scale, whose teacher applies a share of its light only.

    References:
        Guo et al., arXiv 2302.11795 (abstract). Tarvainen and Valpola, NeurIPS 2017. Xiao et al.,
        "QualiTeacher", arXiv 2603.08030, for the student conditioned on the quality of its targets.
    """

    sees_real = True

    def __init__(
        self,
        network: Enhancer,
        consistency_weight: float = 0.2,
        stage_weight: float = 0.5,
        consistent_structure_weight: float = 0.1,
        consistent_light: bool = True,
        consistency_trim: float = 0.0,
        target: TeacherTarget | None = None,
        direction: DirectionLoss | None = None,
        direction_weight: float = 0.01,
        quality_conditioned: bool = False,
        ema_decay: float = 0.999,
        supervised_share: float = 0.1,
        ramp_share: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, **kwargs)
        if ramp_share <= 0.0:
            raise ValueError(f"ramp_share must be positive, got {ramp_share}")
        measured = target is not None and target.severity is not None
        if network.own_scale and consistent_light:
            # In training the student applies its light wholly, the teacher a share of it.
            raise ValueError("a network at its own scale needs consistent_light: false")
        if quality_conditioned and not (getattr(network, "quality_map", False) and measured):
            raise ValueError("quality_conditioned needs a network's quality_map, target.severity")
        self.target = target or TeacherTarget()
        self.direction = direction
        self.direction_weight = direction_weight
        self.quality_conditioned = quality_conditioned
        self.teacher = EMATeacher(network, ema_decay)
        self.consistency_weight = consistency_weight
        self.supervised_share = supervised_share
        self.ramp_share = ramp_share
        self.consistency_loss = ConsistencyLoss(
            stage_weight, consistent_structure_weight, consistent_light, consistency_trim
        )
        # Metrics: Lightning's own mean over processes truncates the number of photographs.
        self.real_metrics = nn.ModuleDict(
            {"disagreement": MeanMetric(), "contrast_gain": MeanMetric()}
        )

    def enhancers(self) -> dict[str, Enhancer]:
        """Return student and teacher."""
        return {**super().enhancers(), "teacher": self.teacher.network}

    @property
    def prediction_network(self) -> Enhancer:
        """Return the teacher."""
        return self.teacher.network

    def current_weight(self) -> float:
        """Return the weight of the consistency losses at this step; 0 in the supervised part."""
        progress = self.global_step / max(1, self.total_steps)
        if progress < self.supervised_share:
            return 0.0
        return self.consistency_weight * ramp_up(
            (progress - self.supervised_share) / self.ramp_share
        )

    def setup(self, stage: str) -> None:
        """Lay out the weights, and raise for a precision that breaks the moving average.

        Raises:
            UsageError: In bf16-true the average stops moving; 16-mixed skips optimizer steps
                silently, and the teacher would be updated all the same. Also for a bank of targets
                on several devices, for a data module without real photographs, and for a term of
                the loss that needs them if the consistency weight is 0.
        """
        data = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and isinstance(data, SourceDataModule):
            raise UsageError(MIXED)
        if stage == "fit" and self.trainer.precision not in PRECISIONS:
            raise UsageError(
                f"a mean teacher needs trainer.precision {' or '.join(PRECISIONS)}, not "
                f"{self.trainer.precision}"
            )
        super().setup(stage)
        if stage != "fit":
            return
        if self.target.bank is not None and self.trainer.world_size > 1:
            raise UsageError("a bank of targets is for one device: use --trainer.devices 1")
        self.target.load()
        if self.direction is not None:
            self.direction.measure.load()
        if self.consistency_weight == 0.0:  # then the student sees no real photograph
            self.losses.require_no_real_photographs()
        if self.start is not None:
            self.teacher.network.load_state_dict(self.student.state_dict())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the bank of targets, too, so that a resumed training goes on with it."""
        super().on_save_checkpoint(checkpoint)
        if self.target.bank is not None:
            checkpoint["target_bank"] = self.target.bank.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the bank of targets of the checkpoint."""
        super().on_load_checkpoint(checkpoint)
        if self.target.bank is not None:
            self.target.bank.restore(checkpoint.get("target_bank", {}))

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the supervised loss plus the weighted consistency losses.

        Raises:
            UsageError: If the batch lacks one of its two parts, or an option does not fit it; also
                in the supervised part of the training, not hours later.
        """
        if not {"synthetic", "real"} <= batch.keys():
            raise UsageError(MIXED)
        synthetic, real = batch["synthetic"], batch["real"]
        window = window_of(real)
        self._require_possible(synthetic, real, window)
        weight = self.current_weight()
        self.log("train/ema_decay", self.teacher.current_decay)
        if weight == 0.0:
            output = self.student_output(synthetic["image_degraded"], synthetic)
            return self.summed(self.supervised_terms(output, synthetic))

        real["image"] = self.in_memory_format(real["image"])
        target = self.target(self.teacher.network, real, window)
        on_pairs, on_real = self._outputs(synthetic, real, target.quality)
        terms = self.supervised_terms(on_pairs, synthetic, (on_real, real))
        consistency = self.consistency_loss(
            on_real, target.output, real["mask_fov"], target.weight, window
        )
        if self.direction is not None:
            consistency["direction"] = self.direction_weight * self.direction(
                on_real.image, real["image"], real["mask_fov"]
            )
        terms |= {f"consistency_{name}": weight * term for name, term in consistency.items()}
        self.log("train/consistency_weight", weight)
        return self.summed(terms)

    def _require_possible(self, synthetic: Batch, real: Batch, window: Window | None) -> None:
        """Raise for options that a batch does not allow."""
        if window is not None and self.direction is not None:
            raise UsageError("the directional term sees whole photographs: not those in windows")
        if window is None:
            sides = [x.shape[-1] for x in (synthetic["image_degraded"], real["image_strong"])]
            if sides[0] != sides[1]:
                raise UsageError(
                    f"pairs of {sides[0]} px and real photographs of {sides[1]} px: without "
                    "windows (data.windows) both need one size (own_scale: false)"
                )
        self.target.require_possible(real, window)

    def _outputs(
        self, synthetic: Batch, real: Batch, quality: Tensor | None
    ) -> tuple[EnhancerOutput, EnhancerOutput]:
        """Return the student's outputs for the pairs and for the strong views."""
        degraded, strong = synthetic["image_degraded"], real["image_strong"]
        if window_of(real) is not None:
            return self.student_output(degraded, synthetic), self.student_output(strong, real)
        pairs, options = len(degraded), {}
        if self.quality_conditioned and quality is not None:
            options["quality"] = torch.cat([quality.new_zeros(pairs), quality])
        at_once = self.in_memory_format(torch.cat([degraded, strong]))
        both = self.student(at_once, **options)
        return both.mapped(lambda part: part[:pairs]), both.mapped(lambda part: part[pairs:])

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step the student, then update the teacher: only after a real optimizer step."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.teacher.update(self.student)

    def validate_real(self, batch: Batch) -> None:
        """Log the mean absolute difference of teacher and student, and the gain of contrast."""
        image, mask = batch["image"], batch["mask_fov"]
        images = {k: v(self.in_memory_format(image)).image for k, v in self.enhancers().items()}
        disagreement = masked_mean((images["student"] - images["teacher"]).abs(), mask)
        before = local_contrast(image, mask)
        gain = (local_contrast(images["teacher"], mask) / before.clamp(min=1e-6)).mean()
        for name, mean in (("disagreement", disagreement), ("contrast_gain", gain)):
            metric = self.real_metrics[name]
            assert isinstance(metric, MeanMetric)
            metric.update(mean, len(image))
            self.log(
                f"val_real/{name}", metric, on_epoch=True, on_step=False, add_dataloader_idx=False
            )
