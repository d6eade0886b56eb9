from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.batch import Batch
from experiments.studies.adaptation import pictures
from experiments.studies.adaptation.arms import REFERENCE
from experiments.studies.adaptation.scores import PRIMARY, RIDGE, SCORES
from experiments.studies.picture_grid import GAP, HEAD, TILE
from magenet.errors import UserError
from magenet.evaluation.tables import write_table


def pair(level: float) -> Batch:
    image, mask = torch.full((1, 3, 64, 64), level), torch.ones(1, 1, 64, 64)
    return Batch(image=image, image_high=image, mask_fov=mask, name=["eye"])


def test_the_pairs_that_an_arm_changes_most_come_first() -> None:
    pairs = [pair(0.1 * index) for index in range(6)]
    reference = [one["image"] for one in pairs]
    arm = [one["image"] + 0.01 * index for index, one in enumerate(pairs)]
    picture = np.asarray(pictures.sheet(pairs, reference, arm, "same view"))
    step = TILE + GAP
    middle = [HEAD + row * step + TILE // 2 for row in range(pictures.SHOWN)]
    photographs = picture[middle, TILE // 2, 0].tolist()
    assert photographs == [round(255 * 0.1 * index) for index in (5, 4, 3, 2)]
    differences = picture[middle, 3 * step + TILE // 2, 0].tolist()
    expected = [255 * (0.5 + pictures.GAIN * 0.01 * index) for index in (5, 4, 3, 2)]
    assert differences == pytest.approx(expected, abs=1)
    assert picture.shape[0] == middle[-1] + TILE // 2, "as many as are shown"


def test_every_arm_is_drawn_against_the_reference_of_its_own_seeds(tmp_path: Path) -> None:
    levels = {
        (REFERENCE, 0): 0.70, (REFERENCE, 1): 0.50, (REFERENCE, 2): 0.52, ("bank", 0): 0.70,
        ("bank", 1): 0.56, ("bank", 2): 0.54, ("same view", 0): 0.68, ("gated", 3): 0.9,
    }  # fmt: skip
    lines = [
        {"arm": arm, "seed": str(seed), "name": f"eye {eye}", "patient": f"patient {eye}",
         **dict.fromkeys(SCORES, "0"), PRIMARY: f"{level}", RIDGE: f"{level}"}
        for (arm, seed), level in levels.items() for eye in range(4)
    ]  # fmt: skip
    write_table(tmp_path / "adaptation.csv", tuple(lines[0]), lines)
    svg = pictures.arms_plot(tmp_path / "adaptation.csv")
    rows = [part.split(">")[1].split("<")[0] for part in svg.split('class="row"')[1:]]
    assert rows == [REFERENCE, "same view", "bank"]
    centres = [float(part.split('"')[0]) for part in svg.split('cx="')[1:4]]
    ticks = [float(part.split(" ")[0]) for part in svg.split('<path d="M')[1:3]]
    step = ticks[1] - ticks[0]
    found = [(centre - centres[0]) / step for centre in centres]
    assert found == pytest.approx([0.0, -1.0, 2.0], abs=0.02), "differences, a tick 0.02 apart"
    pilot, both = svg.split('class="row"')[2:4]
    assert pilot.split('fill="')[1][:7] != both.split('fill="')[1][:7]


def test_pictures_need_the_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make adaptation-study"):
        pictures.main(["--results", str(tmp_path)])
