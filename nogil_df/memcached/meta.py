"""The meta commands: mg, ms, md, ma, me, mn.

A request is a key and flags of one letter, some with a token behind it; the reply is a status word and the
flags that were asked for, in that order. `parse_flags` reads them once, into `Flags`, on the thread of the
client; the op does the work and writes the flags of the reply, for nobody else has what they tell.

Stale items and the right to recache them: ``md I`` marks an item stale instead of removing it; the next
client that gets it is told ``W``, it has won and is to make it anew, and all others ``Z`` until it is stored.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import keyspace_events as events
from nogil_df.base.errors import ReplyError
from nogil_df.commands.spec import Row, local, single
from nogil_df.commands.string_options import KEEP_DEADLINE
from nogil_df.commands.strings import set_expiry
from nogil_df.memcached.replies import EXISTS, NOT_FOUND, NOT_STORED, STORED
from nogil_df.memcached.storage import (
    ADD,
    APPEND,
    CAS,
    PREPEND,
    REPLACE,
    SET,
    complaint,
    deadline_in,
    is_string,
    plus,
    put,
    put_by_mode,
    remove,
    replace_number,
    with_cas,
)
from nogil_df.shard.flagged import FETCHED, STALE, WON, Flagged, flags_of
from nogil_df.shard.memory import record_size
from nogil_df.wire.memcached import ITEM_OVERHEAD, parse_int32, parse_uint
from nogil_df.wire.values import Raw

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]

Reply = tuple[bytes, bytes, bytes | None, bool]
"""Status word (b"" for silence), flags with a blank before each, data, and a mark for the statistics: mg
changed a deadline, ma counted down."""

MAX_OPAQUE: Final = 32

BAD_TOKEN: Final = b"CLIENT_ERROR bad token in command line format"
BAD_LINE: Final = b"CLIENT_ERROR bad command line format"
BAD_FLAG: Final = b"CLIENT_ERROR invalid or duplicate flag"

# Which flags have a token, what it is called in `Flags`, and what is said of one that can't be read.
_TIMES: Final = {b"N": "vivify", b"T": "expires", b"R": "recache"}
_NUMBERS: Final = {
    b"C": ("cas", BAD_TOKEN),
    b"E": ("new_cas", BAD_TOKEN),
    b"J": ("initial", b"CLIENT_ERROR invalid numeric initial value"),
    b"D": ("delta", b"CLIENT_ERROR invalid numeric delta value"),
}
_KNOWN: Final = frozenset(b"NTRlOPLkstcfvhuqFCMJDIbEx")

_MODES: Final = {
    b"": SET,
    b"S": SET,
    b"s": SET,
    b"E": ADD,
    b"e": ADD,
    b"A": APPEND,
    b"a": APPEND,
    b"P": PREPEND,
    b"p": PREPEND,
    b"R": REPLACE,
    b"r": REPLACE,
}
_DIRECTIONS: Final = {
    b"": 1,
    b"I": 1,
    b"i": 1,
    b"+": 1,
    b"D": -1,
    b"d": -1,
    b"-": -1,
}

_WORDS: Final = {STORED: b"HD", EXISTS: b"EX", NOT_FOUND: b"NF", NOT_STORED: b"NS"}


@dataclass(slots=True)
class Flags:
    """What the flags of one request say.

    Attributes:
        words: the flags as they came, for those that the reply repeats.
        letters: the first byte of each.
        vivify, expires, recache: deadlines (see `storage.deadline_in`); None where the flag is not there.
        cas, new_cas: the unique to compare with, and the one to give; None where the flag is not there.
    """

    words: tuple[bytes, ...]
    letters: bytes
    vivify: int | None = None
    expires: int | None = None
    recache: int | None = None
    cas: int | None = None
    new_cas: int | None = None
    initial: int = 0
    delta: int = 1
    client_flags: int = 0
    mode: bytes = b""

    def has(self, letter: bytes) -> bool:
        """Whether a flag was given. O(flags)."""
        return letter in self.letters


def parse_flags(session: Session, words: list[bytes]) -> Flags:
    """Read the flags of a request. O(flags).

    Raises:
        ReplyError: one comes twice, is unknown, or has a token that can't be read.
    """
    letters = b"".join([word[:1] for word in words])
    if len(set(letters)) != len(letters):
        raise complaint(b"CLIENT_ERROR duplicate flag")
    if not _KNOWN.issuperset(letters):
        raise complaint(b"CLIENT_ERROR invalid flag")
    flags = Flags(tuple(words), letters)
    for word in words:
        if len(word) > 1:
            _read_token(session, flags, word[:1], word[1:])
        elif word in _TIMES or word in _NUMBERS:
            _read_token(session, flags, word, b"")
        elif word == b"M":
            raise complaint(b"CLIENT_ERROR incorrect length for M token")
    return flags


def _read_token(session: Session, flags: Flags, letter: bytes, token: bytes) -> None:
    if letter in _TIMES:
        seconds = parse_int32(token)
        if seconds is None:
            raise complaint(BAD_TOKEN)
        setattr(flags, _TIMES[letter], deadline_in(session, seconds))
    elif letter in _NUMBERS:
        name, error = _NUMBERS[letter]
        number = parse_uint(token)
        if number is None:
            raise complaint(error)
        setattr(flags, name, number)
    elif letter == b"F":
        client_flags = parse_uint(token, 32)
        if client_flags is None:
            raise complaint(BAD_LINE)
        flags.client_flags = client_flags
    elif letter == b"M":
        if len(token) != 1:
            raise complaint(b"CLIENT_ERROR incorrect length for M token")
        flags.mode = token
    elif letter == b"O" and len(token) >= MAX_OPAQUE:
        raise complaint(b"CLIENT_ERROR opaque token too long")


def repeated(flags: Flags, key: bytes, word: bytes) -> bytes:
    """What every reply repeats if it was asked to: the opaque token and the key. O(key)."""
    if word[:1] == b"O":
        return b" " + word
    if word != b"k":
        return b""
    if flags.has(b"b"):
        return b" k%b b" % binascii.b2a_base64(key, newline=False)
    return b" k" + key


def all_repeated(flags: Flags, key: bytes) -> bytes:
    """`repeated` of every flag. O(flags)."""
    return b"".join([repeated(flags, key, word) for word in flags.words])


def seconds_left(db: Keyspace, key: bytes, h: int) -> int:
    """Whole seconds until a key expires, rounded up; -1 for never. O(1)."""
    when = db.deadline(key, h)
    return -1 if when <= 0 else max(0, -((db.shard.tick.ms - when) // 1000))


# mg


def cmd_mg(session: Session, args: Args) -> tuple[bytes, Flags]:
    """``mg key flag...``."""
    return args[1], parse_flags(session, args[2:])


def op_mg(db: Keyspace, payload: tuple[bytes, Flags], h: int) -> Reply:
    """Read a key, and change about it what the flags say. O(flags), O(length) to give it a cas unique."""
    key, flags = payload
    idle = db.table.idle_seconds(key, h) if b"l" in flags.letters else 0
    value = db.find(key, h)
    touched = flags.expires is not None
    created = False
    if not is_string(value):
        if flags.vivify is None or value is not None:
            word = b"" if flags.has(b"q") else b"EN"
            return word, all_repeated(flags, key) if word else b"", None, touched
        created = True
        value = Flagged(b"", 0, flags.new_cas or 0)
        db.put(key, h, value)
        db.changed(key, events.STRING, b"set")
    was_read = value.__class__ is Flagged and value.marks & FETCHED
    if b"c" in flags.letters or b"h" in flags.letters:
        value = with_cas(db, key, h, value)
    won = created or _may_recache(db, key, h, flags, value)
    left = seconds_left(db, key, h)
    shown = b""
    for word in flags.words:
        # In order: a t after T tells the new time, one before it the old.
        if word[:1] == b"T" or (created and word[:1] == b"N"):
            when = flags.expires if word[:1] == b"T" else flags.vivify
            set_expiry(db, key, h, when or 0)
            left = seconds_left(db, key, h)
        else:
            shown += _shown(flags, word, key, value, (idle, was_read, left))
    if value.__class__ is Flagged or won:
        value = value if value.__class__ is Flagged else with_cas(db, key, h, value)
        shown += _marks(value, won)
        if b"u" not in flags.letters:
            value.marks |= FETCHED
    data = bytes(value) if b"v" in flags.letters else None
    return b"HD", shown, data, touched


def _may_recache(db: Keyspace, key: bytes, h: int, flags: Flags, value: Any) -> bool:
    """R: the item has less time left than the client wants, and nobody else has won yet. O(1)."""
    if flags.recache is None or (value.__class__ is Flagged and value.marks & WON):
        return False
    when = db.deadline(key, h)
    return 0 < when < flags.recache


def _marks(value: Flagged, won: bool) -> bytes:
    """Z, X and W; who is told W has won, and the item remembers that somebody has. O(1)."""
    shown = b""
    if value.marks & WON:
        shown += b" Z"
    if value.marks & STALE:
        shown += b" X"
        won = won or not value.marks & WON
    if won:
        shown += b" W"
        value.marks |= WON
    return shown


def _shown(flags: Flags, word: bytes, key: bytes, value: Any, times: tuple[int, int, int]) -> bytes:
    """One flag of mg's reply, b"" for one that shows nothing. O(1).

    Args:
        times: seconds since the last use, whether the item was read before, seconds left.
    """
    letter = word[:1]
    idle, was_read, left = times
    if letter == b"c":
        return b" c%d" % value.cas
    if letter == b"f":
        return b" f%d" % flags_of(value)
    if letter == b"h":
        return b" h1" if was_read else b" h0"
    if letter == b"l":
        return b" l%d" % max(idle, 0)
    if letter == b"s":
        return b" s%d" % len(value)
    if letter == b"t":
        return b" t%d" % left
    return repeated(flags, key, word)


# ms


def cmd_ms(session: Session, args: Args) -> tuple[bytes, bytes, Flags, int, int]:
    """``ms key data flag...``."""
    flags = parse_flags(session, args[3:])
    mode = _MODES[flags.mode] if flags.mode in _MODES else None
    if mode is None:
        raise complaint(b"CLIENT_ERROR invalid mode for ms M token")
    if flags.cas is not None and mode in (SET, REPLACE):
        mode = CAS
    most = session.dispatcher.config.memcached_max_item_size - ITEM_OVERHEAD - len(args[1])
    return args[1], args[2], flags, mode, most


def op_ms(db: Keyspace, payload: tuple[bytes, bytes, Flags, int, int], h: int) -> Reply:
    """Store as the flags say. O(flags), prepend O(length)."""
    key, data, flags, mode, most = payload
    value = db.peek(key, h)
    marks = -1
    if mode == CAS and flags.has(b"I") and is_string(value) and (flags.cas or 0) < cas_of(value):
        # An older unique: the value is welcome all the same, as a stale one.
        marks = STALE | (value.marks & WON if value.__class__ is Flagged else 0)
        mode = SET
    elif mode in (APPEND, PREPEND) and is_string(value) and differs(value, flags):
        return _stored_reply(db, key, h, flags, EXISTS)
    when = flags.expires or 0
    vivifies = mode in (APPEND, PREPEND) and flags.vivify is not None and not is_string(value)
    if vivifies:
        put(db, key, h, data, flags.client_flags, flags.vivify or 0)
        status = STORED
    else:
        store = (key, data, flags.client_flags, when, mode, flags.cas or 0, most)
        status = put_by_mode(db, store, h)
    if status == STORED and (marks >= 0 or flags.new_cas):
        stored = db.peek(key, h)
        if stored is not None:
            stored = with_cas(db, key, h, stored)
            stored.marks = max(marks, 0)
            stored.cas = flags.new_cas or stored.cas
    return _stored_reply(db, key, h, flags, status)


def cas_of(value: Any) -> int:
    """The cas unique of a stored string, 0 if it has none. O(1)."""
    return value.cas if value.__class__ is Flagged else 0


def differs(value: Any, flags: Flags) -> bool:
    """Whether a request names a cas unique, and it is not that of the value. O(1)."""
    return flags.cas is not None and (cas_of(value) != flags.cas or not flags.cas)


def _stored_reply(db: Keyspace, key: bytes, h: int, flags: Flags, status: int) -> Reply:
    if status == STORED and flags.has(b"q"):
        return b"", b"", None, False
    shown = b""
    for word in flags.words:
        if word == b"c":
            value = db.peek(key, h)
            shown += b" c%d" % (with_cas(db, key, h, value).cas if is_string(value) else 0)
        else:
            shown += repeated(flags, key, word)
    return _WORDS[status], shown, None, False


# md


def cmd_md(session: Session, args: Args) -> tuple[bytes, Flags]:
    """``md key flag...``."""
    return args[1], _flags_or_complaint(session, args[2:])


def _flags_or_complaint(session: Session, words: list[bytes]) -> Flags:
    """`parse_flags`, with the one text that md and ma have for all that may be wrong."""
    try:
        return parse_flags(session, words)
    except ReplyError as error:
        if error.args == (b"CLIENT_ERROR opaque token too long",):
            raise
    raise complaint(BAD_FLAG)


def op_md(db: Keyspace, payload: tuple[bytes, Flags], h: int) -> Reply:
    """Remove a key, or mark it stale. O(flags)."""
    key, flags = payload
    shown = all_repeated(flags, key)
    value = db.peek(key, h)
    if value is None:
        return b"NF", shown, None, False
    if differs(value, flags):
        return b"EX", shown, None, False
    if flags.has(b"I") and is_string(value):
        value = with_cas(db, key, h, value)
        if flags.has(b"x"):
            value = _emptied(db, key, h)
        value.marks = (value.marks | STALE) & ~WON
        value.cas = flags.new_cas or db.shard.next_cas()
        if flags.expires is not None:
            set_expiry(db, key, h, flags.expires)
        db.changed(key, events.STRING, b"set")
    else:
        remove(db, key, h)
    return (b"", b"", None, False) if flags.has(b"q") else (b"HD", shown, None, False)


def _emptied(db: Keyspace, key: bytes, h: int) -> Flagged:
    value = Flagged(b"")
    db.put(key, h, value, KEEP_DEADLINE)
    return value


# ma


def cmd_ma(session: Session, args: Args) -> tuple[bytes, Flags, int]:
    """``ma key flag...``."""
    flags = _flags_or_complaint(session, args[2:])
    if flags.mode not in _DIRECTIONS:
        raise complaint(b"CLIENT_ERROR invalid mode for ma M token")
    return args[1], flags, _DIRECTIONS[flags.mode]


def op_ma(db: Keyspace, payload: tuple[bytes, Flags, int], h: int) -> Reply:
    """Count up or down. O(flags)."""
    key, flags, sign = payload
    down = sign < 0
    value = db.peek(key, h)
    if value is None and flags.vivify is not None:
        number = flags.initial
        put(db, key, h, b"%d" % number, 0, 0)
    elif value is None:
        return b"NF", all_repeated(flags, key), None, down
    else:
        if differs(value, flags):
            return b"EX", all_repeated(flags, key), None, down
        found = plus(value, sign * flags.delta) if is_string(value) else None
        if found is None:
            raise complaint(b"CLIENT_ERROR cannot increment or decrement non-numeric value")
        number = found
        replace_number(db, key, h, value, number)
    if flags.new_cas:
        stored = db.peek(key, h)
        if stored is not None:
            with_cas(db, key, h, stored).cas = flags.new_cas
    shown = b"".join([_counted(db, key, h, flags, word, value is None) for word in flags.words])
    if flags.has(b"q") and value is not None:
        return b"", b"", None, down
    return b"HD", shown, b"%d" % number if flags.has(b"v") else None, down


def _counted(db: Keyspace, key: bytes, h: int, flags: Flags, word: bytes, created: bool) -> bytes:
    """One flag of ma's reply, or a change of the deadline, in the order of the request. O(1)."""
    if word[:1] == b"T" or (created and word[:1] == b"N"):
        when = flags.expires if word[:1] == b"T" else flags.vivify
        set_expiry(db, key, h, when or 0)
        return b""
    if word == b"c":
        value = db.peek(key, h)
        return b" c%d" % (0 if value is None else with_cas(db, key, h, value).cas)
    if word == b"t":
        return b" t%d" % seconds_left(db, key, h)
    return repeated(flags, key, word)


# me, mn


def cmd_me(session: Session, args: Args) -> tuple[bytes, bool]:
    """``me key [b]``."""
    return args[1], b"b" in args[2:]


def op_me(db: Keyspace, payload: tuple[bytes, bool], h: int) -> Reply:
    """What is known of a key, for people who look for a fault. O(1)."""
    key, encoded = payload
    idle = db.table.idle_seconds(key, h)
    value = db.look(key, h)
    if not is_string(value):
        return b"EN", b"", None, False
    name = binascii.b2a_base64(key, newline=False) if encoded else key
    shown = b" %b exp=%d la=%d cas=%d fetch=%b cls=1 size=%d" % (
        name,
        seconds_left(db, key, h),
        max(idle, 0),
        cas_of(value),
        b"yes" if value.__class__ is Flagged and value.marks & FETCHED else b"no",
        record_size(key, value),
    )
    return b"ME", shown, None, False


def run_mn(session: Session, args: Args) -> Raw:
    """What tells a client that all replies before it are there."""
    return Raw(b"MN")


def _row(name: str, flags: str, cmd: Any, op: Any, encode: str, access: str) -> Row:
    acl = "@read @string" if access.startswith("RO") else "@write @string"
    return single(name, -2, flags, cmd=cmd, op=op, encode=encode, acl=acl, key_flags=access)


TABLE: tuple[Row, ...] = (
    _row("MG", "write fast", cmd_mg, op_mg, "meta_got", "RW ACCESS UPDATE"),
    _row("MS", "write denyoom fast", cmd_ms, op_ms, "meta_stored", "RW UPDATE"),
    _row("MD", "write fast", cmd_md, op_md, "meta_deleted", "RM DELETE"),
    _row("MA", "write denyoom fast", cmd_ma, op_ma, "meta_counted", "RW UPDATE"),
    _row("ME", "readonly fast", cmd_me, op_me, "meta", "RO"),
    local("MN", -1, "fast", run=run_mn),
)
