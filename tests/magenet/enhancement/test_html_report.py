import base64
import errno
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from magenet.enhancement.folder import PAGE_COLUMNS
from magenet.enhancement.html_report import HEAT, SIDE, PageWriter
from magenet.enhancement.verdict import ERROR_LIMITS
from magenet.errors import UserError
from tests.magenet.enhancement.pages import entry, missing, written

EVIL = "</script><script>alert(1)</script><!--<script> & \"'\u2028.jpg"


def blocks(text: str) -> dict[str, str]:
    """The blocks of data by their ids, ended where a browser ends them."""
    return dict(re.findall(r'<script type="[a-z/]+" id="([a-z0-9-]+)">(.*?)</script', text, re.S))


def decoded(address: str) -> Image.Image:
    kind, _, data = address.partition(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert kind == f"data:image/{(picture.format or '').lower()}"
    return picture


def test_a_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    text = written(tmp_path / "page.html", entry())
    assert not re.search(r"https?:|url\(|@import|fetch|XMLHttp", text)
    addresses = re.findall(r"""\b(?:src|href|action|data)=["']?([^"'\s>]*)""", text)
    assert addresses == ["data:,"]
    assert "default-src 'none'" in text
    assert not re.search("@[A-Z]+@", text), "a mark of the template was left"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_names_and_reasons_stay_text(tmp_path: Path) -> None:
    undecodable = b"\xff.jpg".decode("utf-8", "surrogateescape")
    text = written(
        tmp_path / "page.html",
        entry(EVIL, reason=EVIL, facts={EVIL: EVIL}),
        entry(undecodable),
    )
    empty = written(tmp_path / "empty.html")
    assert text.count("<script>") == empty.count("<script>") == 1
    assert text.count("<!--") == empty.count("<!--")
    known = json.loads(blocks(text)["entry-0"])
    assert known["name"] == known["reason"] == known["facts"][EVIL] == EVIL
    assert json.loads(blocks(text)["entry-1"])["name"] == undecodable


def test_numbers_arrive_as_json_knows_them(tmp_path: Path) -> None:
    facts = {
        "float": np.float32(0.5), "int": np.int64(3), "whole": 2048, "text": "OD",
        "nan": float("nan"), "infinite": np.float32("inf"),
    }  # fmt: skip
    text = written(tmp_path / "page.html", entry(facts=facts))
    known = json.loads(blocks(text)["entry-0"])["facts"]
    assert known == {
        "float": 0.5, "int": 3, "whole": 2048, "text": "OD", "nan": None, "infinite": None,
    }  # fmt: skip


def test_pictures_are_reduced_copies(tmp_path: Path) -> None:
    large = np.zeros((1100, 2 * SIDE, 3), np.uint8)
    large[:, SIDE:] = 200
    wide = np.zeros((600, 1200), np.float32)
    known = blocks(written(tmp_path / "page.html", entry(before=large, uncertainty=wide)))
    before, after = decoded(known["entry-0-before"]), decoded(known["entry-0-after"])
    assert before.size == (SIDE, 550)
    assert after.size == (80, 60), "a small photograph is not enlarged"
    left, right = before.getpixel((10, 10)), before.getpixel((SIDE - 10, 10))
    assert np.allclose(left, 0, atol=3)  # type: ignore[arg-type]
    assert np.allclose(right, 200, atol=3)  # type: ignore[arg-type]
    assert max(decoded(known["entry-0-uncertainty"]).size) == 256


def test_the_legend_explains_every_column_in_the_order_of_the_table(tmp_path: Path) -> None:
    text = written(tmp_path / "page.html")
    legend = re.search("<h2>Columns</h2>(.*?)</dl>", text, re.S)
    assert legend is not None
    terms = [
        term for names in re.findall("<dt>(.*?)</dt>", legend[1]) for term in names.split(", ")
    ]
    labels = dict(re.findall(r'(\w+): \{ label: "([^"(]+?)[ (]*(?:\([^"]*)?"', text))
    assert terms == [labels.get(name, name.replace("_", " ")) for name in PAGE_COLUMNS]


def test_the_heat_map_says_what_the_legend_says(tmp_path: Path) -> None:
    levels = np.repeat(np.append(HEAT[:, 0], 200.0)[:, None], 4, axis=1)
    text = written(tmp_path / "page.html", entry(uncertainty=(levels / 255).astype(np.float32)))
    heat = np.asarray(decoded(blocks(text)["entry-0-uncertainty"]))[:, 0]
    assert np.abs(heat[:-1, :3] - HEAT[:, 1:4]).max() <= 1
    assert np.abs(heat[:-1, 3] / 255 - HEAT[:, 4]).max() < 0.005
    assert heat[0, 3] == 0, "where nothing is expected to be wrong, the photograph is clear"
    assert (heat[-1] == heat[-2]).all(), "beyond the scale it stays at its end"
    legend = re.search(r"linear-gradient\(90deg, (.*?)\), #", text)
    assert legend is not None
    stops = re.findall(r"rgb\((\d+) (\d+) (\d+) / (\d+)%\) ([\d.]+)%", legend[1])
    shown = np.array(stops, float) * (1, 1, 1, 0.01, HEAT[-1, 0] / 100)
    assert np.allclose(shown, HEAT[:, [1, 2, 3, 4, 0]], atol=0.02)
    assert f"{HEAT[-1, 0]:g} or more" in text


def test_photographs_without_pictures_are_listed(tmp_path: Path) -> None:
    known = blocks(
        written(
            tmp_path / "page.html",
            missing("a.jpg", "failed"),
            missing("b.jpg", "refused")._replace(before=entry().before),
        )
    )
    assert set(known) == {"entry-0", "entry-1", "entry-1-before"}
    assert json.loads(known["entry-0"]) == {
        "name": "a.jpg", "status": "failed", "verdict": "", "reason": "cannot be read", "facts": {},
        "error_level": "",
    }  # fmt: skip


def test_the_levels_of_error_are_those_of_the_verdicts(tmp_path: Path) -> None:
    text = written(
        tmp_path / "page.html",
        *(entry(facts={"expected_error": error}) for error in (3.0, *ERROR_LIMITS, 99.0)),
        entry(facts={"expected_error": float("nan")}),
    )
    known = blocks(text)
    levels = [json.loads(known[f"entry-{index}"])["error_level"] for index in range(5)]
    assert levels == ["good", "fair", "poor", "very poor", ""]
    assert "below 6 good, up to 12 fair, above 12 poor, above 16 very poor" in text


def test_a_photograph_is_on_disk_once_added(tmp_path: Path) -> None:
    path, part = tmp_path / "page.html", tmp_path / ".page.html.part"
    page = PageWriter(path)
    sizes = [part.stat().st_size]
    for _ in range(3):
        page.add(entry())
        sizes.append(part.stat().st_size)
        assert not path.exists(), "half a page must not pass for a whole one"
    assert len(set(np.diff(sizes))) == 1
    assert sizes[1] > sizes[0]
    held = [value for value in vars(page).values() if isinstance(value, list | dict | tuple)]
    assert not held, "what is written is not kept"
    page.close()
    page.close()  # twice does nothing more
    assert path.is_file()
    assert not part.exists()


def test_a_page_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    def stop() -> None:
        with PageWriter(tmp_path / "page.html") as page:
            page.add(entry())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert not list(tmp_path.iterdir())
    (tmp_path / "page.html").write_text("of an earlier run")
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert (tmp_path / "page.html").read_text() == "of an earlier run"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_incomplete_page_says_so_and_replaces_no_other(tmp_path: Path) -> None:
    path, incomplete = tmp_path / "page.html", tmp_path / "page.incomplete.html"
    path.write_text("of an earlier run")
    page = PageWriter(path)
    page.add(entry())
    page.stream.write('<script type="text/plain" id="entry-1-be')  # torn by an interrupt
    page.close(complete=False)
    assert path.read_text() == "of an earlier run"
    text = incomplete.read_text()
    assert "This page is incomplete" in text
    assert "entry-1-be" not in text
    assert text.endswith("</html>\n")
    with PageWriter(path) as page:
        page.add(entry())
    assert "This page is incomplete" not in path.read_text()
    assert not incomplete.exists(), "it is out of date"


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "page.html"
    with pytest.raises(UserError) as told:
        PageWriter(path)
    assert str(told.value) == f"{path}: cannot be written (No such file or directory)"
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"page\.html: cannot be written"):
        PageWriter(tmp_path / "file" / "page.html")
    with pytest.raises(UserError, match="it is a folder"):
        PageWriter(tmp_path)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    def full(text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    page = PageWriter(tmp_path / "page.html")
    page.stream.close()
    page.stream = SimpleNamespace(write=full, close=lambda: full(""))  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"page\.html: cannot be written \(No space left"):
        page.add(entry())
    assert not list(tmp_path.iterdir())
