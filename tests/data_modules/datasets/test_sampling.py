from typing import Any

from data_modules.datasets.sampling import FixedLengthSampler
from data_modules.datasets.sources import PhantomDataset


def sampler(length: int, count: int, **kwargs: Any) -> FixedLengthSampler:
    return FixedLengthSampler(PhantomDataset(range(length), 32, "clinic"), count, seed=1, **kwargs)


def test_a_short_set_is_stretched_in_another_order_each_time() -> None:
    items = [index for index, _ in sampler(5, 20)]
    passes = [tuple(items[i : i + 5]) for i in range(0, 20, 5)]
    assert all(sorted(order) == list(range(5)) for order in passes)
    assert len(set(passes)) > 1


def test_a_long_set_shows_all_of_itself_over_the_epochs() -> None:
    chosen = sampler(10, 4)
    seen = []
    for epoch in range(5):
        chosen.set_epoch(epoch)
        seen += [index for index, _ in chosen]
    assert sorted(seen) == sorted([*range(10), *range(10)])


def test_keys_never_repeat_and_ranks_share_the_work() -> None:
    ranks = [sampler(7, 12, ranks=2, rank=rank) for rank in (0, 1)]
    alone = sampler(7, 12)
    for epoch in range(3):
        for s in (*ranks, alone):
            s.set_epoch(epoch)
        both = [list(rank) for rank in ranks]
        assert [len(part) for part in both] == [6, 6]
        assert sorted(both[0] + both[1], key=lambda item: item[1]) == list(alone)
        assert [key for _, key in alone] == list(range(12 * epoch, 12 * epoch + 12))
