"""One run of `magenet adapt`: survey, train, judge, and write the weights if they are better."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from huggingface_hub import constants
from lightning.pytorch import seed_everything
from safetensors import SafetensorError

from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.output_paths import require_outside
from magenet.adaptation.judgement import (
    HeldOutComparison,
    compare_held_out,
    summary,
    write_comparison,
)
from magenet.adaptation.manifests import require_patients, write_manifests
from magenet.adaptation.private_folder import private_folder
from magenet.adaptation.survey import require_enough, survey
from magenet.adaptation.time_plan import SURVEY, plan, seconds_each
from magenet.adaptation.training import train
from magenet.atomic_write import make_folder
from magenet.enhancement.device import device_for
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.inputs import collect
from magenet.errors import UserError
from magenet.models import MAGENet
from magenet.plain_names import duration


def adapt(
    inputs: list[str],
    out: Path,
    weights: str,
    steps: int,
    minutes: float,
    seed: int,
    device_name: str,
) -> HeldOutComparison:
    """Adapt to a camera, judge, and write the weights if they are better.

    What holds names or pixels of patients (manifests, decoded photographs) is in a private folder
    for temporary files and removed at the end, also after an error.

    Args:
        inputs: See :func:`magenet.enhancement.folder.inputs.collect`.
        out: Folder of the new weights; `verdict.json` in it says how they were judged.
        weights: Initial weights; see :meth:`magenet.models.MAGENet.from_pretrained`.
        steps: Greatest number of optimizer steps.
        minutes: Greatest time that it may take.
        seed: Of the training.
        device_name: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        UserError: If there is nothing to adapt to, too little time, or the weights cannot be
            written.
    """
    begun = time.time()
    seed_everything(seed, verbose=False)
    photographs = collect(inputs)
    require_enough(len(photographs), "given")
    require_patients(photographs)
    _require_output_folder(out, inputs)
    device, max_memory = device_for(device_name), parsed_memory("8G")
    enhancer = PhotographEnhancer.from_pretrained(weights, device, max_memory)
    released = MAGENet.from_pretrained(weights)

    each = seconds_each(enhancer, photographs, max_memory)
    if each > 0:
        told = duration(plan(len(photographs), each, steps, minutes).seconds)
        print(f"{len(photographs)} photographs: about {told}, at most {minutes:g} min (--minutes)")
    start = time.time()
    with private_folder() as folder:
        surveyed = survey(enhancer, photographs, folder, max_memory)
        # Of all, not of the first alone; what was left out early only makes it safer.
        each = (time.time() - start) / SURVEY / len(surveyed)
        parts = plan(len(surveyed), each, steps, minutes)
        training, judging = write_manifests(folder, surveyed)
        trained = train(released, training, device, steps, parts.end(begun, minutes), seed)
        comparison = compare_held_out(released, trained.network, judging, device, max_memory)

    if comparison.better:  # before the verdict: one without its weights would mislead
        _write_weights(trained.network, out)
    record: dict[str, str | int] = {
        "weights": weights, "seed": seed, "photographs": len(surveyed), "steps": trained.steps,
    }  # fmt: skip
    write_comparison(comparison, record, out / "verdict.json")
    print(summary(comparison))
    if comparison.better:
        print(f"better: magenet enhance PHOTOS -o RESULTS --weights {out}")
    else:
        print(f"not better: {'; '.join(comparison.faults)}")
        print("keep the released weights; none are written")
    return comparison


def _require_output_folder(out: Path, inputs: list[str]) -> None:
    """Raise if the new weights cannot get a folder of their own: before hours of work."""
    for given in inputs:
        require_outside(out, given)
    if (out / constants.SAFETENSORS_SINGLE_FILE).exists():
        raise UserError(f"{out}: holds weights already; choose another folder")
    for name in (constants.CONFIG_NAME, "README.md"):
        if (out / name).exists():
            raise UserError(f"{out}: holds a {name}, as the new weights do; choose another folder")
    make_folder(out)
    try:
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None


def _write_weights(network: MAGENet, folder: Path) -> None:
    """Write the weights of a network into a folder, each file whole.

    Raises:
        UserError: If they cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=folder) as part:
            network.save_pretrained(part)
            # The configuration last: a folder without it does not count as weights.
            for file in sorted(Path(part).iterdir(), key=lambda file: file.name == "config.json"):
                file.replace(folder / file.name)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder}: the adapted weights cannot be written ({error})") from None
