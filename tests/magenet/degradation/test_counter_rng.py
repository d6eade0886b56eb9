"""The generator's numbers against SplitMix64 in whole numbers of Python."""

import pytest
import torch

from magenet.degradation.counter_rng import CounterRNG, splitmix64
from magenet.hashing import name_key

WORD = (1 << 64) - 1


def slow_hash(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return value ^ (value >> 31)


def slow_word(key: int, seed: int, name: str, index: int) -> int:
    own = slow_hash((key ^ slow_hash(seed)) & WORD)
    return slow_hash(own ^ slow_hash((index + (name_key(name) << 20)) & WORD))


def test_the_hash_is_the_published_one() -> None:
    assert slow_hash(0) == 0xE220A8397B1DCDAF  # the first output of seed 0
    values = [0, 1, -1, 12345, 2**63 - 1, -(2**63)]
    hashes = splitmix64(torch.tensor(values)).tolist()
    assert [value & WORD for value in hashes] == [slow_hash(value & WORD) for value in values]


@pytest.mark.parametrize("seed", [0, 7])
def test_numbers_are_the_hashes_of_key_seed_name_and_index(seed: int) -> None:
    keys = [0, 3, -5, 2**62]
    rng = CounterRNG(torch.tensor(keys), seed)
    words = [[slow_word(key & WORD, seed, "angle", index) for index in range(5)] for key in keys]
    units = torch.tensor([[(word >> 40) / 2**24 for word in row] for row in words])
    low, high = torch.arange(4.0), torch.arange(4.0) * 3 + 1
    assert torch.equal(rng.uniform("angle", 0.0, 1.0, 5), units)
    assert torch.equal(rng.uniform("angle", 0.0, 1.0), units[:, 0])
    assert torch.allclose(rng.uniform("angle", low, high), low + units[:, 0] * (high - low))
    expected = low[:, None] + units * (high - low)[:, None]
    assert torch.allclose(rng.uniform("angle", low, high, 5), expected)
    assert rng.bits("angle").tolist() == [row[0] >> 32 for row in words]


def test_integers_take_every_value_and_no_other() -> None:
    rng = CounterRNG(torch.arange(400), 1)
    assert rng.integer("n", 2, 5).unique().tolist() == [2.0, 3.0, 4.0, 5.0]
    assert rng.integer("n", 2, 5, 3).shape == (400, 3)
    high = torch.tensor([2.0, 4.0]).repeat(200)
    numbers = rng.integer("n", torch.full((400,), 2.0), high, 3)
    assert bool((numbers[::2] == 2).all())
    assert numbers[1::2].unique().tolist() == [2.0, 3.0, 4.0]


def test_a_subset_draws_the_same_and_a_fork_other_numbers() -> None:
    rng = CounterRNG(torch.arange(6), 1)
    assert len(rng) == 6
    whole = rng.uniform("x", 0.0, 1.0)
    assert torch.equal(rng.select(torch.tensor([4, 1])).uniform("x", 0.0, 1.0), whole[[4, 1]])
    forked = [rng.fork(name).uniform("x", 0.0, 1.0) for name in ("a", "b", "a")]
    assert torch.equal(forked[0], forked[2])
    for one, other in ((whole, forked[0]), (forked[0], forked[1])):
        assert not bool((one == other).any())
