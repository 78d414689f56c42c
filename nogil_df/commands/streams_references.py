"""Deleting entries with regard to the groups that know them: XDELEX, XACKDEL.

An entry may be pending in groups, or still ahead of them, when it is deleted. What then becomes of it is for
the command to say:

KEEPREF  it is deleted, and pending for whom it was;
DELREF   it is deleted, and pending for nobody;
ACKED    it is deleted if no group has it pending or ahead, otherwise it stays.

(Redis documentation of XDELEX and XACKDEL, 8.2.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.spec import Row, single
from nogil_df.commands.streams import ACKED, DROP, KEEP, delete, held
from nogil_df.commands.streams_groups import group_of, resize
from nogil_df.commands.streams_ids import parse_id
from nogil_df.shard.stream_groups import Group
from nogil_df.shard.streams import StreamValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

NO_SUCH_ID: Final = -1
DELETED: Final = 1
REFERENCED: Final = 2


def parse_references(args: Args, at: int) -> tuple[bytes, list[int]]:
    """``[KEEPREF | DELREF | ACKED] IDS numids id...``: what becomes of references, and the ids. O(ids).

    Raises:
        ReplyError.
    """
    strategy = KEEP
    ids: list[int] | None = None
    while at < len(args):
        word = args[at].upper()
        if word in (KEEP, DROP, ACKED):
            strategy = word
            at += 1
        elif word == b"IDS" and at + 1 < len(args) and ids is None:
            count = parse_int(args[at + 1])
            if count is None or count <= 0:
                raise ReplyError("NUMIDS_NOT_POSITIVE")
            if count > len(args) - at - 2:
                raise ReplyError("NUMIDS_MISMATCH")
            at += 2 + count
            ids = [parse_id(text) for text in args[at - count : at]]
        else:
            raise ReplyError("SYNTAX")
    if ids is None:
        raise ReplyError("SYNTAX")
    return strategy, ids


def settle_everywhere(db: Keyspace, value: StreamValue, ids: list[int]) -> None:
    """Entries are pending in no group any more. O(ids * groups)."""
    before = value.memory
    value.settle_everywhere(ids)
    db.resized(before, value.memory)


def settle(db: Keyspace, value: StreamValue, group: Group, entry_id: int) -> bool:
    """An entry is pending no more in a group; False if it was not. O(1)."""
    before = group.memory
    settled = group.settle(entry_id)
    resize(db, value, group.memory - before)
    return settled


def op_xdelex(db: Keyspace, args: Args, h: int) -> list[int]:
    """XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id...: for each id what became of it.

    Returns:
        -1 where there is no such entry, 1 where it was deleted, 2 where it is still referenced. O(ids *
        (log n + groups)).
    """
    strategy, ids = parse_references(args, 2)
    value = held(db, args[1], h)
    if value is None:
        return [NO_SUCH_ID] * len(ids)
    if strategy == DROP:
        settle_everywhere(db, value, ids)
    fates: list[int] = []

    def to_delete() -> Iterator[int]:
        for entry_id in ids:
            if value.get(entry_id) is None:
                fates.append(NO_SUCH_ID)
            elif strategy == ACKED and value.is_referenced(entry_id):
                fates.append(REFERENCED)
            else:
                fates.append(DELETED)
                yield entry_id

    delete(db, args[1], value, to_delete())
    return fates


def op_xackdel(db: Keyspace, args: Args, h: int) -> list[int]:
    """XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id...: for each id what became of it.

    Returns:
        -1 where it was not pending, 1 where it was acknowledged and deleted, 2 where it is acknowledged, but
        still referenced by other groups. O(ids * (log n + groups)).
    """
    strategy, ids = parse_references(args, 3)
    key = args[1]
    value = held(db, key, h)
    group = group_of(value, args[2])
    if value is None or group is None:
        return [NO_SUCH_ID] * len(ids)
    fates: list[int] = []
    gone: list[int] = []
    for entry_id in ids:
        if not settle(db, value, group, entry_id):
            fates.append(NO_SUCH_ID)
            continue
        db.shard.dirty += 1
        if strategy == ACKED and value.is_referenced(entry_id):
            fates.append(REFERENCED)
            continue
        if strategy == DROP:
            settle_everywhere(db, value, [entry_id])
        fates.append(DELETED)
        gone.append(entry_id)
    delete(db, key, value, gone)
    return fates


def _row(name: str, arity: int, op: Any, syntax: str, summary: str) -> Row:
    """The row of a command that deletes with regard to groups."""
    return single(
        name,
        arity,
        "write fast",
        op=op,
        key_flags="RW DELETE",
        acl="@write @stream @fast",
        since="8.2.0",
        group="stream",
        syntax=syntax + " [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
        summary=summary,
        complexity="O(log(N)+G) for each id, where N is the number of entries and G that of groups",
    )


TABLE: tuple[Row, ...] = (
    _row(
        "XDELEX",
        -5,
        op_xdelex,
        "key",
        "Deletes entries, and says what becomes of groups' references to them.",
    ),
    _row("XACKDEL", -6, op_xackdel, "key group", "Acknowledges entries of a group and deletes them."),
)
