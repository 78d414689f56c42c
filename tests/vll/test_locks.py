"""Intent locks against a model that keeps a plain list of who holds what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nogil_df.vll.locks import IntentLocks
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
    assert not locks.table


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
