"""LZF, the compression of strings in Redis's RDB format: taking it apart.

A block is a sequence of runs. A control byte below 32 is followed by so many bytes, plus one, that are taken
as they are. Any other one says to repeat earlier output: its upper three bits are the length less two, 7 for
"add the next byte"; its lower five bits and the byte after that are the distance back, less one. Source: the
description of the format in liblzf.

Nothing is compressed here: a string that is stored as it is can be read by everybody.
"""

from __future__ import annotations


def decompress(data: bytes, size: int) -> bytes | None:
    """Undo LZF.

    Args:
        size: of the result, in bytes.

    Returns:
        The result; None if ``data`` is no LZF block that makes so many bytes. O(size).
    """
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end and len(out) <= size:
            control = data[at]
            at += 1
            if control < 32:
                literal = data[at : at + control + 1]
                if len(literal) != control + 1:
                    return None
                out += literal
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            distance = ((control & 31) << 8 | data[at]) + 1
            at += 1
            if distance > len(out):
                return None
            _repeat(out, distance, length + 2)
    except IndexError:
        return None
    return bytes(out) if len(out) == size else None


def _repeat(out: bytearray, distance: int, length: int) -> None:
    """Append ``length`` bytes that stand ``distance`` from the end; they may overlap what is appended."""
    start = len(out) - distance
    piece = out[start : start + length]
    while len(piece) < length:
        piece += piece[: length - len(piece)]
    out += piece
