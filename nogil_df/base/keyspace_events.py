"""Which keyspace events are published: the letters of `notify-keyspace-events` and the bits they stand for.

Letters and their order are Redis's (documentation, "Redis keyspace notifications"). A mask is an int made
of the bits below; an event is published when its class bit and at least one of KEYSPACE and KEYEVENT are
set.
"""

from __future__ import annotations

KEYSPACE = 1
KEYEVENT = 2
GENERIC = 4
STRING = 8
LIST = 16
SET = 32
HASH = 64
ZSET = 128
EXPIRED = 256
EVICTED = 512
STREAM = 1024
KEY_MISS = 2048
MODULE = 8192
NEW = 16384

INVALIDATED, FLUSHED = -1, -2
"""No classes of events: what a shard tells clients that track keys, on the same way."""

ALL = GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE
"""What the letter A stands for; misses and new keys have to be asked for by name."""

_CLASSES = (
    ("g", GENERIC),
    ("$", STRING),
    ("l", LIST),
    ("s", SET),
    ("h", HASH),
    ("z", ZSET),
    ("x", EXPIRED),
    ("e", EVICTED),
    ("t", STREAM),
    ("d", MODULE),
    ("n", NEW),
)
_CHANNELS = (("K", KEYSPACE), ("E", KEYEVENT), ("m", KEY_MISS))
_BITS = dict((*_CLASSES, *_CHANNELS, ("A", ALL)))


def parse_events(letters: str) -> int | None:
    """The mask that `letters` stand for; None if one of them is unknown."""
    mask = 0
    for letter in letters:
        bits = _BITS.get(letter)
        if bits is None:
            return None
        mask |= bits
    return mask


def format_events(mask: int) -> str:
    """The letters of `mask` in Redis's order; `parse_events` gives the mask back."""
    if mask & ALL == ALL:
        return "A" + _letters(_CHANNELS, mask) + ("n" if mask & NEW else "")
    return _letters(_CLASSES, mask) + _letters(_CHANNELS, mask)


def _letters(rows: tuple[tuple[str, int], ...], mask: int) -> str:
    return "".join(letter for letter, bit in rows if mask & bit)
