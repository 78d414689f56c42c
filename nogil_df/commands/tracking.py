"""Client-side caching: CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR, and the invalidations themselves.

The client's side of `nogil_df.shard.tracking`. A session that tracks is ``special``: the gate looks at each
of its commands, pins what it is going to read (`begin_read`) and settles that when the reply is written
(`end_read`). Which keys a script reads is known when it does: they are noted then, under its intents
(`note_read`).

An invalidation is a notice (`nogil_df.vll.proactor`): it is ahead of everything that its cause leads to, so
whoever learns of a write, by whatever way, finds the reader's connection told already. It may even overtake
the reply to the read that it makes void; so while a session waits for such a reply, invalidations are held
until it is written, or until its command goes to sleep.

With REDIRECT they go on to another client, on whichever thread that lives, as messages of a channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.spec import NOTHING, Command, Row, local, multi
from nogil_df.vll.notes import pin_keys, settle_keys
from nogil_df.wire.values import OK, Members, Push

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.tracking import Client
    from nogil_df.vll.proactor import Message, Proactor

Args = list[bytes]

CHANNEL = b"__redis__:invalidate"
"""Where a RESP2 client that invalidations are redirected to finds them."""


@dataclass(slots=True)
class Tracking:
    """How one client tracks.

    Attributes:
        broadcast, prefixes: told of every key with one of these prefixes, read or not.
        opt_in, opt_out: reads count only after CLIENT CACHING YES, or unless after CLIENT CACHING NO.
        no_loop: not told of its own writes.
        redirect: (thread, id) of the client that is told instead; None for itself.
        broken: that client has gone.
        caching: what CLIENT CACHING said of the next command, None if nothing.
        keeps_caching: that holds for one command more, as it was a CLIENT command that came.
        reading: the command that runs, or the script that it runs, reads keys that are noted.
        pinned: by shard, the keys of the read in flight.
        held: invalidations that wait for its reply.
    """

    broadcast: bool = False
    prefixes: list[bytes] = field(default_factory=list)
    opt_in: bool = False
    opt_out: bool = False
    no_loop: bool = False
    redirect: Client | None = None
    broken: bool = False
    caching: bool | None = None
    keeps_caching: bool = False
    reading: bool = False
    pinned: dict[int, list[bytes]] = field(default_factory=dict)
    held: list[bytes | None] = field(default_factory=list)

    @property
    def caches_next(self) -> bool:
        """Whether the keys of the next read are noted. O(1)."""
        if self.broadcast:
            return False
        return self.caching is True if self.opt_in else not (self.opt_out and self.caching is False)


# Around a command.


def begin_read(session: Session, command: Command, args: Args) -> None:
    """A tracking session is about to run a command: pin what it reads. O(keys)."""
    tracking = session.tracking
    assert tracking is not None
    tracking.keeps_caching = command.name.startswith("CLIENT")
    if session.queue is not None and command.name != "EXEC":
        return
    tracking.reading = caches = tracking.caches_next
    queue = session.queue if command.name == "EXEC" else [(command, args)]
    proactor = session.dispatcher.proactor
    hash_key = proactor.shard.hash_key
    groups: dict[int, list[bytes]] = {}
    for queued, words in queue or ():
        if queued.name == "CLIENT CACHING":
            caches = caches or (tracking.opt_in and words[2].upper() == b"YES")
            caches = caches and not (tracking.opt_out and words[2].upper() == b"NO")
        elif caches and "readonly" in queued.flags:
            for key in _keys_of(queued, words):
                groups.setdefault((hash_key(key) >> 32) % proactor.count, []).append(key)
    _send(session, groups, pin_keys)
    tracking.pinned = groups


def end_read(session: Session) -> None:
    """The reply is written: settle what it pinned, and send what was held. O(keys + invalidations)."""
    tracking = session.tracking
    if tracking is None:
        return
    if tracking.keeps_caching:
        tracking.keeps_caching = False
    elif session.queue is None:
        tracking.caching = None
    if tracking.pinned:
        groups, tracking.pinned = tracking.pinned, {}
        _send(session, groups, settle_keys)
    send_held(session)


def send_held(session: Session) -> None:
    """Nothing is on its way any more that what is held could overtake. O(invalidations)."""
    tracking = session.tracking
    assert tracking is not None
    held, tracking.held = tracking.held, []
    if None in held:
        _tell(session, None)
    else:
        for key in dict.fromkeys(key for key in held if key is not None):
            _tell(session, [key])


def reader_of(session: Session) -> Client | None:
    """In whose name the keys are noted that a script of this session reads; None if they are not. O(1)."""
    tracking = session.tracking
    if tracking is None or not tracking.reading:
        return None
    return session.dispatcher.proactor.index, session.id


def note_read(proactor: Proactor, reader: Client, command: Command, args: Args) -> None:
    """A script is about to run a command that reads, on a thread of its own: note its keys. O(keys)."""
    hash_key = proactor.shard.hash_key
    for key in _keys_of(command, args):
        shard = (hash_key(key) >> 32) % proactor.count
        message = (note_keys, reader, [key])
        proactor.tell(shard, message)


def note_keys(proactor: Proactor, message: Message) -> None:
    """Notice on the keys' thread: ``(note_keys, client, keys)``."""
    proactor.shard.tracking.note(message[1], message[2])


def _keys_of(command: Command, args: Args) -> list[bytes]:
    try:
        return [args[at] for at in command.key_indexes(args) if at < len(args)]
    except ReplyError:
        return []


def _send(
    session: Session, groups: dict[int, list[bytes]], handler: Callable[[Proactor, Message], None]
) -> None:
    proactor = session.dispatcher.proactor
    client = (proactor.index, session.id)
    for shard, keys in groups.items():
        message = (handler, client, keys)
        proactor.send(shard, message)


# Invalidations.


def spread_invalidation(
    proactor: Proactor, clients: tuple[Client, ...], key: bytes | None, writer: int
) -> None:
    """On the shard's thread: tell the threads of these clients. O(clients)."""
    threads: dict[int, list[int]] = {}
    for thread, client in clients:
        threads.setdefault(thread, []).append(client)
    for thread, ids in threads.items():
        message = (invalidate, ids, key, writer)
        proactor.tell(thread, message)


def invalidate(proactor: Proactor, message: Message) -> None:
    """Notice on the clients' thread: ``(invalidate, client ids, key or None for all, id of the writer)``."""
    _, ids, key, writer = message
    state: ThreadState = proactor.service
    for client in ids:
        session = state.sessions.get(client)
        if session is None or session.tracking is None:
            continue
        tracking = session.tracking
        if tracking.no_loop and client == writer:
            continue
        if session.busy and session.blocked is None:
            tracking.held.append(key)
        else:
            _tell(session, None if key is None else [key])


def invalidate_everything(proactor: Proactor) -> None:
    """On every shard's thread: all keys have gone (FLUSHALL, FLUSHDB); every client that tracks is told."""
    proactor.shard.tracking.forget_all_keys()
    state: ThreadState = proactor.service
    ids = [session.id for session in state.sessions.values() if session.tracking is not None]
    if ids:
        invalidate(proactor, (invalidate, ids, None, 0))


def _tell(session: Session, keys: list[bytes] | None) -> None:
    """Send an invalidation to a client, or to the one that gets them instead."""
    tracking = session.tracking
    assert tracking is not None
    if tracking.redirect is None:
        if session.proto == 3:
            session.push(Push([b"invalidate", keys]))
        return
    thread, target = tracking.redirect
    proactor = session.dispatcher.proactor
    message = (redirected, target, keys, (proactor.index, session.id))
    proactor.tell(thread, message)


def redirected(proactor: Proactor, message: Message) -> None:
    """Notice on the target's thread: ``(redirected, id, keys, who tracks)``."""
    _, target, keys, origin = message
    session = proactor.service.sessions.get(target)
    if session is None:
        back = (redirection_broken, origin[1])
        proactor.tell(origin[0], back)
    elif session.proto == 3:
        session.push(Push([b"invalidate", keys]))
    elif CHANNEL in session.subscribed[0]:
        session.push([b"message", CHANNEL, keys])


def redirection_broken(proactor: Proactor, message: Message) -> None:
    """Notice on the tracking client's thread: whoever got its invalidations has gone."""
    session = proactor.service.sessions.get(message[1])
    if session is None or session.tracking is None or session.tracking.broken:
        return
    session.tracking.broken = True
    if session.proto == 3:
        session.push(Push([b"tracking-redir-broken", session.tracking.redirect[1]]))


# CLIENT TRACKING and its kin.


def cmd_tracking(context: Context, args: Args) -> Steps:
    """CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]."""
    session = context.session
    wanted, redirect = _parse(args)
    if redirect:
        found = yield from context.everywhere(find_client, redirect)
        if not any(found):
            raise ReplyError("TRACKING_NO_REDIRECT")
        wanted.redirect = (found.index(True), redirect)
    word = args[2].upper()
    if word == b"OFF":
        yield from stop(context)
        return OK
    if word != b"ON":
        raise ReplyError("SYNTAX")
    _check(session.tracking, wanted)
    known = session.tracking
    if known is not None:
        wanted.caching, wanted.keeps_caching, wanted.reading = (
            known.caching,
            known.keeps_caching,
            known.reading,
        )
        wanted.pinned, wanted.held = known.pinned, known.held
    if wanted.broadcast:
        given = wanted.prefixes or [b""]
        wanted.prefixes = sorted({*given, *(known.prefixes if known is not None else ())})
        client = (context.proactor.index, session.id)
        yield from context.everywhere(add_prefixes, (client, wanted.prefixes))
        if session.closed:
            context.proactor.broadcast((drop_prefixes, client, wanted.prefixes))
    if not session.closed:
        session.tracking = wanted
        session.refresh_special()
    return OK


def _parse(args: Args) -> tuple[Tracking, int]:
    wanted = Tracking()
    redirect = 0
    at = 3
    while at < len(args):
        word = args[at].upper()
        more = at + 1 < len(args)
        if word == b"REDIRECT" and more:
            at += 1
            if redirect:
                raise ReplyError("TRACKING_TWO_REDIRECTS")
            number = parse_int(args[at])
            if number is None:
                raise ReplyError("NOT_INTEGER")
            if number <= 0:
                raise ReplyError("TRACKING_NO_REDIRECT")
            redirect = number
        elif word == b"PREFIX" and more:
            at += 1
            wanted.prefixes.append(args[at])
        elif word in _OPTIONS:
            setattr(wanted, _OPTIONS[word], True)
        else:
            raise ReplyError("SYNTAX")
        at += 1
    return wanted, redirect


_OPTIONS = {b"BCAST": "broadcast", b"OPTIN": "opt_in", b"OPTOUT": "opt_out", b"NOLOOP": "no_loop"}


def _check(known: Tracking | None, wanted: Tracking) -> None:
    """Whether the options go together, and with how the client tracks already."""
    if wanted.prefixes and not wanted.broadcast:
        raise ReplyError("TRACKING_PREFIX_WITHOUT_BCAST")
    if known is not None and known.broadcast != wanted.broadcast:
        raise ReplyError("TRACKING_SWITCH_BCAST")
    if wanted.broadcast and (wanted.opt_in or wanted.opt_out):
        raise ReplyError("TRACKING_BCAST_OPT")
    if wanted.opt_in and wanted.opt_out:
        raise ReplyError("TRACKING_OPTIN_OPTOUT")
    if known is not None and ((wanted.opt_in and known.opt_out) or (wanted.opt_out and known.opt_in)):
        raise ReplyError("TRACKING_SWITCH_OPT")
    for at, one in enumerate(wanted.prefixes):
        for other in known.prefixes if known is not None else ():
            if _overlap(one, other):
                raise ReplyError("TRACKING_OVERLAP_EXISTING", one, other)
        for other in wanted.prefixes[at + 1 :]:
            if _overlap(one, other):
                raise ReplyError("TRACKING_OVERLAP_GIVEN", one, other)


def _overlap(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def stop(context: Context) -> Steps:
    """Stop tracking, if the client does."""
    session = context.session
    tracking = session.tracking
    if tracking is None:
        return
    end_read(session)
    session.tracking = None
    session.refresh_special()
    if tracking.prefixes:
        client = (context.proactor.index, session.id)
        yield from context.everywhere(remove_prefixes, (client, tracking.prefixes))


def forget(session: Session) -> None:
    """A client is gone: no thread keeps its prefixes; its keys' notes go when the keys change."""
    tracking, session.tracking = session.tracking, None
    if tracking is None:
        return
    proactor = session.dispatcher.proactor
    if tracking.pinned:
        _send(session, tracking.pinned, settle_keys)
    if tracking.prefixes:
        proactor.broadcast((drop_prefixes, (proactor.index, session.id), tracking.prefixes))


def find_client(proactor: Proactor, client: int) -> bool:
    """On every thread: whether a client is here."""
    return client in proactor.service.sessions


def add_prefixes(proactor: Proactor, argument: tuple[Client, list[bytes]]) -> None:
    """On every thread: a client wants to be told of keys with these prefixes."""
    proactor.shard.tracking.add_prefixes(*argument)


def remove_prefixes(proactor: Proactor, argument: tuple[Client, list[bytes]]) -> None:
    """On every thread: it does not any more."""
    proactor.shard.tracking.forget(*argument)


def drop_prefixes(proactor: Proactor, message: Message) -> None:
    """Message handler on every thread: ``(drop_prefixes, client, prefixes)`` of a client that is gone."""
    proactor.shard.tracking.forget(message[1], message[2])


def run_caching(session: Session, args: Args) -> Any:
    """CLIENT CACHING YES|NO."""
    tracking = session.tracking
    if tracking is None:
        raise ReplyError("CLIENT_CACHING_MODE")
    word = args[2].upper()
    if word not in (b"YES", b"NO"):
        raise ReplyError("SYNTAX")
    if word == b"YES" and not tracking.opt_in:
        raise ReplyError("CLIENT_CACHING_OPTIN")
    if word == b"NO" and not tracking.opt_out:
        raise ReplyError("CLIENT_CACHING_OPTOUT")
    tracking.caching = word == b"YES"
    tracking.reading = tracking.caches_next
    return OK


def run_trackinginfo(session: Session, args: Args) -> Any:
    """CLIENT TRACKINGINFO."""
    tracking = session.tracking
    flags = []
    if tracking is None:
        flags.append(b"off")
    else:
        flags.append(b"on")
        said = tracking.caching
        for present, name in (
            (tracking.broadcast, b"bcast"),
            (tracking.opt_in, b"optin"),
            (tracking.opt_in and said is True, b"caching-yes"),
            (tracking.opt_out, b"optout"),
            (tracking.opt_out and said is False, b"caching-no"),
            (tracking.no_loop, b"noloop"),
            (tracking.broken, b"broken_redirect"),
        ):
            if present:
                flags.append(name)
    prefixes = tracking.prefixes if tracking is not None else []
    return {"flags": Members(flags), "redirect": run_getredir(session, args), "prefixes": prefixes}


def run_getredir(session: Session, args: Args) -> int:
    """CLIENT GETREDIR: the client that gets the invalidations, 0 for itself, -1 without tracking."""
    tracking = session.tracking
    if tracking is None:
        return -1
    return 0 if tracking.redirect is None else tracking.redirect[1]


ROWS: tuple[Row, ...] = (
    local(
        "CLIENT CACHING",
        3,
        "noscript loading stale",
        run=run_caching,
        acl="@slow @connection",
        since="6.0.0",
        group="connection",
        syntax="<YES|NO>",
        summary="Tells whether the keys of the next command are tracked.",
    ),
    local(
        "CLIENT GETREDIR",
        2,
        "noscript loading stale",
        run=run_getredir,
        acl="@slow @connection",
        since="6.0.0",
        group="connection",
        summary="Tells who gets this client's invalidations.",
    ),
    multi(
        "CLIENT TRACKING",
        -3,
        "noscript loading stale",
        run=cmd_tracking,
        scope=NOTHING,
        acl="@slow @connection",
        since="6.0.0",
        group="connection",
        syntax="<ON|OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] "
        "[BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
        summary="Switches the tracking of keys for client-side caching on and off.",
        complexity="O(1). Some options may introduce additional complexity.",
    ),
    local(
        "CLIENT TRACKINGINFO",
        2,
        "noscript loading stale",
        run=run_trackinginfo,
        acl="@slow @connection",
        since="6.2.0",
        group="connection",
        summary="Tells how this client tracks keys.",
    ),
)
"""Subcommands, for the table of CLIENT."""
