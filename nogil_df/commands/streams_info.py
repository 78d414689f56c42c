"""XINFO: what can be told about a stream, its consumer groups and their consumers.

Redis shows how many listpacks and radix tree nodes hold the entries. Our blocks are cut like its listpacks,
so their number is shown as it is; there is no tree, and its size is what one over that many keys would
have at least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.commands.arguments import integer
from nogil_df.commands.at_once import on_key
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import Row, container, multi
from nogil_df.commands.streams import read, shown
from nogil_df.commands.streams_ids import show
from nogil_df.shard.stream_groups import NEVER, UNKNOWN, Consumer, Group
from nogil_df.shard.streams import LAST_ID, StreamValue

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

USUAL_COUNT: Final = 10
"""Entries, and pending entries of each, that FULL shows if it is not told."""


def stream_at(db: Keyspace, key: bytes, h: int) -> StreamValue:
    """The stream at a key. O(1).

    Raises:
        ReplyError: there is none.
    """
    value = read(db, key, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    return value


def _known(number: int) -> int | None:
    return None if number == UNKNOWN else number


# XINFO STREAM.


def cmd_stream(context: Context, args: Args) -> Steps:
    """XINFO STREAM key [FULL [COUNT count]]."""
    return (yield from context.at(args[2], op_stream, args, last=True))


def stream_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """XINFO STREAM of a key that is here."""
    return on_key(here, db, op_stream, args[2], args)


def op_stream(db: Keyspace, args: Args, h: int) -> dict[bytes, Any]:
    """A stream's figures; with FULL its entries and groups. O(1), with FULL O(what is shown)."""
    value = stream_at(db, args[2], h)
    count = _full_count(args)
    keys = len(value.blocks)
    shown_: dict[bytes, Any] = {
        b"length": value.length,
        b"radix-tree-keys": keys,
        b"radix-tree-nodes": keys + 1,
        b"last-generated-id": show(value.last_id),
        b"max-deleted-entry-id": show(value.max_deleted),
        b"entries-added": value.added,
        b"recorded-first-entry-id": show(value.first_id),
    }
    if count is None:
        shown_[b"groups"] = len(value.groups)
        first, last = shown(value.span(0, LAST_ID, 1)), shown(value.span_back(LAST_ID, 0, 1))
        shown_[b"first-entry"] = first[0] if first else None
        shown_[b"last-entry"] = last[0] if last else None
    else:
        shown_[b"entries"] = shown(value.span(0, LAST_ID, count))
        shown_[b"groups"] = [_full_group(value, group, count) for _, group in sorted(value.groups.items())]
    return shown_


def _full_count(args: Args) -> int | None:
    """How much FULL shows, 0 for everything; None without FULL."""
    options = args[3:]
    if not options:
        return None
    words = [option.upper() for option in options]
    if len(options) not in (1, 3) or words[0] != b"FULL" or (len(options) == 3 and words[1] != b"COUNT"):
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], b"XINFO")
    if len(options) == 1:
        return USUAL_COUNT
    count = integer(options[2])
    return USUAL_COUNT if count < 0 else count


def _full_group(value: StreamValue, group: Group, count: int) -> dict[bytes, Any]:
    pending = group.pending
    deliveries = pending.entries
    return {
        b"name": group.name,
        b"last-delivered-id": show(group.last_id),
        b"entries-read": _known(group.entries_read),
        b"lag": _known(value.lag(group)),
        b"pel-count": len(pending),
        b"pending": [
            [show(entry_id), delivery.owner, delivery.at, delivery.times]
            for entry_id in pending.span(0, LAST_ID, count or len(pending))
            for delivery in (deliveries[entry_id],)
        ],
        b"consumers": [_full_consumer(consumer, count) for _, consumer in sorted(group.consumers.items())],
    }


def _full_consumer(consumer: Consumer, count: int) -> dict[bytes, Any]:
    pending = consumer.pending
    deliveries = pending.entries
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen,
        b"active-time": consumer.active,
        b"pel-count": len(pending),
        b"pending": [
            [show(entry_id), deliveries[entry_id].at, deliveries[entry_id].times]
            for entry_id in pending.span(0, LAST_ID, count or len(pending))
        ],
    }


# XINFO GROUPS, XINFO CONSUMERS.


def cmd_groups(context: Context, args: Args) -> Steps:
    """XINFO GROUPS key."""
    return (yield from context.at(args[2], op_groups, args[2], last=True))


def groups_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """XINFO GROUPS of a key that is here."""
    return on_key(here, db, op_groups, args[2], args[2])


def op_groups(db: Keyspace, key: bytes, h: int) -> list[dict[bytes, Any]]:
    """The figures of every group, by name. O(groups)."""
    value = stream_at(db, key, h)
    return [
        {
            b"name": name,
            b"consumers": len(group.consumers),
            b"pending": len(group.pending),
            b"last-delivered-id": show(group.last_id),
            b"entries-read": _known(group.entries_read),
            b"lag": _known(value.lag(group)),
        }
        for name, group in sorted(value.groups.items())
    ]


def cmd_consumers(context: Context, args: Args) -> Steps:
    """XINFO CONSUMERS key group."""
    return (yield from context.at(args[2], op_consumers, (args[2], args[3]), last=True))


def consumers_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """XINFO CONSUMERS of a key that is here."""
    return on_key(here, db, op_consumers, args[2], (args[2], args[3]))


def op_consumers(db: Keyspace, payload: tuple[bytes, bytes], h: int) -> list[dict[bytes, Any]]:
    """The figures of every consumer of a group, by name; times in ms. O(consumers)."""
    key, name = payload
    value = stream_at(db, key, h)
    if name not in value.groups:
        raise ReplyError("NOGROUP_NAMED", name, key)
    now = db.shard.tick.ms
    return [
        {
            b"name": consumer.name,
            b"pending": len(consumer.pending),
            b"idle": max(now - consumer.seen, 0),
            b"inactive": NEVER if consumer.active == NEVER else max(now - consumer.active, 0),
        }
        for _, consumer in sorted(value.groups[name].consumers.items())
    ]


def _subrow(name: str, arity: int, *, run: Any, **rest: Any) -> Row:
    """The row of a subcommand of XINFO."""
    return multi(
        f"XINFO {name}",
        arity,
        "readonly",
        run=run,
        keys=(2, 2, 1),
        key_flags="RO ACCESS",
        since="5.0.0",
        group="stream",
        acl="@read @stream @slow",
        **rest,
    )


TABLE: tuple[Row, ...] = (
    container(
        "XINFO",
        -2,
        "",
        _subrow(
            "CONSUMERS",
            4,
            run=cmd_consumers,
            at_once=consumers_at_once,
            syntax="key group",
            summary="Lists the consumers of a group.",
            tips="nondeterministic_output",
        ),
        _subrow(
            "GROUPS",
            3,
            run=cmd_groups,
            at_once=groups_at_once,
            syntax="key",
            summary="Lists the consumer groups of a stream.",
        ),
        _subrow(
            "STREAM",
            -3,
            run=cmd_stream,
            at_once=stream_at_once,
            syntax="key [FULL [COUNT count]]",
            summary="Tells about a stream; with FULL shows its entries and groups.",
        ),
        help_row("XINFO", acl="@stream @slow", group="stream"),
        acl="@slow",
        since="5.0.0",
        group="stream",
        summary="Commands that tell about streams.",
    ),
)
