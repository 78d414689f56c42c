"""LZF, the compression of strings in Redis's RDB format.

A block is a sequence of runs. A control byte below 32 is followed by so many bytes, plus one, that are taken
as they are. Any other one says to repeat earlier output: its upper three bits are the length less two, 7 for
"add the next byte"; its lower five bits and the byte after that are the distance back, less one. Source: the
description of the format in liblzf.

Compressing looks for the latest place that had the same bytes. `compress` and `decompress` are the compiled
twins (`nogil_df/base/_lzf.pyx`) where there are such: 300 MB of text a second. In pure Python a run costs
about a microsecond, so there only what shrinks to about an eighth is compressed, which costs no more than the
checksum of the bytes that are saved; the rest is left as it is after a few look-ups. A string that is stored
as it is can be read by everybody.
"""

from __future__ import annotations

from typing import Final

_WINDOW: Final = 1 << 13
"""Bytes that a repetition can reach back."""

_LONGEST: Final = 264
"""Bytes of the longest repetition."""

_SHORTEST: Final = 4
"""Bytes of the shortest repetition that is looked for; the format knows one of 3."""

_RUN: Final = 32
"""Bytes of the longest run that is taken as it is."""

_ALLOWANCE: Final = 24
"""Bytes that a block may have beyond an eighth of what it stands for."""

_HEAD: Final = 64
"""Bytes that are looked at before anything is tried: less than 1 us."""

_DIFFERENT: Final = 30
"""Different bytes among them, above which a block would not be short enough."""


def compress_in_python(data: bytes) -> bytes | None:
    """An LZF block.

    Returns:
        The block; None if the data does not shrink to about an eighth. O(data). The compiled twin takes
        whatever shrinks by 5 bytes.
    """
    size = len(data)
    if len(set(data[:_HEAD])) > (_DIFFERENT if size >= _HEAD else size >> 2):
        return None
    out = bytearray()
    places: dict[bytes, int] = {}
    at = pending = 0
    last = size - _SHORTEST
    while at <= last:
        piece = data[at : at + 4]
        place = places[piece] if piece in places else -1
        places[piece] = at
        if place < 0 or at - place > _WINDOW:
            at += 1
            if len(out) + at - pending > _ALLOWANCE + (at >> 3):
                return None
            continue
        length = _shared(data, place, at, min(_LONGEST, size - at))
        _append_literals(out, data, pending, at)
        _append_repetition(out, at - place - 1, length - 2)
        at += length
        pending = at
    _append_literals(out, data, pending, size)
    return bytes(out) if len(out) + 5 <= size else None


def _shared(data: bytes, one: int, two: int, most: int) -> int:
    """How many bytes from two places on are the same, ``most`` at most."""
    if data[one : one + most] == data[two : two + most]:
        return most
    difference = int.from_bytes(data[one : one + most], "little") ^ int.from_bytes(
        data[two : two + most], "little"
    )
    return ((difference & -difference).bit_length() - 1) >> 3


def _append_literals(out: bytearray, data: bytes, start: int, stop: int) -> None:
    """Take bytes as they are."""
    while start < stop:
        end = min(start + _RUN, stop)
        out.append(end - start - 1)
        out += data[start:end]
        start = end


def _append_repetition(out: bytearray, distance: int, length: int) -> None:
    """Repeat what stands ``distance`` + 1 back, ``length`` + 2 bytes of it."""
    if length < 7:
        out.append(length << 5 | distance >> 8)
    else:
        out += bytes((7 << 5 | distance >> 8, length - 7))
    out.append(distance & 0xFF)


def decompress_in_python(data: bytes, size: int) -> bytes | None:
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
            start = len(out) - distance
            if distance >= length + 2:
                out += out[start : start + length + 2]
            else:
                _repeat(out, start, length + 2)
    except IndexError:
        return None
    return bytes(out) if len(out) == size else None


def _repeat(out: bytearray, start: int, length: int) -> None:
    """Append ``length`` bytes that stand at ``start``, and go on in what is appended."""
    piece = out[start:]
    while len(piece) < length:
        piece += piece[: length - len(piece)]
    out += piece


try:
    from nogil_df.base._lzf import compress as compress
    from nogil_df.base._lzf import decompress as decompress
except ImportError:
    compress = compress_in_python
    decompress = decompress_in_python
