"""Splits: all photographs of a patient, and all near-duplicates, on one side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from magenet.hashing import name_key

LEFT_OUT = "left_out"
"""Split of photographs that no training, validation or test takes: the set itself has another
photograph of the same patient, or the same photograph, in a later part."""

ORDER = ("train", "val", "test")


def groups(
    names: Sequence[str], patients: Sequence[str], pairs: Iterable[tuple[int, int]]
) -> list[str]:
    """Return the group of each photograph: its patient's photographs and their near-duplicates.

    Args:
        names: Name of each photograph.
        patients: Its patient; empty where unknown: then it is one of its own.
        pairs: Indices of near-duplicates.

    Returns:
        The first patient of each group; the first photograph's name where no patient is known.

    Example:
        >>> groups(["a", "b", "c", "d"], ["p", "", "p", ""], [(1, 2)])
        ['p', 'p', 'p', 'd']
    """
    parent = list(range(len(names)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first_of_patient: dict[str, int] = {}
    links = [(first_of_patient.setdefault(p, i), i) for i, p in enumerate(patients) if p]
    for one, other in (*links, *pairs):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    roots = [root(index) for index in range(len(names))]
    label: dict[int, str] = {}
    for index, patient in zip(roots, patients, strict=True):
        if patient:
            label.setdefault(index, patient)
    return [label.get(index, names[index]) for index in roots]


def assign(
    splits: Sequence[str], members: Sequence[str], val_share: float, test_share: float
) -> list[str]:
    """Return the split of each photograph.

    A group that the set puts into several parts stays in the last of them, so that nothing that
    tests is trained on; its other photographs are :data:`LEFT_OUT`. Groups without a part are dealt
    out in the order of the hash of their names, as are those that validate where the set has none.

    Args:
        splits: The set's own split of each photograph; empty where it has none.
        members: Group of each photograph; see :func:`groups`.
        val_share: Share of the training groups that validate, if the set has no such split.
        test_share: Share of the groups without a split that test.
    """
    own: dict[str, str] = {}
    for split, group in zip(splits, members, strict=True):
        own[group] = max(own.get(group, ""), split, key=("", *ORDER).index)
    free = sorted((group for group in own if not own[group]), key=name_key)
    tested = round(test_share * len(free))
    given = dict.fromkeys(free[:tested], "test") | dict.fromkeys(free[tested:], "train")
    final = own | given
    if "val" not in splits:
        trained = sorted((group for group in final if final[group] == "train"), key=name_key)
        validate = max(1, round(val_share * len(trained))) if val_share and trained[1:] else 0
        given |= dict.fromkeys(trained[:validate], "val")
        final |= given
    return [
        final[group] if split in ("", final[group]) or group in given else LEFT_OUT
        for split, group in zip(splits, members, strict=True)
    ]
