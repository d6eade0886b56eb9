"""The table on the page: order, sorting, search, and walking through it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from magenet.enhancement.page.entries import PAGE_COLUMNS
from magenet.enhancement.page.writer import PageWriter
from tests.magenet.enhancement.page.browser.conftest import CAT, EVIL, WHY
from tests.magenet.enhancement.page.browser.looking import names, shows
from tests.magenet.enhancement.pages import entry, written


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
def test_columns_sort_by_click_and_keys(tab: Any) -> None:
    def sort(column: str) -> list[str | None]:
        return [head.get_attribute("aria-sort") for head in tab.locator("thead th").all()]

    assert sort("verdict") == ["ascending", *[None] * 7]
    lost = tab.get_by_role("button", name="lost")
    lost.click()
    assert names(tab)[:2] == ["look.jpg", "fine 10.jpg"]
    assert sort("lost") == [None, None, None, "ascending", *[None] * 4]
    unknown = names(tab)[3:]
    lost.focus()
    tab.keyboard.press("Enter")
    assert names(tab)[1:3] == ["fine 10.jpg", "look.jpg"]
    assert sort("lost") == [None, None, None, "descending", *[None] * 4]
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
    assert cells == ["ok", "", "0.300", "OD", "4 of 255 (good)", "41 %", "uncertainty"]
    cut = "[...document.querySelectorAll('thead button')].some(b => b.scrollWidth > b.clientWidth)"
    assert not tab.evaluate(cut), "a long heading takes two lines"
    tab.locator('#filters [data-standing="abstain"]').click()
    assert len(names(tab)) == 1


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
@pytest.mark.slow
def test_of_ten_thousand_photographs_only_rows_in_view_are_made(
    context: Any, tmp_path: Path
) -> None:
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
    tab.goto(path.as_uri())
    shows(tab, 2)
    assert names(tab)[0] == "patient 2.jpg"
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
    tab.get_by_role("button", name="photograph", exact=True).click()
    assert "patient 1235.jpg" in names(tab)
    assert tab.locator("#rows tr").count() < 200
    tab.close()
