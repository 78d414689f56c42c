"""MIGRATE: move keys to another server, or copy them there.

Redis stops altogether until the target has answered. Here MIGRATE is a transaction that holds the keys it
moves, and nothing else, until the target has them: whoever wants one of them waits, and then finds it gone;
nobody ever sees a key on both servers, or a change that the target did not get. (A command that concerns all
keys waits as well.) The loop drives the connection, so all other clients go on.

Three steps: a hop in which each shard serialises its keys as DUMP does; the exchange with the target, one
RESTORE a key in one pipeline; a hop in which the keys that the target took are deleted, unless they are
copied. If the connection breaks midway, those that were acknowledged are deleted and the others stay; one
whose acknowledgement was lost is then on both servers, as with Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from nogil_df.base.errors import ReplyError
from nogil_df.commands.arguments import integer
from nogil_df.commands.dump import op_dump
from nogil_df.commands.generic import op_delete
from nogil_df.commands.spec import Row, multi
from nogil_df.wire.values import OK, Simple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nogil_df.commands.context import Context, Steps
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.vll.transaction import Transaction

Args = list[bytes]

DIALER: Final = "dialer"
"""Where a thread's state has the `Dialer`."""

USUAL_TIMEOUT: Final = 1000
"""Milliseconds, where the command says none."""

NO_KEY: Final = Simple(b"NOKEY")

_WORDS_OF: Final = {b"AUTH": 1, b"AUTH2": 2}


class Dialer(Protocol):
    """What asks other servers; see `nogil_df.net.outbound`."""

    def ask(
        self,
        host: bytes,
        port: int,
        request: bytes,
        replies: int,
        timeout: float,
        done: Callable[[list[bytes], str], None],
    ) -> None:
        """Send a request; ``done`` gets the lines that came back, and what failed, if anything did."""


@dataclass(slots=True)
class Plan:
    """What MIGRATE is to do.

    Attributes:
        database: of the target.
        timeout: seconds without progress.
        keep: the keys stay here as well (COPY).
        replace: what the target has at a key is overwritten.
        login: the arguments of AUTH; empty for none.
    """

    keys: list[bytes]
    database: int
    timeout: float
    keep: bool = False
    replace: bool = False
    login: tuple[bytes, ...] = ()


def parse(args: Args) -> Plan:
    """MIGRATE's arguments from the third on. O(arguments).

    Raises:
        ReplyError.
    """
    keys = [args[3]]
    keep = replace = False
    login: tuple[bytes, ...] = ()
    at = 6
    while at < len(args):
        word = args[at].upper()
        more = len(args) - at - 1
        if word == b"COPY":
            keep = True
        elif word == b"REPLACE":
            replace = True
        elif word in _WORDS_OF:
            if more < _WORDS_OF[word]:
                raise ReplyError("SYNTAX")
            login = tuple(args[at + 1 : at + 1 + _WORDS_OF[word]])
            at += _WORDS_OF[word]
        elif word == b"KEYS":
            if args[3]:
                raise ReplyError("MIGRATE_KEYS")
            keys = args[at + 1 :]
            break
        else:
            raise ReplyError("SYNTAX")
        at += 1
    timeout, database = integer(args[5]), integer(args[4])
    return Plan(keys, database, (timeout if timeout > 0 else USUAL_TIMEOUT) / 1000, keep, replace, login)


def find_migrate_keys(args: Sequence[bytes]) -> list[int]:
    """Where the keys are: the third argument, or all that follow KEYS. O(arguments)."""
    if args[3]:
        return [3]
    at = 6
    while at < len(args):
        word = args[at].upper()
        if word == b"KEYS":
            return list(range(at + 1, len(args)))
        at += 1 + _WORDS_OF.get(word, 0)
    return [3]


def lock_migrate(context: Context, tx: Transaction, args: Args) -> None:
    """Hold the keys for as long as the target takes, wherever they are."""
    keys = [args[index] for index in find_migrate_keys(args)]
    tx.keep_intents()
    tx.lock_keys({}, {shard: {h for _, _, h in group} for shard, group in context.by_shard(keys).items()})


def cmd_migrate(context: Context, args: Args) -> Steps:
    """MIGRATE host port key|"" database timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
    [KEYS key...]: OK, or NOKEY if there is none of the keys.

    Raises:
        ReplyError: the target could not be reached, did not answer in time, or answered an error.
    """
    plan = parse(args)
    port = integer(args[2])
    compress = context.dispatcher.config.rdbcompression
    packed = yield from context.each_key(plan.keys, op_pack, [(key, compress) for key in plan.keys])
    there = [(key, *one) for key, one in zip(plan.keys, packed, strict=True) if one is not None]
    if not there:
        yield from context.conclude()
        return NO_KEY
    dialer: Dialer = context.dispatcher.state.extra[DIALER]
    preamble = [(b"AUTH", *plan.login)] if plan.login else []
    preamble.append((b"SELECT", b"%d" % plan.database))
    replace = (b"REPLACE",) if plan.replace else ()
    commands = [*preamble, *((b"RESTORE", key, b"%d" % ttl, body, *replace) for key, body, ttl in there)]
    request = b"".join(map(encoded, commands))

    def start(waiting: Context) -> None:
        def done(lines: list[bytes], failure: str) -> None:
            waiting.on_outside((lines, failure))

        dialer.ask(args[1], port, request, len(commands), plan.timeout, done)

    lines, failure = yield from context.outside(start)
    refusals = [line for line in lines if line[:1] != b"+"]
    taken: list[bytes] = []
    if all(line[:1] == b"+" for line in lines[: len(preamble)]):
        answers = lines[len(preamble) :]
        taken = [key for (key, _, _), line in zip(there, answers, strict=False) if line[:1] == b"+"]
    if taken and not plan.keep:
        yield from context.each_key(taken, op_delete, last=True)
    else:
        yield from context.conclude()
    if failure:
        raise ReplyError("MIGRATE_CONNECT") if failure == "connecting" else ReplyError("MIGRATE_IO", failure)
    if refusals:
        raise ReplyError("MIGRATE_TARGET", refusals[0][1:])
    return OK


def op_pack(db: Keyspace, request: tuple[bytes, bool], h: int) -> tuple[bytes, int] | None:
    """A key's value as DUMP gives it, and the time it has left, ms, 0 for ever; None if there is none."""
    payload = op_dump(db, request, h)
    if payload is None:
        return None
    deadline = db.deadline(request[0], h)
    return payload, max(deadline - db.shard.tick.ms, 1) if deadline else 0


def encoded(command: Sequence[bytes]) -> bytes:
    """A command as a client sends it. O(bytes)."""
    pieces = [b"*%d\r\n" % len(command)]
    for word in command:
        pieces += (b"$%d\r\n" % len(word), word, b"\r\n")
    return b"".join(pieces)


TABLE: tuple[Row, ...] = (
    multi(
        "MIGRATE",
        -6,
        "write movablekeys",
        run=cmd_migrate,
        lock=lock_migrate,
        waits=True,
        keys=(3, 3, 1),
        find_keys=find_migrate_keys,
        key_flags="RW ACCESS DELETE",
        acl="@keyspace @write @slow @dangerous",
        since="2.6.0",
        group="generic",
        syntax='host port <key | ""> destination-db timeout [COPY] [REPLACE] '
        "[AUTH password | AUTH2 username password] [KEYS key [key ...]]",
        summary="Moves keys to another server, at one moment.",
        complexity="That of DUMP and RESTORE for each key, and the time to transfer them",
        tips="nondeterministic_output",
    ),
)
