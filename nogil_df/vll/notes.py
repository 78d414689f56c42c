"""Messages that note readers under keys, for client-side caching: see `nogil_df.shard.tracking`.

They concern nothing but the shard, like the reads that they go with. So a thread that waits on the spot
serves them, too (`nogil_df.vll.handlers`): put off, a note would come after its read, and a
write could slip in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogil_df.vll.handlers import shard_side

if TYPE_CHECKING:
    from nogil_df.vll.proactor import Message, Proactor


@shard_side
def pin_keys(proactor: Proactor, message: Message) -> None:
    """On the keys' thread: ``(pin_keys, client, keys)``, ahead of a read of these keys."""
    proactor.shard.tracking.pin(message[1], message[2])


@shard_side
def settle_keys(proactor: Proactor, message: Message) -> None:
    """On the keys' thread: ``(settle_keys, client, keys)``: the reply to that read is written."""
    proactor.shard.tracking.settle(message[1], message[2])
