"""Chromium, and the page opened in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import chromium
from tests.magenet.enhancement.page.browser.looking import shows
from tests.magenet.enhancement.pages import entry, missing, written

EVIL = "</script><script>alert(1)</script><!--<script> & \"'\u2028.jpg"
CAT = f"cat_{'x' * 120}.jpg"
WHY = f"{EVIL} {'y' * 120}"
FACTS = [
    {"lost": 0.3, "side": "OD", "expected_error": 4.0, "light_share": 0.41},
    {"lost": 0.05, "side": "OS", "expected_error": 12.31, "light_share": 1.0},
    {"lost": 2.0, "side": "OD", "expected_error": 17.0},
]


@pytest.fixture(scope="package")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="package")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs in another order than the page's."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    written(
        path,
        entry("fine 10.jpg", "ok", facts=FACTS[0]),
        missing("broken.jpg", "failed"),
        entry("look.jpg", "check", reason=WHY, facts=FACTS[1]),
        missing(CAT, "refused")._replace(before=entry().before),
        entry(EVIL, "abstain", facts=FACTS[2]),
        entry("fine 9.jpg", "ok", uncertainty=None, facts={"lost": float("nan")}),
    )
    return path


@pytest.fixture
def tab(context: Any, page_file: Path) -> Iterator[Any]:
    """The page, opened; it may not ask for anything or go wrong."""
    tab = context.new_page()
    tab.set_viewport_size({"width": 1280, "height": 800})
    wrong: list[str] = []
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("dialog", lambda dialog: wrong.append(dialog.message))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page_file.as_uri())
    shows(tab, 4)
    yield tab
    tab.close()
    assert not wrong
    beside = page_file.with_name("page_files").as_uri() + "/"
    others = [address for address in asked if not address.startswith(("data:", beside))]
    assert others == [page_file.as_uri()]
