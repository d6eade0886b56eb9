"""Chromium, driven by playwright: tests that need it are skipped without."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Yield a browser with a profile of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("needs Chromium: install it (apt-get install chromium)")
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync"
    )
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=browser,
            args=quiet.split(),
            viewport={"width": 1280, "height": 800},
        )
        context.set_default_timeout(120_000)  # the machine may be busy
        yield context
        context.close()
