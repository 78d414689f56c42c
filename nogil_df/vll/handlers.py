"""What a message handler concerns; said where the handler is defined, by a decorator.

A thread may be in the middle of something when messages come: a script that waits on the spot for another
shard's answer, or one that runs for too long. Which messages it can take in then depends on what their
handlers touch:

``shard_side``   nothing but the shard. A thread that waits on the spot (`Transaction.hop_now`) serves these:
                 two that wait for each other would wait for ever otherwise.
``asked_by``     it begins work that is alone: it belongs to no transaction that could be half done. Who asked
                 for it can be answered that the server is busy (`refuse_work`). ``asked_by(message)`` tells
                 that: thread and token.

Everything else waits for the thread's next turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nogil_df.base.errors import ReplyError
    from nogil_df.vll.proactor import Message, Proactor

Handler = Callable[["Proactor", Any], None]
AskedBy = Callable[["Message"], tuple[int, Any]]

SHARD_SIDE: Final[dict[Handler, AskedBy | None]] = {}
"""Handlers that are on the side of the shard; complete once the modules of `nogil_df.vll` are imported."""


def shard_side[H: Handler](handler: H) -> H:
    """Declare a handler that touches nothing but the shard of the thread it runs on."""
    SHARD_SIDE[handler] = None
    return handler


def begins_work[H: Handler](asked_by: AskedBy) -> Callable[[H], H]:
    """Declare a handler that is `shard_side` and begins work which is alone."""

    def declare(handler: H) -> H:
        SHARD_SIDE[handler] = asked_by
        return handler

    return declare


def refuse_work(proactor: Proactor, error: ReplyError) -> int:
    """Answer all work in the inbox that is alone with an error; the rest stays, in its order. O(messages).

    Returns:
        How many were refused.
    """
    from nogil_df.vll.engine import deliver

    if proactor.lanes is not None:
        proactor.lanes.take_in()
    rest = list(proactor.batch)
    if rest:
        # A message led here; those that came with it come before all others.
        proactor.inbox.appendleft(rest)
    kept: list[Message] = []
    refused = 0
    inbox = proactor.inbox
    while inbox:
        for message in inbox.popleft():
            asked_by = SHARD_SIDE.get(message[0])
            if asked_by is None:
                kept.append(message)
                continue
            origin, token = asked_by(message)
            proactor.outboxes[origin].append((deliver, token, proactor.index, error))
            refused += 1
    if kept:
        inbox.appendleft(kept)
    return refused
