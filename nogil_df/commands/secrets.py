"""Arguments without the passwords in them: what the slow log and monitors show of a command."""

from __future__ import annotations

from typing import Final

REDACTED: Final = b"(redacted)"

PARAMETERS: Final = frozenset(
    (b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass")
)
"""Parameters of CONFIG SET whose values are secrets."""

_WORDS_AFTER: Final = {b"AUTH": 1, b"AUTH2": 2}
"""How many secrets follow an option of MIGRATE."""


def without_secrets(args: list[bytes]) -> list[bytes]:
    """The arguments as they may be shown; ``args`` itself if it holds no secret. O(1) for most commands."""
    name = args[0].upper()
    if name == b"AUTH":
        return [args[0], *[REDACTED] * (len(args) - 1)]
    if name == b"HELLO":
        return _hide_after(args, 1, {b"AUTH": 2})
    if name == b"MIGRATE":
        return _hide_after(args, 6, _WORDS_AFTER)
    if name == b"CONFIG" and len(args) > 3 and args[1].upper() == b"SET":
        return [
            REDACTED if at >= 3 and at % 2 and args[at - 1].lower() in PARAMETERS else arg
            for at, arg in enumerate(args)
        ]
    return args


def _hide_after(args: list[bytes], first: int, words: dict[bytes, int]) -> list[bytes]:
    """Hide what follows the first of these options, looked for from a position on."""
    for position in range(first, len(args)):
        hidden = words.get(args[position].upper(), 0)
        if hidden:
            begin, end = position + 1, position + 1 + hidden
            return [*args[:begin], *[REDACTED] * len(args[begin:end]), *args[end:]]
    return args
