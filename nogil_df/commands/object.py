"""OBJECT: what can be told about how a key is stored.

Encodings and reference counts are those that Redis would report for the same value. Idle times and
frequencies come from the table, in which every record has a byte for what the eviction policy wants to know
(`nogil_df.shard.eviction`): an age, Redis's counter under an LFU policy, or, in cache mode, up to seven uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.at_once import on_key
from nogil_df.commands.help import help_row
from nogil_df.commands.spec import Row, container, multi
from nogil_df.shard.choice import PROBATION, USE
from nogil_df.shard.eviction import CACHE
from nogil_df.shard.values import encoding, reference_count

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]


def cmd_encoding(context: Context, args: Args) -> Steps:
    """OBJECT ENCODING key; null if there is no such key."""
    return (yield from context.at(args[2], op_encoding, args[2], last=True))


def encoding_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """OBJECT ENCODING of a key that is here."""
    return on_key(here, db, op_encoding, args[2], args[2])


def refcount_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """OBJECT REFCOUNT of a key that is here."""
    return on_key(here, db, op_refcount, args[2], args[2])


def cmd_refcount(context: Context, args: Args) -> Steps:
    """OBJECT REFCOUNT key; null if there is no such key."""
    return (yield from context.at(args[2], op_refcount, args[2], last=True))


def cmd_idletime(context: Context, args: Args) -> Steps:
    """OBJECT IDLETIME key; null if there is no such key."""
    idle = yield from context.at(args[2], op_idle, args[2], last=True)
    if idle is not None and _counts_uses(context):
        raise ReplyError("LRU_ONLY")
    return idle


def cmd_freq(context: Context, args: Args) -> Steps:
    """OBJECT FREQ key; null if there is no such key."""
    frequency = yield from context.at(args[2], op_frequency, args[2], last=True)
    if frequency is not None and not _counts_uses(context):
        raise ReplyError("LFU_ONLY")
    return frequency


def _counts_uses(context: Context) -> bool:
    return context.dispatcher.state.memory.counts_uses


def op_encoding(db: Keyspace, key: bytes, h: int) -> bytes | None:
    """The value's encoding. O(1)."""
    value = db.table.look(key, h)
    return None if value is None else encoding(value, db.shard.limits)


def op_refcount(db: Keyspace, key: bytes, h: int) -> int | None:
    """The value's reference count. O(1)."""
    value = db.table.look(key, h)
    return None if value is None else reference_count(value)


def op_idle(db: Keyspace, key: bytes, h: int) -> int | None:
    """Seconds since the key was used. O(1)."""
    idle = db.table.idle_seconds(key, h)
    return None if idle < 0 else idle


def op_frequency(db: Keyspace, key: bytes, h: int) -> int | None:
    """Redis's counter of uses, as of now; in cache mode 0 to 3. O(1)."""
    level = db.table.age(key, h)
    if level < 0:
        return None
    return level % PROBATION // USE if db.shard.evictor.policy.kind == CACHE else level


def _reader(name: str, since: str, run: object, summary: str, at_once: Any = None) -> Row:
    """The row of a subcommand that tells something about a key."""
    return multi(
        f"OBJECT {name}",
        3,
        "readonly",
        run=run,  # type: ignore[arg-type]
        at_once=at_once,
        keys=(2, 2, 1),
        key_flags="RO",
        acl="@keyspace @read @slow",
        since=since,
        group="generic",
        syntax="key",
        summary=summary,
        tips="nondeterministic_output",
    )


TABLE: tuple[Row, ...] = (
    container(
        "OBJECT",
        -2,
        "",
        _reader("ENCODING", "2.2.3", cmd_encoding, "Tells how a key's value is stored.", encoding_at_once),
        _reader(
            "REFCOUNT",
            "2.2.3",
            cmd_refcount,
            "Tells how many references a key's value has.",
            refcount_at_once,
        ),
        _reader("IDLETIME", "2.2.3", cmd_idletime, "Tells for how many seconds a key has not been used."),
        _reader("FREQ", "4.0.0", cmd_freq, "Tells how often a key is used, on a logarithmic scale."),
        help_row("OBJECT", acl="@keyspace @slow", since="6.2.0", group="generic"),
        acl="@slow",
        since="2.2.3",
        group="generic",
        summary="Commands that tell how a key is stored.",
    ),
)
