"""Scores of a batch do not depend on the order of subjects or of batches."""

import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from magenet.errors import UsageError, UserError
from magenet.evaluation import DiscJudge, FullReference, Scores
from magenet.evaluation.judge import Batch, Judge
from magenet.evaluation.score_rows import ScoreRow
from magenet.evaluation.scores import never_defined
from tests.magenet.evaluation.conftest import Darkness
from tests.magenet.evaluation.test_summary import rows


def rows_of(scores: Scores, outputs: dict[str, Tensor], batch: Batch) -> dict[str, ScoreRow]:
    """Return one batch's rows by subject."""
    scores.rows = []
    scores.on_test_batch_end(None, None, outputs, batch, 0)  # type: ignore[arg-type]
    return {str(row["subject"]): row for row in scores.rows}


@pytest.fixture
def labelled(batch: Batch) -> Batch:
    disc = (Darkness()(batch["image"]) > 0).float()
    return {
        **batch, "mask_disc": disc, "disc_known": torch.tensor([True]),
        "name": ["a"], "patient": ["p"], "condition": ["none"],
    }  # fmt: skip


@pytest.fixture
def outputs(batch: Batch) -> dict[str, Tensor]:
    image, left = batch["image"], torch.ones_like(batch["image"])
    left[..., 80:] = 0.0
    return {"input": image, "student": image * left, "clean": image.roll(4, dims=3)}


def test_the_order_of_the_subjects_does_not_matter(
    labelled: Batch, outputs: dict[str, Tensor]
) -> None:
    expected = rows_of(Scores([FullReference(), DiscJudge(Darkness())]), outputs, labelled)
    assert expected["input"]["disc_moved"] == 0.0
    assert float(expected["student"]["disc_moved"]) > 0.05
    for order in itertools.permutations(outputs):
        scores = Scores([FullReference(), DiscJudge(Darkness())])
        assert rows_of(scores, {name: outputs[name] for name in order}, labelled) == expected
    for name, image in outputs.items():  # each alone, by a callback that has scored another batch
        scores = Scores([FullReference(), DiscJudge(Darkness())])
        rows_of(scores, outputs, {**labelled, "image": labelled["image"].flip(3)})
        assert rows_of(scores, {name: image}, labelled) == {name: expected[name]}


def test_a_batch_is_started_once_before_its_subjects_are_scored(
    labelled: Batch, outputs: dict[str, Tensor]
) -> None:
    calls = []

    class Recorder(Judge):
        def start_batch(self, batch: Batch) -> None:
            calls.append("start")

        def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
            calls.append("score")
            return {}

    rows_of(Scores([Recorder()]), outputs, labelled)
    assert calls == ["start", "score", "score", "score"]


def test_two_judges_of_one_score_are_an_error(labelled: Batch, outputs: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match="two judges return the score"):
        rows_of(Scores([FullReference(), FullReference()]), outputs, labelled)


def test_a_result_without_numbers_has_no_score(labelled: Batch, outputs: dict[str, Tensor]) -> None:
    outputs["student"][0, 1, 5, 5] = math.nan
    with pytest.raises(UserError, match="the student's result of a has values that are no numbers"):
        rows_of(Scores([FullReference()]), outputs, labelled)


def test_an_undefined_number_is_null_and_texts_are_as_they_are(tmp_path: Path) -> None:
    scores = Scores()
    scores.rows = [{**row, "condition": "NaN"} for row in rows("input", [1.0, 2.0], "aa")]
    scores.on_test_end(SimpleNamespace(log_dir=tmp_path), None)  # type: ignore[arg-type]
    (line,) = json.loads((tmp_path / "results.json").read_text())
    assert line["condition"] == "NaN"
    assert line["mean"] == 1.5
    assert line["low"] is None, "one patient"


def test_scores_that_are_undefined_everywhere_are_named() -> None:
    some = rows("student", [math.nan, 1.0], "ab")
    none = [row | {"disc_dice": math.nan} for row in some]
    assert never_defined(some) == ""
    assert never_defined([*none, *rows("clean", [1.0, 2.0], "ab")]) == "disc_dice"


def test_several_devices_are_refused_since_their_scores_are_not_gathered() -> None:
    with pytest.raises(UsageError, match=r"does not gather the scores .* --trainer.devices 1"):
        Scores().on_test_start(SimpleNamespace(world_size=2), None)  # type: ignore[arg-type]
