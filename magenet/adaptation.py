"""Adaptation of a released network to a camera: survey, train, judge on held-out photographs."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.output_paths import require_outside
from magenet.allocator import keep_freed_memory
from magenet.atomic_write import atomic_write
from magenet.checkpoints import VerifiedCheckpointIO, read_network
from magenet.degradation import CofeDegradation, DegradationMixture, FundusDegradation
from magenet.enhancement.device import device_for
from magenet.enhancement.enhancer import PhotographEnhancer, half_precision
from magenet.enhancement.fundus_check import NotAFundusError
from magenet.enhancement.inputs import collect
from magenet.enhancement.settings import Settings
from magenet.errors import StoppedError, UserError
from magenet.evaluation.statistics import Comparison, paired_comparison
from magenet.losses import SegmenterTarget
from magenet.metrics import masked_psnr, vessel_length_change
from magenet.models import MAGENet, VesselSegmenter
from magenet.tasks import MeanTeacherTask

MINIMUM_PHOTOGRAPHS = 60
"""Smallest number of photographs of a camera: of 60 patients, six judge on good ones."""

MINIMUM_JUDGED = 6
"""Smallest number of patients to judge on: with fewer, no permutation test reaches p < 0.05."""

GOOD_SHARE = 1 / 3
"""Share of the photographs that serve as clean ones: those the released network changes least (our
choice)."""

ROLES = ("train", "judge", "train", "choose", "train", "judge")
"""Roles that patients get in turn, in the order of how much the network changes their photographs:
to be trained on, to choose when to stop, to judge the result. What chooses does not judge."""

SAME_VIEW = StrongView(FundusDegradation(severity=0.0), brightness=0.0, gamma=0.0)
"""The student sees the photographs as the teacher does: with more degradation it learnt wrong
colours (experiments/results/teacher.md)."""

SIGNIFICANCE = 0.05
"""Greatest p-value of a gain in PSNR."""

DRAWS = 6
"""Degradations of each held-out photograph in the comparison (our choice)."""

MOST_VESSELS_LOST = 0.03
"""Share of the vessel length that adapted weights may lose more than the released ones (our
choice)."""


class HeldOutComparison(NamedTuple):
    """Comparison of adapted with released weights on photographs that neither was trained on.

    Attributes:
        better: Whether to use them.
        psnr: Gain in dB on good held-out photographs, degraded and enhanced, with its interval.
        vessel_lost: Change of the share of vessel length lost on all held-out photographs.
    """

    better: bool
    psnr: Comparison
    vessel_lost: Comparison


class Surveyed(NamedTuple):
    """A photograph and the mean change that the released network makes, in grey levels of 255."""

    photograph: Photograph
    change: float


def adapt(
    inputs: list[str], out: Path, weights: str, steps: int, seed: int, device_name: str
) -> HeldOutComparison:
    """Adapt to a camera, judge, and write the weights if they are better.

    What holds names or pixels of patients (manifests, logs, checkpoints, decoded photographs) is
    in a private folder for temporary files and removed at the end, also after an error.

    Args:
        inputs: See :func:`magenet.enhancement.inputs.collect`.
        out: Folder of the new weights; `verdict.json` in it says how they were judged.
        weights: Initial weights; see :meth:`magenet.models.MAGENet.from_pretrained`.
        steps: Greatest number of optimizer steps.
        seed: Of the training.
        device_name: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        UserError: If there is nothing to adapt to, or the weights cannot be written.
    """
    seed_everything(seed, verbose=False)
    photographs = collect(inputs)
    _require_enough(len(photographs))
    _require_output_folder(out, inputs)
    device, max_memory = device_for(device_name), parsed_memory("8G")
    enhancer = PhotographEnhancer.from_pretrained(weights, device, max_memory)
    released = MAGENet.from_pretrained(weights)

    surveyed = survey(enhancer, photographs, max_memory)
    with _private_folder() as folder:
        training, judging = write_manifests(folder, surveyed)
        adapted = train(released, training, device, steps, seed)
        comparison = compare_held_out(released, adapted, judging, device, max_memory)

    _write_comparison(comparison, weights, seed, out / "verdict.json")
    print(_summary(comparison))
    if comparison.better:
        _write_weights(adapted, out)
        print(f"better: magenet enhance PHOTOS -o RESULTS --weights {out}")
    else:
        print("not better: keep the released weights; none are written")
    return comparison


def survey(
    enhancer: PhotographEnhancer, photographs: list[Photograph], max_memory: int
) -> list[Surveyed]:
    """Return the photographs that the released network can enhance, the least changed first.

    Args:
        enhancer: With the released weights.
        photographs: Photographs of the camera.
        max_memory: See :func:`data_modules.datasets.photographs.read_with_field`.

    Raises:
        UserError: If fewer than :data:`MINIMUM_PHOTOGRAPHS` are left.
    """
    surveyed = []
    for photograph in tqdm(photographs, "surveying", unit="photograph"):
        try:
            if is_dicom(photograph.image):
                raise PictureError("a DICOM file cannot be trained on; save it as PNG")
            image, field, _ = read_with_field(photograph, max_memory)
            surveyed.append(Surveyed(photograph, enhancer(image, field).report.mean_change))
        except (PictureError, NotAFundusError) as error:
            tqdm.write(f"magenet: left out: {photograph.image}: {error}", file=sys.stderr)
    _require_enough(len(surveyed))
    return sorted(surveyed, key=lambda one: (one.change, one.photograph.image))


def write_manifests(folder: Path, surveyed: list[Surveyed]) -> tuple[Path, Path]:
    """Write the manifests of the photographs to train on and of those to judge on.

    All photographs of a patient have the same role (:data:`ROLES`); the least changed ones have
    the quality `good`.

    Args:
        folder: Folder of the manifests.
        surveyed: Photographs, the least changed first.

    Returns:
        The manifest of the training, whose split `val` chooses, and that of the judging.

    Raises:
        UserError: If they cannot be written, or hold too few patients to judge on.
    """
    good = round(GOOD_SHARE * len(surveyed))
    role_of_patient: dict[str, str] = {}
    training: list[list[str]] = []
    judging: list[list[str]] = []
    for index, (photograph, _) in enumerate(surveyed):
        patient = photograph.patient or photograph.name
        role = role_of_patient.setdefault(patient, ROLES[len(role_of_patient) % len(ROLES)])
        row = [
            str(photograph.image.resolve()),
            "train" if role == "train" else "val",
            "good" if index < good else "usable",
            patient,
            "" if photograph.fov_mask is None else str(photograph.fov_mask.resolve()),
        ]
        (judging if role == "judge" else training).append(row)
    judged = {patient for _, _, quality, patient, _ in judging if quality == "good"}
    if len(judged) < MINIMUM_JUDGED:
        raise UserError(
            f"good photographs of {len(judged)} patients are left to judge on, and a judgement "
            f"needs {MINIMUM_JUDGED}: give photographs of more patients"
        )
    return (
        _write_manifest(folder / "training.csv", training),
        _write_manifest(folder / "judging.csv", judging),
    )


def train(network: MAGENet, manifest: Path, device: torch.device, steps: int, seed: int) -> MAGENet:
    """Return the network after teacher-student training: the teacher at its best validation PSNR.

    Training stops when the teacher has not improved for a third of the steps on the photographs
    that choose.

    Args:
        network: The released network; it is not changed.
        manifest: Of the training, see :func:`write_manifests`; logs, checkpoints and decoded
            photographs go beside it.
        device: Where to train.
        steps: Greatest number of optimizer steps.
        seed: Of the data.
    """
    size = int(network.use["size"])
    cache = manifest.parent / "cache"
    clean = ManifestPhotographs(str(manifest), qualities=["good"], cache=str(cache))
    every = ManifestPhotographs(str(manifest), cache=str(cache))
    data = AdaptationDataModule(
        clean, every, released_degradation(), SAME_VIEW, size, batch_size=2, real_batch_size=1,
        seed=seed,
    )  # fmt: skip
    task = MeanTeacherTask(
        copy.deepcopy(network).requires_grad_(True).train(),
        structure_target=SegmenterTarget(VesselSegmenter.from_pretrained("vessels")),
        preservation_weight=0.1, ema_decay=0.99, supervised_share=0.0, ramp_share=0.2,
        optimizer=partial(torch.optim.Adam, lr=1e-4, foreach=True),
    )  # fmt: skip
    best = ModelCheckpoint(
        manifest.parent / "checkpoints", "best", monitor="val_teacher/psnr", mode="max",
        enable_version_counter=False,
    )  # fmt: skip
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1 if device.index is None else [device.index], max_steps=steps,
        precision="bf16-mixed" if half_precision(device) else "32-true", gradient_clip_val=1.0,
        val_check_interval=max(1, steps // 10), check_val_every_n_epoch=None,
        num_sanity_val_steps=0, log_every_n_steps=10, enable_model_summary=False,
        callbacks=[best, EarlyStopping("val_teacher/psnr", mode="max", patience=3)],
        logger=CSVLogger(manifest.parent, name="", version="log"), plugins=VerifiedCheckpointIO(),
    )  # fmt: skip
    keep_freed_memory()
    trainer.fit(task, data)
    adapted = copy.deepcopy(network)
    read_network(adapted, best.best_model_path, "the training wrote none", "teacher.network.")
    return adapted


def released_degradation() -> DegradationMixture:
    """Return the degradation that the released network was trained with."""
    return DegradationMixture(FundusDegradation(gentle=0.4), CofeDegradation(), 0.33)


def compare_held_out(
    before: MAGENet, after: MAGENet, manifest: Path, device: torch.device, max_memory: int
) -> HeldOutComparison:
    """Compare two networks, used as `magenet enhance` uses them, on held-out photographs.

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
        PhotographEnhancer(network, Settings.of(network), vessels, device, max_memory)
        for network in (before, after)
    ]
    with torch.inference_mode():
        psnr = _compare_psnr(enhancers, manifest, size)
        vessel_lost = _compare_vessels_lost(enhancers, manifest, size)
    better = psnr.low > 0.0 and psnr.p < SIGNIFICANCE and vessel_lost.high < MOST_VESSELS_LOST
    return HeldOutComparison(better, psnr, vessel_lost)


def _compare_psnr(enhancers: list[PhotographEnhancer], manifest: Path, size: int) -> Comparison:
    """Compare the PSNR of degraded and enhanced good photographs to the clean ones, in dB."""
    psnr: list[list[float]] = [[] for _ in enhancers]
    patients: list[str] = []
    good = ManifestPhotographs(str(manifest), qualities=["good"])
    module = PairedDataModule(good, released_degradation(), size, batch_size=1, workers=0)
    for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
        for draw in range(DRAWS):
            pair = module.prepare(batch | {"key": batch["key"] + draw}, training=False)
            clean, mask = pair["image_clean"], pair["mask_fov"]
            patients += batch["patient"]
            for scores, enhancer in zip(psnr, enhancers, strict=True):
                enhanced = _enhance(enhancer, pair["image_degraded"], mask)
                scores.append(float(masked_psnr(enhanced, clean, mask)))
    return paired_comparison(psnr[1], psnr[0], patients)


def _compare_vessels_lost(
    enhancers: list[PhotographEnhancer], manifest: Path, size: int
) -> Comparison:
    """Compare the share of vessel length that enhancement loses, on all held-out photographs."""
    lost: list[list[float]] = [[] for _ in enhancers]
    patients: list[str] = []
    every = ManifestPhotographs(str(manifest))
    module = PairedDataModule(every, image_size=size, batch_size=1, workers=0)
    for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
        mask = batch["mask_fov"].float()
        image = batch["image"].float() / 255 * mask
        patients += batch["patient"]
        vessels_before = enhancers[0].find_vessels(image)  # all have the same segmenter
        for scores, enhancer in zip(lost, enhancers, strict=True):
            vessels_after = enhancer.find_vessels(_enhance(enhancer, image, mask))
            scores.append(float(vessel_length_change(vessels_before, vessels_after, mask).lost))
    return paired_comparison(lost[1], lost[0], patients)


def _enhance(enhancer: PhotographEnhancer, image: Tensor, mask: Tensor) -> Tensor:
    """Return `image` `(1, 3, S, S)` enhanced, black outside the field of view `(1, 1, S, S)`."""
    change = enhancer.estimate(image[0], mask[0]).change
    return (image + change).clamp(0.0, 1.0) * mask


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Yield a folder for temporary files that no other user can read; remove it at the end.

    Raises:
        StoppedError: After SIGTERM, which would leave the folder otherwise.
    """

    def stop(number: int, frame: object) -> None:
        raise StoppedError("stopped; no weights are written", 128 + number)

    # Only the main thread gets signals, and may say how.
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if in_main_thread else None
    folder = Path(tempfile.mkdtemp(prefix="magenet-adapt-"))
    try:
        yield folder
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the removal
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            print(
                f"magenet: {folder}: cannot be removed; it holds photographs and names of "
                "patients: remove it",
                file=sys.stderr,
            )
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)


def _require_output_folder(out: Path, inputs: list[str]) -> None:
    """Raise if the new weights cannot get a folder of their own: before hours of work."""
    for given in inputs:
        require_outside(out, given)
    if (out / constants.SAFETENSORS_SINGLE_FILE).exists():
        raise UserError(f"{out}: holds weights already; choose another folder")
    with atomic_write(out / "writable") as part:
        part.touch()
    (out / "writable").unlink()


def _require_enough(photographs: int) -> None:
    """Raise if there are fewer photographs than adapting and judging needs."""
    if photographs < MINIMUM_PHOTOGRAPHS:
        raise UserError(
            f"{photographs} photographs can be used; adapting and judging needs "
            f"{MINIMUM_PHOTOGRAPHS} at least"
        )


def _write_manifest(path: Path, rows: list[list[str]]) -> Path:
    """Write a manifest and return its path."""
    with (
        atomic_write(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["image", "split", "quality", "patient", "fov_mask"])
        writer.writerows(rows)
    return path


def _write_comparison(comparison: HeldOutComparison, weights: str, seed: int, path: Path) -> None:
    """Write the comparison, with what it was made from, as JSON."""
    record = {
        "better": comparison.better, "weights": weights, "seed": seed,
        "psnr_gain": comparison.psnr._asdict(),
        "vessel_lost_change": comparison.vessel_lost._asdict(),
    }  # fmt: skip
    with atomic_write(path) as part:
        part.write_text(json.dumps(record, indent=1) + "\n")


def _summary(comparison: HeldOutComparison) -> str:
    """Return the gain and the vessels lost as one line, with 95 % intervals."""
    psnr, lost = comparison.psnr, comparison.vessel_lost
    return (
        f"on held-out photographs: PSNR {psnr.difference:+.2f} dB "
        f"[{psnr.low:+.2f}, {psnr.high:+.2f}], "
        f"vessel length lost {lost.difference:+.1%} [{lost.low:+.1%}, {lost.high:+.1%}]"
    )


def _write_weights(network: MAGENet, folder: Path) -> None:
    """Write the weights of a network into a folder, each file whole."""
    with tempfile.TemporaryDirectory(dir=folder) as part:
        network.save_pretrained(part)
        # The configuration last: a folder without it does not count as weights.
        for file in sorted(Path(part).iterdir(), key=lambda file: file.name == "config.json"):
            file.replace(folder / file.name)
