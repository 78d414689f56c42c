"""The cycle search: every anomaly by a history made by hand, and none where there is none."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from stress.cycles import Append, NotSerializable, Read, Transaction, anomalies, check


def transaction(words: str, client: int = 0, called: int = 0, returned: int | None = 1_000) -> Transaction:
    """`transaction("x+1 y=1,2 z=", 3)`: append 1 to x, read y as [1 2] and z as []. `!` aborts, `?` has no
    reply.
    """
    steps: list[Append | Read] = []
    fate: bool | None = True
    for word in words.split():
        if word in ("!", "?"):
            fate = False if word == "!" else None
        elif "+" in word:
            key, value = word.split("+")
            steps.append(Append(key, int(value)))
        else:
            key, values = word.split("=")
            steps.append(Read(key, tuple(map(int, values.split(","))) if values else ()))
    if fate is not True:
        steps = [Read(step.key) if isinstance(step, Read) else step for step in steps]
    return Transaction(client, steps, called, None if fate is None else returned, fate)


def names(*lines: str) -> list[str]:
    """The anomalies of transactions of one client each, all at once; `check` must agree."""
    return found([transaction(line, client) for client, line in enumerate(lines)])


def found(history: Sequence[Transaction]) -> list[str]:
    """The names of a history's anomalies."""
    kinds = [anomaly.name for anomaly in anomalies(history)]
    if kinds:
        with pytest.raises(NotSerializable, match=kinds[0]):
            check(history)
    else:
        check(history)
    return kinds


BAD = {
    "G0": ("x+1 y+1", "x+2 y+2", "x=1,2", "y=2,1"),
    "G1a": ("x+1 !", "x=1"),
    "G1b": ("x+1 x+2", "x=1", "x=1,2"),
    "G1c": ("x+1 y=1", "y+1 x=1"),
    "G-single": ("x+1 y+1", "x=1 y=", "y=1"),
    "G2": ("x= y+1", "y= x+1", "x=1", "y=1"),
    "lost update": ("x= x+1", "x= x+2", "x=1,2"),
    "incompatible order": ("x+1", "x+2", "x=1,2", "x=2,1"),
    "internal": ("x+1", "x= x=1"),
    "garbage read": ("x+1", "x=1,7"),
    "duplicate elements": ("x+1", "x=1,1"),
}


@pytest.mark.parametrize("name", BAD)
def test_every_anomaly_is_named(name: str) -> None:
    """The worst of what each history shows."""
    assert names(*BAD[name])[0] == name


def test_what_is_fine_is_not_blamed() -> None:
    """Neighbours of the above that a serial order explains."""
    assert names("x+1 y+1", "x+2 y+2", "x=1,2 y=1,2") == []
    assert names("x+1 !", "x=") == []
    assert names("x+1 x+2", "x=1,2") == []
    assert names("x+1 y=1", "y+1 x=") == []
    assert names("x+1 y+1", "x=1 y=1", "x= y=") == []
    assert names("x= y+1", "y=1 x+1", "x=1", "y=1") == []
    assert names("x= x+1", "x=1 x+2", "x=1,2") == []
    assert names("x= x+1 x=1 x+2 x=1,2") == []
    assert names("x+1 x=1") == []
    assert names() == []


def test_an_own_append_not_seen_is_internal() -> None:
    """A transaction reads its own writes."""
    assert names("x+1 x=")[0] == "internal"
    assert names("x+1", "x=1 x+2 x=2")[0] == "internal"


def test_a_cycle_is_told_edge_by_edge() -> None:
    """The message names the transactions, and for each edge what was seen."""
    [anomaly] = anomalies([transaction("x+1 y+1", 4), transaction("x=1 y=", 5), transaction("y=1", 6)])
    assert str(anomaly).splitlines() == [
        "G-single",
        "  T1 of client 5: read x [1]; read y []",
        "  T0 of client 4: append x 1; append y 1",
        "  - T1 before T0 (rw): T1 read y before 1 was appended",
        "  - T0 before T1 (wr): T0 appended 1 to x, which was read",
    ]


def test_unknown_fates() -> None:
    """Who got no reply may have taken place, wholly, or not."""
    assert names("x+1 y+1 ?", "x=1 y=1") == []
    assert names("x+1 y+1 ?", "x= y=") == []
    assert names("x+1 y+1 ?", "x=1 y=", "y=1") == ["G-single"]
    # Seen in x, so it took place; then its value in y, which a later reader misses, was lost.
    late = [transaction("x+1 y+1 ?"), transaction("x=1 y=", 1)]
    assert found(late) == ["G-single"]


def test_real_time() -> None:
    """A stale read is serialisable, but not strictly; and a write may not get lost."""
    write = transaction("x+1 y+1", 0, 1, 2)
    assert found([write, transaction("x= y=", 1, 3, 4), transaction("x=1", 2, 5, 6)]) == ["G-single-realtime"]
    assert found([write, transaction("x= y=", 1, 2, 4), transaction("x=1", 2, 5, 6)]) == []
    assert found([write, transaction("x= y=", 1, 3, 4)]) == ["G-single-realtime"]
    first, second = transaction("x+1", 0, 1, 2), transaction("x+2", 1, 3, 4)
    assert found([first, second, transaction("x=2,1", 2, 0, 9)]) == ["G0-realtime"]
    # Read before it was even sent.
    assert found([transaction("x=1", 0, 1, 2), transaction("x+1", 1, 3, 4)]) == ["G1c-realtime"]


def test_a_clients_own_order() -> None:
    """Transactions that one client sent at once have an order, though none in time."""
    history = [transaction("x+1", 0), transaction("x+2", 0), transaction("x=2,1", 1)]
    assert found(history) == ["G0-process"]
    history = [transaction("x+1", 0), transaction("x=", 0), transaction("x=1", 1)]
    assert found(history) == ["G-single-process"]


def test_appending_a_value_twice_is_a_mistake_of_the_test() -> None:
    """Nothing could be inferred from it."""
    with pytest.raises(ValueError, match="1 is appended to x twice"):
        check([transaction("x+1"), transaction("x+1", 1)])


def serial_history(seed: int, count: int) -> list[Transaction]:
    """What a right server would give: transactions at random moments within their intervals."""
    choices = random.Random(seed)
    lists: dict[str, list[int]] = {key: [] for key in "abcd"}
    history = []
    for at in range(count):
        steps: list[Append | Read] = []
        for key in choices.choices("abcd", k=choices.randint(1, 4)):
            if choices.random() < 0.5:
                lists[key].append(at * 10 + len(steps))
                steps.append(Append(key, lists[key][-1]))
            else:
                steps.append(Read(key, tuple(lists[key])))
        moment = at * 10
        spans = choices.randint(1, 30), choices.randint(1, 30)
        history.append(Transaction(at, steps, moment - spans[0], moment + spans[1], True))
    return history


def test_long_histories() -> None:
    """2,000 transactions that are right pass; and any two reads of them swapped in time are found."""
    report = check(serial_history(1, 2_000))
    assert report.transactions == 2_000
    assert min(report.edges[kind] for kind in ("ww", "wr", "rw", "realtime")) > 100
    for seed in range(20):
        history = serial_history(seed, 60)
        readers = [
            one for one in history if len({step.key for step in one.steps if isinstance(step, Read)}) > 1
        ]
        victim = random.Random(seed).choice(readers[3:])
        at = next(at for at, step in enumerate(victim.steps) if isinstance(step, Read) and step.seen)
        stale = victim.steps[at]
        assert isinstance(stale, Read)
        assert stale.seen is not None
        steps = list(victim.steps)
        steps[at] = Read(stale.key, stale.seen[: len(stale.seen) // 3])
        victim.steps = steps
        assert found(history), f"seed {seed}"
