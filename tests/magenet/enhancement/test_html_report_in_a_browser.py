"""The page as a headless browser shows it."""

import io
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from magenet.enhancement.html_report import PageWriter
from magenet.enhancement.report_page import PAGE_COLUMNS
from tests.magenet.enhancement.pages import entry, missing, written

EVIL = "</script><script>alert(1)</script><!--<script> & \"'\u2028.jpg"
CAT = f"cat_{'x' * 120}.jpg"
WHY = f"{EVIL} {'y' * 120}"
FACTS = [
    {"lost": 0.3, "side": "OD", "expected_error": 4.0, "light_share": 0.41},
    {"lost": 0.05, "side": "OS", "expected_error": 12.31, "light_share": 1.0},
    {"lost": 2.0, "side": "OD", "expected_error": 17.0},
]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests."""
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
        chromium = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=browser,
            args=quiet.split(),
            viewport={"width": 1280, "height": 800},
        )
        chromium.set_default_timeout(10_000)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
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


@pytest.mark.browser
def test_what_needs_a_person_comes_first(tab: Any) -> None:
    order = [EVIL, "look.jpg", CAT, "broken.jpg", "fine 10.jpg", "fine 9.jpg"]
    # What is drawn of a line separator is a space or nothing.
    assert [n.split("</script")[0] for n in names(tab)] == [n.split("</script")[0] for n in order]
    assert tab.locator("#name").text_content() == EVIL
    assert tab.locator("#position").inner_text() == "1 of 6"
    assert tab.locator("#rows [aria-current]").count() == 1
    text = tab.locator("footer").inner_text()
    assert "Not a medical device" in text
    assert "reduced copies" in text


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
    assert value(tab) == pytest.approx(70, abs=2), "once let go it stays"
    follows(tab)
    tab.mouse.click(stage["x"] + 0.3 * stage["width"], middle)
    assert value(tab) == pytest.approx(30, abs=2)
    follows(tab)


def transform(tab: Any, layer: str = "after") -> str:
    return str(tab.locator(f"#{layer} .frame").evaluate("frame => frame.style.transform"))


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
    assert value(tab) == pytest.approx(25, abs=2)
    follows(tab)
    touch("touchStart", 0.4)
    touch("touchStart", 0.4, 0.6)
    for gap in (0.15, 0.2):
        touch("touchMove", 0.5 - gap, 0.5 + gap)
    touch("touchEnd")
    scale = re.search(r"scale\(([\d.]+)\)", transform(tab))
    assert scale is not None
    assert float(scale[1]) == pytest.approx(2, abs=0.1), "what is pinched stays under the fingers"
    assert value(tab) == pytest.approx(25, abs=2), "the first of two fingers does not slide"


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
def test_columns_sort_by_click_and_keys(tab: Any) -> None:
    def sort(column: str) -> list[str | None]:
        return [head.get_attribute("aria-sort") for head in tab.locator("thead th").all()]

    assert sort("verdict") == ["ascending", *[None] * 5]
    lost = tab.get_by_role("button", name="lost")
    lost.click()
    assert names(tab)[:2] == ["look.jpg", "fine 10.jpg"]
    assert sort("lost") == [None, None, "ascending", *[None] * 3]
    unknown = names(tab)[3:]
    lost.focus()
    tab.keyboard.press("Enter")
    assert names(tab)[1:3] == ["fine 10.jpg", "look.jpg"]
    assert sort("lost") == [None, None, "descending", *[None] * 3]
    assert names(tab)[3:] == unknown, "what has no number is last, either way"
    tab.get_by_role("button", name="photograph", exact=True).click()
    fine = [name for name in names(tab) if name.startswith("fine")]
    assert fine == ["fine 9.jpg", "fine 10.jpg"], "as a person counts"


@pytest.mark.browser
def test_photographs_are_walked_through(tab: Any) -> None:
    for key, index in (("n", 2), ("n", 3), ("n", 1), ("p", 3), ("p", 2)):
        tab.keyboard.press(key)
        shows(tab, index)
    assert tab.locator("#reason").text_content() == WHY
    tab.locator("#rows [aria-current]").focus()
    tab.keyboard.press("ArrowDown")
    shows(tab, 3)
    assert tab.evaluate("document.activeElement.textContent") == CAT
    assert not tab.locator("#handle").is_visible(), "nothing to compare with"
    assert tab.locator("img.before").is_visible()
    tab.keyboard.press("ArrowDown")
    shows(tab, 1)
    assert tab.locator("#message").inner_text() == "Not enhanced"
    tab.locator("#rows tr").last.click()
    shows(tab, 5)
    assert tab.locator("#overlay").is_disabled()
    tab.keyboard.press("n")
    assert tab.locator("#name").inner_text() == "fine 9.jpg", "after the last there is none"


@pytest.mark.browser
def test_one_verdict_alone_can_be_shown(tab: Any) -> None:
    tab.locator("#filters button", has_text="ok").click()
    shows(tab, 0)
    assert names(tab) == ["fine 10.jpg", "fine 9.jpg"]
    assert tab.locator('#filters [aria-pressed="true"]').inner_text() == "ok 2"
    tab.locator("#filters button", has_text="all").click()
    assert len(names(tab)) == 6


@pytest.mark.browser
def test_numbers_are_shown_with_words(tab: Any) -> None:
    assert tab.locator("#standing .abstain").inner_text() == "do not use"
    assert tab.locator("#standing .abstain").get_attribute("data-standing") == "abstain"
    assert tab.locator('#filters [data-standing="abstain"]').inner_text() == "do not use 1"
    assert tab.locator("#facts").inner_text() == "expected error 17 of 255 (very poor)"
    tab.keyboard.press("n")
    shows(tab, 2)
    assert tab.locator("#facts").inner_text() == (
        "expected error 12.3 of 255 (poor), brightness correction applied: 100 %"
    )
    cells = tab.locator("#rows tr", has_text="fine 10").locator("td").all_inner_texts()
    assert cells == ["ok", "0.300", "OD", "4 of 255 (good)", "41 %"]
    cut = "[...document.querySelectorAll('thead button')].some(b => b.scrollWidth > b.clientWidth)"
    assert not tab.evaluate(cut), "a long heading takes two lines"
    tab.locator('#filters [data-standing="abstain"]').click()
    assert len(names(tab)) == 1


@pytest.mark.browser
def test_only_what_is_looked_at_is_read(tab: Any) -> None:
    read: list[str] = []
    tab.on("request", lambda request: read.append(request.url))
    assert tab.locator("#stage img").count() == 3
    tab.keyboard.press("n")
    shows(tab, 2)
    assert tab.locator("#stage img").count() == 3
    assert len([address for address in read if "page_files/" in address]) == 3


@pytest.mark.browser
def test_every_row_has_its_thumbnail(tab: Any) -> None:
    drawn = "images => images.every(image => image.naturalWidth > 0)"
    assert tab.locator("#rows img").count() == 5, "broken.jpg has none"
    assert tab.locator("#rows img").evaluate_all(drawn)


@pytest.mark.browser
def test_names_are_searched(tab: Any) -> None:
    tab.locator("#search").press_sequentially("Fine upn")
    assert names(tab) == []
    assert tab.locator("#name").text_content() == "fine 10.jpg", "an n there steps to no other"
    tab.locator("#search").fill("FINE")
    shows(tab, 0)
    assert names(tab) == ["fine 10.jpg", "fine 9.jpg"]
    tab.locator("#filters button", has_text="do not use").click()
    assert names(tab) == []
    assert tab.locator("#next").is_disabled()
    assert tab.locator("#previous").is_disabled()
    tab.locator("#filters button", has_text="all").click()
    tab.locator("#search").fill("")
    assert len(names(tab)) == 6


@pytest.mark.browser
def test_a_page_without_its_folder_says_so(context: Any, tmp_path: Path) -> None:
    written(tmp_path / "page.html", entry("a.jpg"), missing("b.jpg", "failed"))
    (tmp_path / "page_files").rename(tmp_path / "away")
    tab = context.new_page()
    tab.goto((tmp_path / "page.html").as_uri())
    tab.wait_for_selector("#message:not([hidden])")
    shows(tab, 1)
    tab.keyboard.press("n")
    shows(tab, 0)
    said = tab.locator("#message").inner_text()
    assert re.fullmatch(r"Not found: page_files/[0-9a-f]{32}-before\.jpg\..* beside the page", said)
    assert tab.locator("#rows img").count() == 1, "the table is whole"
    tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("folder", ["with space #1?&%20\"'", "M\u00fcller"])
def test_a_page_of_any_name_finds_its_folder(context: Any, tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    written(tmp_path / folder / f"{folder}.html", entry("a.jpg"))
    tab = context.new_page()
    tab.goto((tmp_path / folder / f"{folder}.html").as_uri())
    shows(tab, 0)
    assert tab.locator("#stage img").count() == 3
    assert f"{folder}_files" in tab.locator("footer").inner_text()
    tab.close()


@pytest.mark.browser
@pytest.mark.slow
def test_ten_thousand_photographs_open_in_three_seconds(context: Any, tmp_path: Path) -> None:
    count, path = 10_000, tmp_path / "page.html"
    facts = dict.fromkeys(PAGE_COLUMNS, 12.345)
    picture = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)  # thumbnails: 7 kB
    written(path, entry("first.jpg", "ok", result="one", before=picture, after=picture))
    same = entry("first.jpg", None, before=None, after=None, uncertainty=None, result="one")
    verdicts = [("ok", "check", "abstain")[n % 3] for n in range(count)]
    with PageWriter(path) as page:
        file = page._file("first.jpg", "one", "after")
        page._file = lambda name, result, kind: file  # type: ignore[method-assign]  # of all
        for n, verdict in enumerate(verdicts):
            page.add(same._replace(name=f"patient {n}.jpg", verdict=verdict, facts=facts))
    assert path.stat().st_size > count * 5_000
    tab = context.new_page()
    started = time.perf_counter()
    tab.goto(path.as_uri())
    shows(tab, 2)
    assert names(tab)[0] == "patient 2.jpg"
    opened = time.perf_counter() - started
    assert tab.locator("#rows tr").count() < 200, "rows are made when they are scrolled to"
    assert tab.locator("#position").inner_text() == "1 of 10000"
    table = tab.locator("#table")
    for share in (0.5, 1.0):
        table.evaluate(f"table => table.scrollTop = {share} * table.scrollHeight")
        tab.wait_for_function(
            "() => { const table = document.getElementById('table').getBoundingClientRect();"
            " return document.elementFromPoint(table.left + 150, table.bottom - 40)"
            ".closest('#rows tr'); }"
        )
    assert names(tab)[-1] == "patient 9999.jpg"
    tab.locator("#search").fill("patient 1234.jpg")
    shows(tab, 1234)
    tab.locator("#search").fill("")
    assert "patient 1234.jpg" in names(tab), "the one on the stage is scrolled to"
    assert tab.locator("#rows [aria-current]").is_visible()
    searched = time.perf_counter()
    tab.get_by_role("button", name="photograph", exact=True).click()
    assert "patient 1235.jpg" in names(tab)
    assert time.perf_counter() - searched < 3
    tab.close()
    assert opened < 3, f"{opened:.1f} s"


@pytest.mark.browser
def test_a_telephone_shows_the_page_without_scrolling_sideways(tab: Any) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    for key in ("u", "n", "n", "n"):
        tab.keyboard.press(key)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert tab.evaluate("document.body.scrollWidth <= window.innerWidth")


@pytest.mark.browser
def test_every_control_is_reached_by_tab_and_seen(tab: Any) -> None:
    reached = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement)"
        focus = tab.evaluate(
            f"[document.activeElement.id || document.activeElement.textContent.trim(),"
            f" document.activeElement === document.body || {outline}.outlineStyle !== 'none'"
            f" || getComputedStyle(document.activeElement, '::after').outlineStyle !== 'none']"
        )
        assert focus[1], f"{focus[0]}: nobody sees that it has the focus"
        reached.append(focus[0])
    assert {"all 6", "handle", "next", "closer", "overlay", "table", "lost"} <= set(reached)
    in_table = tab.locator("#rows button").all_inner_texts()
    assert sum(name in reached for name in in_table) <= 1, "rows are walked through by arrows"
