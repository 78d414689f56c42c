"""The string family: values that are byte strings.

A value is stored as ``bytes``; it becomes a ``bytearray`` once a command changes it in place (APPEND,
SETRANGE), which makes repeated appends cheap and is also the moment from which Redis reports the encoding
"raw".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.commands.spec import Row, multi, single

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]


def op_get(db: Keyspace, args: Args, h: int) -> bytes | None:
    """The value, None if there is no key. O(1)."""
    value = db.table.get(args[1], h)
    shard = db.shard
    if value is None:
        return db.find(args[1], h)
    shard.hits += 1
    if value.__class__ is bytes:
        return value
    if value.__class__ is bytearray:
        return bytes(value)
    raise ReplyError("WRONGTYPE")


def cmd_set(session: Session, args: Args) -> Any:
    """Parse SET's options; plain ``SET key value`` goes through as it came."""
    if len(args) == 3:
        return args
    raise ReplyError("SYNTAX")


def op_set(db: Keyspace, args: Any, h: int) -> bool:
    """Store a value. O(1)."""
    if args.__class__ is list:
        key = args[1]
        value = args[2]
        old = db.table.put(key, h, value, 0)
        if old.__class__ is bytes:
            db.used += len(value) - len(old)
        else:
            db.account_put(key, value, old)
        db.shard.dirty += 1
        if db.observed:
            db.tell(key, events.STRING, b"set")
        return True
    raise NotImplementedError


def op_set_plain(db: Keyspace, pair: tuple[bytes, bytes], h: int) -> None:
    """Store one pair of an MSET. O(1)."""
    key, value = pair
    db.put(key, h, value)
    db.changed(key, events.STRING, b"set")


def cmd_mget(context: Context, args: Args) -> Steps:
    """MGET: one hop to each shard."""
    return (yield from context.each_key(args[1:], op_value_or_none, last=True))


def op_value_or_none(db: Keyspace, key: bytes, h: int) -> bytes | None:
    """A string's value; None if there is no key or it holds another type. O(1)."""
    value = db.find(key, h)
    if value.__class__ is bytes:
        return value
    return bytes(value) if value.__class__ is bytearray else None


def cmd_mset(context: Context, args: Args) -> Steps:
    """MSET: atomic over all its shards, in one hop."""
    if len(args) % 2 == 0:
        raise ReplyError("WRONG_ARITY", "mset")
    pairs = list(zip(args[1::2], args[2::2], strict=True))
    yield from context.each_key(args[1::2], op_set_plain, pairs, last=True)
    return True


TABLE: tuple[Row, ...] = (
    single("GET", 2, "readonly fast", op=op_get, encode="bulk_or_null", acl="@read @string @fast"),
    single("SET", -3, "write denyoom", cmd=cmd_set, op=op_set, encode="ok_or_null"),
    multi("MGET", -2, "readonly fast", run=cmd_mget, keys=(1, -1, 1)),
    multi("MSET", -3, "write denyoom", run=cmd_mset, keys=(1, -1, 2), encode="ok_or_null"),
)
