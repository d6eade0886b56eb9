"""The photographs on the page: slider, zoom, uncertainty."""

import re
from typing import Any

import pytest

from tests.magenet.enhancement.page.browser.looking import (
    colours,
    follows,
    handle_at,
    shows,
    transform,
    value,
)


def told(tab: Any, across: float) -> Any:
    """What the slider tells at a share of the stage's width, which its photograph may not fill."""
    stage, frame = (tab.locator(name).bounding_box() for name in ("#stage", "#before .frame"))
    return pytest.approx(50 + 100 * (across - 0.5) * stage["width"] / frame["width"], abs=2)


@pytest.mark.browser
def test_the_slider_moves_by_keys(tab: Any) -> None:
    handle = tab.locator("#handle")
    assert handle.get_attribute("role") == "slider"
    assert value(tab) == 50
    follows(tab)
    handle.focus()
    before = handle_at(tab)
    tab.keyboard.press("ArrowLeft")
    assert value(tab) == 48
    assert handle_at(tab) < before
    follows(tab)
    for key, there in (("ArrowUp", 50), ("PageUp", 60), ("End", 100), ("Home", 0)):
        tab.keyboard.press(key)
        assert value(tab) == there
    assert colours(tab)[0] == -1, "at 0 only the enhanced one is seen"


@pytest.mark.browser
def test_the_slider_moves_by_mouse(tab: Any) -> None:
    stage = tab.locator("#stage").bounding_box()
    middle = stage["y"] + stage["height"] / 2
    tab.mouse.move(stage["x"] + handle_at(tab), middle)
    tab.mouse.down()
    tab.mouse.move(stage["x"] + 0.7 * stage["width"], middle, steps=4)
    assert handle_at(tab) == pytest.approx(0.7 * stage["width"], abs=1)
    tab.mouse.up()
    tab.mouse.move(stage["x"], middle)
    assert value(tab) == told(tab, 0.7), "once let go it stays"
    follows(tab)
    tab.mouse.click(stage["x"] + 0.3 * stage["width"], middle)
    assert value(tab) == told(tab, 0.3)
    follows(tab)


@pytest.mark.browser
def test_fingers_slide_and_pinch(context: Any, tab: Any) -> None:
    stage = tab.locator("#stage").bounding_box()
    session = context.new_cdp_session(tab)

    def touch(kind: str, *across: float) -> None:
        points = [
            {"x": stage["x"] + x * stage["width"], "y": stage["y"] + 200, "id": finger}
            for finger, x in enumerate(across)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    touch("touchStart", 0.5)
    for x in (0.45, 0.35, 0.25):
        touch("touchMove", x)
    touch("touchEnd")
    slid = value(tab)
    assert slid == told(tab, 0.25)
    follows(tab)
    touch("touchStart", 0.4)
    touch("touchStart", 0.4, 0.6)
    for gap in (0.15, 0.2):
        touch("touchMove", 0.5 - gap, 0.5 + gap)
    touch("touchEnd")
    scale = re.search(r"scale\(([\d.]+)\)", transform(tab))
    assert scale is not None
    assert float(scale[1]) == pytest.approx(2, abs=0.1), "what is pinched stays under the fingers"
    assert value(tab) == slid, "the first of two fingers does not slide"


@pytest.mark.browser
def test_zoom_and_pan_by_keys_and_mouse(tab: Any) -> None:
    whole = transform(tab)
    tab.keyboard.press("+")
    assert "scale(1.5)" in transform(tab)
    assert transform(tab) == transform(tab, "before")
    follows(tab)
    near = transform(tab)
    tab.keyboard.press("Shift+ArrowRight")
    assert transform(tab) != near
    tab.keyboard.press("-")
    assert transform(tab) == whole, "a photograph that fits is in the middle"

    stage = tab.locator("#stage").bounding_box()
    x, y = stage["x"] + 0.4 * stage["width"], stage["y"] + 0.4 * stage["height"]
    tab.mouse.dblclick(x, y)
    moved = re.findall(r"-?[\d.]+", transform(tab))
    # Three times as large, and still under the mouse: moved by twice its distance from the middle.
    away = 0.2 * stage["width"], 0.2 * stage["height"], 3
    assert [float(number) for number in moved] == pytest.approx(away, abs=2)
    assert value(tab) == 50, "the clicks of a double click do not move the slider"
    near = transform(tab)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 40, y, steps=2)
    tab.mouse.up()
    assert transform(tab) != near
    assert value(tab) == 50
    follows(tab)
    tab.keyboard.press("0")
    assert transform(tab) == whole
    tab.mouse.wheel(0, -300)
    tab.wait_for_selector("#stage.zoomed")
    tab.keyboard.press("n")
    shows(tab, 2)
    assert transform(tab) == whole, "the next photograph is shown whole"


@pytest.mark.browser
def test_u_toggles_the_uncertainty(tab: Any) -> None:
    heat, legend, button = (tab.locator(s) for s in ("img.uncertainty", "#legend", "#overlay"))
    assert not heat.is_visible()
    assert not legend.is_visible()
    tab.keyboard.press("u")
    assert heat.is_visible()
    assert "grey levels of 255" in legend.inner_text()
    assert button.get_attribute("aria-pressed") == "true"
    box, photograph = heat.bounding_box(), tab.locator("img.after").bounding_box()
    assert box == photograph, "it lies on what it speaks of"
    tab.keyboard.press("u")
    assert not heat.is_visible()
    assert button.get_attribute("aria-pressed") == "false"


@pytest.mark.browser
def test_only_what_is_looked_at_is_read(tab: Any) -> None:
    read: list[str] = []
    tab.on("request", lambda request: read.append(request.url))
    assert tab.locator("#stage img").count() == 3
    tab.keyboard.press("n")
    shows(tab, 2)
    assert tab.locator("#stage img").count() == 3
    assert len([address for address in read if "page_files/" in address]) == 3
