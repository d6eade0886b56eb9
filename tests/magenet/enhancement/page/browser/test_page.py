"""The page as a whole: its folder, small screens, keys."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.magenet.enhancement.page.browser.looking import shows
from tests.magenet.enhancement.pages import entry, missing, written


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
    assert {
        "all 6",
        "handle",
        "next",
        "closer",
        "overlay",
        "table",
        "lost",
        "accept",
        "note",
        "save",
        "read",
    } <= set(reached)
    in_table = tab.locator("#rows button").all_inner_texts()
    assert sum(name in reached for name in in_table) <= 1, "rows are walked through by arrows"
