"""May this user do that? The checks between a command and a user that is not allowed everything.

The usual session's user is allowed everything, and its commands never come here: a session with another one
is ``special``, so the gate looks at each of its commands (`nogil_df.commands.gate`). Scripts, EXEC and ACL
DRYRUN ask the same question.

What was refused, and logins that failed, are kept in the ACL log by one thread, like the slow log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from nogil_df.acl.catalogue import Catalogue
from nogil_df.acl.selector import READ, WRITE, Selector
from nogil_df.base.errors import ReplyError
from nogil_df.commands.command import CATEGORIES, flags_by_key
from nogil_df.shard.memory import own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nogil_df.acl.user import User
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.vll.proactor import Message, Proactor

KEEPER = 0
"""The thread that keeps the log."""

GROUPING_SECONDS = 60
"""Equal entries of the log within so many seconds are counted together, as in Redis."""

COMMAND, KEY, AUTH, CHANNEL = b"command", b"key", b"auth", b"channel"
"""Reasons, as the log names them."""

_REASONS = {
    COMMAND: b"no permission to execute the command or subcommand",
    KEY: b"no permission to touch the specified keys",
    CHANNEL: b"no permission to access one of the channels used as arguments to the command",
}
_ERRORS = {COMMAND: "NOPERM_COMMAND", KEY: "NOPERM_KEY", CHANNEL: "NOPERM_CHANNEL"}
# How far a selector came before it said no: the answer is that of the one that came furthest.
_PROGRESS = {COMMAND: 1, KEY: 2, CHANNEL: 3}
_PATTERNS = frozenset(("PSUBSCRIBE",))
_CHANNELS: dict[str, slice] = {
    "PUBLISH": slice(1, 2),
    "SPUBLISH": slice(1, 2),
    "SUBSCRIBE": slice(1, None),
    "SSUBSCRIBE": slice(1, None),
    "PSUBSCRIBE": slice(1, None),
}
_CHANGES = frozenset(("INSERT", "UPDATE", "DELETE"))


@dataclass(frozen=True, slots=True)
class Denial:
    """Why not: the reason, and the command, key or channel it was about, at which place among the words."""

    reason: bytes
    object: bytes
    place: int = 0

    @property
    def progress(self) -> tuple[int, int]:
        """How far the check came before it failed; the farthest of all selectors is reported."""
        return _PROGRESS[self.reason], self.place

    def error(self) -> ReplyError:
        """The reply."""
        return ReplyError(_ERRORS[self.reason], self.object)

    def sentence(self) -> bytes:
        """As ACL DRYRUN tells it, without who it was."""
        if self.reason == COMMAND:
            return b"has no permissions to run the '%b' command" % self.object
        return b"has no permissions to access the '%b' %b" % (self.object, self.reason)


def catalogue_of(commands: Iterable[Command]) -> Catalogue:
    """The names that access rules may use. O(commands)."""
    entries = []
    for command in commands:
        for one in (command, *command.subcommands.values()):
            categories = frozenset(word.lstrip("@") for word in one.row.acl.split())
            entries.append((one.full_name, categories))
    return Catalogue(entries, CATEGORIES)


def denial(user: User, command: Command, args: Sequence[bytes]) -> Denial | None:
    """Why a user may not run a command, None if it may. O(selectors * keys * patterns).

    Args:
        command: the command, or the subcommand.
        args: all words, the name included.
    """
    worst: Denial | None = None
    for selector in user.selectors:
        found = _denied_by(selector, command, args)
        if found is None:
            return None
        if worst is None or found.progress > worst.progress:
            worst = found
    return worst


def _denied_by(selector: Selector, command: Command, args: Sequence[bytes]) -> Denial | None:
    name = command.full_name
    if "no_auth" not in command.flags and not selector.allows_command(
        name, args[1] if len(args) > 1 else None
    ):
        return Denial(COMMAND, name.encode())
    if not selector.all_keys:
        for place, access in _keys(command, args):
            if not selector.allows_key(args[place], access):
                return Denial(KEY, args[place], place)
    if not selector.all_channels and command.name in _CHANNELS:
        is_pattern = command.name in _PATTERNS
        for place, channel in enumerate(args[_CHANNELS[command.name]], 1):
            if not selector.allows_channel(channel, is_pattern=is_pattern):
                return Denial(CHANNEL, channel, place)
    return None


def _keys(command: Command, args: Sequence[bytes]) -> list[tuple[int, int]]:
    """Places of the keys, and what the command does with each: READ and WRITE bits. O(keys)."""
    try:
        indexes = command.key_indexes(args)
    except ReplyError:
        # It will not get as far as to touch one: its own parser answers.
        return []
    if not indexes:
        return []
    flags = flags_by_key(command, list(args), len(indexes))
    return [
        (at, _access(words))
        for at, words in zip(indexes, flags, strict=True)
        if at < len(args) and "NOT_KEY" not in words
    ]


def _access(words: str) -> int:
    flags = set(words.split())
    return (READ if "ACCESS" in flags else 0) | (0 if flags.isdisjoint(_CHANGES) else WRITE)


def may_read_every_key(user: User, command: Command, args: Sequence[bytes]) -> bool:
    """Whether a selector that allows this command allows to read any key whatever. O(selectors * keys).

    That is what SORT asks before it looks keys up whose names it makes of the elements.
    """
    return any(
        selector.allows_every_key(READ) and _denied_by(selector, command, args) is None
        for selector in user.selectors
    )


def check(session: Session, command: Command, args: list[bytes]) -> None:
    """Let a command of a restricted user pass, or not.

    Raises:
        ReplyError NOPERM: it may not run; the log has it.
    """
    found = denial(session.account, command, args)
    if found is not None:
        log_denial(session, found, b"multi" if session.queue is not None else b"toplevel")
        raise found.error()


def check_queued(session: Session, command: Command, args: list[bytes]) -> None:
    """`check` of a command that was queued by MULTI and is about to run.

    Raises:
        ReplyError NOPERM: the user lost the right to run it meanwhile.
    """
    found = denial(session.account, command, args)
    if found is not None:
        log_denial(session, found, b"multi")
        raise ReplyError("NOPERM_EXEC", _REASONS[found.reason])


# The log.


@dataclass(slots=True)
class LogEntry:
    """One kind of refusal.

    Attributes:
        created, updated: unix ms of the first and of the last time.
        count: how often in between.
    """

    id: int
    reason: bytes
    context: bytes
    object: bytes
    user: bytes
    client: bytes
    created: int
    updated: int
    count: int = 1


class AclLog:
    """The newest refusals, bounded."""

    __slots__ = ("_entries", "_next_id", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: deque[LogEntry] = deque()
        self._next_id = 0

    def add(self, now: int, reason: bytes, context: bytes, what: bytes, user: bytes, client: bytes) -> None:
        """Note a refusal at unix ms ``now``. O(entries)."""
        for entry in self._entries:
            if (entry.reason, entry.context, entry.object, entry.user) == (reason, context, what, user) and (
                now - entry.updated <= GROUPING_SECONDS * 1000
            ):
                entry.count += 1
                entry.updated = now
                entry.client = client
                self._entries.remove(entry)
                self._entries.appendleft(entry)
                return
        self._entries.appendleft(LogEntry(self._next_id, reason, context, what, user, client, now, now))
        self._next_id += 1
        while len(self._entries) > self.limit:
            self._entries.pop()

    def newest(self, count: int) -> list[LogEntry]:
        """Up to ``count`` entries, newest first. O(count)."""
        return list(islice(self._entries, count))

    def clear(self) -> None:
        """Forget all. O(entries)."""
        self._entries.clear()


def log_denial(session: Session, found: Denial, context: bytes) -> None:
    """Tell the keeper of the log of a refusal. O(1)."""
    _tell(session, found.reason, context, found.object, session.user)


def log_failed_login(session: Session, word: bytes, user: bytes) -> None:
    """Tell the keeper of the log of a login that failed, by AUTH or HELLO as it was written. O(1)."""
    _tell(session, AUTH, b"toplevel", word, user)


def _tell(session: Session, reason: bytes, context: bytes, what: bytes, user: bytes) -> None:
    from nogil_df.commands.client_list import describe

    state = session.dispatcher.state
    client = describe(session, state.clock.monotonic())
    state.proactor.notify(KEEPER, (keep, state.clock.unix_ms(), reason, context, what, user, client))


def keep(proactor: Proactor, message: Message) -> None:
    """Message handler on the keeper's thread: ``(keep, unix ms, reason, context, object, user, client)``."""
    log: AclLog = proactor.service.acl_log
    log.add(*own(message[1:]))


def read_log(proactor: Proactor, count: int) -> list[LogEntry]:
    """On every thread: the newest entries; none but the keeper has any."""
    log: AclLog = proactor.service.acl_log
    return log.newest(count)


def clear_log(proactor: Proactor, argument: Any) -> None:
    """On every thread: forget the entries."""
    proactor.service.acl_log.clear()
