"""One shard's engine: who is granted, who waits, who is refused; and that all of them end."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nogil_df.base.clock import FakeClock
from nogil_df.shard.shard import Shard
from nogil_df.vll.engine import GRANTED, REFUSED, WAITING, Engine, call, deliver, tell_granted
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, NOT_GLOBAL, Part, conflict
from nogil_df.vll.proactor import Proactor


@pytest.fixture
def engine() -> Engine:
    """The engine of shard 0 of two."""
    return make_engine()


def make_engine() -> Engine:
    """The same for tests that need one an example."""
    clock = FakeClock()
    return Proactor(0, 2, Shard(0, 2, 1, clock.unix_ms()), clock).engine


def part(tx_id: int = 0, *, reads: Iterable[int] = (), writes: Iterable[int] = (), scope: int = 0) -> Part:
    """A part of a transaction whose coordinator is thread 1; its token is its id."""
    made = Part(1, tx_id, frozenset(reads), frozenset(writes), scope)
    made.tx_id = tx_id
    return made


def sent(engine: Engine) -> list[tuple[Any, ...]]:
    """What the engine told thread 1 since the last look, by handler and token."""
    messages, engine.proactor.outboxes[1] = engine.proactor.outboxes[1], []
    return [(message[0], message[1]) for message in messages]


def note(shard: Shard, argument: tuple[list[Any], Any]) -> Any:
    """Work that leaves a trace."""
    trace, what = argument
    trace.append(what)
    return what


def test_the_second_writer_waits_and_is_told(engine: Engine) -> None:
    """A conflict with a smaller id is a wait, and its end a message."""
    first, second = part(2, writes={1}), part(4, writes={1})
    assert engine.schedule(first) == GRANTED
    assert engine.schedule(second) == WAITING
    assert sent(engine) == []
    engine.conclude(first)
    assert sent(engine) == [(tell_granted, 4)]
    assert second.granted
    engine.verify()
    engine.conclude(second)
    assert not engine.queue.parts
    assert not engine.locks


def test_each_of_many_waits_for_one_other(engine: Engine) -> None:
    """Parts that want the same key form a chain, also when one in the middle leaves or comes."""
    first, *others = parts = [part(4 * number, writes={1, 100 + number}) for number in range(1, 9)]
    assert [engine.schedule(one) for one in parts] == [GRANTED] + [WAITING] * 7
    assert [one.blocker for one in others] == parts[:-1]
    engine.conclude(parts.pop(4))
    between = part(14, writes={1})
    assert engine.schedule(between) == WAITING
    parts.insert(3, between)
    engine.verify()
    assert [one.blocker for one in parts[1:]] == parts[:-1]
    for at, one in enumerate(parts):
        assert [other.granted for other in parts[at:]] == [True] + [False] * (len(parts) - at - 1)
        engine.conclude(one)
        engine.verify()
    assert sent(engine) == [(tell_granted, one.token) for one in parts[1:]]
    assert first.blocker is None
    assert not any(one.followers for one in parts)


def test_who_does_not_conflict_runs_out_of_order(engine: Engine) -> None:
    """Other keys, or reads of the same one, are granted at once."""
    assert engine.schedule(part(2, writes={1})) == GRANTED
    assert engine.schedule(part(4, writes={2})) == GRANTED
    assert engine.schedule(part(6, reads={3})) == GRANTED
    assert engine.schedule(part(8, reads={3})) == GRANTED
    assert engine.out_of_order_total == 3
    engine.verify()


def test_a_grant_is_not_taken_back(engine: Engine) -> None:
    """A smaller id that comes too late is refused and holds nothing."""
    late = part(2, writes={1})
    first = part(8, writes={1})
    assert engine.schedule(first) == GRANTED
    assert engine.schedule(late) == REFUSED
    assert not late.locked
    assert engine.refused_total == 1
    engine.verify()
    again = late.fresh()
    again.tx_id = engine.proactor.seen_tx_id()
    assert again.tx_id > first.tx_id
    assert engine.schedule(again) == WAITING


def test_a_smaller_id_overtakes_one_that_waits(engine: Engine) -> None:
    """Whoever waits has been promised nothing; then it waits for that one, too."""
    granted, waits, overtakes = part(2, writes={1}), part(8, writes={1, 2}), part(6, writes={2})
    assert engine.schedule(granted) == GRANTED
    assert engine.schedule(waits) == WAITING
    assert engine.schedule(overtakes) == GRANTED
    engine.verify()
    engine.conclude(granted)
    assert sent(engine) == []
    engine.conclude(overtakes)
    assert sent(engine) == [(tell_granted, 8)]


def test_who_waits_for_nobody_any_more_need_not_be_the_head(engine: Engine) -> None:
    """One conflict does not make a procession of all who wait."""
    first, second = part(2, writes={1}), part(4, writes={2})
    after_first, after_second = part(6, writes={1, 3}), part(8, writes={2, 4})
    for one, state in ((first, GRANTED), (second, GRANTED), (after_first, WAITING), (after_second, WAITING)):
        assert engine.schedule(one) == state
    engine.conclude(second)
    engine.verify()
    assert sent(engine) == [(tell_granted, 8)]
    assert after_second.granted
    assert not after_first.granted


def test_work_that_came_along_runs_when_its_turn_comes(engine: Engine) -> None:
    """`schedule_run` in conflict keeps the work; several in a row run in one go, in order."""
    trace: list[Any] = []
    first = part(2, writes={1})
    assert engine.schedule(first) == GRANTED
    for name in "abc":
        assert engine.schedule_run(part(writes={1}), (note, (trace, name)))
    assert trace == []
    engine.conclude(first)
    assert trace == ["a", "b", "c"]
    assert [handler for handler, _ in sent(engine)] == [deliver] * 3
    assert not engine.queue.parts
    assert not engine.locks


def test_without_conflict_nothing_is_taken(engine: Engine) -> None:
    """The fast path leaves neither id nor intent nor queue entry."""
    trace: list[Any] = []
    alone = part(writes={1})
    assert engine.schedule_run(alone, (note, (trace, "a")))
    assert trace == ["a"]
    assert (alone.tx_id, engine.scheduled_total, engine.locks.counts()) == (0, 0, {})


def test_schedule_run_is_refused_like_schedule(engine: Engine) -> None:
    """The coordinator of a refused part has to come again; its work has not run."""
    trace: list[Any] = []
    assert engine.schedule(part(8, writes={1})) == GRANTED
    assert not engine.schedule_run(part(2, writes={1}), (note, (trace, "late")))
    assert trace == []


def test_global_parts_conflict_with_writers(engine: Engine) -> None:
    """A shared one goes with readers, an exclusive one with nobody."""
    assert engine.schedule(part(2, reads={1})) == GRANTED
    assert engine.schedule(part(4, scope=GLOBAL_SHARED)) == GRANTED
    assert engine.schedule(part(6, reads={2})) == GRANTED
    assert engine.schedule(part(8, writes={3})) == WAITING
    assert engine.schedule(part(10, scope=GLOBAL_EXCLUSIVE)) == WAITING
    engine.verify()


def test_cancelling_is_concluding(engine: Engine) -> None:
    """A part that waits can be taken back; concluding what was never scheduled does nothing."""
    first, second = part(2, writes={1}), part(4, writes={1})
    engine.schedule(first)
    engine.schedule(second)
    engine.conclude(second)
    engine.conclude(second)
    engine.conclude(part(6, writes={1}))
    engine.verify()
    engine.conclude(first)
    assert sent(engine) == []
    assert not engine.locks


def test_a_crash_in_work_is_an_answer(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    """The queue goes on after work that raises."""

    def crash(shard: Shard, argument: Any) -> Any:
        raise ZeroDivisionError

    assert call((crash, None), engine.proactor.shard).code == "INTERNAL"
    first = part(2, writes={1})
    engine.schedule(first)
    engine.schedule_run(part(writes={1}), (crash, None))
    engine.conclude(first)
    assert not engine.locks
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("broken", ["intent", "grant", "head"])
def test_verify_sees_damage(engine: Engine, broken: str) -> None:
    """Intents that nobody holds, two grants in conflict, a head that was not told."""
    first, second = part(2, writes={1}), part(4, writes={1})
    engine.schedule(first)
    engine.schedule(second)
    engine.verify()
    if broken == "intent":
        engine.locks.acquire((), (9,))
    elif broken == "grant":
        second.granted = True
    else:
        first.granted = False
    with pytest.raises(AssertionError):
        engine.verify()


keys = st.frozensets(st.integers(0, 4), max_size=2)
scopes = st.sampled_from([NOT_GLOBAL] * 8 + [GLOBAL_SHARED, GLOBAL_EXCLUSIVE])


@given(st.lists(st.tuples(st.integers(1, 40), keys, keys, scopes), max_size=25), st.integers(0, 1 << 30))
def test_conflicting_parts_run_one_after_the_other(wanted: list[Any], seed: int) -> None:
    """Whatever comes in whatever order: no two grants conflict, ids decide, and in the end all have run."""
    engine = make_engine()
    choices = random.Random(seed)
    waiting: list[Part] = []
    granted: list[Part] = []
    for number, (stamp, reads, writes, scope) in enumerate(wanted):
        if scope:
            reads = writes = frozenset()
        elif not reads | writes:
            # A transaction has parts only where it has keys.
            continue
        one = part(stamp * 100 + 2 * number, reads=reads - writes, writes=writes, scope=scope)
        state = engine.schedule(one)
        if state == REFUSED:
            assert any(conflict(one, other) and other.tx_id > one.tx_id for other in granted)
            one = one.fresh()
            # Odd, so that none of those to come has it.
            one.tx_id = max(engine.proactor.seen_tx_id(), engine.queue.tail_id() + 1) | 1
            state = engine.schedule(one)
        assert state != REFUSED
        (granted if state == GRANTED else waiting).append(one)
        engine.verify()
        if granted and choices.random() < 0.4:
            _conclude_one(engine, choices, waiting, granted)
    while granted:
        _conclude_one(engine, choices, waiting, granted)
    assert not waiting
    assert not engine.queue.parts
    assert not engine.locks


def _conclude_one(engine: Engine, choices: random.Random, waiting: list[Part], granted: list[Part]) -> None:
    done = granted.pop(choices.randrange(len(granted)))
    engine.conclude(done)
    engine.verify()
    for one in [one for one in waiting if one.granted]:
        waiting.remove(one)
        granted.append(one)
        ahead = [other for other in engine.queue.parts if other.tx_id < one.tx_id]
        assert not any(conflict(one, other) for other in ahead)
