"""What the pages name exists: files, headings, `make` targets."""

import re
from pathlib import Path

import pytest

from magenet.degradation import PRESETS
from tests.conftest import ROOT

FOLDERS = ("", "docs", "magenet/weights/*", "experiments/weights", "experiments/results")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md".lstrip("/")))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them, or the names in a module."""
    if page.suffix == ".py":
        return set(re.findall(r"^(?:def|class) (\w+)", page.read_text(), re.MULTILINE))
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_configurations_and_targets_exist(page: Path) -> None:
    text = page.read_text()
    for path in re.findall(r"experiments/configs/[\w./-]+", text):
        assert (ROOT / path.rstrip(".")).exists(), path
    makefile = (ROOT / "Makefile").read_text()
    targets = set(" ".join(re.findall(r"^([a-z][a-z -]*):", makefile, re.MULTILINE)).split())
    commands = re.findall(r"(?:`|^    )make ((?:[a-z-]+ ?)+)", text, re.MULTILINE)
    named = {name for command in commands for name in command.split()}
    assert named <= targets


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900


@pytest.mark.parametrize("page", ["glossary", "degradation"])
def test_every_preset_is_listed(page: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text()
    (row,) = re.findall(r"^\| (?:preset|`magenet degrade --preset`) \|.*$", text, re.MULTILINE)
    assert {f"`{name}`" for name in PRESETS} <= set(re.findall("`[a-z_]+`", row))
