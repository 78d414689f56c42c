"""The index over members: random choice, and the traversal's guarantee while members come and go."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.shard.member_index import GROW, SHRINK, MemberIndex


def names(count: int, prefix: str = "member") -> list[bytes]:
    return [f"{prefix}:{number}".encode() for number in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=600), st.integers(0, 300))
def test_it_has_what_was_added_and_not_removed(changes: list[tuple[bool, int]], at_first: int) -> None:
    members = set(names(at_first))
    index = MemberIndex(members)
    for add, number in changes:
        name = f"member:{number}".encode()
        if add and name not in members:
            members.add(name)
            index.add(name)
        elif not add and name in members:
            members.remove(name)
            index.remove(name)
    index.verify(members)
    assert len(index) == len(members)


def test_it_grows_and_shrinks_with_its_members() -> None:
    index = MemberIndex()
    for name in names(5000):
        index.add(name)
    index.verify(names(5000))
    assert len(index.buckets) >= 5000 // GROW
    for name in names(5000)[10:]:
        index.remove(name)
    index.verify(names(10))
    assert len(index.buckets) <= 10 // SHRINK + 1


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(-300, 300), st.booleans()), max_size=30),
    st.integers(0, 1 << 30),
)
def test_a_traversal_gives_whoever_is_there_all_the_time(
    staying: int, steps: list[tuple[int, bool]], seed: int
) -> None:
    """Between two steps some members come or go, enough to split and merge most of the lists."""
    random = Random(seed)
    stay = set(names(staying, "stay"))
    others: set[bytes] = set()
    index = MemberIndex(stay)
    seen: set[bytes] = set()
    cursor = 0
    turns = iter(steps)
    for _ in range(10_000):
        cursor, found = index.scan(cursor)
        seen.update(found)
        if not cursor:
            break
        change, _ = next(turns, (0, False))
        if change > 0:
            for number in range(change):
                name = b"other:%d:%d" % (random.randrange(1 << 30), number)
                if name not in others:
                    others.add(name)
                    index.add(name)
        else:
            for name in sorted(others)[:-change]:
                others.remove(name)
                index.remove(name)
    assert not cursor
    assert stay <= seen
    index.verify(stay | others)


def test_a_traversal_of_what_stands_still_gives_everybody_once() -> None:
    index = MemberIndex(names(1000))
    found: list[bytes] = []
    cursor = 0
    while True:
        cursor, some = index.scan(cursor)
        found += some
        if not cursor:
            break
    assert sorted(found) == sorted(names(1000))


def test_any_cursor_will_do() -> None:
    index = MemberIndex(names(300))
    for cursor in (1, 12345, (1 << 32) - 1, 1 << 32, (1 << 64) - 1):
        after, _ = index.scan(cursor)
        assert 0 <= after < 1 << 32


@pytest.mark.parametrize("count", [1, 2, 100, 1000])
def test_every_member_is_as_likely_as_any_other(count: int) -> None:
    index = MemberIndex(names(count))
    random = Random(5)
    draws = 40 * count
    chosen = Counter(index.random(random) for _ in range(draws))
    assert set(chosen) == set(names(count))
    # 40 expected of each, standard deviation 6.3.
    assert all(5 <= times <= 95 for times in chosen.values()) or count == 1


def test_choosing_stays_quick_after_most_members_have_gone() -> None:
    index = MemberIndex(names(20_000))
    for name in names(20_000)[50:]:
        index.remove(name)
    random = Random(5)
    assert {index.random(random) for _ in range(2000)} == set(names(50))
    assert len(index.buckets) * index.widest < 50 * 40
