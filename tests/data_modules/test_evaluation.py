from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_modules import EvaluationDataModule, ManifestPhotographs
from data_modules.datasets.manifest import Manifest, ManifestError
from data_modules.evaluation import read_pairs
from tests.data_modules.tables import table


def test_pairs_are_cut_alike_and_the_others_have_none(folder: Path) -> None:
    index = str(folder / "index.csv")
    module = EvaluationDataModule(
        ManifestPhotographs(index), index, str(folder / "pairs.csv"),
        scored_size=48, workers=0,
    )  # fmt: skip
    pairs, unpaired = module.test_dataloader()
    batch = module.prepare(next(iter(pairs)), training=False)
    assert (batch["name"], batch["patient"], batch["condition"]) == (["p1"], ["Ada"], ["pair"])
    assert batch["image"].shape == batch["image_high"].shape == (1, 3, 48, 48)
    assert batch["mask_valid"].max() == 1.0
    assert not (batch["image_high"] * (1 - batch["mask_fov"])).any()
    other = module.prepare(next(iter(unpaired)), training=False)
    assert "image_high" not in other
    assert other["condition"] == ["unpaired"] * 2
    assert torch.allclose(other["image"][:1], batch["image"]), "the same photograph twice"


def test_without_photographs_the_pairs_are_alone(folder: Path) -> None:
    index = str(folder / "index.csv")
    module = EvaluationDataModule(None, index, str(folder / "pairs.csv"), 48, workers=0)
    (pairs,) = module.test_dataloader()
    assert [batch["condition"] for batch in pairs] == [["pair"]]


def test_without_pairs_the_photographs_are_alone(folder: Path) -> None:
    photographs = ManifestPhotographs(str(folder / "index.csv"))
    (unpaired,) = EvaluationDataModule(photographs, scored_size=48, workers=0).test_dataloader()
    assert [batch["condition"] for batch in unpaired] == [["unpaired"] * 2]
    with pytest.raises(ValueError, match="manifest and pairs go together"):
        EvaluationDataModule(photographs, pairs="pairs.csv")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("pair_id", "low"), ("p1", "a.png")], "column 'patient' is missing"),
        (
            [
                ("pair_id", "patient", "low", "high_aligned", "valid_mask"),
                ("p", "A", "x.png", "b.png", "field_a.png"),
            ],
            r"line 2: x\.png is not in",
        ),
        (
            [
                ("pair_id", "patient", "low", "high_aligned", "valid_mask"),
                ("p", "A", "a.png", "", "field_a.png"),
            ],
            "line 2 has no value in the column 'high_aligned'",
        ),
        (
            [("pair_id", "patient", "low", "high_aligned", "valid_mask"), ("p", "A")],
            "line 2 has no value in the column 'low'",
        ),
        (
            [
                ("pair_id", "patient", "low", "high_aligned", "valid_mask"),
                ("p", "A", "a.png", "gone.png", "field_a.png"),
            ],
            r"gone\.png is missing",
        ),
    ],
)
def test_bad_pairs_are_named(folder: Path, lines: list[tuple[str, ...]], reason: str) -> None:
    path = table(folder / "bad.csv", *lines)
    with pytest.raises(ManifestError, match=reason):
        read_pairs(path, Manifest.from_csv(folder / "index.csv"))


def test_pairs_that_are_not_utf_8_are_named(folder: Path) -> None:
    (folder / "pairs.csv").write_text("pair_id,patient,bild größe\n", "latin-1")
    with pytest.raises(ManifestError, match=r"pairs\.csv: not a CSV file.* no text in UTF-8"):
        read_pairs(folder / "pairs.csv", Manifest.from_csv(folder / "index.csv"))


def test_a_pair_that_cannot_be_one_is_named(folder: Path) -> None:
    index = str(folder / "index.csv")
    module = EvaluationDataModule(
        ManifestPhotographs(index), index, str(folder / "pairs.csv"), 32, 48, workers=0
    )
    pairs = module.test_dataloader()[0].dataset
    pair = pairs.pairs[0]
    valid = np.asarray(Image.open(pair.valid))
    Image.fromarray(0 * valid).save(pair.valid)
    with pytest.raises(ManifestError, match="no pixel is valid inside the field"):
        pairs.load(0)
    Image.new("RGB", (64, 48)).save(pair.high)
    with pytest.raises(ManifestError, match=r"64x48 pixels, and .* must be aligned"):
        pairs.load(0)
