"""The page as a person uses it: dropping, sliding, strength, keys, downloads, a phone."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.magenet.serving.serving import StandIn, picture

pytestmark = pytest.mark.browser


DROP = """(content) => {
  const folder = (name, inside) => {
    const left = [inside];
    const createReader = () => ({ readEntries: (done) => done(left.pop() ?? []) });
    return { isFile: false, name, createReader };
  };
  const file = (name) => {
    const given = new File([Uint8Array.from(content)], name);
    return { isFile: true, name, file: (done) => done(given) };
  };
  const deep = folder("deep", [file("b.png"), file("notes.txt")]);
  const dropped = [folder("left", [file("a.png"), deep]), file(".DS_Store")];
  const items = dropped.map((entry) => ({ webkitGetAsEntry: () => entry }));
  const event = new Event("drop", { bubbles: true, cancelable: true });
  event.dataTransfer = { types: ["Files"], items, files: [] };
  document.querySelector("#drop").dispatchEvent(event);
}"""
"""Drops two photographs in folders, and two files that are none."""

FOCUS = """(() => {
  const e = document.activeElement, shows = (style) => style.outlineStyle !== "none";
  const seen = shows(getComputedStyle(e)) || shows(getComputedStyle(e, "::after"));
  return [e.id || e.textContent.trim(), e === document.body || seen];
})()"""
"""What has the focus, and whether that is seen."""


def red(path: Path) -> Path:
    """Write a photograph that is red all over; the stand-in makes it blue."""
    pixels = np.zeros((120, 160, 3), np.uint8)
    rows, columns = np.ogrid[:120, :160]
    pixels[(rows - 60) ** 2 + (columns - 80) ** 2 < 59**2] = (200, 0, 0)
    Image.fromarray(pixels).save(path)
    return path


def add(tab: Any, *files: Path) -> None:
    """Choose files, and wait until all are done and the first is on the stage."""
    tab.set_input_files("#files", [str(file) for file in files])
    tab.wait_for_selector("#said:has-text('Done')")
    tab.wait_for_selector("#stage:not(.loading):not(.empty)")


def seen(tab: Any, x: float, y: float = 0.5) -> tuple[int, ...]:
    """The colour at a place of the stage, by shares of its width and height."""
    tab.wait_for_selector("#stage:not(.loading)")
    shot = Image.open(io.BytesIO(tab.locator("#stage").screenshot())).convert("RGB")
    colour = shot.getpixel((int(x * shot.width), int(y * shot.height)))
    assert isinstance(colour, tuple)
    return colour


def is_red(colour: tuple[int, ...]) -> bool:
    return colour[0] > 150 and colour[2] < 60


def is_blue(colour: tuple[int, ...]) -> bool:
    return colour[2] > 150 and colour[0] < 60


def test_a_dropped_folder_is_enhanced_with_progress_that_moves(tab: Any, stand_in: StandIn) -> None:
    stand_in.open.clear()
    tab.evaluate(DROP, list(picture()))
    tab.wait_for_selector("#rows li:nth-child(2)")
    assert (
        tab.locator("#said").inner_text() == "2 files are left out: no photographs by their names."
    )
    bar = "Number(document.querySelector('#bar').value)"
    tab.wait_for_selector("#progress-text:has-text('enhanced 0 of 2')")
    first = tab.evaluate(bar)
    stand_in.open.set()
    tab.wait_for_selector("#said:has-text('Done: 2 photographs.')")
    assert first > 0, "sending moves it, too"
    assert tab.locator("#progress").is_hidden()
    names = tab.locator("#rows li button > span > span:first-child").all_inner_texts()
    assert names == ["left/a.png", "left/deep/b.png"]


def test_before_and_after_by_slider_and_side_by_side_with_one_zoom(
    tab: Any, tmp_path: Path
) -> None:
    add(tab, red(tmp_path / "eye.png"))
    assert is_red(seen(tab, 0.45))
    assert is_blue(seen(tab, 0.55))
    stage = tab.locator("#stage").bounding_box()
    middle = stage["y"] + stage["height"] / 2
    tab.mouse.move(stage["x"] + stage["width"] / 2, middle)
    tab.mouse.down()
    tab.mouse.move(stage["x"] + stage["width"] * 0.6, middle, steps=3)
    tab.mouse.up()
    assert is_red(seen(tab, 0.55))
    handle = tab.locator("#handle")
    handle.focus()
    tab.keyboard.press("Home")
    assert handle.get_attribute("aria-valuenow") == "0"
    assert is_blue(seen(tab, 0.45))
    tab.keyboard.press("s")
    assert handle.is_hidden()
    assert is_red(seen(tab, 0.25))
    assert is_blue(seen(tab, 0.75))
    tab.mouse.move(stage["x"] + stage["width"] * 0.8, middle)
    tab.mouse.wheel(0, -400)
    transforms = [
        tab.locator(f"#{layer} .frame").evaluate("frame => frame.style.transform")
        for layer in ("before", "after")
    ]
    assert transforms[0] == transforms[1]
    assert "scale(2." in transforms[0]
    tab.keyboard.press("0")
    assert "scale(1)" in tab.locator("#after .frame").evaluate("frame => frame.style.transform")


def test_the_strength_is_shown_at_once_and_applied_when_asked(tab: Any, tmp_path: Path) -> None:
    add(tab, red(tmp_path / "eye.png"))
    tab.locator("#handle").focus()
    tab.keyboard.press("Home")
    assert tab.locator("#apply").is_hidden()
    tab.locator("#strength").fill("25")
    assert tab.locator("#strength-text").inner_text() == "25 %"
    assert seen(tab, 0.5) == pytest.approx((150, 0, 50), abs=8), "200 + 0.25 * (0 - 200)"
    assert "A preview" in tab.locator("#strength-note").inner_text()
    tab.locator("#apply").click()
    tab.wait_for_selector("#download:has-text('strength 25 %')")
    with tab.expect_download() as download:
        tab.locator("#download").click()
    download.value.save_as(tmp_path / "result.png")
    result = Image.open(tmp_path / "result.png").convert("RGB")
    assert result.getpixel((80, 60)) == (150, 0, 50)
    assert seen(tab, 0.5) == pytest.approx((150, 0, 50), abs=8)
    tab.locator("#strength").fill("100")
    assert is_blue(seen(tab, 0.5)), "the whole change can still be seen"


def test_overlays_are_shown_one_at_a_time_with_a_legend(tab: Any, tmp_path: Path) -> None:
    add(tab, red(tmp_path / "eye.png"))
    plain = seen(tab, 0.55)
    assert tab.locator("#legend").is_hidden()
    tab.keyboard.press("u")
    unsure = seen(tab, 0.55)
    assert unsure != plain
    assert "Expected error" in tab.locator("#legend-text").inner_text()
    tab.keyboard.press("c")
    assert seen(tab, 0.55) not in (plain, unsure)
    assert tab.locator("#uncertainty").get_attribute("aria-pressed") == "false"
    assert "change" in tab.locator("#legend-text").inner_text()
    tab.keyboard.press("c")
    assert seen(tab, 0.55) == plain


def test_downloads_and_deletion(tab: Any, tmp_path: Path) -> None:
    add(tab, red(tmp_path / "a b.png"), red(tmp_path / "second.png"))
    with tab.expect_download() as download:
        tab.locator("#download").click()
    assert download.value.suggested_filename == "a b.png"
    with tab.expect_download() as download:
        tab.locator("#download-all").click()
    assert download.value.suggested_filename == "enhanced.zip"
    download.value.save_as(tmp_path / "all.zip")
    assert "second.png" in zipfile.ZipFile(tmp_path / "all.zip").namelist()
    tab.locator("#delete").click()
    tab.wait_for_selector("#count:has-text('1 photograph')")
    assert tab.locator("#name").inner_text() == "second.png"
    tab.locator("#delete-all").click()
    tab.wait_for_selector("#list", state="hidden")
    assert tab.locator("#viewer").is_hidden()
    assert not list((tmp_path / "served/jobs").iterdir())


def test_what_is_not_enhanced_is_told_and_can_be_all_the_same(tab: Any, tmp_path: Path) -> None:
    Image.new("RGB", (80, 80), (90, 90, 90)).save(tmp_path / "wall.png")
    (tmp_path / "torn<b>.png").write_bytes(b"<script>alert(1)</script>")
    add(tab, tmp_path / "wall.png", tmp_path / "torn<b>.png")
    badges = tab.locator("#rows .badge").all_inner_texts()
    assert badges == ["refused", "failed"]
    assert tab.locator("#reasons").inner_text() == "does not look like a fundus photograph"
    assert tab.locator("#download").is_hidden()
    assert tab.locator("img.before").is_visible(), "shown as it is"
    tab.locator("#force").click()
    tab.wait_for_selector("#badge:has-text('check')")
    tab.keyboard.press("n")
    assert tab.locator("#name").inner_text() == "torn_b_.png"
    assert "cannot be read" in tab.locator("#reasons").inner_text()


def test_everything_is_done_by_keys_and_has_a_name(tab: Any, tmp_path: Path) -> None:
    add(tab, red(tmp_path / "a.png"), red(tmp_path / "b.png"))
    reached = []
    tab.locator("body").evaluate("body => { body.tabIndex = -1; body.focus(); }")
    for _ in range(30):
        tab.keyboard.press("Tab")
        focused = tab.evaluate(FOCUS)
        assert focused[1], f"{focused[0]}: nobody sees that it has the focus"
        reached.append(focused[0])
    assert {
        "choose", "choose-folder", "download-all", "delete-all", "handle", "next", "closer",
        "beside", "uncertainty", "change", "strength", "download", "delete",
    } <= set(reached)  # fmt: skip
    tree = tab.locator("body").aria_snapshot()
    for role, name in (
        ("slider", "Boundary between before and after"), ("slider", "Strength"),
        ("button", "Zoom in"), ("button", "Side by side"), ("img", "unenhanced"),
        ("img", "enhanced"), ("region", "Photograph"), ("list", "Reasons"), ("status", None),
        ("link", re.compile("Download all")),
    ):  # fmt: skip
        assert role in tree
        assert tab.get_by_role(role, **({"name": name} if name else {})).count() >= 1, (role, name)
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('button, a, input:not([hidden])')].filter((e) => !e.hidden"
        " && !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert unnamed == []


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_shows_the_page_without_scrolling_sideways(
    tab: Any, tmp_path: Path, width: int
) -> None:
    tab.set_viewport_size({"width": width, "height": 844})
    long = f"{'x' * 90}.png"
    add(tab, red(tmp_path / "a.png"), red(tmp_path / long))
    for key in ("u", "s", "n"):
        tab.keyboard.press(key)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert is_red(seen(tab, 0.5, 0.25)), "side by side is one above the other"
    assert tab.locator("#after").bounding_box()["y"] > tab.locator("#before").bounding_box()["y"]
    tab.goto(tab.url + "docs")
    tab.wait_for_selector("body[data-ready]")
    assert tab.locator("#operations section").count() >= 12
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_list_has_the_order_of_the_upload(tab: Any, tmp_path: Path) -> None:
    given = [red(tmp_path / f"{number}.png") for number in (3, 1, 2, 9, 0, 5, 4)]
    add(tab, *given)
    names = tab.locator("#rows li button > span > span:first-child").all_inner_texts()
    assert names == [file.name for file in given]
    assert tab.locator("#said").inner_text() == "Done: 7 photographs."


def test_a_refused_upload_is_told_by_name(tab: Any, tmp_path: Path) -> None:
    tab.route(
        "**/enhance",
        lambda route: route.fulfill(status=413, json={"detail": "It has too many pixels."}),
    )
    tab.set_input_files("#files", [str(red(tmp_path / "large.png"))])
    tab.wait_for_selector("#problems:has-text('large.png: It has too many pixels.')")
