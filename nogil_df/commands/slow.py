"""The slow log's entries. Source: Redis documentation, SLOWLOG GET."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ARGUMENTS = 32
MAX_BYTES = 128


@dataclass(frozen=True, slots=True)
class SlowEntry:
    """One slow command: unix seconds, microseconds, its arguments cut short, who sent it."""

    id: int
    when: int
    micros: int
    args: list[bytes]
    address: bytes
    client_name: bytes


def quote_for_slowlog(args: list[bytes]) -> list[bytes]:
    """Copies of the arguments, at most 32 of at most 128 bytes, with a note of what was cut."""
    shown = args if len(args) <= MAX_ARGUMENTS else args[: MAX_ARGUMENTS - 1]
    cut = [
        b"%b" % arg if len(arg) <= MAX_BYTES else b"%b... (%d more bytes)" % (arg[:MAX_BYTES], len(arg) - MAX_BYTES)
        for arg in shown
    ]
    if len(shown) < len(args):
        cut.append(b"... (%d more arguments)" % (len(args) - MAX_ARGUMENTS + 1))
    return cut
