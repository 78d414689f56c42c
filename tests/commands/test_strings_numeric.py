"""Counters: any sum is that of Python's integers or an error, deadlines stay, accounts are right."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nogil_df.base.numbers import INT64_MAX, INT64_MIN
from tests.commands.console import Console
from tests.resp import Reply

OVERFLOW = Reply("-", b"ERR increment or decrement would overflow")
NOT_INTEGER = Reply("-", b"ERR value is not an integer or out of range")
INT64 = st.integers(INT64_MIN, INT64_MAX)


@settings(max_examples=200, deadline=None)
@given(INT64, INT64)
@example(INT64_MAX, 1)
@example(INT64_MIN, -1)
@example(-1, 1)
@example(9, 1)
@example(0, 0)
def test_sums_are_exact_or_refused(start: int, delta: int) -> None:
    redis = Console(shards=1)
    redis(f"SET k {start}")
    wanted = start + delta
    reply = redis(f"INCRBY k {delta}")
    if INT64_MIN <= wanted <= INT64_MAX:
        assert reply == Reply(":", wanted)
        assert redis.value("GET k") == b"%d" % wanted
    else:
        assert reply == OVERFLOW
        assert redis.value("GET k") == b"%d" % start
    redis.simulation.verify()


@pytest.mark.parametrize("edge", [-1, 0, 9, 10, 99, 10**17 - 1, 10**18 - 1, 10**18, INT64_MAX - 1])
def test_incr_at_the_edges_of_its_short_path(edge: int) -> None:
    redis = Console(shards=1)
    redis(f"SET k {edge}")
    assert redis("INCR k") == Reply(":", edge + 1)
    assert redis.value("GET k") == b"%d" % (edge + 1)
    redis.simulation.verify()


@pytest.mark.parametrize("text", ['""', "01", '"1 "', "+1", "-0", "1.0", "00", "²", "1" * 19 + "0"])
def test_what_is_no_canonical_integer_is_refused(text: str) -> None:
    redis = Console(shards=1)
    redis(f"SET k {text}")
    for command in ("INCR k", "DECR k", "INCRBY k 1", "DECRBY k 1"):
        assert redis(command) == NOT_INTEGER


def test_counters_read_values_changed_in_place() -> None:
    redis = Console()
    redis("APPEND k 1")
    redis("APPEND k 9")
    assert redis("INCR k") == Reply(":", 20)
    redis("APPEND k .5")
    assert redis("INCRBYFLOAT k 0.25") == Reply("$", b"20.75")
    redis.simulation.verify()


def test_a_counter_keeps_its_deadline_and_begins_anew_after_it() -> None:
    redis = Console()
    redis("SET k 41 PX 100")
    assert redis("INCR k") == Reply(":", 42)
    redis.simulation.advance(101)
    assert redis("INCR k") == Reply(":", 1)
    redis.simulation.advance(1_000_000)
    assert redis("INCR k") == Reply(":", 2)
    redis.simulation.verify()


@pytest.mark.parametrize("infinity", ["inf", "-inf", "1e4932"])
def test_incrbyfloat_refuses_infinite_sums(infinity: str) -> None:
    redis = Console()
    redis(f"SET k {infinity}")
    assert redis(f"INCRBYFLOAT k {infinity}") == Reply("-", b"ERR increment would produce NaN or Infinity")
