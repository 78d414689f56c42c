"""Longer histories, of appends and reads, without a circle of who comes before whom."""

from __future__ import annotations

import random

import pytest

from nogil_df.vll.engine import Engine
from tests.vll.graph import circle, tokens
from tests.vll.history import NEVER, Operation, Recorder
from tests.vll.model import Args
from tests.vll.scenario import KEYS, describe, make_simulation, seeds, settle


def check(seed: int) -> None:
    """Run six clients that append and read, one of which may leave, and look for a circle."""
    simulation = make_simulation(seed)
    choices = random.Random(f"appends {seed}")
    recorder = Recorder(simulation)
    numbers = iter(range(1 << 30))

    def append() -> Args:
        return (b"APPEND", choices.choice(KEYS), b"%d," % next(numbers))

    def operations() -> list[Operation]:
        kind = choices.randrange(6)
        some = choices.sample(KEYS, choices.randint(2, 4))
        if kind == 0:
            return [Operation(-1, ((b"MGET", *some),))]
        if kind == 1:
            return [Operation(-1, tuple((b"GET", key) for key in some), atomic=True)]
        if kind == 2:
            return [
                Operation(-1, tuple((b"APPEND", key, b"%d," % next(numbers)) for key in some), atomic=True)
            ]
        if kind == 3:
            # Reads what others write and writes what others read: the pattern of write skew.
            read, written = some[:1], some[1:]
            commands = [(b"MGET", *read), *((b"APPEND", key, b"%d," % next(numbers)) for key in written)]
            return [Operation(-1, tuple(commands), atomic=True)]
        if kind == 4:
            return [
                Operation(-1, (append() if choices.random() < 0.6 else (b"GET", choices.choice(KEYS)),))
                for _ in range(choices.randint(1, 8))
            ]
        read = Operation(-1, ((b"MGET", *some),))
        then = Operation(-1, tuple((b"APPEND", key, b"%d," % next(numbers)) for key in some), atomic=True)
        return [Operation(-1, ((b"WATCH", *some),)), read, then]

    for _ in range(6):
        client = recorder.client()
        for _ in range(5):
            recorder.send(client, *operations())
    if choices.random() < 0.3:
        for _ in range(choices.randint(1, 60)):
            simulation.step()
        choices.choice(recorder.clients).close(after_replies=False)
    settle(simulation)
    reader = recorder.client()
    recorder.send(reader, Operation(-1, ((b"MGET", *KEYS),)))
    settle(simulation)
    final = dict(zip(KEYS, map(tokens, recorder.done[reader][0].reply), strict=True))
    found = circle(recorder.done, final)
    if found is not None:
        raise AssertionError(f"seed {seed}: a circle\n{describe([found])}\nin\n{describe(recorder.done)}")


def check_all(chunk: range) -> None:
    """Run seeds until one fails."""
    for seed in chunk:
        check(seed)


@pytest.mark.parametrize("chunk", seeds(600, 6), ids="seeds{0.start}".format)
def test_no_circles(chunk: range) -> None:
    """Who came before whom is an order."""
    check_all(chunk)


def _read(client: int, seen: tuple[bytes | None, bytes | None], sent: int, answered: int) -> Operation:
    return Operation(client, ((b"MGET", b"a", b"b"),), sent=sent, answered=answered, reply=seen)


def _append(client: int, key: bytes, token: bytes, sent: int, answered: int = NEVER) -> Operation:
    return Operation(client, ((b"APPEND", key, token),), sent=sent, answered=answered, reply=len(token))


FINAL = {b"a": [b"1,"], b"b": [b"2,"]}


def test_readers_that_disagree_are_a_circle() -> None:
    """The long fork: each order of the two appends was seen by somebody."""
    history = [[_append(0, b"a", b"1,", 1)], [_append(1, b"b", b"2,", 1)], [_read(2, (b"1,", None), 1, 9)]]
    assert circle(history, FINAL) is None
    found = circle([*history, [_read(3, (None, b"2,"), 1, 9)]], FINAL)
    assert found is not None
    assert {operation.client for operation in found} == {0, 1, 2, 3}


def test_real_time_counts() -> None:
    """A read that was sent after the append was answered has to see it."""
    history = [[_append(0, b"a", b"1,", 1, 4)], [_append(1, b"b", b"2,", 1)]]
    assert circle([*history, [_read(2, (None, None), 4, 9)]], FINAL) is None
    assert circle([*history, [_read(2, (None, None), 5, 9)]], FINAL) is not None


def test_the_order_of_a_client_counts() -> None:
    """Who saw the second command of a pipeline sees the first."""
    pipeline = [_append(0, b"a", b"1,", 1, 9), _append(0, b"b", b"2,", 1, 9)]
    assert circle([pipeline, [_read(1, (b"1,", None), 1, 9)]], FINAL) is None
    assert circle([pipeline, [_read(1, (None, b"2,"), 1, 9)]], FINAL) is not None


def test_lost_and_invented_tokens_are_told() -> None:
    """What was answered is there; what is there was written."""
    with pytest.raises(AssertionError, match="lost"):
        circle([[_append(0, b"a", b"1,", 1, 2)]], {b"a": []})
    with pytest.raises(AssertionError, match="nobody"):
        circle([[]], FINAL)


def test_a_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: without looking at intents there are circles."""
    monkeypatch.setattr(Engine, "is_free", lambda self, part: True)
    with pytest.raises(AssertionError, match="a circle"):
        check_all(range(500))
