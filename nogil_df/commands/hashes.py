"""The hash family: commands on fields and values. Deadlines of fields are in `hashes_expiry`.

A hash never leaves its shard: what is answered is a list made for the reply. An empty hash is no hash:
whoever takes the last field out removes the key. A field that has expired is taken out before any command
looks at the hash (`nogil_df.shard.field_deadlines`), so none of them has to ask.
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
from nogil_df.commands.member_scan import Request, parse_request, traverse
from nogil_df.commands.sets import erase_if_empty, optional_count, repeated
from nogil_df.commands.spec import Row, single
from nogil_df.shard.field_deadlines import purge
from nogil_df.shard.hashes import HashValue
from nogil_df.shard.lengthy import Lengthy, flat_in_chunks, in_chunks
from nogil_df.shard.memory import BYTES_OVERHEAD
from nogil_df.wire.values import Rows

if TYPE_CHECKING:
    from collections.abc import Collection

    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

ZERO: Final = ord("0")

MOST_PAIRS = INT64_MAX // 2
"""HRANDFIELD's greatest count if it is to answer values, too."""


def read_hash(db: Keyspace, key: bytes, h: int) -> HashValue | None:
    """The hash at a key as a command that serves a client sees it: counts a hit or a miss. O(1).

    Raises:
        ReplyError WRONGTYPE if the key holds another type.
    """
    found: HashValue | None = db.table.get(key, h)
    if type(found) is HashValue:
        if found.deadlines is not None:
            found = purge(db, key, h, found)
        if found is not None:
            db.shard.hits += 1
            return found
    if found is None:
        db.find(key, h)
        return None
    raise ReplyError("WRONGTYPE")


def hash_to_change(db: Keyspace, key: bytes, h: int) -> HashValue | None:
    """The hash at a key, which may be changed in place now; as `read_hash`, but counts nothing. O(1)."""
    table = db.table
    found: HashValue | None = table.get(key, h)
    if found is None:
        return None
    if type(found) is not HashValue:
        raise ReplyError("WRONGTYPE")
    if found.deadlines is not None:
        found = purge(db, key, h, found)
    if table.cut_version:
        table.before_change(key, h)
    return found


# Setting and removing.


def cmd_hset(session: Session, args: Args) -> Args:
    """Every field must have its value."""
    if len(args) % 2:
        raise ReplyError("WRONG_ARITY", args[0].lower())
    return args


def op_hset(db: Keyspace, args: Args, h: int) -> int:
    """Set fields; how many are new. O(fields given)."""
    key = args[1]
    table = db.table
    found = table.get(key, h)
    if found is None:
        created = _begin_hash(db, key, h, args[2:])
        db.changed(key, events.HASH, b"hset")
        return created
    if len(args) != 4 or type(found) is not HashValue or found.deadlines is not None:
        return set_fields(db, key, h, args[2:])
    value: HashValue = found
    field = args[2]
    new = args[3]
    fields = value.fields
    if table.cut_version:
        table.before_change(key, h)
    size = len(new)
    longest = value.longest
    old = fields[field]
    if old is not None and size <= longest:
        fields[field] = new
        size -= len(old)
        created = 0
        value.memory += size
        db.used += size
    elif old is None and len(fields) < value.room and size <= longest and len(field) <= longest:
        fields[field] = new
        size += len(field) + 2 * BYTES_OVERHEAD
        created = 1
        value.memory += size
        db.used += size
    else:
        before = value.memory
        created = 1 if value.set(field, new, db.shard.limits) else 0
        db.used += value.memory - before
    db.shard.dirty += 1
    if db.observed:
        db.tell(key, events.HASH, b"hset")
    return created


def set_fields(db: Keyspace, key: bytes, h: int, pairs: Args) -> int:
    """Set fields, whose deadlines go, in a hash that is made if need be. O(fields given).

    Args:
        pairs: field, value, field, value...; the shard's own.

    Returns:
        How many are new.

    Raises:
        ReplyError WRONGTYPE.
    """
    created = store_fields(db, key, h, pairs)
    db.changed(key, events.HASH, b"hset")
    return created


def _begin_hash(db: Keyspace, key: bytes, h: int, pairs: Args) -> int:
    """Make a hash at a key that is not there; how many fields it has. O(fields given)."""
    limits = db.shard.limits
    value = HashValue(limits)
    if len(pairs) == 2:
        value.set(pairs[0], pairs[1], limits)
    else:
        value.expect(len(pairs) // 2, limits)
        for field, new in zip(pairs[::2], pairs[1::2], strict=True):
            value.set(field, new, limits)
    db.put(key, h, value)
    return len(value.fields)


def store_fields(db: Keyspace, key: bytes, h: int, pairs: Args, *, keep_deadlines: bool = False) -> int:
    """`set_fields` without telling anybody."""
    value = hash_to_change(db, key, h)
    if value is None:
        return _begin_hash(db, key, h, pairs)
    limits = db.shard.limits
    before = value.memory
    value.expect(len(pairs) // 2, limits)
    created = 0
    for field, new in zip(pairs[::2], pairs[1::2], strict=True):
        created += value.set(field, new, limits)
        if value.deadlines is not None and not keep_deadlines:
            value.persist(field)
    db.resized(before, value.memory)
    return created


def op_hmset(db: Keyspace, args: Args, h: int) -> bool:
    """Set fields. O(fields given)."""
    set_fields(db, args[1], h, args[2:])
    return True


def op_hsetnx(db: Keyspace, args: Args, h: int) -> int:
    """Set a field that is not there yet; 1 if that was done. O(1)."""
    value = hash_to_change(db, args[1], h)
    if value is not None and value.fields[args[2]] is not None:
        return 0
    return set_fields(db, args[1], h, args[2:])


def op_hdel(db: Keyspace, args: Args, h: int) -> int:
    """Remove fields; how many were there. O(fields given)."""
    return remove_fields(db, args[1], h, args[2:])


def remove_fields(db: Keyspace, key: bytes, h: int, given: Args) -> int:
    """Remove fields of the hash at a key; how many were there. O(fields given).

    Raises:
        ReplyError WRONGTYPE.
    """
    value = hash_to_change(db, key, h)
    if value is None:
        return 0
    before = value.memory
    removed = 0
    for field in given:
        removed += value.remove(field)
    db.resized(before, value.memory)
    if removed:
        db.changed(key, events.HASH, b"hdel")
        erase_if_empty(db, key, h, value)
    return removed


# Reading.


def op_hget(db: Keyspace, args: Args, h: int) -> bytes | None:
    """The value of a field, None if there is none. O(1)."""
    value = read_hash(db, args[1], h)
    return None if value is None else value.fields[args[2]]


def op_hmget(db: Keyspace, args: Args, h: int) -> list[bytes | None]:
    """The value of each given field. O(fields given)."""
    value = read_hash(db, args[1], h)
    if value is None:
        return [None] * (len(args) - 2)
    fields = value.fields
    return [fields[field] for field in args[2:]]


def op_hgetall(db: Keyspace, args: Args, h: int) -> list[bytes]:
    """Every field with its value, flat. O(fields)."""
    value = read_hash(db, args[1], h)
    if value is None:
        return []
    fields = value.fields
    if len(fields) > db.shard.slice and value.deadlines is None:
        raise Lengthy(flat_in_chunks(fields.items(), db.shard.slice), value)
    flat = [b""] * (2 * len(fields))
    flat[0::2] = list(fields)
    flat[1::2] = list(fields.values())
    return flat


def op_hkeys(db: Keyspace, args: Args, h: int) -> list[bytes]:
    """All fields. O(fields)."""
    value = read_hash(db, args[1], h)
    return [] if value is None else _all(db, value, value.fields)


def op_hvals(db: Keyspace, args: Args, h: int) -> list[bytes]:
    """All values. O(fields)."""
    value = read_hash(db, args[1], h)
    return [] if value is None else _all(db, value, value.fields.values())


def _all(db: Keyspace, value: HashValue, words: Collection[bytes]) -> list[bytes]:
    """All fields of a hash, or all its values, as a list. O(fields)."""
    if len(words) > db.shard.slice and value.deadlines is None:
        raise Lengthy(in_chunks(words, db.shard.slice), value)
    return list(words)


def op_hexists(db: Keyspace, args: Args, h: int) -> int:
    """1 if there is such a field. O(1)."""
    value = read_hash(db, args[1], h)
    return 1 if value is not None and args[2] in value.fields else 0


def op_hlen(db: Keyspace, args: Args, h: int) -> int:
    """The number of fields. O(1)."""
    value = read_hash(db, args[1], h)
    return 0 if value is None else len(value.fields)


def op_hstrlen(db: Keyspace, args: Args, h: int) -> int:
    """The length of a field's value, 0 if there is none. O(1)."""
    value = read_hash(db, args[1], h)
    found = None if value is None else value.fields[args[2]]
    return 0 if found is None else len(found)


# Numbers.


def cmd_hincrby(session: Session, args: Args) -> tuple[bytes, bytes, int]:
    """Parse the increment."""
    delta = parse_int(args[3])
    if delta is None:
        raise ReplyError("NOT_INTEGER")
    return args[1], args[2], delta


def op_hincrby(db: Keyspace, payload: tuple[bytes, bytes, int], h: int) -> int:
    """Add an integer to a field; one that is not there counts as 0. O(1). The sum.

    Raises:
        ReplyError: WRONGTYPE, HASH_NOT_INTEGER, OVERFLOW.
    """
    key, field, number = payload
    value = hash_to_change(db, key, h)
    old = None if value is None else value.fields[field]
    if old is not None:
        if len(old) < 19 and old.isdigit() and old[0] != ZERO:
            number += int(old)
        else:
            found = parse_int(old)
            if found is None:
                raise ReplyError("HASH_NOT_INTEGER")
            number += found
        if not INT64_MIN <= number <= INT64_MAX:
            raise ReplyError("OVERFLOW")
    _store_number(db, key, h, value, field, b"%d" % number)
    db.changed(key, events.HASH, b"hincrby")
    return number


def _store_number(
    db: Keyspace, key: bytes, h: int, value: HashValue | None, field: bytes, text: bytes
) -> None:
    """Set one field, whose deadline stays, of a hash that is made if need be. O(1)."""
    if value is None:
        _begin_hash(db, key, h, [field, text])
    else:
        before = value.memory
        value.set(field, text, db.shard.limits)
        db.resized(before, value.memory)


def cmd_hincrbyfloat(session: Session, args: Args) -> Args:
    """Look at the increment."""
    increment = args[3]
    if sum_of_decimals(increment, b"0") is None:
        delta = parse_long_double(increment)
        if delta is None:
            raise ReplyError("NOT_FLOAT")
        if add_long_doubles(delta, LongDouble(0, 0)) is None:
            raise ReplyError("VALUE_NAN_OR_INF")
    return args


def op_hincrbyfloat(db: Keyspace, args: Args, h: int) -> bytes:
    """Add a floating-point number to a field; one that is not there counts as 0. The text of the sum.

    Raises:
        ReplyError: WRONGTYPE, HASH_NOT_FLOAT, NAN_OR_INF.
    """
    key, field, increment = args[1], args[2], args[3]
    value = hash_to_change(db, key, h)
    old = None if value is None else value.fields[field]
    text = sum_of_decimals(b"0" if old is None else old, increment)
    if text is None:
        total = parse_long_double(increment)
        assert total is not None, "it was looked at before"
        if old is not None:
            found = parse_long_double(old)
            if found is None:
                raise ReplyError("HASH_NOT_FLOAT")
            total = add_long_doubles(found, total)
            if total is None:
                raise ReplyError("NAN_OR_INF")
        text = format_long_double(total)
    _store_number(db, key, h, value, field, text)
    db.changed(key, events.HASH, b"hincrbyfloat")
    return text


# Fields at random, traversal.


def cmd_hrandfield(session: Session, args: Args) -> tuple[bytes, int | None, bool]:
    """HRANDFIELD key [count [WITHVALUES]]."""
    count = optional_count(args[:3])
    if len(args) > 4 or (len(args) == 4 and args[3].upper() != b"WITHVALUES"):
        raise ReplyError("SYNTAX")
    if len(args) == 4 and count is not None and abs(count) > MOST_PAIRS:
        raise ReplyError("OUT_OF_RANGE")
    return args[1], count, len(args) == 4


def op_hrandfield(db: Keyspace, payload: tuple[bytes, int | None, bool], h: int) -> Any:
    """A random field, None without a key; with a count a list of them, different ones if it is positive.

    O(fields answered), amortised: see `HashValue.random`.
    """
    key, count, with_values = payload
    value = read_hash(db, key, h)
    if value is None:
        return None if count is None else []
    before = value.memory
    random = db.shard.random
    if count is None:
        found = [value.random(random)]
    elif count < 0:
        found = repeated(value, -count, random)
    elif count >= len(value):
        found = list(value.fields)
    else:
        found = value.sample(count, random)
    db.resized(before, value.memory)
    if count is None:
        return found[0]
    if not with_values:
        return found
    fields = value.fields
    return Rows([(field, fields[field]) for field in found])


def cmd_hscan(session: Session, args: Args) -> Request:
    """HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]."""
    return parse_request(args, novalues=True)


def op_hscan(db: Keyspace, request: Request, h: int) -> list[Any]:
    """Some of the fields with their values, and where to go on. O(fields asked for)."""
    value = read_hash(db, request.key, h)
    if value is None:
        return [b"0", []]
    if request.error is not None:
        raise request.error
    before = value.memory
    cursor, found = traverse(request, value.scan)
    db.resized(before, value.memory)
    if request.values:
        fields = value.fields
        found = [word for field in found for word in (field, fields[field])]
    return [b"%d" % cursor, found]


def _row(
    name: str,
    arity: int,
    flags: str,
    op: object,
    since: str,
    syntax: str,
    summary: str,
    key_flags: str,
    **rest: Any,
) -> Row:
    """A row of this family; its ACL categories follow from its flags."""
    kind = "@write" if "write" in flags else "@read"
    speed = "@fast" if "fast" in flags else "@slow"
    return single(
        name,
        arity,
        flags,
        op=op,  # type: ignore[arg-type]
        acl=f"{kind} @hash {speed}",
        since=since,
        group="hash",
        syntax=syntax,
        summary=summary,
        key_flags=key_flags,
        **rest,
    )


_GIVEN = "O(N) where N is the number of fields given"
_ALL = "O(N) where N is the size of the hash"
_ANSWERED = "O(N) where N is the number of fields answered"

TABLE: tuple[Row, ...] = (
    _row(
        "HSET",
        -4,
        "write denyoom fast",
        op_hset,
        "2.0.0",
        "key field value [field value ...]",
        "Sets fields of a hash; creates the hash if need be.",
        "RW UPDATE",
        cmd=cmd_hset,
        plain_with=4,
        encode="number",
        complexity=_GIVEN,
    ),
    _row(
        "HSETNX",
        4,
        "write denyoom fast",
        op_hsetnx,
        "2.0.0",
        "key field value",
        "Sets a field of a hash that does not exist yet.",
        "RW INSERT",
        encode="number",
    ),
    _row(
        "HMSET",
        -4,
        "write denyoom fast",
        op_hmset,
        "2.0.0",
        "key field value [field value ...]",
        "Sets fields of a hash; the old form of HSET.",
        "RW UPDATE",
        cmd=cmd_hset,
        plain_with=4,
        encode="ok_or_null",
        complexity=_GIVEN,
    ),
    _row(
        "HGET",
        3,
        "readonly fast",
        op_hget,
        "2.0.0",
        "key field",
        "Answers the value of a field.",
        "RO ACCESS",
        encode="bulk_or_null",
    ),
    _row(
        "HMGET",
        -3,
        "readonly fast",
        op_hmget,
        "2.0.0",
        "key field [field ...]",
        "Answers the values of some fields.",
        "RO ACCESS",
        encode="bulks",
        complexity=_GIVEN,
    ),
    _row(
        "HGETALL",
        2,
        "readonly",
        op_hgetall,
        "2.0.0",
        "key",
        "Answers all fields and values of a hash.",
        "RO ACCESS",
        encode="map_of_bulks",
        complexity=_ALL,
        tips="nondeterministic_output_order",
    ),
    _row(
        "HDEL",
        -3,
        "write fast",
        op_hdel,
        "2.0.0",
        "key field [field ...]",
        "Removes fields of a hash; removes the key with the last one.",
        "RW DELETE",
        encode="number",
        complexity=_GIVEN,
    ),
    _row(
        "HEXISTS",
        3,
        "readonly fast",
        op_hexists,
        "2.0.0",
        "key field",
        "Tells whether a hash has a field.",
        "RO",
        encode="number",
    ),
    _row(
        "HLEN",
        2,
        "readonly fast",
        op_hlen,
        "2.0.0",
        "key",
        "Answers how many fields a hash has.",
        "RO",
        encode="number",
    ),
    _row(
        "HSTRLEN",
        3,
        "readonly fast",
        op_hstrlen,
        "3.2.0",
        "key field",
        "Answers the length of a field's value.",
        "RO",
        encode="number",
    ),
    _row(
        "HKEYS",
        2,
        "readonly",
        op_hkeys,
        "2.0.0",
        "key",
        "Answers all fields of a hash.",
        "RO ACCESS",
        encode="bulks",
        complexity=_ALL,
        tips="nondeterministic_output_order",
    ),
    _row(
        "HVALS",
        2,
        "readonly",
        op_hvals,
        "2.0.0",
        "key",
        "Answers all values of a hash.",
        "RO ACCESS",
        encode="bulks",
        complexity=_ALL,
        tips="nondeterministic_output_order",
    ),
    _row(
        "HINCRBY",
        4,
        "write denyoom fast",
        op_hincrby,
        "2.0.0",
        "key field increment",
        "Adds an integer to a field.",
        "RW ACCESS UPDATE",
        cmd=cmd_hincrby,
        encode="number",
    ),
    _row(
        "HINCRBYFLOAT",
        4,
        "write denyoom fast",
        op_hincrbyfloat,
        "2.6.0",
        "key field increment",
        "Adds a floating-point number to a field.",
        "RW ACCESS UPDATE",
        cmd=cmd_hincrbyfloat,
        encode="bulk_or_null",
    ),
    _row(
        "HRANDFIELD",
        -2,
        "readonly",
        op_hrandfield,
        "6.2.0",
        "key [count [WITHVALUES]]",
        "Answers random fields of a hash.",
        "RO ACCESS",
        cmd=cmd_hrandfield,
        encode="bulk_or_null",
        complexity=_ANSWERED,
        tips="nondeterministic_output",
    ),
    _row(
        "HSCAN",
        -3,
        "readonly",
        op_hscan,
        "2.8.0",
        "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
        "Goes through the fields of a hash, some at each call.",
        "RO ACCESS",
        cmd=cmd_hscan,
        complexity="O(1) for a call, O(N) for all calls of a traversal of N fields",
        tips="nondeterministic_output",
    ),
)
