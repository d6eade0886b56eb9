import base64
import errno
import io
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from magenet.enhancement.page.entries import PAGE_COLUMNS
from magenet.enhancement.page.pictures import HEAT, QUALITY, SIDE, page_pixels
from magenet.enhancement.page.writer import PageEntry, PageWriter, entry_id
from magenet.enhancement.verdict import ERROR_LIMITS
from magenet.errors import UserError
from tests.magenet.enhancement.pages import entry, missing, written

EVIL = "</script><script>alert(1)</script><!--<script> & \"'\u2028.jpg"


def described(text: str) -> list[dict[str, Any]]:
    """The descriptions of the photographs, ended where a browser ends them."""
    blocks = re.findall(r'<script type="application/json">(.*?)</script', text, re.S)
    return [json.loads(block) for block in blocks]


def pictures(page: Path) -> list[dict[str, Image.Image]]:
    """The pictures of each photograph, by their kind."""
    return [
        {kind: Image.open(page.parent / address) for kind, address in known["pictures"].items()}
        for known in described(page.read_text(encoding="utf-8"))
    ]


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_a_page_needs_nothing_but_itself_and_the_folder_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    text = written(path, entry(EVIL), entry("../up.jpg"), entry("b/c.jpg"))
    assert not re.search(r"https?:|url\(|@import|fetch|XMLHttp", text)
    addresses = re.findall(r"""\b(?:src|href|action|data)=["']?([^"'\s>]*)""", text)
    assert addresses == ["data:,"]
    assert "default-src 'none'" in text
    assert not re.search("@[A-Z]+@", text), "a mark of the template was left"
    found = {address for known in described(text) for address in known["pictures"].values()}
    assert len(found) == 9
    assert files(tmp_path) == {"page.html", *found}
    assert all(re.fullmatch(r"page_files/[0-9a-f]{32}-[a-z]+\.(jpg|png)", name) for name in found)


def test_only_a_thumbnail_of_a_photograph_is_in_the_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    text = written(tmp_path / "page.html", *[entry(f"{n}", after=noise) for n in range(4)])
    assert len(text) - len(written(tmp_path / "empty.html")) < 4 * 12_000
    kind, _, data = described(text)[0]["thumbnail"].partition(";base64,")
    assert kind == "data:image/jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (96, 96)


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
    known, other = described(text)
    assert known["name"] == known["reason"] == known["facts"][EVIL] == EVIL
    assert other["name"] == undecodable


def test_numbers_arrive_as_json_knows_them(tmp_path: Path) -> None:
    facts = {
        "float": np.float32(0.5), "int": np.int64(3), "whole": 2048, "text": "OD",
        "nan": float("nan"), "infinite": np.float32("inf"),
    }  # fmt: skip
    text = written(tmp_path / "page.html", entry(facts=facts))
    known = described(text)[0]["facts"]
    assert known == {
        "float": 0.5, "int": 3, "whole": 2048, "text": "OD", "nan": None, "infinite": None,
    }  # fmt: skip


def test_pictures_are_reduced_copies(tmp_path: Path) -> None:
    large = np.zeros((1100, 2 * SIDE, 3), np.uint8)
    large[:, SIDE:] = 200
    wide = np.zeros((600, 1200), np.float32)
    written(tmp_path / "page.html", entry(before=large, uncertainty=wide))
    [known] = pictures(tmp_path / "page.html")
    before, after = known["before"], known["after"]
    assert (before.format, known["uncertainty"].format) == ("JPEG", "PNG")
    assert before.size == (SIDE, 550)
    assert after.size == (80, 60), "a small photograph is not enlarged"
    left, right = before.getpixel((10, 10)), before.getpixel((SIDE - 10, 10))
    assert np.allclose(left, 0, atol=3)  # type: ignore[arg-type]
    assert np.allclose(right, 200, atol=3)  # type: ignore[arg-type]
    assert max(known["uncertainty"].size) == 256


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
    heat = np.asarray(pictures(tmp_path / "page.html")[0]["uncertainty"])[:, 0]
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


def test_the_legend_of_the_heat_map_names_its_middle_and_its_end(tmp_path: Path) -> None:
    text = written(tmp_path / "page.html")
    top = HEAT[-1, 0]
    assert f"<span>0</span><span>{top / 2:g}</span><span>{top:g} or more</span>" in text


def test_photographs_are_saved_with_the_quality_that_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    written(path, entry())
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "jpeg", quality=QUALITY)
    for kind in ("before", "after"):
        found, wanted = pictures(path)[0][kind], Image.open(stream)
        assert found.quantization == wanted.quantization  # type: ignore[attr-defined]


def test_sixteen_bits_are_shown_as_eight() -> None:
    eight = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    sixteen = (eight.to(torch.int32) * 257).to(torch.uint16)
    assert page_pixels(None) is None
    for image in (eight, sixteen):
        shown = page_pixels(image)
        assert shown is not None
        assert np.array_equal(shown, eight.permute(1, 2, 0).numpy())


def test_photographs_without_pictures_are_listed(tmp_path: Path) -> None:
    known = described(
        written(
            tmp_path / "page.html",
            missing("a.jpg", "failed"),
            missing("b.jpg", "refused")._replace(before=entry().before),
        )
    )
    assert set(known[1]["pictures"]) == {"before"}
    assert known[1]["thumbnail"]
    assert known[0] == {
        "name": "a.jpg", "status": "failed", "verdict": "", "reason": "cannot be read", "facts": {},
        "error_level": "", "pictures": {}, "thumbnail": "", "links": {},
        "id": entry_id("a.jpg", ""),
    }  # fmt: skip


def test_the_levels_of_error_are_those_of_the_verdicts(tmp_path: Path) -> None:
    text = written(
        tmp_path / "page.html",
        *(entry(facts={"expected_error": error}) for error in (3.0, *ERROR_LIMITS, 99.0)),
        entry(facts={"expected_error": float("nan")}),
    )
    levels = [known["error_level"] for known in described(text)]
    assert levels == ["good", "fair", "poor", "very poor", ""]
    assert "below 6 good, up to 12 fair, above 12 poor, above 16 very poor" in text


def test_a_photograph_is_on_disk_once_added(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    page = PageWriter(path)
    part = page.part
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


def test_a_picture_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page_files").touch()
    page = PageWriter(tmp_path / "page.html")
    with pytest.raises(UserError, match="page_files: is a file, not a folder to write to"):
        page.add(entry())
    assert files(tmp_path) == {"page_files"}


def bare(result: str, name: str = "a.jpg") -> PageEntry:
    """An entry of a photograph that an earlier run has enhanced."""
    return entry(name, before=None, after=None, uncertainty=None, result=result)


def test_pictures_of_an_earlier_page_are_shown_again_for_the_same_result_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "page.html"
    written(path, entry(result="one"), entry("b.jpg", result="two"), entry("c.jpg"))
    [known, *_] = described(path.read_text())
    with PageWriter(path) as page:
        assert page.has("a.jpg", "one")
        assert not page.has("a.jpg", "two")
        assert not page.has("b.jpg", "one")
        page.add(bare("one"))
        page.add(bare("two"))
        page.add(bare("one", "b.jpg"))
        page.add(bare("", "c.jpg"))
    again, *others = described(path.read_text())
    assert again["pictures"] == known["pictures"]
    assert set(again["pictures"]) == {"before", "after", "uncertainty"}
    assert again["thumbnail"] == known["thumbnail"] != ""
    assert [other["pictures"] for other in others] == [{}] * 3


def test_a_damaged_picture_is_not_shown_again(tmp_path: Path) -> None:
    written(tmp_path / "page.html", entry(result="one"))
    [known] = described((tmp_path / "page.html").read_text())
    for kind, address in known["pictures"].items():
        content = (tmp_path / address).read_bytes()
        (tmp_path / address).write_bytes(content[: len(content) // 2])
        [again] = described(written(tmp_path / "page.html", bare("one")))
        assert kind not in again["pictures"]


def test_what_earlier_pages_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    written(path, entry(result="old"), entry("b.jpg", result="two"))
    old, kept = (set(known["pictures"].values()) for known in described(path.read_text()))
    others = {"page_files/photograph.jpg", f"page_files/{'0' * 32}.jpg", ".page.html.x"}
    killed = tmp_path / ".page.html.1.part"
    for name in (*others, killed.name):
        (tmp_path / name).touch()
    for file in tmp_path.rglob("*"):
        os.utime(file, (1e9, 1e9))  # before the next page is begun
    page = PageWriter(path)
    page.add(bare("two", "b.jpg"))
    page.add(entry(result="new"))
    beside = tmp_path / "page_files" / f"{'1' * 32}-after.jpg"
    beside.touch()
    page.close()
    assert old <= files(tmp_path), "not before the whole run is over"
    page.remove_old()
    new = {
        address for known in described(path.read_text()) for address in known["pictures"].values()
    }
    assert kept < new
    assert files(tmp_path) == {"page.html", *new, *others, f"page_files/{beside.name}"}


def test_a_discarded_page_leaves_the_pictures_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    written(path, entry(result="one"))
    before = files(tmp_path)
    page = PageWriter(path)
    page.add(entry(result="one"))
    page.add(entry(result="two"))
    page.discard()
    assert files(tmp_path) == before
