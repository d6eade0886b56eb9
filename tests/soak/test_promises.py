"""The promises of SECURITY.md, counted by the tests that it names for each."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.conftest import ROOT
from tests.soak.ledger import Ledger

SECTION = (ROOT / "SECURITY.md").read_text().split("## What is promised, how it is tested")[1]
ROWS: list[tuple[str, str, str]] = re.findall(
    r"^\| (\d*) ?\| (.+) \| (`tests/.+`) \|$", SECTION, re.MULTILINE
)
"""Number, promise and tests of each row of the table."""


def named(tests: str) -> list[str]:
    """Return the files and tests of a cell of the table."""
    return re.findall("`(.+?)`", tests)


def test_every_promise_names_its_tests() -> None:
    assert [number for number, _, _ in ROWS if number] == [str(n) for n in range(1, 15)]
    for _, promise, tests in ROWS:
        for test in named(tests):
            file, _, name = test.partition("::")
            function = f"def {name.partition('[')[0] or 'test_'}"
            assert function in (ROOT / file).read_text(), f"{promise}: {test}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """Whether each test that the table names has passed, by its id; without those skipped."""
    report = tmp_path_factory.mktemp("promises") / "report.xml"
    tests = sorted({test for _, _, tests in ROWS for test in named(tests)})
    options = ["-q", "-m", "", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-o", "junit_family=xunit1", *tests],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert report.is_file(), done.stdout + done.stderr
    passed: dict[str, bool] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        found = {part.tag for part in case}
        if "skipped" not in found:
            test = f"{case.get('file')}::{case.get('name')}"
            passed[test] = passed.get(test, True) and found.isdisjoint({"failure", "error"})
    assert passed, done.stdout + done.stderr
    return passed


@pytest.mark.soak
@pytest.mark.parametrize(("number", "promise", "tests"), ROWS)
def test_its_tests_hold_a_promise(
    number: str, promise: str, tests: str, ledger: Ledger, outcomes: dict[str, bool]
) -> None:
    counted = ledger.promise(f"{number}. {promise}" if number else promise, tests)
    for test in named(tests):
        own = {
            t: ok for t, ok in outcomes.items() if f"{t}::".startswith((f"{test}::", f"{test}["))
        }
        assert own, f"{test}: skipped or not found"
        counted.count(len(own), [t for t, ok in own.items() if not ok])
    counted.require_kept()
