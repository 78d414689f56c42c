"""Commands on keys of any type: DEL, EXISTS, TYPE, RENAME, COPY, KEYS, RANDOMKEY and their kin.

DEL, UNLINK, EXISTS and TOUCH of several keys are one transaction of one hop over all their shards; of one
key they run like any single-key command.

RENAME and COPY of two keys on one shard are one hop. On two shards they are two: the first reads the record
on one and looks at the other, the second places it. What travels between the two is immutable or a copy made
for the journey, because the source may change again as soon as its part has concluded; the receiving shard
makes its own copy of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.base.glob import compile_glob
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.cluster import refuse_in_cluster
from nogil_df.commands.databases import parse_database
from nogil_df.commands.spec import ALL_SHARED, Row, multi, single
from nogil_df.shard.copying import copy_in_slices, is_big
from nogil_df.shard.lengthy import Lengthy, Slices
from nogil_df.shard.memory import own
from nogil_df.shard.values import copy_of, type_name
from nogil_df.wire.values import OK, Simple

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard

Args = list[bytes]
Place = tuple[int, bytes, int]
"""Where a record is on its shard: database, key, hash of the key."""


def cmd_only_key(session: Session, args: Args) -> bytes:
    """The key of a variadic command that was given one."""
    return args[1]


# DEL, UNLINK, EXISTS, TOUCH.


def op_delete(db: Keyspace, key: bytes, h: int) -> int:
    """Erase a key; 1 if it was there. O(1): a big value is freed in slices later on."""
    if not db.drop(key, h):
        return 0
    db.changed(key, events.GENERIC, b"del")
    return 1


def op_exists(db: Keyspace, key: bytes, h: int) -> int:
    """1 if the key is there. O(1)."""
    return 0 if db.look(key, h) is None else 1


def op_touch(db: Keyspace, key: bytes, h: int) -> int:
    """Count as an access to the key; 1 if it is there. O(1)."""
    return 0 if db.find(key, h) is None else 1


def delete_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """DEL, UNLINK of several keys that are here. O(keys)."""
    return _each_at_once(here, db, args[1:], op_delete)


def exists_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """EXISTS of several keys that are here. O(keys)."""
    return _each_at_once(here, db, args[1:], op_exists)


def touch_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """TOUCH of several keys that are here. O(keys)."""
    return _each_at_once(here, db, args[1:], op_touch)


def _each_at_once(here: Here, db: Keyspace, keys: Args, op: Callable[[Keyspace, bytes, int], int]) -> Any:
    """The sum of what `op` makes of each of some keys, if all are here."""
    hashes = here.find_all(keys)
    if hashes is None:
        return ELSEWHERE
    return sum([op(db, key, h) for key, h in zip(keys, hashes, strict=True)])


def cmd_delete(context: Context, args: Args) -> Steps:
    """DEL, UNLINK of several keys: how many were there."""
    return sum((yield from context.each_key(args[1:], op_delete, last=True)))


def cmd_exists(context: Context, args: Args) -> Steps:
    """EXISTS of several keys: how many are there, repeated ones counted again."""
    return sum((yield from context.each_key(args[1:], op_exists, last=True)))


def cmd_touch(context: Context, args: Args) -> Steps:
    """TOUCH of several keys: how many are there."""
    return sum((yield from context.each_key(args[1:], op_touch, last=True)))


# TYPE.


def op_type(db: Keyspace, args: Args, h: int) -> Simple:
    """The name of the value's type. O(1)."""
    return Simple(type_name(db.look(args[1], h)))


# RENAME, RENAMENX, COPY.


def cmd_rename(context: Context, args: Args) -> Steps:
    """RENAME: the target is overwritten."""
    yield from _rename(context, args, keep_target=False)
    return OK


def cmd_renamenx(context: Context, args: Args) -> Steps:
    """RENAMENX: 0 and nothing done if the target is there."""
    return (yield from _rename(context, args, keep_target=True))


def rename_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """RENAME of keys that are here. O(1)."""
    h, to = here.find(args[1]), here.find(args[2])
    if h < 0 or to < 0:
        return ELSEWHERE
    rename_here(here.shard, ((db.index, args[1], h), (db.index, args[2], to), False))
    return OK


def renamenx_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """RENAMENX of keys that are here. O(1)."""
    h, to = here.find(args[1]), here.find(args[2])
    if h < 0 or to < 0:
        return ELSEWHERE
    return rename_here(here.shard, ((db.index, args[1], h), (db.index, args[2], to), True))


def _rename(context: Context, args: Args, *, keep_target: bool) -> Steps:
    """Returns whether the key has another name now.

    Raises:
        ReplyError NO_SUCH_KEY: the source is not there.
    """
    source, target = _place(context, args[1], context.db), _place(context, args[2], context.db)
    at, to = context.shard_of(source[2]), context.shard_of(target[2])
    if at == to:
        return (yield from context.hop({at: (rename_here, (source, target, keep_target))}, last=True))[at]
    found = yield from context.hop({at: (lift, source), to: (is_there, target)})
    if found[at] is None:
        raise ReplyError("NO_SUCH_KEY")
    if keep_target and found[to]:
        yield from context.conclude()
        return 0
    arrival = (target, found[at], b"rename_to")
    yield from context.hop({at: (leave, source), to: (settle, arrival)}, last=True)
    return 1


def cmd_copy(context: Context, args: Args) -> Steps:
    """COPY source destination [DB index] [REPLACE]: 1 if there is a copy now."""
    database, replace = _copy_options(context.session, context.db, args)
    if database == context.db and args[1] == args[2]:
        raise ReplyError("SAME_OBJECT")
    source, target = _place(context, args[1], context.db), _place(context, args[2], database)
    at, to = context.shard_of(source[2]), context.shard_of(target[2])
    if at == to:
        return (yield from context.hop({at: (copy_here, (source, target, replace))}, last=True))[at]
    found = yield from context.hop({at: (read, source), to: (is_there, target)})
    if found[at] is None or (found[to] and not replace):
        yield from context.conclude()
        return 0
    yield from context.hop({to: (settle, (target, found[at], b"copy_to"))}, last=True)
    return 1


def copy_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """COPY of keys that are here. O(size of the value)."""
    database, replace = _copy_options(session, db.index, args)
    if database == db.index and args[1] == args[2]:
        raise ReplyError("SAME_OBJECT")
    h, to = here.find(args[1]), here.find(args[2])
    if h < 0 or to < 0:
        return ELSEWHERE
    return copy_here(here.shard, ((db.index, args[1], h), (database, args[2], to), replace))


def _copy_options(session: Session, database: int, args: Args) -> tuple[int, bool]:
    """The target's database, which is that of the key unless the arguments say otherwise, and REPLACE."""
    replace = False
    at = 3
    while at < len(args):
        word = args[at].upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and at + 1 < len(args):
            at += 1
            database = parse_database(session, args[at])
        else:
            raise ReplyError("SYNTAX")
        at += 1
    if database:
        refuse_in_cluster(session, "Copying to another database")
    return database, replace


def _place(context: Context, key: bytes, database: int) -> Place:
    return database, key, context.proactor.shard.hash_key(key)


def rename_here(shard: Shard, argument: tuple[Place, Place, bool]) -> int:
    """Work of a RENAME within one shard; 1 if the key has another name now.

    Raises:
        ReplyError NO_SUCH_KEY: the source is not there.
    """
    (index, source, h), (_, target, to), keep_target = argument
    db = shard.dbs[index]
    value = db.peek(source, h)
    if value is None:
        raise ReplyError("NO_SUCH_KEY")
    if keep_target and db.peek(target, to) is not None:
        return 0
    if source == target:
        return 1
    deadline = db.deadline(source, h)
    db.erase(source, h)
    # Not overwritten: for listeners a key ends here and another one begins.
    db.drop(target, to)
    db.put(own(target), to, value, deadline)
    db.changed(source, events.GENERIC, b"rename_from")
    if db.observed:
        db.tell(target, events.GENERIC, b"rename_to")
    return 1


def copy_here(shard: Shard, argument: tuple[Place, Place, bool]) -> int:
    """Work of a COPY within one shard; 1 if there is a copy now."""
    source, target, replace = argument
    try:
        record = read(shard, source)
    except Lengthy as lengthy:
        if not replace and is_there(shard, target):
            return 0
        raise Lengthy(_then_place(shard, target, lengthy.steps), *lengthy.pinned) from None
    if record is None or (not replace and is_there(shard, target)):
        return 0
    _place_copy(shard, target, *record)
    return 1


def _then_place(shard: Shard, target: Place, copying: Slices) -> Slices:
    """Copy in slices, then place the copy; 1."""
    value, deadline = yield from copying
    _place_copy(shard, target, value, deadline)
    return 1


def _place_copy(shard: Shard, target: Place, value: Any, deadline: int) -> None:
    """Place a copy that this thread has made. O(1)."""
    index, key, h = target
    db = shard.dbs[index]
    if value.__class__ is bytes:
        value = own(value)
    db.drop(key, h)
    db.put(own(key), h, value, deadline)
    db.changed(key, events.GENERIC, b"copy_to")


def lift(shard: Shard, place: Place) -> tuple[Any, int] | None:
    """The record (value, deadline) that RENAME is about to take away from here; None if there is none."""
    index, key, h = place
    db = shard.dbs[index]
    value = db.peek(key, h)
    return None if value is None else (value, db.deadline(key, h))


def read(shard: Shard, place: Place) -> tuple[Any, int] | None:
    """The record (value, deadline) that COPY is about to duplicate; None if there is none."""
    index, key, h = place
    db = shard.dbs[index]
    value = db.find(key, h)
    if value is None:
        return None
    deadline = db.deadline(key, h)
    if is_big(value, shard.slice):
        raise Lengthy(_copied(value, deadline, shard.slice), value)
    return (value if value.__class__ is bytes else copy_of(value)), deadline


def _copied(value: Any, deadline: int, size: int) -> Slices:
    """`read` of a value that is big."""
    return (yield from copy_in_slices(value, size)), deadline


def is_there(shard: Shard, place: Place) -> bool:
    """Whether the key is there; not counted as an access."""
    index, key, h = place
    return shard.dbs[index].peek(key, h) is not None


def leave(shard: Shard, place: Place) -> None:
    """The record has gone to another shard."""
    index, key, h = place
    db = shard.dbs[index]
    db.erase(key, h)
    db.changed(key, events.GENERIC, b"rename_from")


def settle(shard: Shard, argument: tuple[Place, tuple[Any, int], bytes]) -> None:
    """Place a record that comes from elsewhere. O(size)."""
    target, (value, deadline), event = argument
    if is_big(value, shard.slice):
        raise Lengthy(_settle_in_slices(shard, target, value, deadline, event))
    _settle(shard, target, copy_of(value), deadline, event)


def _settle_in_slices(shard: Shard, target: Place, value: Any, deadline: int, event: bytes) -> Slices:
    copied = yield from copy_in_slices(value, shard.slice)
    _settle(shard, target, copied, deadline, event)


def _settle(shard: Shard, target: Place, value: Any, deadline: int, event: bytes) -> None:
    """Place a value that this thread has made. O(1)."""
    index, key, h = target
    db = shard.dbs[index]
    db.drop(key, h)
    db.put(own(key), h, value, deadline)
    if event == b"copy_to":
        db.changed(key, events.GENERIC, event)
    elif db.observed:
        # The leaving half of a RENAME is what counts as the change.
        db.tell(key, events.GENERIC, event)


# KEYS, RANDOMKEY.


def cmd_keys(context: Context, args: Args) -> Steps:
    """KEYS pattern: the keys that match, at most `keys_output_limit` of them (0: all)."""
    limit = context.dispatcher.config.keys_output_limit or 1 << 62
    found = yield from context.all_shards(matching_keys, (context.db, args[1], limit), last=True)
    keys = [key for part in found for key in part][:limit]
    return (yield from context.answer_slowly(keys))


def matching_keys(shard: Shard, argument: tuple[int, bytes, int]) -> list[bytes]:
    """Unexpired keys of a database that match a pattern, at most so many. O(keys).

    Of many keys it is a traversal in slices. Nobody writes meanwhile, because KEYS has an intent on
    everything, so it is as if it happened at one moment; those who read go on.
    """
    index, pattern, limit = argument
    if len(shard.dbs[index].table) > shard.slice:
        raise Lengthy(_matching_in_slices(shard, index, compile_glob(pattern), limit))
    now = shard.tick.ms
    matches = compile_glob(pattern)
    found: list[bytes] = []
    for key, _, deadline in shard.dbs[index].table.items():
        if matches(key) and (deadline == 0 or deadline >= now):
            found.append(key)
            if len(found) >= limit:
                break
    return found


def _matching_in_slices(shard: Shard, index: int, matches: Callable[[bytes], object], limit: int) -> Slices:
    step = shard.dbs[index].table.scan
    # A key may come twice if segments merge, as they do when keys expire.
    found: dict[bytes, None] = {}
    place = seen = 0
    while True:
        place, keys = step(place)
        seen += len(keys)
        for key in keys:
            if matches(key):
                found[key] = None
        if not place or len(found) >= limit:
            return list(found)[:limit]
        if seen >= shard.slice:
            seen = 0
            yield


def cmd_randomkey(context: Context, args: Args) -> Steps:
    """RANDOMKEY: every key is about as likely as any other, whatever its shard."""
    candidates = yield from context.all_shards(random_key, context.db, last=True)
    filled = [(size, key) for size, key in candidates if key is not None]
    if not filled:
        return None
    choice = context.proactor.shard.random.randrange(sum(size for size, _ in filled))
    for size, key in filled:
        if choice < size:
            return key
        choice -= size
    raise AssertionError("the choice is below the sum of all sizes")


def randomkey_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """RANDOMKEY where there is one thread. O(1)."""
    return random_key(here.shard, db.index)[1] if here.has_everything() else ELSEWHERE


def random_key(shard: Shard, index: int) -> tuple[int, bytes | None]:
    """(keys of a database on this shard, one of them)."""
    table = shard.dbs[index].table
    key = table.random_key(shard.random)
    return len(table), key


TABLE: tuple[Row, ...] = (
    multi(
        "DEL",
        -2,
        "write",
        run=cmd_delete,
        at_once=delete_at_once,
        single_with=2,
        cmd=cmd_only_key,
        op=op_delete,
        encode="number",
        keys=(1, -1, 1),
        key_flags="RM DELETE",
        acl="@keyspace @write @slow",
        since="1.0.0",
        group="generic",
        syntax="key [key ...]",
        summary="Removes keys.",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard response_policy:agg_sum",
    ),
    multi(
        "UNLINK",
        -2,
        "write fast",
        run=cmd_delete,
        at_once=delete_at_once,
        single_with=2,
        cmd=cmd_only_key,
        op=op_delete,
        encode="number",
        keys=(1, -1, 1),
        key_flags="RM DELETE",
        acl="@keyspace @write @fast",
        since="4.0.0",
        group="generic",
        syntax="key [key ...]",
        summary="Removes keys; what they held is freed later.",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard response_policy:agg_sum",
    ),
    multi(
        "EXISTS",
        -2,
        "readonly fast",
        run=cmd_exists,
        at_once=exists_at_once,
        single_with=2,
        cmd=cmd_only_key,
        op=op_exists,
        encode="number",
        keys=(1, -1, 1),
        key_flags="RO",
        acl="@keyspace @read @fast",
        since="1.0.0",
        group="generic",
        syntax="key [key ...]",
        summary="Counts the keys that exist.",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard response_policy:agg_sum",
    ),
    multi(
        "TOUCH",
        -2,
        "readonly fast",
        run=cmd_touch,
        at_once=touch_at_once,
        single_with=2,
        cmd=cmd_only_key,
        op=op_touch,
        encode="number",
        keys=(1, -1, 1),
        key_flags="RO",
        acl="@keyspace @read @fast",
        since="3.2.1",
        group="generic",
        syntax="key [key ...]",
        summary="Counts the keys that exist and marks them as just used.",
        complexity="O(N) where N is the number of keys",
        tips="request_policy:multi_shard response_policy:agg_sum",
    ),
    single(
        "TYPE",
        2,
        "readonly fast",
        op=op_type,
        key_flags="RO",
        acl="@keyspace @read @fast",
        since="1.0.0",
        group="generic",
        syntax="key",
        summary="Names the type of a key's value.",
    ),
    multi(
        "RENAME",
        3,
        "write",
        run=cmd_rename,
        at_once=rename_at_once,
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; OW UPDATE",
        acl="@keyspace @write @slow",
        since="1.0.0",
        group="generic",
        syntax="key newkey",
        summary="Gives a key another name, in place of whatever had it.",
    ),
    multi(
        "RENAMENX",
        3,
        "write fast",
        run=cmd_renamenx,
        at_once=renamenx_at_once,
        encode="number",
        keys=(1, 2, 1),
        key_flags="RW ACCESS DELETE; OW INSERT",
        acl="@keyspace @write @fast",
        since="1.0.0",
        group="generic",
        syntax="key newkey",
        summary="Gives a key another name unless that is taken.",
    ),
    multi(
        "COPY",
        -3,
        "write denyoom",
        run=cmd_copy,
        at_once=copy_at_once,
        encode="number",
        keys=(1, 2, 1),
        key_flags="RO ACCESS; OW UPDATE",
        acl="@keyspace @write @slow",
        since="6.2.0",
        group="generic",
        syntax="source destination [DB destination-db] [REPLACE]",
        summary="Copies a key's value and deadline to another key.",
        complexity="O(N) where N is the size of the value",
    ),
    multi(
        "KEYS",
        2,
        "readonly",
        run=cmd_keys,
        scope=ALL_SHARED,
        acl="@keyspace @read @slow @dangerous",
        since="1.0.0",
        group="generic",
        syntax="pattern",
        summary="Lists the keys that match a pattern.",
        complexity="O(N) where N is the number of keys in the database",
        tips="request_policy:all_shards nondeterministic_output_order",
    ),
    multi(
        "RANDOMKEY",
        1,
        "readonly",
        run=cmd_randomkey,
        at_once=randomkey_at_once,
        scope=ALL_SHARED,
        acl="@keyspace @read @slow",
        since="1.0.0",
        group="generic",
        summary="Picks a key at random.",
        tips="request_policy:all_shards nondeterministic_output",
    ),
)
