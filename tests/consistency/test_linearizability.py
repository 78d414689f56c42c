"""The linearizability checker: against a search that tries every order, and on histories made by hand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.history import ANY, Operation
from stress.linearizability import GAVE_UP, OK, WRONG, NotLinearizable, check, explain, judge
from stress.models import COUNTER, LIST, REGISTER, SET, Model


def operation(
    client: Hashable, called: int, returned: int | None, words: str, result: Any = None
) -> Operation:
    """`operation(0, 1, 5, "SET 1", "OK")`; whole numbers among the words become ints."""
    name, *args = words.split()
    return Operation(
        client,
        name,
        "key",
        tuple(int(arg) if arg.isdigit() else arg for arg in args),
        called,
        returned,
        result,
    )


def outcome(model: Model, *operations: Operation) -> str:
    """The checker's verdict; when it is WRONG, `check` must raise with an explanation that names the last
    line.
    """
    verdict = judge(operations, model)
    if verdict.outcome == WRONG:
        with pytest.raises(NotLinearizable, match="the last one has no explanation"):
            check(operations, model)
    else:
        check(operations, model)
    return verdict.outcome


# Made by hand: for every model what is wrong, and next to it what would be right.

BAD: dict[str, tuple[Model, list[Operation]]] = {
    "register, a stale read": (
        REGISTER,
        [operation(0, 1, 2, "SET 1", "OK"), operation(0, 3, 4, "SET 2", "OK"), operation(1, 5, 6, "GET", 1)],
    ),
    "register, a value from nowhere": (
        REGISTER,
        [operation(0, 1, 2, "SET 1", "OK"), operation(1, 1, 6, "GET", 3)],
    ),
    "register, new then old": (
        REGISTER,
        [
            operation(0, 1, 9, "SET 1", "OK"),
            operation(1, 2, 3, "GET", 1),
            operation(2, 4, 5, "GET", None),
        ],
    ),
    "register, two take the same place": (
        REGISTER,
        [
            operation(0, 1, 2, "SET 1", "OK"),
            operation(1, 3, 9, "CAS 1 2", 1),
            operation(2, 3, 9, "CAS 1 3", 1),
        ],
    ),
    "register, one value handed out twice": (
        REGISTER,
        [
            operation(0, 1, 9, "GETSET 1", None),
            operation(1, 1, 9, "GETSET 2", None),
        ],
    ),
    "register, a pipeline reordered": (
        REGISTER,
        [
            operation(0, 1, 9, "SET 1", "OK"),
            operation(0, 1, 9, "SET 2", "OK"),
            operation(1, 10, 11, "GET", 1),
        ],
    ),
    "register, the second of a lost pipeline without the first": (
        REGISTER,
        [
            operation(0, 1, None, "SETNX 1"),
            operation(0, 1, None, "SET 2"),
            operation(1, 3, 4, "GET", 2),
            operation(1, 5, 6, "GET", 1),
        ],
    ),
    "register, an unknown write before its call": (
        REGISTER,
        [operation(0, 3, None, "SET 1"), operation(1, 1, 2, "GET", 1)],
    ),
    "counter, one number twice": (
        COUNTER,
        [operation(0, 1, 5, "INCRBY 1", 1), operation(1, 2, 6, "INCRBY 1", 1)],
    ),
    "counter, one left out": (
        COUNTER,
        [operation(0, 1, 5, "INCRBY 1", 1), operation(1, 2, 6, "INCRBY 1", 3)],
    ),
    "counter, read behind": (
        COUNTER,
        [operation(0, 1, 2, "INCRBY 5", 5), operation(0, 3, 4, "DECRBY 2", 3), operation(1, 5, 6, "GET", 5)],
    ),
    "set, both were first": (
        SET,
        [operation(0, 1, 5, "SADD a", 1), operation(1, 1, 5, "SADD a", 1)],
    ),
    "set, removed but there": (
        SET,
        [
            operation(0, 1, 2, "SADD a b", 2),
            operation(0, 3, 4, "SREM a", 1),
            operation(1, 5, 6, "SISMEMBER a", 1),
        ],
    ),
    "set, half of two members": (
        SET,
        [operation(0, 1, 9, "SADD a b", 2), operation(1, 1, 9, "SMEMBERS", frozenset("a"))],
    ),
    "list, an element twice": (
        LIST,
        [operation(0, 1, 2, "RPUSH a", 1), operation(1, 3, 9, "LPOP", "a"), operation(2, 3, 9, "RPOP", "a")],
    ),
    "list, an element lost": (
        LIST,
        [
            operation(0, 1, 2, "RPUSH a b", 2),
            operation(1, 3, 4, "LPOP", "a"),
            operation(1, 5, 6, "LPOP", None),
        ],
    ),
    "list, out of order": (
        LIST,
        [
            operation(0, 1, 2, "RPUSH a", 1),
            operation(1, 3, 4, "RPUSH b", 2),
            operation(2, 5, 6, "LPOP", "b"),
        ],
    ),
    "list, between two elements of one push": (
        LIST,
        [
            operation(0, 1, 9, "LPUSH a b", 2),
            operation(1, 1, 9, "RPUSH c", 3),
            operation(2, 10, 11, "LRANGE", ("b", "c", "a")),
        ],
    ),
    "list, a length that never was": (
        LIST,
        [operation(0, 1, 9, "RPUSH a b", 2), operation(1, 1, 9, "LLEN", 1)],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_found(name: str) -> None:
    """Every bad history is found, and becomes good when its last operation's outcome is not known or is
    late.
    """
    model, operations = BAD[name]
    assert outcome(model, *operations) == WRONG
    assert outcome(model, *operations[:-1]) == OK


def test_what_is_right_passes() -> None:
    """The neighbours of what is wrong."""
    write, read = operation(0, 1, 5, "SET 1", "OK"), operation(1, 2, 3, "GET", 1)
    assert outcome(REGISTER, write, read) == OK
    assert outcome(REGISTER, write, operation(1, 2, 3, "GET", None)) == OK
    assert outcome(REGISTER, operation(0, 1, None, "SET 1"), operation(1, 90, 99, "GET", None)) == OK
    assert outcome(REGISTER, operation(0, 1, None, "SET 1"), operation(1, 90, 99, "GET", 1)) == OK
    pushes = [operation(0, 1, 9, "RPUSH a", 1), operation(1, 1, 9, "LPUSH b", 2)]
    assert outcome(LIST, *pushes, operation(2, 10, 11, "LRANGE", ("b", "a"))) == OK
    assert outcome(LIST, operation(0, 1, 9, "LPOP", "x"), operation(1, 2, 8, "RPUSH x", ANY)) == OK
    assert outcome(REGISTER) == OK


def test_keys_are_judged_apart() -> None:
    """A report counts keys and operations; the bad key is named."""
    fine = [operation(0, 1, 2, "INCRBY 1", 1), operation(1, 1, None, "INCRBY 1")]
    other = operation(0, 3, 4, "INCRBY 1", 7)
    other.key = b"other"
    report = check(fine, COUNTER)
    assert (report.keys, report.operations, report.unknown) == (1, 2, 1)
    with pytest.raises(NotLinearizable, match="counter other is not"):
        check([*fine, other], COUNTER)
    mixed = [operation(0, 1, 2, "SET 1", "OK"), other]
    other.result = 1
    assert check(mixed, lambda key: REGISTER if key == "key" else COUNTER).keys == 2


def test_giving_up_is_a_failure() -> None:
    """What takes too long is not passed over: writes without outcomes and a read that none of them
    explains.
    """
    many = [operation(at, 1, None, f"INCRBY {1 << at}") for at in range(24)]
    many.append(operation(99, 2, 3, "GET", -1))
    verdict = judge(many, COUNTER, budget=10_000)
    assert verdict.outcome == GAVE_UP
    assert verdict.tried == 10_001
    with pytest.raises(NotLinearizable, match="gave up after 10001 steps on 25 operations"):
        check(many, COUNTER, budget=10_000)


def test_an_explanation_is_short() -> None:
    """Of a long history only what matters is told: what was possible, and the operations in between."""
    history = []
    for at in range(0, 4000, 2):
        history.append(operation(at % 5, 10 * at, 10 * at + 5, f"SET {at}", "OK"))
        history.append(operation(7, 10 * at, 10 * at + 5, "GET", at))
    history.append(operation(8, 30_001, 30_002, "GET", 2998))
    history.append(operation(9, 29_999, 30_003, "GET", 5))
    message = explain(history, REGISTER)
    assert message.splitlines() == [
        "possible at first:",
        "  2998",
        "then, where the last one has no explanation:",
        "           1 ..          6  client 0: SET 3000 -> OK",
        "           0 ..          4  client 9: GET -> 5",
    ]
    # Too many pasts to follow: then at least where it is.
    assert "GET -> 5" in explain(history, REGISTER, budget=100)


def test_long_histories_need_no_deep_stack() -> None:
    """50,000 operations of eight clients, in a second or two; the memory of the search stays small."""
    choices = random.Random(1)
    history = []
    for at in range(50_000):
        history.append(operation(at % 8, 10 * at - choices.randrange(60), 10 * at + 60, "INCRBY 1", at + 1))
    verdict = judge(history, COUNTER)
    assert verdict.outcome == OK
    assert verdict.states == 50_000


# Against a checker that tries every order.


def every_order(operations: Sequence[Operation], model: Model) -> bool:
    """Whether any order of any choice of operations explains all results. O(n!)."""
    known = {at for at, one in enumerate(operations) if one.returned is not None}
    indexes = range(len(operations))
    for size in range(len(known), len(operations) + 1):
        for order in itertools.permutations(indexes, size):
            if known <= set(order) and _explains([operations[at] for at in order], operations, order, model):
                return True
    return False


def _explains(
    chosen: Sequence[Operation], operations: Sequence[Operation], order: Sequence[int], model: Model
) -> bool:
    for first, second in itertools.combinations(order, 2):
        one, other = operations[first], operations[second]
        if other.returned is not None and other.returned < one.called:
            return False
        if one.client == other.client and first > second:
            return False
    for at in order:
        # Nothing of a pipeline without all that was before it.
        if any(operations[e].client == operations[at].client and e not in order for e in range(at)):
            return False
    state: Any = model.initial
    for one in chosen:
        state, result = model.step(state, one.name, one.args)
        if one.returned is not None and one.result is not ANY and one.result != result:
            return False
    return True


_OPERATIONS: dict[str, tuple[Model, tuple[str, ...], tuple[Any, ...]]] = {
    "register": (REGISTER, ("GET", "SET 1", "SET 2", "CAS 1 2", "GETSET 1", "DEL"), (None, 1, 2, 0, "OK")),
    "counter": (COUNTER, ("GET", "INCRBY 1", "DECRBY 1"), (0, 1, 2, -1)),
    "set": (SET, ("SADD a", "SREM a", "SADD a b", "SISMEMBER a", "SCARD"), (0, 1, 2)),
    "list": (LIST, ("RPUSH a", "LPUSH b", "LPOP", "RPOP", "LLEN"), (0, 1, 2, "a", "b", None)),
}


@st.composite
def histories(draw: st.DrawFn) -> tuple[Model, list[Operation]]:
    """Five operations of three clients at most; the results are those of a server that is right nearly
    always.
    """
    model, words, results = _OPERATIONS[draw(st.sampled_from(sorted(_OPERATIONS)))]
    free_at = [0, 0, 0]
    gone = [False, False, False]
    operations: list[tuple[int, Operation]] = []
    for _ in range(draw(st.integers(1, 5))):
        client = draw(st.integers(0, 2))
        if gone[client]:
            continue
        called = free_at[client] + draw(st.integers(0, 2))
        length = draw(st.integers(0, 6))
        gone[client] = draw(st.integers(0, 5)) == 0
        one = operation(
            client, called, None if gone[client] else called + length, draw(st.sampled_from(words))
        )
        # 0 beyond the call: the next one of this client was sent along with it.
        free_at[client] = called + draw(st.sampled_from((0, length + 1)))
        operations.append((called + draw(st.integers(0, length)), one))
    state: Any = model.initial
    for _, one in sorted(operations, key=lambda pair: pair[0]):
        state, one.result = model.step(state, one.name, one.args)
    if draw(st.booleans()) and operations:
        draw(st.sampled_from(operations))[1].result = draw(st.sampled_from(results))
    return model, sorted((one for _, one in operations), key=lambda one: one.called)


@settings(max_examples=300)
@given(histories())
def test_it_says_what_trying_every_order_says(made: tuple[Model, list[Operation]]) -> None:
    """The search, and the explanation (which follows another algorithm), agree with the plain definition."""
    model, operations = made
    right = every_order(operations, model)
    assert judge(operations, model).outcome == (OK if right else WRONG)
    if not right:
        assert "no explanation" in explain(operations, model)


def test_the_comparison_meets_both() -> None:
    """The histories drawn above are right and wrong in good numbers."""
    seen: list[str] = []

    @settings(max_examples=200, database=None)
    @given(histories())
    def collect(made: tuple[Model, list[Operation]]) -> None:
        seen.append(judge(made[1], made[0]).outcome)

    collect()
    assert _shares(seen, OK) > 0.2
    assert _shares(seen, WRONG) > 0.1


def _shares(seen: Iterable[str], outcome: str) -> float:
    outcomes = list(seen)
    return outcomes.count(outcome) / len(outcomes)
