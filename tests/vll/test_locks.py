"""Intent locks against a model that keeps a plain list of who holds what."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Set
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base import compiled
from nogil_df.vll import locks as reference
from nogil_df.vll.intents import IntentLocks
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, NOT_GLOBAL, Part, conflict

fingerprints = st.frozensets(st.integers(0, 5), max_size=3)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """A part over few keys, so that conflicts are common; one in some is global."""
    scope = draw(st.sampled_from((NOT_GLOBAL, NOT_GLOBAL, NOT_GLOBAL, GLOBAL_SHARED, GLOBAL_EXCLUSIVE)))
    if scope != NOT_GLOBAL:
        return Part(0, None, frozenset(), frozenset(), scope)
    writes = draw(fingerprints)
    reads = draw(fingerprints) - writes
    # A transaction has parts only where it has keys.
    return Part(0, None, reads if reads or writes else frozenset((0,)), writes)


def acquire(locks: IntentLocks, part: Part) -> bool:
    """What the engine does with a part."""
    if part.scope == NOT_GLOBAL:
        return locks.acquire(part.shared, part.exclusive)
    return locks.acquire_everything(part.scope == GLOBAL_EXCLUSIVE)


def release(locks: IntentLocks, part: Part) -> None:
    """The way back."""
    if part.scope == NOT_GLOBAL:
        locks.release(part.shared, part.exclusive)
    else:
        locks.release_everything(part.scope == GLOBAL_EXCLUSIVE)


@given(st.lists(st.tuples(parts(), st.integers(0, 3)), max_size=20))
def test_a_grant_means_that_nobody_conflicts(steps: list[tuple[Part, int]]) -> None:
    """`acquire` grants only what conflicts with no holder; whatever is released leaves nothing behind."""
    locks = IntentLocks()
    held: list[Part] = []
    for part, releases in steps:
        in_the_way = any(conflict(part, other) for other in held)
        granted = acquire(locks, part)
        assert not (granted and in_the_way)
        if not any(other.scope for other in [part, *held]):
            assert granted != in_the_way
        held.append(part)
        locks.verify()
        for _ in range(min(releases, len(held))):
            release(locks, held.pop(0))
            locks.verify()
    for part in held:
        release(locks, part)
    assert not locks


@given(st.lists(parts(), max_size=5), st.integers(0, 5), st.booleans())
def test_conflicts_tells_what_acquire_would(held: list[Part], key: int, exclusive: bool) -> None:
    """The question of single-key commands has the answer that taking the lock would give."""
    locks = IntentLocks()
    for part in held:
        acquire(locks, part)
    one = frozenset((key,))
    asked = locks.conflicts(key, exclusive)
    granted = locks.acquire(*((frozenset(), one) if exclusive else (one, frozenset())))
    assert granted is not asked


def test_readers_share_and_writers_do_not() -> None:
    """The four combinations on one key."""
    for first, second, granted in ((0, 0, True), (0, 1, False), (1, 0, False), (1, 1, False)):
        locks = IntentLocks()
        assert locks.acquire(*(((), (7,)) if first else ((7,), ())))
        assert locks.acquire(*(((), (7,)) if second else ((7,), ()))) is granted


def test_two_fingerprints_do_not_meet() -> None:
    """Different keys never wait for each other, but for who holds everything."""
    locks = IntentLocks()
    assert locks.acquire((), (1,))
    assert locks.acquire((), (2,))
    assert not locks.acquire_everything(False)
    locks.release((), (1,))
    locks.release((), (2,))
    assert locks.acquire((3,), ())
    assert not locks.acquire((), (4,))


def test_all_that_is_asked_has_the_answers_of_the_reference() -> None:
    """Whatever is held, of many keys, taken and given back at random."""
    rng = random.Random(8)
    # Equal in their low or in their high bits, or in none.
    pool = (
        [number << 40 for number in range(150)] + list(range(150)) + [rng.getrandbits(64) for _ in range(900)]
    )
    mine, theirs = IntentLocks(), reference.IntentLocks()
    held: list[tuple[set[int], set[int]]] = []
    for step in range(1500):
        writes = set(rng.sample(pool, rng.randrange(12)))
        reads = set(rng.sample(pool, rng.randrange(12))) - writes
        assert mine.is_free(reads, writes) == theirs.is_free(reads, writes)
        if rng.random() < (0.6 if step < 700 else 0.4):
            assert mine.acquire(reads, writes) == theirs.acquire(reads, writes)
            assert [*map(set, mine.contested(reads, writes))] == [*map(set, theirs.contested(reads, writes))]
            held.append((reads, writes))
        elif held:
            given_back = held.pop(rng.randrange(len(held)))
            mine.release(*given_back)
            theirs.release(*given_back)
        key = rng.choice(pool)
        assert mine.conflicts(key, True) == theirs.conflicts(key, True) == mine.is_wanted(key)
        assert mine.conflicts(key, False) == theirs.conflicts(key, False)
        if step % 100 == 0:
            exclusive = step % 200 == 0
            assert mine.acquire_everything(exclusive) == theirs.acquire_everything(exclusive)
            assert mine.is_free(reads, writes) == theirs.is_free(reads, writes)
            assert mine.is_wanted(key)
            assert mine.counts() == theirs.counts()
            mine.release_everything(exclusive)
            theirs.release_everything(exclusive)
        mine.verify()
        assert len(mine) == len(theirs)
        assert bool(mine) == bool(theirs)
    assert mine.counts() == theirs.counts()
    for given_back in held:
        mine.release(*given_back)
    assert not mine
    mine.verify()


def named(fingerprints: Iterable[int]) -> Any:
    """Keys as the compiled short cut names them; sets where that is not there."""
    if not compiled.in_use():
        return set(fingerprints)
    from nogil_df.vll._intents import Keys

    return Keys(fingerprints)


@given(st.lists(st.tuples(parts(), st.booleans()), max_size=12))
def test_keys_named_in_either_way_conflict_alike(drawn: list[tuple[Part, bool]]) -> None:
    """Parts whose keys are C numbers, some of them twice, among parts whose keys are sets."""
    plain, mixed = IntentLocks(), IntentLocks()
    pairs: list[tuple[Part, Part]] = []
    for part, in_c in drawn:
        other = part
        if in_c and part.scope == NOT_GLOBAL:
            reads, writes = named([*part.shared, *part.shared]), named([*part.exclusive, *part.exclusive])
            other = Part(0, None, reads, writes)
            assert plain.is_free(part.shared, part.exclusive) == mixed.is_free(reads, writes)
        assert acquire(plain, part) == acquire(mixed, other)
        for one, its_twin in pairs:
            assert conflict(part, one) == conflict(other, its_twin) == conflict(its_twin, other)
        pairs.append((part, other))
        mixed.verify()
    for part, other in pairs:
        release(plain, part)
        release(mixed, other)
        mixed.verify()
    assert not mixed


@pytest.mark.parametrize("of", [set, named], ids=["sets", "numbers"])
@pytest.mark.parametrize("size", [3, 200])
def test_keys_are_disjoint_or_not(of: Callable[[Iterable[int]], Set[int]], size: int) -> None:
    """However many there are on either side, and whatever they are."""
    keys = named(range(size))
    assert keys.isdisjoint(of(range(size, 2 * size)))
    assert not keys.isdisjoint(of([*range(size, 2 * size), size - 1]))
    assert set(range(size, 2 * size)).isdisjoint(keys)
    assert not {1, 2 * size}.isdisjoint(keys)
    assert keys.isdisjoint(of(()))
    assert sorted(keys) == list(range(size))
    assert size - 1 in keys
    assert size not in keys
