"""The page of the scores tells of every score that there is, and names functions that exist."""

import csv
import importlib
import re

from data_modules.datasets.photographs import LESIONS
from magenet.evaluation.summary import AGAINST_INPUT, LOWER_IS_BETTER, SIGNED
from tests.conftest import ROOT
from tests.docs.pages import PAGES

PAGE = PAGES["docs/scores.md"].read_text()
ROWS = [row.split(" | ") for row in re.findall(r"^\| (`.*) \|$", PAGE, re.MULTILINE)]
TOLD = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}
RESULTS = ROOT / "experiments/results"


def scores_of_tables() -> set[str]:
    found = set(LOWER_IS_BETTER | SIGNED | AGAINST_INPUT)
    for name in ("demo", "synthetic_0.1", "real_0.1", "downstream_0.1", "teacher"):
        with (RESULTS / f"{name}.csv").open(newline="") as stream:
            found |= {line["score"] for line in csv.DictReader(stream)}
    return found


def test_every_score_of_the_tables_has_a_formula() -> None:
    kinds = "|".join(LESIONS)
    plain = {re.sub(rf"^({kinds})_", "<lesion>_", score) for score in scores_of_tables()}
    assert len(plain) > 30
    assert plain <= TOLD


def test_every_row_names_a_function_that_exists() -> None:
    for row in ROWS:
        links = re.findall(r"\[`(\w+)`\]\(\.\./([\w/]+)\.py#(\w+)\)", row[-1])
        assert links or "mask of ones" in row[-1], row[0]
        for words, module, name in links:
            assert words == name
            assert hasattr(importlib.import_module(module.replace("/", ".")), name), name
