"""What a person reads off the page, as tests ask for it."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image


def shows(tab: Any, index: int) -> None:
    """Wait until the pictures of an entry are on the stage."""
    tab.wait_for_selector(f'#stage[data-shows="{index}"]')


def names(tab: Any) -> list[str]:
    return [str(text) for text in tab.locator("#rows th button").all_inner_texts()]


def colours(tab: Any) -> tuple[float, float]:
    """Where red (before) ends and blue (after) begins on the stage, from its left; -1: nowhere."""
    pixels = np.asarray(Image.open(io.BytesIO(tab.locator("#stage").screenshot())).convert("RGB"))
    line = pixels[pixels.shape[0] // 3].astype(int)
    red = np.flatnonzero((line[:, 0] > 150) & (line[:, 2] < 50))
    blue = np.flatnonzero((line[:, 2] > 150) & (line[:, 0] < 50))
    return float(red[-1]) if red.size else -1.0, float(blue[0]) if blue.size else -1.0


def value(tab: Any) -> int:
    return int(tab.locator("#handle").get_attribute("aria-valuenow"))


def handle_at(tab: Any) -> float:
    """Of the slider's line, in pixels from the stage's left."""
    box, stage = tab.locator("#handle").bounding_box(), tab.locator("#stage").bounding_box()
    return float(box["x"] + box["width"] / 2 - stage["x"])


def follows(tab: Any) -> None:
    """Check that the unenhanced photograph is left of the slider, the enhanced one right of it."""
    red, blue = colours(tab)
    assert red == pytest.approx(handle_at(tab), abs=4)
    assert blue == pytest.approx(handle_at(tab), abs=4)


def transform(tab: Any, layer: str = "after") -> str:
    return str(tab.locator(f"#{layer} .frame").evaluate("frame => frame.style.transform"))
