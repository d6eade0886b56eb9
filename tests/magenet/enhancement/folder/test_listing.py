"""The listing: complete under its name or not there, and true of every run into the folder."""

import csv
import errno
import io
from pathlib import Path
from typing import Any

import pytest

from data_modules.datasets.manifest import Photograph
from data_modules.files.source import source_path
from magenet.enhancement.folder.listing import COLUMNS, Listing
from magenet.enhancement.origin import ReportRow
from magenet.errors import UserError

PART = "enhance.incomplete.csv"


def row(photograph: Photograph, status: str = "enhanced") -> ReportRow:
    result = {"result": Path(photograph.name).name} if status != "failed" else {}
    return {
        "name": photograph.name, "status": status, "verdict": "", "reasons": ["because"],
        "brightness_drift": -1.5, "source": source_path(photograph), **result,
    }  # fmt: skip


def photographs(folder: str, *names: str) -> list[Photograph]:
    return [Photograph(Path("/", folder, name), name) for name in names]


def read(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as stream:
        return [
            (line["name"], line["status"], line["source"].split("/")[1])
            for line in csv.DictReader(stream)
        ]


def run(folder: Path, given: list[Photograph], status: str = "enhanced") -> tuple[int, int]:
    with Listing(folder) as listing:
        for photograph in given:
            listing.add(row(photograph, status))
        merged = listing.finish(given)
    return len(merged.given), len(merged.earlier)


def test_it_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    first, second = photographs("in", "a.png", "b.png")
    run(tmp_path, [first])
    with Listing(tmp_path) as listing:
        assert not (tmp_path / "enhance.csv").exists(), "an earlier one is no longer true"
        assert read(tmp_path / PART) == [("a.png", "enhanced", "in")], "nor is it lost"
        listing.add(row(second))
        assert read(tmp_path / PART)[1:] == [("b.png", "enhanced", "in")], "at once"
        listing.finish([second])
        assert {path.name for path in tmp_path.iterdir()} == {"enhance.csv"}


def test_a_later_run_keeps_the_lines_of_other_photographs(tmp_path: Path) -> None:
    a, b, c = photographs("in", "a.png", "b.png", "c.png")
    assert run(tmp_path, [a, b]) == (2, 0)
    assert run(tmp_path, [c, b], "skipped") == (2, 1)
    lines = [("c.png", "skipped", "in"), ("b.png", "skipped", "in"), ("a.png", "enhanced", "in")]
    assert read(tmp_path / "enhance.csv") == lines


def test_photographs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (ann,), (bob,) = photographs("ann", "OD.png"), photographs("bob", "OD.png")
    run(tmp_path, [ann])
    run(tmp_path, [bob], "failed")
    lines = [("OD.png", "failed", "bob"), ("OD.png", "enhanced", "ann")]
    assert read(tmp_path / "enhance.csv") == lines
    run(tmp_path, [bob])  # its result replaces Ann's
    assert read(tmp_path / "enhance.csv") == [("OD.png", "enhanced", "bob")]


def test_a_result_is_found_by_its_path_below_the_folder(tmp_path: Path) -> None:
    """In sub-folders there may be two of one name: of two patients."""
    run(tmp_path, photographs("in", "OD.png", "ann/OD.png", "/bob/OD.png", "ann/no.png"))
    with (tmp_path / "enhance.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["result"] for line in lines[:3]] == ["OD.png", "ann/OD.png", "bob/OD.png"]
    # A line of an earlier version, whose result is a file name alone, is replaced all the same.
    text = (tmp_path / "enhance.csv").read_text().replace(",ann/OD.png,/", ",OD.png,/")
    (tmp_path / "enhance.csv").write_text(text)
    run(tmp_path, photographs("again", "ann/OD.png"))
    assert read(tmp_path / "enhance.csv").count(("ann/OD.png", "enhanced", "in")) == 0
    assert ("OD.png", "enhanced", "in") in read(tmp_path / "enhance.csv")


def test_a_stopped_run_has_one_line_for_each_photograph(tmp_path: Path) -> None:
    a, b = photographs("in", "a.png", "b.png")
    run(tmp_path, [a, b], "failed")

    def stop() -> None:
        with Listing(tmp_path) as listing:
            listing.add(row(a))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert {path.name for path in tmp_path.iterdir()} == {PART}
    assert sorted(read(tmp_path / PART)) == [("a.png", "enhanced", "in"), ("b.png", "failed", "in")]
    assert run(tmp_path, [b]) == (1, 1)
    assert read(tmp_path / "enhance.csv") == [
        ("b.png", "enhanced", "in"), ("a.png", "enhanced", "in")
    ]  # fmt: skip


def test_what_a_killed_run_left_is_taken_over_but_for_a_torn_line(tmp_path: Path) -> None:
    a, b, c = photographs("in", "a.png", "b.png", "c.png")
    killed = Listing(tmp_path, 0, 2), Listing(tmp_path, 1, 2)
    for listing, photograph in zip(killed, (a, b), strict=True):
        listing.start()
        listing.add(row(photograph))
    killed[0].lock.release()
    with killed[1].part.open("a") as stream:
        stream.write("c.png,enhan")
    assert run(tmp_path, [c]) == (1, 2)
    assert [name for name, *_ in read(tmp_path / "enhance.csv")] == ["c.png", "a.png", "b.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"enhance.csv"}


def test_ranks_are_merged_in_the_order_given(tmp_path: Path) -> None:
    given = photographs("in", "a.png", "b.png", "c.png")
    run(tmp_path, given[:1])
    ranks = Listing(tmp_path, 0, 2), Listing(tmp_path, 1, 2)
    for listing in ranks:
        listing.start()
    for number, photograph in enumerate(given):
        ranks[1 - number % 2].add(row(photograph))
    ranks[0].finish(given)
    assert [name for name, *_ in read(tmp_path / "enhance.csv")] == ["a.png", "b.png", "c.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"enhance.csv"}


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = photographs("in", "a.png", "b.png")
    whole = Path.open

    def full(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        stream = whole(path, mode, *rest, **options)
        if mode == "ab":
            stream.write(b"b.png,enh")
            stream.flush()
            raise OSError(errno.ENOSPC, "No space left on device")
        return stream

    with Listing(tmp_path) as listing:
        listing.add(row(a))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", full)
            with pytest.raises(UserError, match="No space left"):
                listing.add(row(b))
        assert (tmp_path / PART).read_bytes().endswith(b"\n")
        assert read(tmp_path / PART) == [("a.png", "enhanced", "in")]


@pytest.mark.parametrize("content", ["patient,age\nAnn,70\n", "name\n" + 200_000 * "a" + "\n"])
def test_a_file_that_is_no_listing_is_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "enhance.csv").write_text(content)
    with pytest.raises(UserError, match=r"enhance\.csv: is no listing of magenet.*move it"):
        Listing(tmp_path).start()
    assert (tmp_path / "enhance.csv").read_text() == content
    assert {path.name for path in tmp_path.iterdir()} == {"enhance.csv"}


def test_a_name_is_no_formula_and_no_command_to_a_terminal(tmp_path: Path) -> None:
    names = [
        "=cmd|' /C calc'!A0.png",
        "+1.png",
        "-1.png",
        "@SUM.png",
        "\x1b[2J\n.png",
        "M\udcfc.png",
    ]
    given = photographs("in", *names)
    for _ in range(2):  # the second run takes the lines of the first over
        run(tmp_path, given[:3])
        run(tmp_path, given)
        text = (tmp_path / "enhance.csv").read_bytes().decode()
        assert not [c for c in text if not c.isprintable() and c not in "\r\n"]
        lines = list(csv.DictReader(io.StringIO(text, newline="")))
        shown = [line["name"] for line in lines]
        assert shown[:4] == [f"'{name}" for name in names[:4]]
        assert shown[4:] == ["\\x1b[2J\\n.png", "M\\udcfc.png"]
        assert {line["brightness_drift"] for line in lines} == {"-1.5"}, "a number stays one"
        assert list(lines[0]) == list(COLUMNS)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_listing_that_a_spreadsheet_saved_is_gone_on_with(tmp_path: Path, mark: str) -> None:
    earlier, later = photographs("in", "Müller.png", "b.png")
    run(tmp_path, [earlier])
    saved = tmp_path / "enhance.csv"
    with saved.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.reader(stream))
    with saved.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=mark).writerows(lines)
    run(tmp_path, [later])
    assert read(saved) == [("b.png", "enhanced", "in"), ("Müller.png", "enhanced", "in")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_no_line_is_lost_by_other_ends_of_lines_or_none(tmp_path: Path, end: str) -> None:
    earlier, later = photographs("in", "a.png", "b.png")
    run(tmp_path, [earlier])
    saved = tmp_path / "enhance.csv"
    saved.write_bytes(end.join(saved.read_text().splitlines()).encode())
    run(tmp_path, [later])
    assert [name for name, *_ in read(saved)] == ["b.png", "a.png"]
