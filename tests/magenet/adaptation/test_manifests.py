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
            tmp_path / f"enhanced/{index}.png",
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


def test_the_best_half_is_clean_as_it_is_enhanced(tmp_path: Path) -> None:
    names = [f"{index:02}.png" for index in range(72)]
    surveyed = [
        Surveyed(Photograph(tmp_path / n, n), tmp_path / "enhanced" / n, "ok", float(i))
        for i, n in enumerate(names)
    ]
    training, judging = (
        list(csv.DictReader(path.read_text().splitlines()))
        for path in write_manifests(tmp_path, surveyed)
    )
    good = [row["image"] for row in (*training, *judging) if row["quality"] == "good"]
    assert sorted(good) == [f"enhanced/{name}" for name in names[:36]]
    assert len(training) == 24, "clean ones alone"
    assert {row["quality"] for row in training} == {"good"}
    as_they_are = [row["image"] for row in judging if row["quality"] == "usable"]
    assert as_they_are == [str(tmp_path / name) for name in names[1::3]]


def test_too_few_patients_to_judge_on_are_refused(tmp_path: Path) -> None:
    surveyed = [
        Surveyed(
            Photograph(tmp_path / f"{i}", f"{i}", patient=f"p{i % 10}"), tmp_path, "ok", float(i)
        )
        for i in range(60)
    ]
    with pytest.raises(
        UserError, match="the 30 least changed photographs must be of 18 patients; give"
    ):
        write_manifests(tmp_path, surveyed)
    assert not list(tmp_path.iterdir())
