"""Adapt a released network to a camera: survey its photographs, train, judge on held-out ones."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from huggingface_hub import constants
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from tqdm import tqdm

from data_modules import (
    AdaptationDataModule,
    ManifestPhotographs,
    PairedDataModule,
    StrongView,
)
from data_modules.datasets.manifest import Photograph
from data_modules.datasets.photographs import read_with_field
from data_modules.files.dicom import is_dicom
from data_modules.files.errors import PictureError
from data_modules.files.memory import parsed_memory
from data_modules.files.output_paths import require_outside
from magenet.allocator import keep_freed_memory
from magenet.checkpoints import read_network
from magenet.degradation import CofeDegradation, DegradationMixture, FundusDegradation
from magenet.enhancement.device import device_for
from magenet.enhancement.enhancer import PhotographEnhancer, half_precision
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.enhancement.inputs import collect
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
from magenet.evaluation.statistics import Comparison, paired_comparison
from magenet.files import whole
from magenet.losses import SegmenterTarget
from magenet.metrics import masked_psnr, vessel_length_change
from magenet.models import MAGENet, VesselSegmenter
from magenet.tasks import MeanTeacherTask

LEAST = 60
"""Photographs of a camera below which nothing can be judged: six good ones of six patients are the
fewest that a permutation test can tell from chance (our choice)."""

GOOD_SHARE = 1 / 3
"""Share of the photographs that serve as clean ones: those the released network changes least."""

TURNS = ("train", "judge", "train", "choose", "train", "judge")
"""What the photographs serve for in turn, by how much they are changed: to be trained on, to choose
when to stop, to judge the result. What has chosen cannot judge."""

UNTOUCHED = StrongView(FundusDegradation(severity=0.0), brightness=0.0, gamma=0.0)
"""The student sees the photographs as the teacher does: with more damage it learnt wrong colours
(experiments/results/teacher.md)."""

CHANCE = 0.05
"""Probability, by chance, of a gain as large, above which there is none."""

DRAWS = 6
"""Degradations of each held-out photograph in the verdict."""

MOST_LOST = 0.03
"""Vessels' length, as a share, that adapted weights may lose more than the released ones."""


class Verdict(NamedTuple):
    """Say whether adapted weights are better on photographs that they were not trained on.

    Attributes:
        better: Whether to use them.
        psnr: Gain in dB on good held-out photographs, degraded and enhanced, with its interval.
        vessel_lost: Change of the share of vessels lost on all held-out photographs as taken.
    """

    better: bool
    psnr: Comparison
    vessel_lost: Comparison


class Surveyed(NamedTuple):
    """Hold a photograph and how much the released network changes it, in grey levels."""

    photograph: Photograph
    change: float


def survey(
    enhancer: PhotographEnhancer, photographs: list[Photograph], max_memory: int
) -> list[Surveyed]:
    """Return the photographs that the released network can enhance, the least changed first.

    Args:
        enhancer: With the released weights.
        photographs: Of the camera.
        max_memory: See :func:`data_modules.datasets.photographs.read_with_field`.

    Raises:
        UserError: If too few are left.
    """
    found = []
    for photograph in tqdm(photographs, "looking", unit="photograph"):
        try:
            if is_dicom(photograph.image):
                raise PictureError("a DICOM file cannot be trained on; save it as PNG")
            image, field = read_with_field(photograph, max_memory)
            found.append(Surveyed(photograph, enhancer(image, field).report.mean_change))
        except (PictureError, NotAFundusError) as error:
            tqdm.write(f"magenet: left out: {photograph.image}: {error}", file=sys.stderr)
    if len(found) < LEAST:
        raise UserError(
            f"{len(found)} photographs can be used; adapting and judging needs {LEAST} at least"
        )
    return sorted(found, key=lambda one: (one.change, one.photograph.image))


def write_manifests(folder: Path, surveyed: list[Surveyed]) -> tuple[Path, Path]:
    """Write what each photograph serves for, and which of them serve as clean.

    Good and bad ones serve alike (:data:`TURNS`), and all of a patient's serve for the same.

    Args:
        folder: Where to.
        surveyed: Photographs, the least changed first.

    Returns:
        The manifest of the training, whose part `val` chooses, and that of the judging.

    Raises:
        UserError: If they cannot be written.
    """
    good = round(GOOD_SHARE * len(surveyed))
    turns: dict[str, str] = {}
    lines: dict[str, list[list[str]]] = {"training": [], "judging": []}
    for place, (photograph, _) in enumerate(surveyed):
        patient = photograph.patient or photograph.name
        turn = turns.setdefault(patient, TURNS[len(turns) % len(TURNS)])
        split = "train" if turn == "train" else "val"
        field = "" if photograph.fov_mask is None else str(photograph.fov_mask.resolve())
        quality = "good" if place < good else "usable"
        image = str(photograph.image.resolve())
        lines["judging" if turn == "judge" else "training"].append(
            [image, split, quality, patient, field]
        )
    paths = []
    for name, some in lines.items():
        path = folder / f"{name}.csv"
        with whole(path) as half, half.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["image", "split", "quality", "patient", "fov_mask"])
            writer.writerows(some)
        paths.append(path)
    return paths[0], paths[1]


def spoilt() -> DegradationMixture:
    """Return the degradation that the released network was trained with."""
    return DegradationMixture(FundusDegradation(gentle=0.4), CofeDegradation(), 0.33)


def train(network: MAGENet, manifest: Path, device: torch.device, steps: int, seed: int) -> MAGENet:
    """Return the network after the teacher-student training: the teacher at its best.

    It stops when the teacher has not become better on the photographs that choose for a third of
    the steps.
    """
    size = int(network.use["size"])
    cache = str(manifest.parent / "cache")
    clean = ManifestPhotographs(str(manifest), qualities=["good"], cache=cache)
    every = ManifestPhotographs(str(manifest), cache=cache)
    data = AdaptationDataModule(
        clean, every, spoilt(), UNTOUCHED, size, batch_size=2, real_batch_size=1, seed=seed
    )
    task = MeanTeacherTask(
        copy.deepcopy(network).requires_grad_(True).train(),
        SegmenterTarget(VesselSegmenter.from_pretrained("vessels")),
        preservation_weight=0.1, ema_decay=0.99, supervised_share=0.0, ramp_share=0.2,
        optimizer=partial(torch.optim.Adam, lr=1e-4, foreach=True),
    )  # fmt: skip
    looks = max(1, steps // 10)
    best = ModelCheckpoint(
        manifest.parent / "checkpoints", "best", monitor="val_teacher/psnr", mode="max",
        enable_version_counter=False,
    )  # fmt: skip
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1 if device.index is None else [device.index], max_steps=steps,
        precision="bf16-mixed" if half_precision(device) else "32-true", gradient_clip_val=1.0,
        val_check_interval=looks, check_val_every_n_epoch=None, num_sanity_val_steps=0,
        callbacks=[best, EarlyStopping("val_teacher/psnr", mode="max", patience=3)],
        logger=CSVLogger(manifest.parent, name="", version="log"), enable_model_summary=False,
        log_every_n_steps=10,
    )  # fmt: skip
    keep_freed_memory()
    trainer.fit(task, data)
    adapted = copy.deepcopy(network)
    read_network(adapted, best.best_model_path, "the training wrote none", "teacher.network.")
    return adapted


def judge(
    before: MAGENet, after: MAGENet, manifest: Path, device: torch.device, max_memory: int
) -> Verdict:
    """Compare two networks, as `magenet enhance` uses them, on photographs that only judge.

    Args:
        before: The released network.
        after: The adapted one.
        manifest: Of the judging, see :func:`write_manifests`.
        device: Where to compute.
        max_memory: Bytes that the process may use.
    """
    size = int(before.use["size"])
    vessels = VesselSegmenter.from_pretrained("vessels")
    enhancers = [
        PhotographEnhancer(net, Settings.of(net), vessels, device, max_memory)
        for net in (before, after)
    ]
    psnr: list[list[float]] = [[], []]
    lost: list[list[float]] = [[], []]
    names: list[str] = []
    other_names: list[str] = []

    def enhanced(image: Tensor, mask: Tensor) -> list[Tensor]:
        changes = [enhancer.estimate(image[0], mask[0]).change for enhancer in enhancers]
        return [(image + change).clamp(0.0, 1.0) * mask for change in changes]

    def found(image: Tensor) -> Tensor:
        seen: Tensor = vessels(image.to(device)).float() > 0
        return seen.float().cpu()

    with torch.inference_mode():
        good = ManifestPhotographs(str(manifest), qualities=["good"])
        module = PairedDataModule(good, spoilt(), size, batch_size=1, workers=0)
        for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
            key = batch["key"]
            for draw in range(DRAWS):
                pair = module.prepare({**batch, "key": key + draw}, training=False)
                clean, mask = pair["image_clean"], pair["mask_fov"]
                names += batch["patient"]
                for scores, image in zip(psnr, enhanced(pair["image_degraded"], mask), strict=True):
                    scores.append(float(masked_psnr(image, clean, mask)))
        every = ManifestPhotographs(str(manifest))
        module = PairedDataModule(every, image_size=size, batch_size=1, workers=0)
        for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
            image, mask = batch["image"].float() / 255, batch["mask_fov"].float()
            image = image * mask
            seen = found(image)
            other_names += batch["patient"]
            for scores, result in zip(lost, enhanced(image, mask), strict=True):
                change = vessel_length_change(seen, found(result), mask)
                scores.append(float(change.lost))
    gain = paired_comparison(psnr[1], psnr[0], names)
    loss = paired_comparison(lost[1], lost[0], other_names)
    better = gain.low > 0.0 and gain.p < CHANCE and loss.high < MOST_LOST
    return Verdict(better, gain, loss)


def adapt(
    inputs: list[str], out: Path, weights: str, steps: int, seed: int, device_name: str
) -> Verdict:
    """Adapt to a camera, judge, and write the weights if they are better.

    Args:
        inputs: See :func:`magenet.enhancement.inputs.collect`.
        out: Folder of the new weights; `verdict.json` in it says how they were judged.
        weights: What to start from; see :meth:`magenet.models.MAGENet.from_pretrained`.
        steps: Optimizer steps at most.
        seed: Of the training.
        device_name: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        UserError: If there is nothing to adapt to, or nowhere to write.
    """
    seed_everything(seed, verbose=False)
    photographs = collect(inputs)
    for given in inputs:
        require_outside(out, given)
    if (out / constants.SAFETENSORS_SINGLE_FILE).exists():
        raise UserError(f"{out}: holds weights already; choose another folder")
    device, memory = device_for(device_name), parsed_memory("8G")
    enhancer = PhotographEnhancer.from_pretrained(weights, device, memory)
    released = MAGENet.from_pretrained(weights)
    own = out / "adaptation"
    write_manifests(own, [])  # find out now whether the folder can be written to
    training, judging = write_manifests(own, survey(enhancer, photographs, memory))
    try:
        adapted = train(released, training, device, steps, seed)
    finally:
        shutil.rmtree(own / "cache", ignore_errors=True)  # decoded photographs of patients
    verdict = judge(released, adapted, judging, device, memory)
    record = {
        "better": verdict.better, "weights": weights, "seed": seed,
        "psnr_gain": verdict.psnr._asdict(), "vessel_lost_change": verdict.vessel_lost._asdict(),
    }  # fmt: skip
    with whole(out / "verdict.json") as half:
        half.write_text(json.dumps(record, indent=1) + "\n")
    gain, loss = verdict.psnr, verdict.vessel_lost
    print(
        f"on held-out photographs: {gain.difference:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}], "
        f"vessels lost {loss.difference:+.1%} [{loss.low:+.1%}, {loss.high:+.1%}]"
    )
    if not verdict.better:
        print("not better: keep the released weights; none are written")
        return verdict
    adapted.use.update(released.use)
    with tempfile.TemporaryDirectory(dir=out) as half:
        adapted.save_pretrained(half)
        # The configuration last: without it, nobody takes what is there for weights.
        for file in sorted(Path(half).iterdir(), key=lambda file: file.name == "config.json"):
            file.replace(out / file.name)
    print(f"better: magenet enhance PHOTOS -o RESULTS --weights {out}")
    return verdict
