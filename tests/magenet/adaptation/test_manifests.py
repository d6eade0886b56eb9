"""Who trains and who judges."""

import csv
from pathlib import Path

import pytest

from data_modules.datasets.manifest import Photograph
from magenet.adaptation.manifests import write_manifests
from magenet.adaptation.survey import Surveyed
from magenet.errors import UserError


def test_all_of_a_patient_serve_for_the_same(tmp_path: Path) -> None:
    surveyed = [
        Surveyed(
            Photograph(tmp_path / f"{index}.png", f"{index}.png", patient=f"p{index % 24}",
                       fov_mask=tmp_path / "mask.png"),
            "ok",
            float(index),
        )
        for index in range(72)
    ]  # fmt: skip
    serves: dict[str, set[str]] = {}
    for path in write_manifests(tmp_path, surveyed):
        for row in csv.DictReader(path.read_text().splitlines()):
            serves.setdefault(row["patient"], set()).add(path.stem + row["split"])
            assert row["fov_mask"] == str(tmp_path / "mask.png")
    assert len(serves) == 24
    assert all(len(parts) == 1 for parts in serves.values())
    assert {part for parts in serves.values() for part in parts} == {
        "trainingtrain", "judgingval",
    }  # fmt: skip


def test_the_best_third_is_good(tmp_path: Path) -> None:
    names = [f"{index:02}.png" for index in range(72)]
    surveyed = [Surveyed(Photograph(tmp_path / n, n), "ok", float(i)) for i, n in enumerate(names)]
    good = {
        Path(row["image"]).name
        for path in write_manifests(tmp_path, surveyed)
        for row in csv.DictReader(path.read_text().splitlines())
        if row["quality"] == "good"
    }
    assert good == set(names[:24])


def test_too_few_patients_to_judge_on_are_refused(tmp_path: Path) -> None:
    surveyed = [
        Surveyed(Photograph(tmp_path / f"{i}", f"{i}", patient=f"p{i % 10}"), "ok", float(i))
        for i in range(60)
    ]
    with pytest.raises(
        UserError, match="the 20 least changed photographs must be of 18 patients; give"
    ):
        write_manifests(tmp_path, surveyed)
    assert not list(tmp_path.iterdir())
