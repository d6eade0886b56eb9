import csv
from pathlib import Path

import pytest
import torch

from data_modules import GradingDataModule, ManifestPhotographs
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph
from data_modules.grading import reframe
from magenet.degradation import CounterRNG
from magenet.errors import UserError

ROWS = [
    ("a.png", "train", "good", "0"), ("b.png", "train", "good", "4"),
    ("c.png", "train", "good", "2"), ("d.png", "train", "usable", ""),
    ("e.png", "val", "reject", "1"), ("f.png", "val", "unknown", "3"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graded")
    for place, (name, *_) in enumerate(ROWS):
        write_photograph(draw_phantom(place, 64).image, folder / name)
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("image", "split", "quality"), *((n, split, quality) for n, split, quality, _ in ROWS)]
        )
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("image", "patient", "dr_grade"), *((n, f"p_{n[0]}", g) for n, _, _, g in ROWS)]
        )
    return folder


def module(folder: Path, label: str, **kwargs: object) -> GradingDataModule:
    photographs = ManifestPhotographs(
        str(folder / "index.csv"),
        labels=[str(folder / "labels.csv")],
        **kwargs,  # type: ignore[arg-type]
    )
    return GradingDataModule(photographs, label, image_size=48, batch_size=4, workers=0)  # type: ignore[arg-type]


def test_a_batch_holds_grades_patients_and_weights(folder: Path) -> None:
    data = module(folder, "quality", only_with="quality")
    loaded = next(iter(data.train_dataloader()))
    batch = data.prepare(loaded, training=True)
    assert set(batch) == {"name", "patient", "image", "mask_fov", "label", "weight"}
    assert batch["image"].shape == (4, 3, 48, 48)
    assert 0 <= float(batch["image"].min()) <= float(batch["image"].max()) <= 1
    expected = {row[0]: int(row[2] == "usable") for row in ROWS}
    assert batch["label"].tolist() == [expected[name] for name in batch["name"]]
    assert batch["patient"] == [f"p_{name[0]}" for name in batch["name"]]
    weights = dict(zip(batch["name"], batch["weight"].tolist(), strict=True))
    assert weights["d.png"] == pytest.approx(3 * weights["a.png"])
    assert float(batch["weight"].mean()) == pytest.approx(1.0)


def test_validation_is_left_as_it_is(folder: Path) -> None:
    data = module(folder, "quality", only_with="quality")
    loaded = next(iter(data.val_dataloader()))
    assert loaded["name"] == ["e.png"], "f.png has no quality"
    batch = data.prepare(loaded, training=False)
    assert loaded["image"].shape == (1, 3, 96, 96), "decoded at twice the side"
    means = torch.nn.functional.avg_pool2d(loaded["image"].float() / 255, 2)
    assert float(((batch["image"] - means) * batch["mask_fov"]).abs().mean()) < 0.02


def test_grades_of_retinopathy_come_from_the_labels(folder: Path) -> None:
    data = module(folder, "dr_grade", only_with="dr_grade")
    assert data.graded("train").labels == [0, 4, 2]
    assert data.graded("val").labels == [1, 3]


@pytest.mark.parametrize(("label", "split", "name"), [
    ("quality", "val", "f.png"), ("dr_grade", "train", "d.png"),
])  # fmt: skip
def test_a_photograph_without_a_grade_is_named(
    folder: Path, label: str, split: str, name: str
) -> None:
    with pytest.raises(UserError, match=rf"1 photograph\(s\) without a {label}, such as {name}"):
        module(folder, label).graded(split)  # type: ignore[arg-type]


def test_reframing_is_the_sample_s_own_and_keeps_the_retina() -> None:
    phantoms = [draw_phantom(seed, 64) for seed in range(3)]
    image = torch.stack([p.image for p in phantoms]).float() / 255
    mask = torch.stack([p.field.mask for p in phantoms]).float()
    together, masks = reframe(image, mask, 32, CounterRNG(torch.tensor([5, 6, 7])))
    alone, _ = reframe(image[1:2], mask[1:2], 32, CounterRNG(torch.tensor([6])))
    assert torch.equal(together[1:2], alone)
    assert together.shape == (3, 3, 32, 32)
    assert masks.shape == (3, 1, 32, 32)
    means = torch.nn.functional.avg_pool2d(image, 2)
    assert float((together - means).abs().mean()) < 0.1
