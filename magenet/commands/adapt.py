"""Fine-tune the released network on a camera's own photographs: `magenet adapt PHOTOS -o OUT`."""

from __future__ import annotations

import argparse
import copy
import csv
import json
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from tqdm import tqdm

from data_modules import AdaptationDataModule, ManifestPhotographs, PairedDataModule
from data_modules.io import PictureError
from data_modules.manifest import Photograph
from data_modules.places import require_outside
from magenet.checkpoints import read_network
from magenet.commands.enhance import collect
from magenet.degradation import CofeDegradation, EitherDegradation, FundusDegradation
from magenet.errors import UserError
from magenet.files import whole
from magenet.inference.device import device_for
from magenet.inference.folder import read
from magenet.inference.memory import parsed_memory
from magenet.inference.photograph import (
    NotAFundusError,
    PhotographEnhancer,
    half_precision,
)
from magenet.losses import SegmenterTarget
from magenet.memory import keep_freed_memory
from magenet.metrics import (
    Comparison,
    masked_psnr,
    paired_comparison,
    vessel_length_change,
)
from magenet.models import MAGENet, VesselSegmenter
from magenet.tasks import MeanTeacherTask

LEAST = 30
"""Photographs of a camera below which nothing can be learnt or judged (our choice)."""

GOOD_SHARE = 1 / 3
"""Share of the photographs that serve as clean ones: those the released network changes least."""

HELD_OUT_SHARE = 0.25
"""Share of the photographs that are kept from the training, to judge it."""

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


def survey(
    enhancer: PhotographEnhancer, photographs: list[Photograph], max_memory: int
) -> dict[Path, float]:
    """Return how much the released network changes each photograph that it can enhance.

    Args:
        enhancer: With the released weights.
        photographs: Of the camera.
        max_memory: See :func:`magenet.inference.folder.read`.

    Raises:
        UserError: If too few are left.
    """
    changes = {}
    for photograph in tqdm(photographs, "looking", unit="photograph"):
        try:
            image, field = read(photograph, max_memory)
            changes[photograph.image.resolve()] = enhancer(image, field).report.mean_change
        except (PictureError, NotAFundusError) as error:
            tqdm.write(f"magenet: left out: {photograph.image}: {error}", file=sys.stderr)
    if len(changes) < LEAST:
        raise UserError(
            f"{len(changes)} photographs can be used; adapting and judging needs {LEAST} at least"
        )
    return changes


def write_manifest(path: Path, changes: dict[Path, float]) -> None:
    """Write which photographs are trained on, which judge, and which serve as clean.

    Every fourth photograph, counted by how much it is changed, is held out: so that good and bad
    ones are held out alike.
    """
    ranked = sorted(changes, key=lambda image: (changes[image], image))
    step = round(1 / HELD_OUT_SHARE)
    good = round(GOOD_SHARE * len(ranked))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "split", "quality"])
        for place, image in enumerate(ranked):
            split = "val" if place % step == step - 1 else "train"
            writer.writerow([image, split, "good" if place < good else "usable"])


def spoilt() -> EitherDegradation:
    """Return the degradation that the released network was trained with."""
    return EitherDegradation(FundusDegradation(gentle=0.3), CofeDegradation(), 0.33)


def train(network: MAGENet, manifest: Path, device: torch.device, steps: int, seed: int) -> MAGENet:
    """Return the network after the teacher-student training: the teacher at its best.

    It stops when the teacher has not become better on the held-out photographs for a third of
    the steps.
    """
    size = int(network.use["size"])
    cache = str(manifest.parent / "cache")
    clean = ManifestPhotographs(str(manifest), qualities=["good"], cache=cache)
    every = ManifestPhotographs(str(manifest), cache=cache)
    data = AdaptationDataModule(
        clean, every, spoilt(), image_size=size, batch_size=2, real_batch_size=1, seed=seed
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
        accelerator="gpu" if device.type == "cuda" else device.type, devices=1, max_steps=steps,
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


def judge(before: MAGENet, after: MAGENet, manifest: Path) -> Verdict:
    """Compare two networks on the photographs that were held out.

    Args:
        before: The released network.
        after: The adapted one.
        manifest: Of :func:`write_manifest`.
    """
    size = int(before.use["size"])
    vessels = VesselSegmenter.from_pretrained("vessels")
    psnr: list[list[float]] = [[], []]
    lost: list[list[float]] = [[], []]
    names: list[str] = []
    other_names: list[str] = []

    def enhanced(image: Tensor, mask: Tensor) -> list[Tensor]:
        return [network(image).image * mask for network in (before, after)]

    with torch.inference_mode():
        good = ManifestPhotographs(str(manifest), qualities=["good"])
        module = PairedDataModule(good, spoilt(), size, batch_size=1, workers=0)
        for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
            key = batch["key"]
            for draw in range(DRAWS):
                pair = module.prepare({**batch, "key": key + draw}, training=False)
                clean, mask = pair["image_clean"], pair["mask_fov"]
                names += batch["name"]
                for scores, image in zip(psnr, enhanced(pair["image_degraded"], mask), strict=True):
                    scores.append(float(masked_psnr(image, clean, mask)))
        every = ManifestPhotographs(str(manifest))
        module = PairedDataModule(every, image_size=size, batch_size=1, workers=0)
        for batch in tqdm(module.val_dataloader(), "judging", unit="photograph"):
            image, mask = batch["image"].float() / 255, batch["mask_fov"].float()
            image = image * mask
            seen = (vessels(image) > 0).float()
            other_names += batch["name"]
            for scores, result in zip(lost, enhanced(image, mask), strict=True):
                change = vessel_length_change(seen, (vessels(result) > 0).float(), mask)
                scores.append(float(change.lost))
    gain = paired_comparison(psnr[1], psnr[0], names)
    loss = paired_comparison(lost[1], lost[0], other_names)
    return Verdict(gain.low > 0.0 and loss.high < MOST_LOST, gain, loss)


def run(options: argparse.Namespace) -> int:
    """Adapt, judge, and write the weights if they are better; return the exit status.

    Raises:
        UserError: If there is nothing to adapt to, or nowhere to write.
    """
    seed_everything(options.seed, verbose=False)
    photographs = collect(options.input)
    for given in options.input:
        require_outside(options.out, given)
    device, memory = device_for(options.device), parsed_memory("8G")
    enhancer = PhotographEnhancer.from_pretrained(options.weights, device, memory)
    released = MAGENet.from_pretrained(options.weights)
    manifest = options.out / "adaptation" / "photographs.csv"
    write_manifest(manifest, survey(enhancer, photographs, memory))
    adapted = train(released, manifest, device, options.steps, options.seed)
    verdict = judge(released, adapted, manifest)
    record = {
        "better": verdict.better, "weights": options.weights, "seed": options.seed,
        "psnr_gain": verdict.psnr._asdict(), "vessel_lost_change": verdict.vessel_lost._asdict(),
    }  # fmt: skip
    with whole(options.out / "verdict.json") as half:
        half.write_text(json.dumps(record, indent=1) + "\n")
    gain, loss = verdict.psnr, verdict.vessel_lost
    print(
        f"on held-out photographs: {gain.difference:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}], "
        f"vessels lost {loss.difference:+.1%} [{loss.low:+.1%}, {loss.high:+.1%}]"
    )
    if not verdict.better:
        print("not better: keep the released weights; none are written")
        return 0
    adapted.use.update(released.use)
    adapted.save_pretrained(options.out)
    print(f"better: magenet enhance PHOTOS -o RESULTS --weights {options.out}")
    return 0


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    own = argparse.ArgumentParser(
        prog="magenet adapt",
        description="Fine-tune the network on photographs of your camera, without labels, by the "
        "teacher-student recipe. A quarter of them is held out; weights are written only if they "
        "are better there. verdict.json says how much.",
    )
    own.add_argument(
        "input", nargs="+", help="photographs, folders, patterns, or a manifest (.csv)"
    )
    own.add_argument("-o", "--out", type=Path, required=True, help="folder of the new weights")
    own.add_argument(
        "--weights",
        default="mage_net",
        help="what to start from (default: %(default)s)",
    )
    own.add_argument("--steps", type=int, default=400, help="at most (default: %(default)s)")
    own.add_argument("--seed", type=int, default=0)
    own.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    try:
        return run(own.parse_args(arguments))
    except UserError as error:
        print(f"magenet: error: {error}", file=sys.stderr)
        return 1
