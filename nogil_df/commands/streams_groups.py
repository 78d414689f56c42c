"""Consumer groups: XGROUP, XACK, XPENDING. XREADGROUP is in `streams_read`, XCLAIM in `streams_claim`.

What happens to groups does not count as a change of the key: WATCH does not see it, and it wakes nobody but
the readers of a group that is destroyed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.arguments import integer
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import Row, container, multi, single
from nogil_df.commands.streams import held, read, tell
from nogil_df.commands.streams_ids import parse_bound, parse_end, parse_id, parse_start, show
from nogil_df.shard.stream_groups import UNKNOWN, Consumer, Group
from nogil_df.shard.streams import StreamValue
from nogil_df.wire.values import NULL_ARRAY, OK

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]


# What all commands on groups share.


def resize(db: Keyspace, value: StreamValue, change: int) -> None:
    """A group of a stream has grown by so many bytes, or shrunk. O(1)."""
    value.memory += change
    db.used += change


def consumer_of(db: Keyspace, key: bytes, value: StreamValue, group: Group, name: bytes) -> Consumer:
    """The consumer of that name, made if need be, which has been seen now. O(1)."""
    now = db.shard.tick.ms
    if name in group.consumers:
        consumer = group.consumers[name]
        consumer.seen = now
        return consumer
    before = group.memory
    consumer = group.add_consumer(name, now)
    resize(db, value, group.memory - before)
    tell(db, key, b"xgroup-createconsumer")
    return consumer


def group_of(value: StreamValue | None, name: bytes) -> Group | None:
    """The group of that name, None if there is no such group or no stream. O(1)."""
    return value.groups[name] if value is not None and name in value.groups else None


# XGROUP.


def _subcommand_syntax(args: Args) -> ReplyError:
    return ReplyError("SUBCOMMAND_SYNTAX", args[1], b"XGROUP")


def _group_options(args: Args) -> tuple[bool, int]:
    """Options of CREATE and SETID: (MKSTREAM, entries read)."""
    creates = args[1].upper() == b"CREATE"
    make, entries_read = False, UNKNOWN
    at = 5
    while at < len(args):
        word = args[at].upper()
        if creates and word == b"MKSTREAM":
            make = True
            at += 1
        elif word == b"ENTRIESREAD" and at + 1 < len(args):
            entries_read = integer(args[at + 1])
            if entries_read < 0 and entries_read != UNKNOWN:
                raise ReplyError("STREAM_ENTRIESREAD")
            at += 2
        else:
            raise _subcommand_syntax(args)
    return make, entries_read


def _needed(value: StreamValue | None) -> StreamValue:
    if value is None:
        raise ReplyError("STREAM_NO_KEY")
    return value


def _needed_group(value: StreamValue | None, key: bytes, name: bytes) -> tuple[StreamValue, Group]:
    value = _needed(value)
    if name not in value.groups:
        raise ReplyError("NOGROUP_NAMED", name, key)
    return value, value.groups[name]


def cmd_create(context: Context, args: Args) -> Steps:
    """XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n]."""
    make, entries_read = _group_options(args)
    too_many = _subcommand_syntax(args) if len(args) > 8 else None
    payload = args[2], args[3], args[4], make, entries_read, too_many
    return (yield from context.at(args[2], op_create, payload, last=True))


def op_create(db: Keyspace, payload: tuple[bytes, bytes, bytes, bool, int, ReplyError | None], h: int) -> Any:
    """Create a group, and a stream if need be. O(1).

    Raises:
        ReplyError: no stream, the group is there, or the id is none.
    """
    key, name, start, make, entries_read, too_many = payload
    value = held(db, key, h)
    if value is None and not make:
        raise ReplyError("STREAM_NO_KEY")
    if too_many is not None:
        raise too_many
    end = 0 if value is None else value.last_id
    last_id = end if start == b"$" else parse_id(start)
    if value is None:
        value = StreamValue()
        db.put(key, h, value)
        db.touched(key)
    if name in value.groups:
        raise ReplyError("BUSYGROUP")
    group = value.groups[name] = Group(name, last_id, entries_read)
    resize(db, value, group.memory)
    tell(db, key, b"xgroup-create")
    return OK


def cmd_setid(context: Context, args: Args) -> Steps:
    """XGROUP SETID key group id|$ [ENTRIESREAD n]."""
    _, entries_read = _group_options(args)
    too_many = _subcommand_syntax(args) if len(args) > 7 else None
    payload = args[2], args[3], args[4], entries_read, too_many
    return (yield from context.at(args[2], op_setid, payload, last=True))


def op_setid(db: Keyspace, payload: tuple[bytes, bytes, bytes, int, ReplyError | None], h: int) -> Any:
    """Set which entry a group was given last. O(1)."""
    key, name, last, entries_read, too_many = payload
    value, group = _needed_group(held(db, key, h), key, name)
    if too_many is not None:
        raise too_many
    group.last_id = value.last_id if last == b"$" else parse_bound(last)
    group.entries_read = entries_read
    tell(db, key, b"xgroup-setid")
    return OK


def cmd_destroy(context: Context, args: Args) -> Steps:
    """XGROUP DESTROY key group: 1 if there was such a group."""
    return (yield from context.at(args[2], op_destroy, (args[2], args[3]), last=True))


def op_destroy(db: Keyspace, payload: tuple[bytes, bytes], h: int) -> int:
    """Remove a group; whoever waits for it is told. O(pending)."""
    key, name = payload
    value = _needed(held(db, key, h))
    group = value.groups.pop(name, None)
    if group is None:
        return 0
    resize(db, value, -group.memory)
    tell(db, key, b"xgroup-destroy")
    wake(db, key)
    return 1


def wake(db: Keyspace, key: bytes) -> None:
    """Have whoever waits for a key look at it, though it has not changed for WATCH. O(1)."""
    if key in db.waiting:
        db.shard.ready[db.index, key] = None


def cmd_createconsumer(context: Context, args: Args) -> Steps:
    """XGROUP CREATECONSUMER key group consumer: 1 if it is new."""
    return (yield from context.at(args[2], op_createconsumer, (args[2], args[3], args[4]), last=True))


def op_createconsumer(db: Keyspace, payload: tuple[bytes, bytes, bytes], h: int) -> int:
    """Make a consumer; 0 if there is one of that name. O(1)."""
    key, name, consumer = payload
    value, group = _needed_group(held(db, key, h), key, name)
    if consumer in group.consumers:
        return 0
    consumer_of(db, key, value, group, consumer)
    return 1


def cmd_delconsumer(context: Context, args: Args) -> Steps:
    """XGROUP DELCONSUMER key group consumer: how many entries were pending for it."""
    return (yield from context.at(args[2], op_delconsumer, (args[2], args[3], args[4]), last=True))


def op_delconsumer(db: Keyspace, payload: tuple[bytes, bytes, bytes], h: int) -> int:
    """Remove a consumer with what is pending for it; how much that was. O(pending for it)."""
    key, name, consumer = payload
    value, group = _needed_group(held(db, key, h), key, name)
    if consumer not in group.consumers:
        return 0
    before = group.memory
    dropped = group.drop_consumer(consumer)
    resize(db, value, group.memory - before)
    tell(db, key, b"xgroup-delconsumer")
    return dropped


# XACK.


def op_xack(db: Keyspace, args: Args, h: int) -> int:
    """XACK key group id...: how many of the entries were pending. O(ids)."""
    value = held(db, args[1], h)
    group = group_of(value, args[2])
    if value is None or group is None:
        return 0
    before = group.memory
    ids = [parse_id(text) for text in args[3:]]
    settled = 0
    for entry_id in ids:
        settled += group.settle(entry_id)
    if settled:
        resize(db, value, group.memory - before)
        db.shard.dirty += settled
    return settled


# XPENDING.


def cmd_xpending(session: Session, args: Args) -> tuple[Any, ...]:
    """Parse XPENDING.

    Returns:
        (key, group), or (key, group, least idle time in ms, start, end, count, consumer or None).
    """
    length = len(args)
    if length == 3:
        return args[1], args[2]
    if not 6 <= length <= 9:
        raise ReplyError("SYNTAX")
    idle, at = 0, 3
    if args[3].upper() == b"IDLE":
        idle, at = integer(args[4]), 5
        if length < 8:
            raise ReplyError("SYNTAX")
    count = max(integer(args[at + 2]), 0)
    start, end = parse_start(args[at]), parse_end(args[at + 1])
    consumer = args[at + 3] if length > at + 3 else None
    return args[1], args[2], idle, start, end, count, consumer


def op_xpending(db: Keyspace, payload: tuple[Any, ...], h: int) -> Any:
    """What is pending: a summary, or so many of the entries. O(log n + entries looked at).

    Raises:
        ReplyError NOGROUP.
    """
    value = read(db, payload[0], h)
    group = group_of(value, payload[1])
    if group is None:
        raise ReplyError("NOGROUP", payload[0], payload[1])
    if len(payload) == 2:
        return _summary(group)
    return _pending_entries(db, group, *payload[2:])


def _summary(group: Group) -> list[Any]:
    pending = group.pending
    if not len(pending):
        return [0, None, None, NULL_ARRAY]
    consumers = [
        [name, b"%d" % len(consumer.pending)]
        for name, consumer in sorted(group.consumers.items())
        if len(consumer.pending)
    ]
    return [len(pending), show(pending.first()), show(pending.last()), consumers]


def _pending_entries(
    db: Keyspace, group: Group, idle: int, start: int, end: int, count: int, name: bytes | None
) -> list[Any]:
    pending = group.pending
    if name is not None:
        if name not in group.consumers:
            return []
        pending = group.consumers[name].pending
    now = db.shard.tick.ms
    deliveries = pending.entries
    found: list[Any] = []
    while len(found) < count:
        # With IDLE some entries are passed over, and more are looked at.
        ids = pending.span(start, end, count - len(found))
        if not ids:
            break
        for entry_id in ids:
            delivery = deliveries[entry_id]
            since = now - delivery.at
            if since >= idle or not idle:
                found.append([show(entry_id), delivery.owner, max(since, 0), delivery.times])
        start = ids[-1] + 1
    return found


def _subrow(name: str, arity: int, flags: str, *, run: Any, since: str = "5.0.0", **rest: Any) -> Row:
    """The row of a subcommand of XGROUP."""
    return multi(
        f"XGROUP {name}",
        arity,
        flags,
        run=run,
        keys=(2, 2, 1),
        since=since,
        group="stream",
        acl="@write @stream @slow",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    container(
        "XGROUP",
        -2,
        "",
        _subrow(
            "CREATE",
            -5,
            "write denyoom",
            run=cmd_create,
            key_flags="RW INSERT",
            syntax="key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
            summary="Creates a consumer group.",
        ),
        _subrow(
            "CREATECONSUMER",
            5,
            "write denyoom",
            run=cmd_createconsumer,
            key_flags="RW INSERT",
            since="6.2.0",
            syntax="key group consumer",
            summary="Creates a consumer in a group.",
        ),
        _subrow(
            "DELCONSUMER",
            5,
            "write",
            run=cmd_delconsumer,
            key_flags="RW DELETE",
            syntax="key group consumer",
            summary="Deletes a consumer of a group, with what is pending for it.",
        ),
        _subrow(
            "DESTROY",
            4,
            "write",
            run=cmd_destroy,
            key_flags="RW DELETE",
            syntax="key group",
            summary="Destroys a consumer group.",
            complexity="O(N) where N is the number of pending entries",
        ),
        _subrow(
            "SETID",
            -5,
            "write",
            run=cmd_setid,
            key_flags="RW UPDATE",
            syntax="key group <id | $> [ENTRIESREAD entries-read]",
            summary="Sets which entry a group was given last.",
        ),
        help_row("XGROUP", acl="@stream @slow", group="stream"),
        acl="@slow",
        since="5.0.0",
        group="stream",
        summary="Commands that manage consumer groups.",
    ),
    single(
        "XACK",
        -4,
        "write fast",
        op=op_xack,
        encode="number",
        key_flags="RW UPDATE",
        acl="@write @stream @fast",
        since="5.0.0",
        group="stream",
        syntax="key group id [id ...]",
        summary="Acknowledges entries of a consumer group: they are pending no more.",
        complexity="O(1) for each entry",
    ),
    single(
        "XPENDING",
        -3,
        "readonly",
        cmd=cmd_xpending,
        op=op_xpending,
        key_flags="RO ACCESS",
        acl="@read @stream @slow",
        since="5.0.0",
        group="stream",
        syntax="key group [[IDLE min-idle-time] start end count [consumer]]",
        summary="Tells which entries of a consumer group are pending.",
        complexity="O(N) where N is the number of entries looked at",
        tips="nondeterministic_output",
    ),
)
