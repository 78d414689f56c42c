"""Words on a line, as a person types them: inline requests, redis-cli, redis.conf.

Words are separated by white space.  A word may hold quoted parts: in double quotes ``\\n \\r \\t \\b \\a``
and ``\\xHH`` are escapes and a backslash takes any other byte as it is; in single quotes only ``\\'`` is an
escape. A closing quote must end its word.
"""

from __future__ import annotations

import re
from typing import Final

_SPACE: Final = b" \t\n\v\f\r"
_HEX: Final = b"0123456789abcdefABCDEF"
_ESCAPES: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}  # n r t b a
_PLAIN: Final = re.compile(
    rb"[^ \t\n\r\"']+"
)  # vertical tab and form feed end a word only when they begin one


def split_line(line: bytes) -> list[bytes] | None:
    """The arguments of one line (without its line end), or None when its quotes are not balanced.

    Cost: O(length).
    """
    if 0x22 not in line and 0x27 not in line and 0x0B not in line and 0x0C not in line:
        return line.split()
    args: list[bytes] = []
    pos, end = 0, len(line)
    while True:
        while pos < end and line[pos] in _SPACE:
            pos += 1
        if pos == end:
            return args
        word = bytearray()
        pos = _read_word(line, pos, word)
        if pos < 0:
            return None
        args.append(bytes(word))


def _read_word(line: bytes, pos: int, word: bytearray) -> int:
    """Append the word that begins at ``pos`` to ``word``; the position after it, or -1: unbalanced quotes."""
    end = len(line)
    while pos < end:
        plain = _PLAIN.match(line, pos)
        if plain:
            word += plain[0]
            pos = plain.end()
            continue
        byte = line[pos]
        if byte == 0x22:
            return _read_quoted(line, pos + 1, word)
        if byte == 0x27:
            return _read_single_quoted(line, pos + 1, word)
        return pos
    return pos


def _read_quoted(line: bytes, pos: int, word: bytearray) -> int:
    end = len(line)
    while pos < end:
        byte = line[pos]
        if byte == 0x22:
            return _closed(line, pos + 1)
        if byte == 0x5C and pos + 1 < end:
            digits = line[pos + 2 : pos + 4]
            if line[pos + 1] == 0x78 and len(digits) == 2 and digits[0] in _HEX and digits[1] in _HEX:
                word.append(int(digits, 16))
                pos += 4
                continue
            word.append(_ESCAPES.get(line[pos + 1], line[pos + 1]))
            pos += 2
            continue
        word.append(byte)
        pos += 1
    return -1


def _read_single_quoted(line: bytes, pos: int, word: bytearray) -> int:
    end = len(line)
    while pos < end:
        byte = line[pos]
        if byte == 0x27:
            return _closed(line, pos + 1)
        if byte == 0x5C and line[pos + 1 : pos + 2] == b"'":
            word.append(0x27)
            pos += 2
            continue
        word.append(byte)
        pos += 1
    return -1


def _closed(line: bytes, pos: int) -> int:
    """``pos`` after a closing quote: the word must end there."""
    return pos if pos == len(line) or line[pos] in _SPACE else -1


def quote(word: bytes) -> bytes:
    """The word in double quotes, as `split_line` reads it back. O(length)."""
    return b'"' + b"".join(map(_SHOWN.__getitem__, word)) + b'"'


_SHOWN: Final = [
    b"\\" + {7: b"a", 8: b"b", 9: b"t", 10: b"n", 13: b"r", 0x22: b'"', 0x5C: b"\\"}[byte]
    if byte in b'\x07\x08\t\n\r"\\'
    else bytes([byte])
    if 0x20 <= byte < 0x7F
    else b"\\x%02x" % byte
    for byte in range(256)
]
"""How a byte is written in double quotes, by its value."""
