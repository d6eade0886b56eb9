"""Chromium, and a server whose page it opens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.magenet.enhancement.page.browser.conftest import context
from tests.magenet.serving.serving import StandIn, listening, served

__all__ = ["context"]


@pytest.fixture
def address(tmp_path: Path, stand_in: StandIn) -> Iterator[str]:
    """A server with a stand-in for the network, and its address."""
    app, _ = served(tmp_path / "served", enhancer=stand_in)
    with listening(app) as address:
        yield address
        stand_in.open.set()


@pytest.fixture
def tab(context: Any, address: str) -> Iterator[Any]:
    """The page, opened; it may not ask for anything elsewhere, or go wrong."""
    tab = context.new_page()
    tab.set_viewport_size({"width": 1280, "height": 800})
    wrong: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.goto(address)
    tab.wait_for_selector("body[data-ready]")
    yield tab
    tab.close()
    # A browser notes a refusal (413) whatever the page does about it.
    assert not [message for message in wrong if "status of 413" not in message]
    assert all(url.startswith((address, "data:")) for url in asked)
