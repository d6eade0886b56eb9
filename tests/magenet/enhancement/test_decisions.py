"""Decisions that a person or a spreadsheet hands back."""

import os
from pathlib import Path

import pytest

from magenet.enhancement.decisions import Decision, read_decisions
from magenet.errors import UserError

HEAD = "photograph,verdict,decision,note,date,result,id\r\n"


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_what_a_spreadsheet_makes_of_them_is_read(tmp_path: Path, mark: str, begin: str) -> None:
    text = HEAD + (
        "a.jpg,ok,accept,,2026-01-01T00:00:00Z,a.jpg,p1\r\n"
        'b.jpg,check, Reject ,"blurred ""at"" the rim",1.2.2026 9:30,b.jpg,p2\r\n'
        "c.jpg,ok,,,,c.jpg,p3\r\n"
        "d.jpg,ok,,only a note,,d.jpg,p4\r\n"
    )
    path = tmp_path / "decisions.csv"
    path.write_text(begin + text.replace(",", mark), encoding="utf-8", newline="")
    os.utime(path, (0, 1_770_000_000))
    assert read_decisions(path) == {
        "p1": Decision("accept", "", "2026-01-01T00:00:00Z", "a.jpg"),
        "p2": Decision("reject", 'blurred "at" the rim', "2026-02-02T02:40:00Z", "b.jpg"),
        "p4": Decision("", "only a note", "2026-02-02T02:40:00Z", "d.jpg"),
    }


def test_of_two_decisions_on_a_result_the_later_counts(tmp_path: Path) -> None:
    """As where two people's files were joined."""
    path = tmp_path / "decisions.csv"
    early, late = (
        f"a.jpg,ok,{d},,2026-01-0{n}T00:00:00Z,,p1\n" for d, n in (("reject", 1), ("accept", 2))
    )
    for text in (early + late, late + early):
        path.write_text(HEAD + text)
        assert read_decisions(path)["p1"].decision == "accept"


@pytest.mark.parametrize(
    ("written", "note"),
    [("'=1+1", "=1+1"), ("''-x", "'-x"), ("'tis", "'tis"), ("it'=s", "it'=s"), ("=x", "=x")],
)
def test_a_note_that_was_made_harmless_is_read_as_it_was_meant(
    tmp_path: Path, written: str, note: str
) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(f"{HEAD}a.jpg,ok,accept,{written},,,p1\n")
    assert read_decisions(path)["p1"].note == note


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HEAD.encode() + b"a,ok,maybe,,,,p1\n", "line 2: the decision is 'maybe'"),
        (b"name,status\na,ok\n", "lacks the column"),
        (b"", "lacks the column"),
        (HEAD.encode() + b"a,ok,accept,M\xfcller,,,p1\n", "not in UTF-8"),
        (None, "No such file"),
    ],
)
def test_what_is_no_list_of_decisions_is_named(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "decisions.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"decisions.csv.*{why}"):
        read_decisions(path)
