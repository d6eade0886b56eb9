"""Shards of a run: each photograph in one of them, one listing in the end, nothing lost."""

import threading
from pathlib import Path

import pytest

from data_modules.datasets.manifest import Photograph
from magenet.enhancement.folder.listing import NAME, Listing, merge_shards, require_alone
from magenet.enhancement.folder.shard import WHOLE, Shard
from magenet.errors import UsageError
from magenet.folder_lock import FolderInUseError, FolderLock
from tests.magenet.enhancement.folder.test_listing import photographs, read, row

GIVEN = photographs("in", "a.png", "b.png", "c.png", "d.png", "e.png")
THREE = [Shard(number, 3) for number in (1, 2, 3)]


def run(shard: Shard, folder: Path, given: list[Photograph] = GIVEN) -> int | None:
    """Enhance a shard; return the number of lines of the listing of all, if it was written."""
    with Listing(shard.folder(folder)) as listing:
        for photograph in shard.of(given):
            listing.add(row(photograph))
        listing.finish(shard.of(given))
    merged = merge_shards(shard, folder, given)
    return None if merged is None else len(merged.given)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_photograph_is_in_one_shard(count: int) -> None:
    shards = [Shard(number, count).of(range(5)) for number in range(1, count + 1)]
    assert sorted(item for shard in shards for item in shard) == list(range(5))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert WHOLE.of(range(5)) == list(range(5))


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard must be like 2/4"):
        Shard.parsed(text)
    assert Shard.parsed("2/4") == Shard(2, 4)


def test_the_last_to_finish_writes_one_listing_in_the_order_given(tmp_path: Path) -> None:
    assert [run(THREE[index], tmp_path) for index in (2, 0, 1)] == [None, None, 5]
    assert [name for name, *_ in read(tmp_path / NAME)] == [p.name for p in GIVEN]
    assert {path.name for path in tmp_path.iterdir()} == {NAME}
    assert merge_shards(THREE[0], tmp_path, GIVEN) is None, "it is merged already"


def test_of_two_that_finish_at_once_one_merges(tmp_path: Path) -> None:
    """One has the folder locked for a moment, to see that the other is not done yet."""
    for shard in THREE:
        with Listing(shard.folder(tmp_path)) as listing:
            listing.finish([])
    lock = FolderLock(tmp_path)
    lock.acquire()
    release = threading.Timer(0.5, lock.release)
    release.start()
    assert merge_shards(THREE[0], tmp_path, []) is not None
    release.join()


def test_shards_without_photographs_finish_too(tmp_path: Path) -> None:
    assert [run(shard, tmp_path, GIVEN[:2]) for shard in THREE] == [None, None, 2]


def test_a_killed_shard_is_waited_for_and_goes_on(tmp_path: Path) -> None:
    killed = Listing(THREE[1].folder(tmp_path))
    killed.start()
    killed.add(row(GIVEN[1]))
    killed.lock.release()
    assert [run(THREE[index], tmp_path) for index in (0, 2)] == [None, None]
    assert not (tmp_path / NAME).exists()
    with Listing(THREE[1].folder(tmp_path)) as listing:
        assert read(listing.part) == [("b.png", "enhanced", "in")], "what was done is known"
        listing.add(row(GIVEN[4]))
        listing.finish([GIVEN[1], GIVEN[4]])
    assert merge_shards(THREE[1], tmp_path, GIVEN) is not None
    assert [name for name, *_ in read(tmp_path / NAME)] == [p.name for p in GIVEN]


def test_a_run_over_all_takes_over_what_shards_left_but_never_while_one_runs(
    tmp_path: Path,
) -> None:
    run(THREE[0], tmp_path)
    with Listing(THREE[1].folder(tmp_path)) as running:
        running.add(row(GIVEN[1]))
        with pytest.raises(FolderInUseError, match="another magenet writes"):
            Listing(tmp_path).start()
    with Listing(tmp_path) as listing:
        listing.add(row(GIVEN[2]))
        merged = listing.finish(GIVEN)
    assert [line["name"] for line in merged.given] == ["a.png", "b.png", "c.png", "d.png"]
    assert {path.name for path in tmp_path.iterdir()} == {NAME}


def test_an_earlier_listing_is_added_to(tmp_path: Path) -> None:
    (other,) = photographs("in", "z.png")
    run(WHOLE, tmp_path, [other])
    assert [run(shard, tmp_path) for shard in THREE] == [None, None, 5]
    assert [name for name, *_ in read(tmp_path / NAME)][5:] == ["z.png"]


def test_a_photograph_that_comes_while_shards_run_is_named(tmp_path: Path) -> None:
    first, second = Shard(1, 2), Shard(2, 2)
    assert run(first, tmp_path, GIVEN[1:]) is None  # before the first one came
    with Listing(second.folder(tmp_path)) as listing:
        for photograph in second.of(GIVEN):
            listing.add(row(photograph))
        listing.finish(second.of(GIVEN))
    merged = merge_shards(second, tmp_path, GIVEN)
    assert merged is not None
    assert merged.missing == ["a.png", "c.png", "e.png"], "both parts took the others"


@pytest.mark.parametrize("other", [WHOLE, Shard(1, 4)])
def test_no_shard_begins_beside_another_kind_of_run(
    tmp_path: Path, other: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magenet.enhancement.folder.listing.PATIENCE", 0.0)
    place = other.folder(tmp_path)
    place.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(place)
    lock.acquire()
    with pytest.raises(FolderInUseError):
        require_alone(Shard(1, 2), tmp_path)
    lock.release()
    require_alone(Shard(1, 2), tmp_path)
    beside = FolderLock(Shard(2, 2).folder(tmp_path))
    beside.path.parent.mkdir(parents=True, exist_ok=True)
    beside.acquire()
    require_alone(Shard(1, 2), tmp_path)  # its own kind
    beside.release()
