"""Strings that are numbers: INCR and its relatives.

A number is stored as its text, like any string; Redis's encoding "int" is a matter of what OBJECT ENCODING
reports. Integers are those of 64 bits in canonical form; INCRBYFLOAT counts as x86's long double does
(`nogil_df.base.numbers`). A deadline stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import (
    INT64_MAX,
    INT64_MIN,
    LongDouble,
    add_long_doubles,
    format_long_double,
    parse_int,
    parse_long_double,
    sum_of_decimals,
)
from nogil_df.commands.spec import Row, single
from nogil_df.commands.string_options import KEEP_DEADLINE, NO_DEADLINE
from nogil_df.shard.table import PACKED, revise_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

ZERO: Final = ord("0")


def op_incr(db: Keyspace, args: Args, h: int) -> int:
    """Add 1. O(1). The spelled-out part is `count` for what counters nearly always are."""
    key = args[1]
    value = db.table.get(key, h)
    if value.__class__ is bytes and len(value) < 19 and value.isdigit() and value[0] != ZERO:
        number = int(value) + 1
        text = b"%d" % number
        db.table.replace(key, h, text)
        if not PACKED:
            db.used += len(text) - len(value)
        db.shard.dirty += 1
        if db.observed:
            db.tell(key, events.STRING, b"incrby")
        return number
    return count(db, key, h, 1)


def many_incr(db: Keyspace, hashes: Sequence[int], keys: Sequence[bytes], values: None, foreign: bool) -> Any:
    """`op_incr` for many keys at once (see `nogil_df.vll.columns`). O(keys)."""

    def one(key: bytes, h: int) -> int | ReplyError:
        try:
            return op_incr(db, [b"", b"%b" % key if foreign else key], h)
        except ReplyError as error:
            return error.bare()

    sums, grown = revise_many(db.table, keys, hashes, _plus_one, one)
    if not PACKED:
        db.used += grown
    # What `one` answered it has counted itself.
    db.shard.dirty += list(map(type, sums)).count(bytes)
    return [int(value) if value.__class__ is bytes else value for value in sums]


def _plus_one(value: Any) -> bytes | None:
    """The text of a counter and 1, None if the value is not what counters nearly always are."""
    if value.__class__ is bytes and len(value) < 19 and value.isdigit() and value[0] != ZERO:
        return b"%d" % (int(value) + 1)
    return None


def op_decr(db: Keyspace, args: Args, h: int) -> int:
    """Subtract 1. O(1)."""
    return count(db, args[1], h, -1)


def cmd_incrby(session: Session, args: Args) -> tuple[bytes, int]:
    """Parse the increment."""
    delta = parse_int(args[2])
    if delta is None:
        raise ReplyError("NOT_INTEGER")
    return args[1], delta


def cmd_decrby(session: Session, args: Args) -> tuple[bytes, int]:
    """Parse the decrement, whose negative must be a 64-bit integer too."""
    key, delta = cmd_incrby(session, args)
    if delta == INT64_MIN:
        raise ReplyError("DECR_OVERFLOW")
    return key, -delta


def op_incrby(db: Keyspace, payload: tuple[bytes, int], h: int) -> int:
    """Add an integer. O(1)."""
    return count(db, payload[0], h, payload[1])


def count(db: Keyspace, key: bytes, h: int, delta: int) -> int:
    """Add ``delta`` to the integer at a key; no key counts as 0. O(1).

    Returns:
        The sum.

    Raises:
        ReplyError: WRONGTYPE, NOT_INTEGER, OVERFLOW.
    """
    value = db.string(key, h)
    number = delta
    if value is not None:
        old = parse_int(value)
        if old is None:
            raise ReplyError("NOT_INTEGER")
        number += old
        if not INT64_MIN <= number <= INT64_MAX:
            raise ReplyError("OVERFLOW")
    db.put(key, h, b"%d" % number, NO_DEADLINE if value is None else KEEP_DEADLINE)
    db.changed(key, events.STRING, b"incrby")
    return number


def op_incrbyfloat(db: Keyspace, args: Args, h: int) -> bytes:
    """Add a floating-point number. O(1), but for huge numbers. The text of the sum.

    Raises:
        ReplyError: WRONGTYPE, NOT_FLOAT, NAN_OR_INF.
    """
    key = args[1]
    value = db.string(key, h)
    text = sum_of_decimals(b"0" if value is None else bytes(value), args[2])
    if text is None:
        text = _sum(value, args[2])
    db.put(key, h, text, NO_DEADLINE if value is None else KEEP_DEADLINE)
    db.changed(key, events.STRING, b"incrbyfloat")
    return text


def _sum(value: bytes | bytearray | None, increment: bytes) -> bytes:
    """The text of a sum of any numbers."""
    delta = parse_long_double(increment)
    old = LongDouble(0, 0) if value is None else parse_long_double(value)
    if old is None or delta is None:
        raise ReplyError("NOT_FLOAT")
    total = add_long_doubles(old, delta)
    if total is None:
        raise ReplyError("NAN_OR_INF")
    return format_long_double(total)


TABLE: tuple[Row, ...] = (
    single(
        "INCR",
        2,
        "write denyoom fast",
        op=op_incr,
        many=many_incr,
        many_with=2,
        encode="number",
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key",
        summary="Adds one to the integer at a key.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "DECR",
        2,
        "write denyoom fast",
        op=op_decr,
        encode="number",
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key",
        summary="Subtracts one from the integer at a key.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "INCRBY",
        3,
        "write denyoom fast",
        cmd=cmd_incrby,
        op=op_incrby,
        encode="number",
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key increment",
        summary="Adds to the integer at a key.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "DECRBY",
        3,
        "write denyoom fast",
        cmd=cmd_decrby,
        op=op_incrby,
        encode="number",
        acl="@write @string @fast",
        since="1.0.0",
        group="string",
        syntax="key decrement",
        summary="Subtracts from the integer at a key.",
        key_flags="RW ACCESS UPDATE",
    ),
    single(
        "INCRBYFLOAT",
        3,
        "write denyoom fast",
        op=op_incrbyfloat,
        encode="bulk_or_null",
        acl="@write @string @fast",
        since="2.6.0",
        group="string",
        syntax="key increment",
        summary="Adds to the floating-point number at a key.",
        key_flags="RW ACCESS UPDATE",
    ),
)
