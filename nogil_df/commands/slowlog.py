"""SLOWLOG: the commands that took longest to carry out, and the log that keeps them.

There is one log for the whole server, and the first thread keeps it: the others send it what was slow. So ids
count 0, 1, 2... and grow with time, as collectors that remember the last id they saw rely on, and
`slowlog-max-len` holds for all threads together. A message for each slow command is no price. They travel as
notices (`nogil_df.vll.proactor`), so that a command is in the log before anybody has its reply, as in Redis.

What is noted is the time between the start of a command and its reply on the coordinator: for a command that
ran on other shards that includes the way there. Commands of a pipeline that were carried out in one go share
one measurement: each of them counts with the mean.

Passwords do not get into the log. Source: Redis documentation, SLOWLOG GET.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.help import help_row
from nogil_df.commands.secrets import without_secrets
from nogil_df.commands.spec import NOTHING, Row, container, multi
from nogil_df.shard.memory import own
from nogil_df.wire.values import OK

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.vll.proactor import Message, Proactor

Args = list[bytes]

KEEPER = 0
"""The thread that keeps the log."""

MAX_ARGUMENTS = 32
MAX_BYTES = 128

DEFAULT_COUNT = 10
"""Entries of SLOWLOG GET without a count."""


@dataclass(frozen=True, slots=True)
class SlowEntry:
    """One slow command: unix seconds, microseconds, its arguments cut short, who sent it."""

    id: int
    when: int
    micros: int
    args: list[bytes]
    address: bytes
    client_name: bytes


class SlowLog:
    """The newest entries, bounded. Ids go on after `clear`.

    Attributes:
        limit: at most so many entries are kept.
    """

    __slots__ = ("limit", "_entries", "_next_id")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: deque[SlowEntry] = deque()
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, when: int, micros: int, args: list[bytes], address: bytes, client_name: bytes) -> None:
        """Note a slow command; what is stored is the caller's. O(1)."""
        if self.limit > 0:
            self._entries.appendleft(SlowEntry(self._next_id, when, micros, args, address, client_name))
            self._next_id += 1
            self.set_limit(self.limit)

    def newest(self, count: int) -> list[SlowEntry]:
        """Up to ``count`` entries, newest first. O(count)."""
        return list(islice(self._entries, count))

    def set_limit(self, limit: int) -> None:
        """Keep at most so many entries from now on. O(entries dropped)."""
        self.limit = limit
        while len(self._entries) > limit:
            self._entries.pop()

    def clear(self) -> None:
        """Forget all entries. O(entries)."""
        self._entries.clear()


def shorten(args: list[bytes]) -> list[bytes]:
    """Copies of the arguments: at most 32, of at most 128 bytes, with a note of what was cut; no secrets."""
    args = without_secrets(args)
    shown = args if len(args) <= MAX_ARGUMENTS else args[: MAX_ARGUMENTS - 1]
    cut = [_cut(arg) for arg in shown]
    if len(shown) < len(args):
        cut.append(b"... (%d more arguments)" % (len(args) - MAX_ARGUMENTS + 1))
    return cut


def _cut(arg: bytes) -> bytes:
    if len(arg) <= MAX_BYTES:
        return b"%b" % arg
    return b"%b... (%d more bytes)" % (arg[:MAX_BYTES], len(arg) - MAX_BYTES)


def keep(proactor: Proactor, message: Message) -> None:
    """Notice on the keeper's thread: ``(keep, when, micros, args, address, client name)``."""
    proactor.service.slow_log.add(*own(message[1:]))


def cmd_get(context: Context, args: Args) -> Steps:
    """SLOWLOG GET [count]: newest first; -1 for all."""
    if len(args) > 3:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "SLOWLOG")
    count: int | None = DEFAULT_COUNT
    if len(args) == 3:
        count = parse_int(args[2])
    if count is None or count < -1:
        raise ReplyError("SLOWLOG_COUNT")
    entries = (yield from context.everywhere(read, count if count >= 0 else 1 << 62))[KEEPER]
    return [
        [entry.id, entry.when, entry.micros, entry.args, entry.address, entry.client_name]
        for entry in entries
    ]


def cmd_len(context: Context, args: Args) -> Steps:
    """SLOWLOG LEN."""
    return (yield from context.everywhere(count_entries))[KEEPER]


def cmd_reset(context: Context, args: Args) -> Steps:
    """SLOWLOG RESET."""
    yield from context.everywhere(reset)
    return OK


def read(proactor: Proactor, count: int) -> list[SlowEntry]:
    """On every thread: the newest entries; none but the keeper has any."""
    newest: list[SlowEntry] = proactor.service.slow_log.newest(min(count, 1 << 31))
    return newest


def count_entries(proactor: Proactor, argument: Any) -> int:
    """On every thread: how many entries there are."""
    return len(proactor.service.slow_log)


def reset(proactor: Proactor, argument: Any) -> None:
    """On every thread: forget the entries."""
    proactor.service.slow_log.clear()


_ADMIN = "@admin @dangerous @slow"

TABLE: tuple[Row, ...] = (
    container(
        "SLOWLOG",
        -2,
        "",
        multi(
            "SLOWLOG GET",
            -2,
            "admin loading stale",
            run=cmd_get,
            scope=NOTHING,
            acl=_ADMIN,
            since="2.2.12",
            group="server",
            syntax="[count]",
            summary="Lists the newest slow commands: id, time, microseconds, arguments, client.",
            tips="request_policy:all_nodes nondeterministic_output",
        ),
        multi(
            "SLOWLOG LEN",
            2,
            "admin loading stale",
            run=cmd_len,
            scope=NOTHING,
            acl=_ADMIN,
            since="2.2.12",
            group="server",
            summary="Counts the entries of the slow log.",
            tips="request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
        ),
        multi(
            "SLOWLOG RESET",
            2,
            "admin loading stale",
            run=cmd_reset,
            scope=NOTHING,
            acl=_ADMIN,
            since="2.2.12",
            group="server",
            summary="Empties the slow log.",
            tips="request_policy:all_nodes response_policy:all_succeeded",
        ),
        help_row("SLOWLOG", since="6.2.0"),
        acl="@slow",
        since="2.2.12",
        group="server",
        summary="Commands for the log of slow commands.",
    ),
)
