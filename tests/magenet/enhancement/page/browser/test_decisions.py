"""Decisions and notes: made, kept, saved as a file, read back."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from magenet.enhancement.decisions import Decision, read_decisions
from magenet.enhancement.page.writer import PageWriter, entry_id
from tests.magenet.enhancement.odd_names import NAMES, linked
from tests.magenet.enhancement.page.browser.looking import names, shows
from tests.magenet.enhancement.pages import entry, missing

Open = Callable[..., Any]

PHOTOGRAPHS = (
    entry("look.jpg", "check", reason="vessels lost", result="1"),
    entry("=1+1.jpg", "ok", result="2"),
    missing("torn.jpg", "failed")._replace(result="3"),
)


@pytest.fixture
def opened(context: Any, tmp_path: Path) -> Iterator[Open]:
    """Return a function that writes the page of a run and opens it."""
    tabs = []

    def write_and_open(run: str, decisions: dict[str, Decision] | None = None) -> Any:
        with PageWriter(tmp_path / f"{run}.html", "", run, decisions or {}) as page:
            for one in PHOTOGRAPHS:
                page.add(one)
        tab = context.new_page()
        tab.on("pageerror", lambda error: pytest.fail(str(error)))
        tab.goto((tmp_path / f"{run}.html").as_uri())
        shows(tab, 0)
        tabs.append(tab)
        return tab

    yield write_and_open
    for tab in tabs:
        tab.close()


def cells(tab: Any) -> list[str]:
    """What the table says of the decision on each photograph."""
    texts = tab.locator("#rows td:nth-child(3)").all_inner_texts()
    return [" ".join(text.split()) for text in texts]


def saved(tab: Any, path: Path) -> list[dict[str, str]]:
    with tab.expect_download() as download:
        tab.locator("#save").click()
    assert download.value.suggested_filename == "decisions.csv"
    download.value.save_as(path)
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


def read(tab: Any, path: Path) -> str:
    tab.locator("#said").evaluate("said => said.textContent = ''")
    tab.locator("#file").set_input_files(path)
    tab.wait_for_selector("#said:not(:empty)")  # the page's policy allows no evaluated functions
    return str(tab.locator("#said").inner_text())


@pytest.mark.browser
def test_decisions_are_made_kept_filtered_and_found(opened: Open, context: Any) -> None:
    tab = opened("made")
    assert cells(tab) == ["", "", ""]
    tab.keyboard.press("a")
    tab.keyboard.press("e")
    tab.keyboard.type("near the disc")
    tab.keyboard.press("Enter")
    tab.keyboard.press("n")
    shows(tab, 2)
    assert tab.locator("#note").input_value() == "", "of another photograph"
    tab.locator("#reject").click()
    assert cells(tab) == ["accepted near the disc", "rejected", ""]
    counts = tab.locator("#decided button").all_inner_texts()
    assert counts == ["any decision 3", "undecided 1", "accepted 1", "rejected 1"]
    tab.reload()
    shows(tab, 0)
    assert cells(tab) == ["accepted near the disc", "rejected", ""], "the browser keeps them"
    assert tab.locator("#accept").get_attribute("aria-pressed") == "true"
    tab.locator("#search").fill("DISC")
    assert names(tab) == ["look.jpg"], "notes are searched"
    tab.locator("#search").fill("Vessels")
    assert names(tab) == ["look.jpg"], "and reasons"
    tab.locator("#search").fill("")
    tab.locator("#decided button", has_text="undecided").click()
    shows(tab, 1)
    assert names(tab) == ["=1+1.jpg"]
    tab.locator("#accept").click()
    assert names(tab) == ["=1+1.jpg"], "it is not taken away while it is looked at"
    tab.locator("#accept").click()
    assert tab.locator("#accept").get_attribute("aria-pressed") == "false", "undone"
    assert cells(opened("other")) == ["", "", ""], "another run has its own"


@pytest.mark.browser
def test_a_held_key_decides_once_and_letters_can_be_switched_off(opened: Open) -> None:
    tab = opened("held")
    for _ in range(4):  # without letting it go: a browser repeats it
        tab.keyboard.down("a")
    tab.keyboard.up("a")
    assert cells(tab)[0] == "accepted"
    tab.locator("#letters").uncheck()
    tab.locator("#handle").focus()
    tab.keyboard.press("r")
    assert cells(tab)[0] == "accepted"
    tab.keyboard.press("ArrowLeft")
    tab.locator("#letters").check()
    tab.locator("#handle").focus()
    tab.keyboard.press("r")
    assert cells(tab)[0] == "rejected"


@pytest.mark.browser
def test_decisions_are_saved_and_read_back_here_and_by_the_command(
    opened: Open, tmp_path: Path
) -> None:
    tab = opened("saved")
    tab.keyboard.press("r")
    tab.locator("#note").fill('=1+1, "quoted"; \u00fc')
    found = saved(tab, tmp_path / "decisions.csv")
    assert [row["photograph"] for row in found] == ["look.jpg", "'=1+1.jpg", "torn.jpg"]
    assert [row["decision"] for row in found] == ["reject", "", ""]
    assert found[0]["note"] == '\'=1+1, "quoted"; \u00fc', "no formula"
    assert found[0]["date"].endswith("Z")
    assert found[0]["id"] == entry_id("look.jpg", "1")
    decisions = read_decisions(tmp_path / "decisions.csv")
    assert list(decisions) == [entry_id("look.jpg", "1")]
    other = opened("read")
    assert read(other, tmp_path / "decisions.csv").startswith("Read 1 decisions")
    told = ['rejected =1+1, "quoted"; \u00fc', "", ""]
    written = ["torn.jpg", "look.jpg", "=1+1.jpg"]
    assert sorted(names(other)) == sorted(written)
    assert cells(other)[0] == told[0]
    assert cells(opened("shown", decisions))[0] == told[0], "in the page that is made with them"


@pytest.mark.browser
def test_what_is_not_of_this_page_or_older_is_left_out_and_told(
    opened: Open, tmp_path: Path
) -> None:
    tab = opened("left")
    tab.keyboard.press("a")
    path = tmp_path / "decisions.csv"
    ids = [entry_id(one.name, one.result) for one in PHOTOGRAPHS]
    path.write_text(
        "id;decision;note;date\n"
        f"{ids[0]};reject;;2001-01-01T00:00:00Z\n"
        f"{ids[1]};toString;;\n"
        f"{ids[2]};Reject;'tis;1.1.2026\n"
        f"{entry_id('look.jpg', 'of another result')};reject;;\n"
    )
    said = read(tab, path)
    assert said.startswith("Read 1 decisions and notes from decisions.csv.")
    for part in ("1 older", "1 on photographs or results that are not", "1 that are neither"):
        assert part in said
    assert cells(tab) == ["accepted", "rejected 'tis", ""]
    for content in (b"a;b\n1;2\n", b"\xff\xfe", b'id,decision,note,date\n"a', b""):
        path.write_bytes(content)
        assert "is not read" in read(tab, path)
    assert cells(tab) == ["accepted", "rejected 'tis", ""]


@pytest.mark.browser
@pytest.mark.parametrize("agreed", [False, True])
def test_a_decision_without_a_date_replaces_one_that_is_here_only_if_agreed(
    opened: Open, tmp_path: Path, agreed: bool
) -> None:
    tab = opened(f"undated {agreed}")
    asked: list[str] = []

    def answer(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.accept() if agreed else dialog.dismiss()

    tab.on("dialog", answer)
    tab.keyboard.press("r")
    path = tmp_path / "decisions.csv"
    (one, other) = (entry_id(photograph.name, photograph.result) for photograph in PHOTOGRAPHS[:2])
    path.write_text(f"id,decision,note,date\n{one},accept,,29.11.2026 22:23\n{other},accept,,\n")
    said = read(tab, path)
    assert said.startswith(f"Read {1 + agreed} decisions")
    assert ("1 without a date" in said) == (not agreed)
    assert [message.partition(" ")[0] for message in asked] == ["1"]
    assert cells(tab) == ["accepted" if agreed else "rejected", "", "accepted"]
    path.write_text(f"id,decision,note,date\n{other},accept,,\n")
    read(tab, path)
    assert len(asked) == 1, "what says the same as the page asks nothing"


@pytest.mark.browser
def test_links_lead_to_the_files(context: Any, tmp_path: Path) -> None:
    from tests.magenet.enhancement.page.test_entries import page_of

    (tmp_path / "in #1").mkdir()
    for name in NAMES:
        (tmp_path / "in #1" / name).write_text(name, errors="surrogateescape")
    page = page_of(tmp_path / "in #1", tmp_path / "out %20", NAMES)
    tab = context.new_page()
    tab.goto(page.as_uri())
    shows(tab, 0)
    hrefs = "links => links.map(link => [link.textContent, link.href])"
    links = tab.locator("#rows a").evaluate_all(hrefs)
    assert len(links) == 3 * len(NAMES)
    found = [linked(page, address) for kind, address in links if kind == "photograph"]
    assert sorted(found) == sorted(tmp_path / "in #1" / name for name in NAMES)
    results = [linked(page, address) for kind, address in links if kind == "result"]
    assert sorted(results) == sorted(tmp_path / "out %20" / name for name in NAMES)
    with context.expect_page() as other:
        tab.locator("#links a", has_text="report").click()
    assert other.value.url.endswith(".json")
    other.value.close()
    tab.close()


@pytest.mark.browser
def test_a_sheet_has_every_row_and_no_button(context: Any, tmp_path: Path) -> None:
    count, path = 90, tmp_path / "page.html"
    decisions = {entry_id("1.jpg", ""): Decision("reject", "take it again " * 20)}
    with PageWriter(path, "made now", "sheet", decisions) as page:
        for number in range(count):
            page.add(entry(f"{number}.jpg"))
    tab = context.new_page()
    tab.goto(path.as_uri())
    shows(tab, 0)
    assert tab.locator("#rows tr").count() < count
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("#rows tr").count() == count
    assert tab.locator("#about").is_visible()
    assert tab.locator("#extent").inner_text() == f"On this sheet: all of {count} photographs"
    assert tab.get_by_text("take it again").last.is_visible()
    assert tab.locator("#rows small").first.evaluate("one => one.scrollWidth <= one.clientWidth")
    for name in ("#viewer", "#filters", "#decided", "#search", "#rows .links"):
        assert not tab.locator(name).first.is_visible()
    assert tab.locator("#rows tr").first.evaluate("r => getComputedStyle(r).breakInside") == "avoid"
    borders = "all => all.every(one => getComputedStyle(one).borderTopWidth === '0px')"
    assert tab.locator("button:visible").evaluate_all(borders), "names and headings alone"
    tab.emulate_media(media="screen")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("#rows tr").count() < count
    tab.close()
