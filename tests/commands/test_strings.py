"""String commands where redis-server 7.0 is no judge: newer ones, Dragonfly's, limits, ownership."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_hexdigest

from nogil_df.base import keyspace_events as events
from nogil_df.base.flags import Options
from nogil_df.commands import strings
from nogil_df.shard.shard import Shard
from tests.commands.console import Console
from tests.resp import Reply

OK = Reply("+", b"OK")
NULL = Reply("$", None)
MIB = 1 << 20
WRONG_TYPE = Reply("-", b"WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = Reply("-", b"ERR syntax error")


class Other:
    """A value of a type that is no string."""

    type_name = b"list"
    encoding = b"listpack"
    memory = 0


def put_other(console: Console, key: bytes) -> None:
    """Store a value of another type, of which this family knows nothing."""
    for thread in console.simulation.threads:
        shard = thread.proactor.shard
        h = shard.hash_key(key)
        if (h >> 32) % shard.count == shard.index:
            shard.dbs[0].put(key, h, Other())


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console()


# SET's comparisons, DELEX, DIGEST.


def test_set_ifeq_stores_only_over_the_same_value(redis: Console) -> None:
    assert redis("SET k new IFEQ old") == NULL
    assert redis.value("GET k") is None
    redis("SET k old")
    assert redis("SET k new IFEQ other") == NULL
    assert redis("SET k new IFEQ old EX 10") == OK
    assert redis.value("GET k") == b"new"
    assert redis.simulation.clock.unix_ms() + 10_000 == _deadline(redis, b"k")


def test_set_ifne_stores_over_another_value_or_none(redis: Console) -> None:
    assert redis("SET k one IFNE one") == OK
    assert redis("SET k two IFNE one") == NULL
    assert redis("SET k two IFNE x") == OK
    assert redis.value("GET k") == b"two"


def test_set_compares_with_a_value_changed_in_place(redis: Console) -> None:
    redis("APPEND k ab")
    redis("APPEND k cd")
    assert redis("SET k x IFEQ abcd GET") == Reply("$", b"abcd")
    assert redis.value("GET k") == b"x"


def test_set_with_get_answers_the_old_value_where_the_comparison_failed(redis: Console) -> None:
    redis("SET k old")
    assert redis("SET k new IFEQ other GET") == Reply("$", b"old")
    assert redis.value("GET k") == b"old"


def test_set_compares_digests(redis: Console) -> None:
    redis("SET k value")
    digest = redis.value("DIGEST k").decode()
    assert redis(f"SET k x IFDNE {digest}") == NULL
    assert redis(f"SET k x IFDEQ {digest.upper()}") == OK
    assert redis(f"SET k y IFDEQ {digest}") == NULL
    assert redis(f"SET none y IFDEQ {digest}") == NULL
    assert redis(f"SET none y IFDNE {digest}") == OK


@pytest.mark.parametrize("operand", ["", "abc", "0123456789abcdeg", "0123456789abcdef0", "+123456789abcdef"])
def test_a_digest_has_sixteen_hexadecimal_digits(redis: Console, operand: str) -> None:
    wanted = Reply("-", b"ERR must be exactly 16 hexadecimal characters")
    assert redis(f'SET k v IFDEQ "{operand}"') == wanted
    assert redis(f'DELEX k IFDNE "{operand}"') == wanted


@pytest.mark.parametrize(
    "options",
    [
        "IFEQ a NX",
        "XX IFNE a",
        "IFEQ a IFNE a",
        "IFEQ a IFEQ a",
        "IFEQ",
        "IFDEQ",
        "NX IFDEQ 0123456789abcdef",
    ],
)
def test_comparisons_conflict_with_other_conditions(redis: Console, options: str) -> None:
    assert redis(f"SET k v {options}") == SYNTAX


def test_comparisons_want_a_string(redis: Console) -> None:
    put_other(redis, b"l")
    assert redis("SET l x IFEQ v") == WRONG_TYPE
    assert redis("SET l x IFNE v") == WRONG_TYPE
    assert redis("DIGEST l") == WRONG_TYPE
    assert redis("DELEX l IFEQ v") == Reply(
        "-", b"ERR Key should be of string type if conditions are specified"
    )
    assert redis("DELEX l") == Reply(":", 1)


def test_digest_is_xxh3_in_sixteen_digits(redis: Console) -> None:
    assert redis("DIGEST nokey") == NULL
    with_leading_zero = next(
        b"%d" % number for number in range(1000) if xxh3_64_hexdigest(b"%d" % number)[0] == "0"
    )
    for value in (b"", b"hello", with_leading_zero):
        redis.run(b"SET", b"k", value)
        assert redis.value("DIGEST k") == xxh3_64_hexdigest(value).encode()


def test_delex(redis: Console) -> None:
    redis("SET k v")
    assert redis("DELEX k IFEQ x") == Reply(":", 0)
    assert redis("DELEX k IFNE v") == Reply(":", 0)
    assert redis("DELEX k IFEQ v") == Reply(":", 1)
    assert redis("DELEX k") == Reply(":", 0)
    assert redis("DELEX k IFNE v") == Reply(":", 0)
    assert redis("DELEX k IFEQ") == Reply("-", b"ERR wrong number of arguments for 'delex' command")
    assert redis("DELEX k BOGUS v") == SYNTAX


# MSETEX, GAT, PREPEND.


def test_msetex_gives_all_keys_one_deadline(redis: Console) -> None:
    assert redis("MSETEX 3 a 1 b 2 c 3 PX 500") == Reply(":", 1)
    assert redis.value("MGET a b c") == [b"1", b"2", b"3"]
    redis.simulation.advance(501)
    assert redis.value("MGET a b c") == [None] * 3


def test_msetex_conditions_hold_for_all_keys_or_nothing_is_stored(redis: Console) -> None:
    redis("MSET a 1 b 2")
    assert redis("MSETEX 2 b x c x NX") == Reply(":", 0)
    assert redis("MSETEX 2 b x c x XX") == Reply(":", 0)
    assert redis.value("MGET a b c") == [b"1", b"2", None]
    assert redis("MSETEX 2 a x b y XX") == Reply(":", 1)
    assert redis("MSETEX 2 c x d y NX EX 9") == Reply(":", 1)
    assert redis.value("MGET a b c d") == [b"x", b"y", b"x", b"y"]


def test_msetex_keeps_or_drops_deadlines(redis: Console) -> None:
    redis("SET a 1 EX 100")
    deadline = _deadline(redis, b"a")
    redis("MSETEX 1 a 2 KEEPTTL")
    assert _deadline(redis, b"a") == deadline
    redis("MSETEX 1 a 3")
    assert _deadline(redis, b"a") == 0


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("MSETEX 0 a 1", "ERR invalid numkeys value"),
        ("MSETEX x a 1", "ERR invalid numkeys value"),
        ("MSETEX 2147483648 a 1", "ERR invalid numkeys value"),
        ("MSETEX 2 a 1", "ERR wrong number of arguments for 'msetex' command"),
        ("MSETEX 1 a 1 b 2", "ERR syntax error"),
        ("MSETEX 1 a 1 NX XX", "ERR syntax error"),
        ("MSETEX 1 a 1 EX 1 KEEPTTL", "ERR syntax error"),
        ("MSETEX 1 a 1 GET", "ERR syntax error"),
        ("MSETEX 1 a 1 EX 0", "ERR invalid expire time in 'msetex' command"),
        ("MSETEX 1 a 1 EX x", "ERR value is not an integer or out of range"),
    ],
)
def test_msetex_errors(redis: Console, line: str, error: str) -> None:
    assert redis(line) == Reply("-", error.encode())
    assert redis.value("GET a") is None


def test_gat_answers_values_and_touches_strings_only(redis: Console) -> None:
    redis("MSET a 1 b 2")
    put_other(redis, b"l")
    assert redis.value("GAT 10 a nokey l b") == [b"1", None, None, b"2"]
    now = redis.simulation.clock.unix_ms()
    assert _deadline(redis, b"a") == _deadline(redis, b"b") == now + 10_000
    assert _deadline(redis, b"l") == 0


def test_gat_reads_times_as_memcached_does(redis: Console) -> None:
    redis("SET a 1 EX 100")
    assert redis.value("GAT 0 a") == [b"1"]
    assert _deadline(redis, b"a") == 0
    unix = redis.simulation.clock.unix_ms() // 1000 + 7
    redis(f"GAT {unix} a")
    assert _deadline(redis, b"a") == unix * 1000
    assert redis.value("GAT -1 a") == [b"1"]
    assert redis.value("GET a") is None
    assert redis("GAT soon a") == Reply("-", b"ERR value is not an integer or out of range")


def test_prepend(redis: Console) -> None:
    assert redis("PREPEND k b") == Reply(":", 1)
    assert redis("PREPEND k aa") == Reply(":", 3)
    assert redis("APPEND k c") == Reply(":", 4)
    assert redis("PREPEND k x") == Reply(":", 5)
    assert redis.value("GET k") == b"xaabc"
    put_other(redis, b"l")
    assert redis("PREPEND l x") == WRONG_TYPE


# Limits, ownership, accounting, events.


def test_no_string_grows_past_the_limit() -> None:
    redis = Console(options=Options(max_bulk_len=MIB))
    too_long = Reply("-", b"ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    redis.run(b"SET", b"k", b"x" * (MIB - 1))
    assert redis("APPEND k yz") == too_long
    assert redis("PREPEND k yz") == too_long
    assert redis(f"SETRANGE k {MIB} z") == too_long
    assert redis("SETRANGE new 9223372036854775807 z") == too_long
    assert redis("STRLEN k") == Reply(":", MIB - 1)
    assert redis("APPEND k y") == Reply(":", MIB)
    assert redis(f'SETRANGE k {MIB} ""') == Reply(":", MIB)


def test_a_reply_does_not_change_with_the_value_behind_it(redis: Console) -> None:
    redis("SETRANGE k 0 abc")
    redis.client.send(
        [b"GET", b"k"],
        [b"APPEND", b"k", b"d"],
        [b"GETRANGE", b"k", b"0", b"-1"],
        [b"SETRANGE", b"k", b"0", b"X"],
        [b"GETEX", b"k"],
        [b"GETSET", b"k", b"new"],
    )
    redis.simulation.run()
    assert [reply.value for reply in redis.replies()] == [b"abc", 4, b"abcd", 4, b"Xbcd", b"Xbcd"]


@pytest.mark.parametrize(
    "words",
    [
        ["SET", "k", "value"],
        ["SET", "k", "value", "EX", "10"],
        ["SETEX", "k", "10", "value"],
        ["SETNX", "k", "value"],
        ["GETSET", "k", "value"],
        ["APPEND", "k", "value"],
        ["PREPEND", "k", "value"],
        ["MSET", "k", "value"],
        ["MSETNX", "k", "value"],
        ["MSETEX", "1", "k", "value"],
    ],
)
def test_the_owner_of_a_shard_makes_the_bytes_it_stores(words: list[str]) -> None:
    for coordinator in range(2):
        redis = Console(shards=2, thread=coordinator)
        # Two keys, so that one of them is on the other thread.
        for key in (b"k1", b"k2"):
            args = [key if word == "k" else word.encode() for word in words]
            redis.run(*args)
            shard = redis.simulation.threads[coordinator].proactor.shard
            local = (shard.hash_key(key) >> 32) % 2 == coordinator
            stored = redis.stored(key)
            assert stored == b"value"
            assert local or all(stored is not arg for arg in args)


CHANGES = st.one_of(
    st.tuples(st.sampled_from(["SET", "APPEND", "PREPEND", "GETSET", "SETNX"]), st.binary(max_size=40)),
    st.tuples(st.just("SETRANGE"), st.tuples(st.integers(0, 60), st.binary(max_size=20))),
    st.tuples(st.sampled_from(["GETDEL", "EXPIRE"]), st.none()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), CHANGES), max_size=30))
def test_any_sequence_of_changes_gives_what_a_dict_of_bytes_gives(
    changes: list[tuple[bytes, tuple[str, object]]],
) -> None:
    redis = Console(shards=2)
    model: dict[bytes, bytes] = {}
    for key, (command, operand) in changes:
        old = model.get(key, b"")
        if command == "SETRANGE":
            offset, patch = operand  # type: ignore[misc]
            redis.run(b"SETRANGE", key, b"%d" % offset, patch)
            if patch:
                model[key] = old[:offset].ljust(offset, b"\0") + patch + old[offset + len(patch) :]
        elif command == "EXPIRE":
            redis.run(b"GETEX", key, b"PX", b"1")
            redis.simulation.advance(2)
            model.pop(key, None)
        elif command == "GETDEL":
            assert redis.run(b"GETDEL", key).value == model.pop(key, None)
        else:
            assert isinstance(operand, bytes)
            redis.run(command.encode(), key, operand)
            if command == "APPEND":
                model[key] = old + operand
            elif command == "PREPEND":
                model[key] = operand + old
            elif command != "SETNX" or key not in model:
                model[key] = operand
        assert redis.value("MGET a b") == [model.get(b"a"), model.get(b"b")]
    redis.simulation.verify()


def test_events_of_commands_that_redis_7_lacks() -> None:
    shard = Shard(0, 1, 1, now_ms=1_000)
    shard.set_notify_mask(events.ALL | events.KEYEVENT)
    db = shard.dbs[0]
    h = shard.hash_key(b"k")
    strings.op_prepend(db, (b"k", b"x", MIB), h)
    strings.set_expiry(db, b"k", h, 5_000)
    strings.op_delex(db, (b"k", strings.ALWAYS, b""), h)
    assert [event for _, event, _, _ in shard.outgoing] == [b"prepend", b"expire", b"del"]


@pytest.mark.parametrize("seed", range(40))
def test_of_two_msetnx_one_wins_and_nobody_sees_half_of_it(seed: int) -> None:
    one = Console(seed=seed)
    two, reader = one.another(), one.another()
    keys = [b"k%d" % number for number in range(6)]
    for console, token in ((one, b"1"), (two, b"2")):
        pairs = [part for key in (keys if token == b"1" else keys[::-1]) for part in (key, token)]
        console.client.send([b"MSETNX", *pairs])
    for _ in range(4):
        reader.client.send([b"MGET", *keys])
    one.simulation.run()
    assert sorted([one.replies()[0].value, two.replies()[0].value]) == [0, 1]
    for reply in reader.replies():
        assert len({item.value for item in reply.value}) == 1
    one.simulation.verify()


def _deadline(console: Console, key: bytes) -> int:
    """The deadline of a key in unix ms, 0 for none, -1 for no key."""
    shards = [thread.proactor.shard for thread in console.simulation.threads]
    return max(shard.dbs[0].deadline(key, shard.hash_key(key)) for shard in shards)
