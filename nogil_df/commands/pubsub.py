"""Pub/sub commands: SUBSCRIBE and its like, PUBLISH, PUBSUB, and their sharded forms.

Who listens where is kept by `nogil_df.commands.subscriptions`; its text says why SUBSCRIBE visits every
thread and PUBLISH none. Sharded channels are a name space of their own; without cluster mode that is all
they are.

Confirmations are pushes: they go out even where CLIENT REPLY switched replies off, as in Redis, except inside
EXEC, whose reply they are part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nogil_df.commands.help import help_row
from nogil_df.commands.spec import NO_KEYS, NOTHING, Row, container, local, multi
from nogil_df.commands.subscriptions import CHANNEL, PATTERN, SHARD_CHANNEL, announce
from nogil_df.wire.values import NO_REPLY, Push, Raw

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.session import Session

Args = list[bytes]

_CONFIRM = (b"subscribe", b"psubscribe", b"ssubscribe")
_CONFIRM_END = (b"unsubscribe", b"punsubscribe", b"sunsubscribe")


def _listening(session: Session, kind: int) -> int:
    """The count that a confirmation shows: of channels and patterns together, or of shard channels."""
    channels, patterns, shard_channels = session.subscribed
    return len(shard_channels) if kind == SHARD_CHANNEL else len(channels) + len(patterns)


def _confirmed(context: Context, confirmations: Iterable[list[Any]]) -> Any:
    """Hand confirmations to the client; inside EXEC they are the reply."""
    session = context.session
    session.refresh_special()
    if not context.nested:
        for items in confirmations:
            session.push(Push(items))
        return NO_REPLY
    out: list[bytes] = []
    for items in confirmations:
        session.dispatcher.encoder.encode(Push(items), session.proto, out)
    return Raw(b"".join(out))


def _subscribe(kind: int) -> Callable[[Context, Args], Steps]:
    def cmd_subscribe(context: Context, args: Args) -> Steps:
        """Tell every thread, then listen, then say so."""
        session = context.session
        subscriptions = session.dispatcher.state.subscriptions
        mine = session.subscribed[kind]
        fresh = tuple(name for name in dict.fromkeys(args[1:]) if name not in mine)
        if fresh:
            me = context.proactor.index
            yield from context.everywhere(announce, (me, (kind, fresh, 1)))
            if session.closed:
                subscriptions.withdraw(kind, fresh)
                return NO_REPLY
        confirmations = []
        for name in args[1:]:
            subscriptions.add(session, kind, name)
            confirmations.append([_CONFIRM[kind], name, _listening(session, kind)])
        return _confirmed(context, confirmations)

    return cmd_subscribe


def _unsubscribe(kind: int) -> Callable[[Context, Args], Steps]:
    def cmd_unsubscribe(context: Context, args: Args) -> Steps:
        """Stop listening, tell every thread, then say so."""
        session = context.session
        subscriptions = session.dispatcher.state.subscriptions
        mine = session.subscribed[kind]
        names: list[Any] = args[1:] or list(mine) or [None]
        left = []
        confirmations = []
        for name in names:
            if name in mine:
                subscriptions.remove(session, kind, name)
                left.append(name)
            confirmations.append([_CONFIRM_END[kind], name, _listening(session, kind)])
        if left:
            me = context.proactor.index
            yield from context.everywhere(announce, (me, (kind, tuple(left), -1)))
        return _confirmed(context, confirmations)

    return cmd_unsubscribe


def run_publish(session: Session, args: Args) -> int:
    """PUBLISH: how many clients get the message. O(patterns + threads) here."""
    return session.dispatcher.state.subscriptions.publish(args[1], args[2], CHANNEL)


def run_spublish(session: Session, args: Args) -> int:
    """SPUBLISH: how many clients get the message. O(threads) here."""
    return session.dispatcher.state.subscriptions.publish(args[1], args[2], SHARD_CHANNEL)


def _names(kind: int) -> Callable[[Session, Args], Any]:
    def run_names(session: Session, args: Args) -> Any:
        """Names with listeners, all or those that match a glob. O(names)."""
        return session.dispatcher.state.subscriptions.names(kind, args[2] if len(args) > 2 else None)

    return run_names


def _counts(kind: int) -> Callable[[Session, Args], Any]:
    def run_counts(session: Session, args: Args) -> Any:
        """Names and how many clients listen to each. O(names asked for)."""
        count = session.dispatcher.state.subscriptions.count
        reply: list[Any] = []
        for name in args[2:]:
            reply += [name, count(kind, name)]
        return reply

    return run_counts


def run_numpat(session: Session, args: Args) -> int:
    """PUBSUB NUMPAT: distinct patterns that somebody listens to. O(1)."""
    return len(session.dispatcher.state.subscriptions.audience[PATTERN])


def _subscribing(
    name: str,
    arity: int,
    run: Callable[..., Any],
    *,
    since: str,
    syntax: str,
    summary: str,
    complexity: str,
    keys: tuple[int, int, int] = NO_KEYS,
) -> Row:
    return multi(
        name,
        arity,
        "pubsub noscript loading stale",
        run=run,
        scope=NOTHING,
        keys=keys,
        key_flags="NOT_KEY" if keys != NO_KEYS else "",
        acl="@pubsub @slow",
        since=since,
        group="pubsub",
        syntax=syntax,
        summary=summary,
        complexity=complexity,
    )


def _asking(
    name: str, arity: int, run: Callable[..., Any], *, since: str, syntax: str = "", summary: str
) -> Row:
    return local(
        f"PUBSUB {name}",
        arity,
        "pubsub loading stale",
        run=run,
        acl="@pubsub @slow",
        since=since,
        group="pubsub",
        syntax=syntax,
        summary=summary,
    )


TABLE: tuple[Row, ...] = (
    _subscribing(
        "SUBSCRIBE",
        -2,
        _subscribe(CHANNEL),
        since="2.0.0",
        syntax="channel [channel ...]",
        summary="Listens to what is published to channels.",
        complexity="O(N) where N is the number of channels",
    ),
    _subscribing(
        "UNSUBSCRIBE",
        -1,
        _unsubscribe(CHANNEL),
        since="2.0.0",
        syntax="[channel [channel ...]]",
        summary="Stops listening to channels, or to all channels.",
        complexity="O(N) where N is the number of channels",
    ),
    _subscribing(
        "PSUBSCRIBE",
        -2,
        _subscribe(PATTERN),
        since="2.0.0",
        syntax="pattern [pattern ...]",
        summary="Listens to what is published to channels that match patterns.",
        complexity="O(N) where N is the number of patterns",
    ),
    _subscribing(
        "PUNSUBSCRIBE",
        -1,
        _unsubscribe(PATTERN),
        since="2.0.0",
        syntax="[pattern [pattern ...]]",
        summary="Stops listening to patterns, or to all patterns.",
        complexity="O(N) where N is the number of patterns",
    ),
    _subscribing(
        "SSUBSCRIBE",
        -2,
        _subscribe(SHARD_CHANNEL),
        since="7.0.0",
        syntax="shardchannel [shardchannel ...]",
        summary="Listens to what is published to shard channels.",
        keys=(1, -1, 1),
        complexity="O(N) where N is the number of channels",
    ),
    _subscribing(
        "SUNSUBSCRIBE",
        -1,
        _unsubscribe(SHARD_CHANNEL),
        since="7.0.0",
        syntax="[shardchannel [shardchannel ...]]",
        summary="Stops listening to shard channels, or to all of them.",
        keys=(1, -1, 1),
        complexity="O(N) where N is the number of channels",
    ),
    local(
        "PUBLISH",
        3,
        "pubsub loading stale fast",
        run=run_publish,
        encode="number",
        acl="@pubsub @fast",
        since="2.0.0",
        group="pubsub",
        syntax="channel message",
        summary="Sends a message to everybody who listens to a channel.",
        complexity="O(N+M) where N is the number of receivers and M that of patterns",
    ),
    local(
        "SPUBLISH",
        3,
        "pubsub loading stale fast",
        run=run_spublish,
        keys=(1, 1, 1),
        key_flags="NOT_KEY",
        encode="number",
        acl="@pubsub @fast",
        since="7.0.0",
        group="pubsub",
        syntax="shardchannel message",
        summary="Sends a message to everybody who listens to a shard channel.",
        complexity="O(N) where N is the number of receivers",
    ),
    container(
        "PUBSUB",
        -2,
        "",
        _asking(
            "CHANNELS",
            -2,
            _names(CHANNEL),
            since="2.8.0",
            syntax="[pattern]",
            summary="Lists the channels that somebody listens to.",
        ),
        _asking(
            "NUMSUB",
            -2,
            _counts(CHANNEL),
            since="2.8.0",
            syntax="[channel [channel ...]]",
            summary="Counts the clients that listen to channels, patterns left aside.",
        ),
        _asking(
            "NUMPAT", 2, run_numpat, since="2.8.0", summary="Counts the patterns that somebody listens to."
        ),
        _asking(
            "SHARDCHANNELS",
            -2,
            _names(SHARD_CHANNEL),
            since="7.0.0",
            syntax="[pattern]",
            summary="Lists the shard channels that somebody listens to.",
        ),
        _asking(
            "SHARDNUMSUB",
            -2,
            _counts(SHARD_CHANNEL),
            since="7.0.0",
            syntax="[shardchannel [shardchannel ...]]",
            summary="Counts the clients that listen to shard channels.",
        ),
        help_row("PUBSUB", since="6.2.0", group="pubsub"),
        acl="@slow",
        since="2.8.0",
        group="pubsub",
        summary="Asks about channels and those who listen.",
    ),
)
