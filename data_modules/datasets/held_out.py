"""Patients held out of the training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from data_modules.datasets.manifest import Manifest, ManifestError, Photograph
from data_modules.datasets.photographs import Split
from magenet.hashing import name_key


def hold_out(manifest: Manifest, split: Split, share: float) -> Manifest:
    """Return the training or the held-out part of a manifest without a column `split`.

    A patient is held out by the hash of its name, with all its photographs, so that adding others
    does not move it; the share is therefore met on average, with at least one patient in each
    part. A photograph without `patient` counts as a patient of its own name.

    Args:
        manifest: All photographs.
        split: `train`, or the held-out `val` and `test`, which are the same.
        share: Share of the patients held out, 0 to 1.

    Raises:
        ManifestError: If there are fewer than two patients.
    """

    def key(photograph: Photograph) -> int:
        return name_key(photograph.patient or photograph.name)

    keys = sorted({key(photograph) for photograph in manifest})
    if len(keys) < 2:
        raise ManifestError(
            f"{manifest.source}: one patient is too few to hold some out (a photograph without a "
            "patient counts as one)"
        )
    count = sum(patient < share * 2**32 for patient in keys)
    held_out = set(keys[: min(max(count, 1), len(keys) - 1)])
    ordered = sorted(manifest, key=key)
    part = [p for p in ordered if (key(p) in held_out) != (split == "train")]
    return Manifest(part, manifest.source)


def warn_of_shared_patients(manifest: Manifest, splits: Mapping[str, str]) -> None:
    """Warn of patients with photographs in the training part and in a held-out one."""
    patients = {
        split: {p.patient for p in manifest if p.split == name and p.patient}
        for split, name in splits.items()
        if split == "train" or name != splits["train"]
    }
    held_out = set().union(*(patients[split] for split in patients if split != "train"))
    if shared := sorted(patients["train"] & held_out):
        warnings.warn(
            f"{manifest.source}: {len(shared)} patient(s), first '{shared[0]}', have photographs "
            "in the training part and in a held-out one: scores will be too good",
            stacklevel=3,
        )
