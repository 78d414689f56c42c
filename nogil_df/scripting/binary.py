"""The library ``struct``: values as binary data and back, by a format, as in Lua's struct 0.2 (its manual).

``<`` ``>`` ``=`` set the byte order, ``!n`` the alignment; ``b h i l`` are integers with a sign, in capitals
without, ``T`` is a size_t, ``in`` an integer of n bytes; ``f d`` floats; ``s`` ends with a zero byte, ``cn``
has n bytes, ``c0`` as many as the value before says; ``x`` pads.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nogil_df.scripting.arguments import BadArgument, answered, lua_number, lua_string

NATIVE_ALIGNMENT = 8
MOST_INTEGER_BYTES = 32
MOST_BYTES = 32 << 20
"""Of data packed or unpacked in one call: what is handed to Lua has to find room there."""

_SIZES = {"b": 1, "h": 2, "l": 8, "T": 8, "f": 4, "d": 8, "x": 1}


@dataclass(slots=True)
class _Item:
    """One option of a format: its letter, its size in bytes, and the padding that goes before it."""

    option: str
    size: int
    little: bool
    padding: int


class _Format:
    """A format as it is gone through: byte order, alignment and the bytes so far."""

    __slots__ = ("_align", "_at", "_function", "_little", "_text", "total")

    def __init__(self, function: str, args: tuple[Any, ...]) -> None:
        self._function = function
        self._text = lua_string(function, args, 0).decode("latin-1")
        self._at = 0
        self._little = True
        self._align = 1
        self.total = 0

    def items(self) -> Iterator[_Item]:
        """The options that stand for data, in order; whoever uses one adds its bytes to ``total``."""
        while self._at < len(self._text):
            option = self._text[self._at]
            self._at += 1
            if option in "<>=":
                self._little = option != ">"
            elif option == "!":
                self._align = self._number(NATIVE_ALIGNMENT)
                if self._align == 0 or self._align & (self._align - 1):
                    raise BadArgument(f"alignment {self._align} is not a power of 2")
            elif option != " ":
                size = self._size(option)
                yield _Item(option, size, self._little, self._padding(option, size))

    def _number(self, default: int) -> int:
        start = self._at
        while self._at < len(self._text) and self._text[self._at].isdigit():
            self._at += 1
        digits = self._text[start : self._at]
        if not digits:
            return default
        if int(digits) > (1 << 31) - 1:
            raise BadArgument("integral size overflow")
        return int(digits)

    def _size(self, option: str) -> int:
        if option in "iI":
            size = self._number(4)
            if size > MOST_INTEGER_BYTES:
                raise BadArgument(f"integral size {size} is larger than limit of {MOST_INTEGER_BYTES}")
            return size
        if option == "c":
            return self._number(1)
        if option == "s":
            return 0
        size = _SIZES.get(option, _SIZES.get(option.lower(), 0) if option.lower() in "bhl" else 0)
        if not size:
            raise BadArgument(f"bad argument #1 to '{self._function}' (invalid format option '{option}')")
        return size

    def _padding(self, option: str, size: int) -> int:
        if size == 0 or option == "c":
            return 0
        align = min(size, self._align)
        if align > 1:
            return -self.total & (align - 1)
        return 0


def _pack(*args: Any) -> bytes:
    form = _Format("pack", args)
    out = bytearray()
    at = 0
    for item in form.items():
        out += bytes(item.padding)
        option = item.option
        if option == "x":
            out.append(0)
        else:
            at += 1
            if at >= len(args):
                # The original leaves a nil of its own behind the last argument.
                args = (*args, None)
            if option in "sc":
                out += _text_to_pack(item, args, at)
            elif option in "fd":
                number = float(lua_number("pack", args, at))
                out += _float_bytes(number, item)
            else:
                out += _integer_bytes(lua_number("pack", args, at), item)
        form.total = len(out)
        if form.total > MOST_BYTES:
            raise BadArgument("format result too large")
    return bytes(out)


def _text_to_pack(item: _Item, args: tuple[Any, ...], at: int) -> bytes:
    text = lua_string("pack", args, at)
    if item.option == "s":
        return text + b"\0"
    size = item.size or len(text)
    if len(text) < size:
        raise BadArgument(f"bad argument #{at + 2} to 'pack' (string too short)")
    return text[:size]


def _float_bytes(number: float, item: _Item) -> bytes:
    order = "<" if item.little else ">"
    if item.option == "f":
        try:
            return struct.pack(order + "f", number)
        except OverflowError:
            return struct.pack(order + "f", float("inf") if number > 0 else float("-inf"))
    return struct.pack(order + "d", number)


def _integer_bytes(number: int | float, item: _Item) -> bytes:
    """As many bytes of the number in two's complement as there are, of the 64 that C would have."""
    if isinstance(number, float):
        number = int(number) if -9.3e18 < number < 1.85e19 else -(1 << 63)
    number &= (1 << 64) - 1
    data = number.to_bytes(8, "little")[: item.size].ljust(item.size, b"\0")
    return data if item.little else data[::-1]


def _unpack(*args: Any) -> tuple[Any, ...]:
    form = _Format("unpack", args)
    data = lua_string("unpack", args, 1)
    if len(data) > MOST_BYTES:
        raise BadArgument("data string too long")
    position = int(lua_number("unpack", args, 2)) - 1 if len(args) > 2 and args[2] is not None else 0
    if position < 0:
        raise BadArgument("bad argument #3 to 'unpack' (offset must be 1 or greater)")
    values: list[Any] = []
    form.total = position
    for item in form.items():
        position += item.padding
        if item.size > len(data) - position or position > len(data):
            raise BadArgument("bad argument #2 to 'unpack' (data string too short)")
        position = _read(item, data, position, values)
        form.total = position
    return (*values, position + 1)


def _read(item: _Item, data: bytes, position: int, values: list[Any]) -> int:
    """Read one value. Returns where the next one begins."""
    option, size = item.option, item.size
    if option == "x":
        return position + 1
    if option == "s":
        end = data.find(b"\0", position)
        if end < 0:
            raise BadArgument("unfinished string in data")
        values.append(data[position:end])
        return end + 1
    if option == "c":
        if size == 0:
            if not values or type(values[-1]) not in (int, float):
                raise BadArgument("format 'c0' needs a previous size")
            size = int(values.pop())
            if size < 0 or size > len(data) - position:
                raise BadArgument("bad argument #2 to 'unpack' (data string too short)")
        values.append(data[position : position + size])
        return position + size
    piece = data[position : position + size]
    if option in "fd":
        values.append(struct.unpack(("<" if item.little else ">") + option, piece)[0])
    else:
        low = piece[:8] if item.little else piece[-8:]
        number = int.from_bytes(low, "little" if item.little else "big", signed=option.islower())
        values.append(float(number) if abs(number) >= 1 << 63 else number)
    return position + size


def _size(*args: Any) -> int:
    form = _Format("size", args)
    for item in form.items():
        if item.option == "s" or (item.option == "c" and item.size == 0):
            option = "s" if item.option == "s" else "c0"
            raise BadArgument(f"bad argument #1 to 'size' (option '{option}' has no fixed size)")
        form.total += item.padding + item.size
    return form.total


def pack_float(number: float) -> bytes:
    """A number as MessagePack has it: in four bytes if that loses nothing, else in eight."""
    number = float(number)
    try:
        short = struct.pack(">f", number)
    except OverflowError:
        short = b""
    if short and struct.unpack(">f", short)[0] == number:
        return b"\xca" + short
    return b"\xcb" + struct.pack(">d", number)


def unpack_float(data: bytes) -> float:
    """Undo `pack_float`, without the first byte."""
    number: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return number


STRUCT = {
    b"struct_pack": answered(_pack),
    b"struct_unpack": answered(_unpack),
    b"struct_size": answered(_size),
}
