"""SCAN: the traversal of a database that remembers nothing between its calls.

A cursor is ``place * shards + shard``: the shard being traversed and the place in its Dash table, whose order
survives splits and merges (`DashTable.scan`). So the guarantee is Redis's: a key that is there from the first
call to the last is given at least once. Shards come one after the other; no call locks more than the shard it
is looking at, for the time of one hop, and a hop looks at a bounded number of keys however great COUNT is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.glob import compile_glob
from nogil_df.base.numbers import parse_int
from nogil_df.commands.at_once import ELSEWHERE
from nogil_df.commands.spec import ALL_SHARED, Row, multi
from nogil_df.shard.values import type_name

if TYPE_CHECKING:
    from nogil_df.commands.at_once import Here
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.shard import Shard

Args = list[bytes]

DEFAULT_COUNT = 10
HOP_KEYS = 1000
"""Most keys that one hop looks at, about 0.5 ms."""

STEPS_PER_KEY = 10
"""Places looked at for each key asked for, before a call ends with fewer keys than that; as in Redis."""

LEAST_STEPS = 1024
"""Places that every call may look at: a few keys on any number of shards come in one call."""

_CURSOR = re.compile(rb"[+-]?[0-9]+|")
MOST = 1 << 64

Filters = tuple[bytes | None, bytes | None]
"""Pattern and type; None where everything passes."""


def parse_cursor(word: bytes) -> int:
    """A cursor: an unsigned 64-bit integer, read as C's strtoul does.

    Raises:
        ReplyError INVALID_CURSOR
    """
    if len(word) > 40 or not _CURSOR.fullmatch(word):
        raise ReplyError("INVALID_CURSOR")
    number = int(word) if word else 0
    if abs(number) >= MOST:
        raise ReplyError("INVALID_CURSOR")
    return number % MOST


def parse_options(args: Args) -> tuple[int, Filters]:
    """COUNT, and what keys have to match.

    Raises:
        ReplyError: an unknown option, or a COUNT that is no positive integer.
    """
    count = DEFAULT_COUNT
    pattern = kind = None
    for at in range(2, len(args), 2):
        option = args[at].upper()
        if at + 1 == len(args):
            raise ReplyError("SYNTAX")
        word = args[at + 1]
        if option == b"COUNT":
            number = parse_int(word)
            if number is None:
                raise ReplyError("NOT_INTEGER")
            if number < 1:
                raise ReplyError("SYNTAX")
            count = number
        elif option == b"MATCH":
            pattern = None if word == b"*" else word
        elif option == b"TYPE":
            kind = word.lower()
        else:
            raise ReplyError("SYNTAX")
    return count, (pattern, kind)


def cmd_scan(context: Context, args: Args) -> Steps:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]."""
    cursor = parse_cursor(args[1])
    count, filters = parse_options(args)
    shards = context.proactor.count
    place, shard = divmod(cursor, shards)
    steps = max(LEAST_STEPS, count * STEPS_PER_KEY)
    keys: list[bytes] = []
    while count > 0 and steps > 0:
        request = (context.db, place, min(count, HOP_KEYS), min(steps, HOP_KEYS), filters)
        place, seen, looked, found = yield from context.alone(shard, traverse, request)
        keys += found
        count -= seen
        steps -= looked
        if not place:
            shard += 1
            if shard == shards:
                return [b"0", keys]
    return [b"%d" % (place * shards + shard), keys]


def scan_at_once(here: Here, session: Session, db: Keyspace, args: Args) -> Any:
    """SCAN where there is one thread, if one look will do."""
    if not here.has_everything():
        return ELSEWHERE
    place = parse_cursor(args[1])
    count, filters = parse_options(args)
    if count > HOP_KEYS:
        return ELSEWHERE
    steps = max(LEAST_STEPS, count * STEPS_PER_KEY)
    keys: list[bytes] = []
    while True:
        place, seen, looked, found = traverse(
            here.shard, (db.index, place, count, min(steps, HOP_KEYS), filters)
        )
        keys += found
        count -= seen
        steps -= looked
        if not place or count <= 0 or steps <= 0:
            return [b"%d" % place, keys]


def traverse(shard: Shard, request: tuple[int, int, int, int, Filters]) -> tuple[int, int, int, list[bytes]]:
    """Some steps through one shard's table.

    Args:
        request: database, place to begin at, keys and places to look at at most, filters.

    Returns:
        (next place, 0 at the end; keys seen; places looked at; the keys that pass the filters).
    """
    index, place, most_keys, most_steps, filters = request
    table = shard.dbs[index].table
    step = table.scan
    seen = looked = 0
    found: list[bytes] = []
    while True:
        place, keys = step(place)
        looked += 1
        seen += len(keys)
        found += keys
        if not place or seen >= most_keys or looked >= most_steps:
            return place, seen, looked, _passing(shard, table, found, filters)


def _passing(shard: Shard, table: Any, keys: list[bytes], filters: Filters) -> list[bytes]:
    pattern, kind = filters
    if pattern is not None:
        matches = compile_glob(pattern)
        keys = [key for key in keys if matches(key)]
    if kind is not None:
        hash_key = shard.hash_key
        peek = table.peek
        keys = [key for key in keys if type_name(peek(key, hash_key(key))) == kind]
    return keys


def lock_nothing(context: Context, tx: Any, args: Args) -> None:
    """SCAN by itself locks one shard at a time (`Context.alone`); only inside EXEC it holds them all."""


TABLE: tuple[Row, ...] = (
    multi(
        "SCAN",
        -2,
        "readonly",
        run=cmd_scan,
        at_once=scan_at_once,
        scope=ALL_SHARED,
        lock=lock_nothing,
        acl="@keyspace @read @slow",
        since="2.8.0",
        group="generic",
        syntax="cursor [MATCH pattern] [COUNT count] [TYPE type]",
        summary="Goes through the keys of the database, some at each call.",
        complexity="O(1) for a call, O(N) for all calls of a traversal of N keys",
        tips="nondeterministic_output request_policy:special",
    ),
)
