"""The library ``bit``: operations on 32-bit numbers, as in Lua BitOp 1.0 (its documentation).

Called from Lua: arguments are whatever a script gave, results are tuples ``(True, value)`` or ``(False,
text)``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import reduce
from operator import and_, or_, xor
from typing import Any

from nogil_df.scripting.arguments import answered, lua_number

MASK = 0xFFFFFFFF
_DOUBLE = struct.Struct("<d")
_LOW = struct.Struct("<I")


def signed(value: int) -> int:
    """The low 32 bits as a number with a sign."""
    value &= MASK
    return value - (1 << 32) if value & 0x80000000 else value


def _bits(name: str, args: tuple[Any, ...], index: int) -> int:
    """An argument as 32 bits: rounded to the nearest integer, what lies beyond is cut off."""
    # Adding 1.5 * 2^52 leaves the integer in the low bits of the double, as in BitOp.
    number: int = _LOW.unpack_from(_DOUBLE.pack(lua_number(name, args, index) + 6755399441055744.0))[0]
    return number


def _fold(name: str, operation: Callable[[int, int], int]) -> Callable[..., Any]:
    def fold(*args: Any) -> int:
        # The first is asked for even where there is none.
        return signed(reduce(operation, [_bits(name, args, at) for at in range(max(1, len(args)))]))

    return answered(fold)


def _shift(name: str, operation: Callable[[int, int], int]) -> Callable[..., Any]:
    def shift(*args: Any) -> int:
        return signed(operation(_bits(name, args, 0), _bits(name, args, 1) & 31))

    return answered(shift)


def _tohex(*args: Any) -> bytes:
    value = _bits("tohex", args, 0)
    digits = signed(_bits("tohex", args, 1)) if len(args) > 1 else 8
    text = b"%08x" % value
    if digits < 0:
        digits, text = -digits, text.upper()
    return text[8 - min(digits, 8) :]


def _bswap(*args: Any) -> int:
    return signed(int.from_bytes(_bits("bswap", args, 0).to_bytes(4, "little"), "big"))


BIT: dict[bytes, Callable[..., Any]] = {
    b"bit_tobit": answered(lambda *args: signed(_bits("tobit", args, 0))),
    b"bit_bnot": answered(lambda *args: signed(~_bits("bnot", args, 0))),
    b"bit_band": _fold("band", and_),
    b"bit_bor": _fold("bor", or_),
    b"bit_bxor": _fold("bxor", xor),
    b"bit_lshift": _shift("lshift", lambda value, by: value << by),
    b"bit_rshift": _shift("rshift", lambda value, by: value >> by),
    b"bit_arshift": _shift("arshift", lambda value, by: signed(value) >> by),
    b"bit_rol": _shift("rol", lambda value, by: value << by | value >> (32 - by)),
    b"bit_ror": _shift("ror", lambda value, by: value >> by | value << (32 - by)),
    b"bit_bswap": answered(_bswap),
    b"bit_tohex": answered(_tohex),
}
