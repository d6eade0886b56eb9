"""Patients and near-duplicates are on one side; what tests is never trained on."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from data_modules.public.splits import LEFT_OUT, assign, groups


def test_near_duplicates_join_their_patients() -> None:
    names = [f"{letter}.png" for letter in "abcdef"]
    patients = ["p", "q", "p", "", "", "q"]
    assert groups(names, patients, [(2, 3)]) == ["p", "q", "p", "p", "e.png", "q"]
    assert groups(names, patients, [(3, 4), (4, 5)]) == ["p", "q", "p", "q", "q", "q"]


def test_a_photograph_that_also_tests_leaves_the_training() -> None:
    splits = ["train", "test", "train", "train", "val"]
    members = ["p", "p", "q", "r", "r"]
    assert assign(splits, members, 0.5, 0.0) == [LEFT_OUT, "test", "train", LEFT_OUT, "val"]


def test_a_photograph_without_a_split_follows_its_group() -> None:
    assert assign(["", "test", "train"], ["p", "p", "q"], 0.0, 0.0) == ["test", "test", "train"]


def test_shares_are_met_and_do_not_depend_on_the_order() -> None:
    members = [f"patient {index // 2}" for index in range(200)]
    splits = assign([""] * 200, members, 0.2, 0.3)
    assert Counter(splits) == {"test": 60, "val": 28, "train": 112}
    backwards = assign([""] * 200, members[::-1], 0.2, 0.3)
    assert splits == backwards[::-1]


def test_one_patient_alone_still_trains() -> None:
    assert assign(["train", "train"], ["p", "p"], 0.5, 0.0) == ["train", "train"]


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "train", "val", "test"]), st.sampled_from("pqrst")),
        max_size=30,
    ),
    st.floats(0, 0.9),
    st.floats(0, 0.9),
)
def test_no_group_is_on_two_sides(
    given_: list[tuple[str, str]], val_share: float, test_share: float
) -> None:
    members = [group for _, group in given_]
    splits = assign([split for split, _ in given_], members, val_share, test_share)
    sides: dict[str, set[str]] = {}
    for split, group in zip(splits, members, strict=True):
        sides.setdefault(group, set()).add(split)
    assert all(len(side - {LEFT_OUT}) == 1 for side in sides.values())
    own = [split for split, _ in given_]
    assert all(s != "test" or split == "test" for s, split in zip(own, splits, strict=True))
