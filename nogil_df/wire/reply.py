"""Replies: Python values in, RESP2 or RESP3 out, no sockets.

==================  ==========================  =========================
value               RESP3                       RESP2, where it differs
==================  ==========================  =========================
int                 ``:n``
bytes, bytearray    ``$n data``
str                 ``$n`` UTF-8
None                ``_``                       ``$-1``
float               ``,x``                      bulk string
bool                ``#t`` ``#f``               ``:1`` ``:0``
list, tuple         ``*n``
dict, Pairs         ``%n``                      array of keys and values
Rows                ``*n`` of ``*2``            array of keys and values
set, frozenset      ``~n``                      array
Members             ``~n``                      array
Verbatim            ``=n txt:``                 bulk string
BigNumber           ``(n``                      bulk string
Push                ``>n``                      array
Simple, OK          ``+text``
ReplyError          ``-text``
NULL_ARRAY          ``_``                       ``*-1``
Raw                 as it is
==================  ==========================  =========================

An encoder appends pieces to a list that the connection joins once.  Each thread has an encoder of its own:
the headers it looks up are bytes made at run time, whose reference counts threads must not share.

A text that goes on one line (status, error) can never break the framing: its line breaks become spaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from nogil_df.base.errors import ReplyError, text
from nogil_df.base.numbers import format_double
from nogil_df.wire.values import (
    CONSTANTS,
    BigNumber,
    Constant,
    Members,
    Pairs,
    Push,
    Raw,
    Rows,
    Simple,
    Verbatim,
)

Handler = Callable[[Any, list[bytes]], None]

_BULK_HEADERS: Final = 4096  # lengths below it have their header made once
_INTS: Final = 1024  # so have integers from 0 on
_ARRAY_HEADERS: Final = 256
_MANY: Final = 16  # strings of an array from which making it by loops in C pays
_SHORT_BULK: Final = 256  # bytes of a string that may be copied once more on the way
_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


class _Handlers(dict[type, Handler]):
    """Handlers by type; a subclass gets that of its nearest base, which is then remembered."""

    def __missing__(self, kind: type) -> Handler:
        for base in kind.__mro__:
            if base in self:
                handler = self[base]
                self[kind] = handler
                return handler
        raise TypeError(f"a command returned a {kind.__name__}, which has no form in RESP")


class ReplyEncoder:
    """The encoder of one thread.

    ``encode`` takes any value.  ``bulk``, ``integer``, ``ok``, ``null`` and ``array_of_bulks`` are what
    nearly all replies are, for callers that know what they hold.  All append to ``out``; the cost is O(size
    of the value).
    """

    __slots__ = ("_constants", "_handlers", "_next_bulk", "array_header", "bulk_header", "ints")

    def __init__(self) -> None:
        self.bulk_header = [b"$%d\r\n" % n for n in range(_BULK_HEADERS)]
        self._next_bulk = [b"\r\n$%d\r\n" % n for n in range(_BULK_HEADERS)]
        self.ints = [b":%d\r\n" % n for n in range(_INTS)]
        self.array_header = [b"*%d\r\n" % n for n in range(_ARRAY_HEADERS)]
        # Copies of this thread's own.
        self._constants = tuple({c: bytes(bytearray(form)) for c, form in row} for row in _CONSTANT_FORMS)
        both: dict[type, Handler] = {
            int: self.integer,
            bytes: self.bulk,
            bytearray: self._bytearray,
            str: self._str,
            Simple: self._simple,
            ReplyError: self._error,
            Raw: self._raw,
        }
        resp2: dict[type, Handler] = {
            type(None): self._null2,
            bool: self._bool2,
            float: self._double2,
            list: self._array2,
            tuple: self._array2,
            set: self._array2,
            frozenset: self._array2,
            Members: self._members2,
            dict: self._dict2,
            Pairs: self._pairs2,
            Rows: self._pairs2,
            Push: self._push2,
            Verbatim: self._verbatim2,
            BigNumber: self._big_number2,
            Constant: self._constant2,
        }
        resp3: dict[type, Handler] = {
            type(None): self._null3,
            bool: self._bool3,
            float: self._double3,
            list: self._array3,
            tuple: self._array3,
            set: self._set3,
            frozenset: self._set3,
            Members: self._members3,
            dict: self._dict3,
            Pairs: self._pairs3,
            Rows: self._rows3,
            Push: self._push3,
            Verbatim: self._verbatim3,
            BigNumber: self._big_number3,
            Constant: self._constant3,
        }
        self._handlers = (_Handlers(both | resp2), _Handlers(both | resp3))

    def encode(self, value: object, proto: int, out: list[bytes]) -> None:
        """Append ``value`` in RESP ``proto`` (2 or 3).  A type without a form in RESP: TypeError."""
        self._handlers[proto - 2][type(value)](value, out)

    # --- what nearly all replies are ---

    def bulk(self, value: bytes, out: list[bytes]) -> None:
        """Append a bulk string."""
        length = len(value)
        if length < 4096:
            out += (self.bulk_header[length], value, b"\r\n")
        else:
            out += (b"$%d\r\n" % length, value, b"\r\n")

    def integer(self, value: int, out: list[bytes]) -> None:
        """Append an integer."""
        if 0 <= value < 1024:
            out.append(self.ints[value])
        else:
            out.append(b":%d\r\n" % value)

    def ok(self, out: list[bytes]) -> None:
        """Append ``+OK``."""
        out.append(b"+OK\r\n")

    def null(self, proto: int, out: list[bytes]) -> None:
        """Append the null of RESP ``proto``."""
        out.append(b"$-1\r\n" if proto == 2 else b"_\r\n")

    def array_of_bulks(self, values: Sequence[bytes | None], proto: int, out: list[bytes]) -> None:
        """Append an array of bulk strings and nulls."""
        if len(values) >= _MANY and self._many_bulks(b"*%d" % len(values), values, out):
            return
        null = b"$-1\r\n" if proto == 2 else b"_\r\n"
        header = self.bulk_header
        self._array_header(len(values), out)
        append = out.append
        for value in values:
            if value is None:
                append(null)
            else:
                length = len(value)
                append(header[length] if length < 4096 else b"$%d\r\n" % length)
                append(value)
                append(b"\r\n")

    def _many_bulks(self, head: bytes, values: Sequence[bytes | None], out: list[bytes]) -> bool:
        """Append an aggregate of some length by loops in C: less than half the time of one in Python.

        Strings that all have one length, as in many lists, are joined by the header between them at once.

        Args:
            head: type and number of elements, without a line break.

        Returns:
            False, and nothing appended, if one of them is very long, or null.
        """
        try:
            lengths = list(map(len, values))  # type: ignore[arg-type]
        except TypeError:
            return False
        if max(lengths) >= _BULK_HEADERS:
            return False
        headers = self._next_bulk
        count = len(lengths)
        first = lengths[0]
        if first <= _SHORT_BULK and lengths.count(first) == count:
            header = headers[first]
            out += (head, header, header.join(values), b"\r\n")  # type: ignore[arg-type]
            return True
        pieces: list[bytes] = [b""] * (2 * count)
        pieces[::2] = [headers[length] for length in lengths]
        pieces[1::2] = values  # type: ignore[assignment]
        out.append(head)
        out += pieces
        out.append(b"\r\n")
        return True

    # --- the same with the signature of encode: what a command's row names ---

    def bulk_or_null(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Append bytes as a bulk string, None as null; anything else as `encode` does."""
        if value.__class__ is bytes:
            length = len(value)
            header = self.bulk_header[length] if length < 4096 else b"$%d\r\n" % length
            out += (header, value, b"\r\n")
        elif value is None:
            out.append(b"$-1\r\n" if proto == 2 else b"_\r\n")
        else:
            self.encode(value, proto, out)

    def number(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Append an integer; anything else as `encode` does."""
        if value.__class__ is int:
            if 0 <= value < 1024:
                out.append(self.ints[value])
            else:
                out.append(b":%d\r\n" % value)
        else:
            self.encode(value, proto, out)

    def double_or_null(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Append a double, null for None; anything else as `encode` does."""
        if value.__class__ is float:
            text = format_double(value)
            if proto == 2:
                out += (self.bulk_header[len(text)], text, b"\r\n")
            else:
                out += (b",", text, b"\r\n")
        elif value is None:
            out.append(b"$-1\r\n" if proto == 2 else b"_\r\n")
        else:
            self.encode(value, proto, out)

    def scored_bulks(self, values: Any, proto: int, out: list[bytes]) -> None:
        """Append a list of bytes as an array, `Rows` of bytes and doubles; anything else as `encode` does."""
        if values.__class__ is list:
            self.array_of_bulks(values, proto, out)
            return
        if values.__class__ is not Rows:
            self.encode(values, proto, out)
            return
        header = self.bulk_header
        pairs: Any = values.items
        self._array_header(2 * len(pairs) if proto == 2 else len(pairs), out)
        for member, score in pairs:
            size = len(member)
            first = header[size] if size < 4096 else b"$%d\r\n" % size
            text = format_double(score)
            if proto == 2:
                out += (first, member, b"\r\n", header[len(text)], text, b"\r\n")
            else:
                out += (b"*2\r\n", first, member, b"\r\n,", text, b"\r\n")

    def ok_or_null(self, value: object, proto: int, out: list[bytes]) -> None:
        """Append ``+OK`` for True, null for None; anything else as `encode` does."""
        if value is True:
            out.append(b"+OK\r\n")
        elif value is None:
            out.append(b"$-1\r\n" if proto == 2 else b"_\r\n")
        else:
            self.encode(value, proto, out)

    def bulks(self, values: Any, proto: int, out: list[bytes]) -> None:
        """Append a list of bulk strings and nulls as an array; anything else as `encode` does."""
        if values.__class__ is list:
            self.array_of_bulks(values, proto, out)
        else:
            self.encode(values, proto, out)

    def map_of_bulks(self, values: Any, proto: int, out: list[bytes]) -> None:
        """Append a flat list of keys and values, all bytes, as a map; anything else as `encode` does."""
        if values.__class__ is not list:
            self.encode(values, proto, out)
            return
        self._bulks(b"*%d" % len(values) if proto == 2 else b"%%%d" % (len(values) // 2), values, out)

    def set_of_bulks(self, values: Any, proto: int, out: list[bytes]) -> None:
        """Append a list of bytes as a set; anything else as `encode` does."""
        if values.__class__ is not list:
            self.encode(values, proto, out)
            return
        self._bulks(b"*%d" % len(values) if proto == 2 else b"~%d" % len(values), values, out)

    # --- both protocols ---

    def _array_header(self, length: int, out: list[bytes]) -> None:
        out.append(self.array_header[length] if length < 256 else b"*%d\r\n" % length)

    def _bytearray(self, value: bytearray, out: list[bytes]) -> None:
        self.bulk(bytes(value), out)  # a copy: it may change before it is sent

    def _str(self, value: str, out: list[bytes]) -> None:
        self.bulk(value.encode("utf-8", "surrogateescape"), out)

    def _simple(self, value: Simple, out: list[bytes]) -> None:
        out.append(b"+%b\r\n" % value.text.translate(_TO_SPACES))

    def _error(self, value: ReplyError, out: list[bytes]) -> None:
        out.append(b"-%b\r\n" % text(value))

    def _raw(self, value: Raw, out: list[bytes]) -> None:
        out.append(value.data)

    def _bulks(self, head: bytes, values: list[bytes], out: list[bytes]) -> None:
        """Append an aggregate of bulk strings; ``head`` as of `_many_bulks`."""
        if len(values) >= _MANY and self._many_bulks(head, values, out):
            return
        out += (head, b"\r\n")
        header = self.bulk_header
        for value in values:
            length = len(value)
            out += (header[length] if length < 4096 else b"$%d\r\n" % length, value, b"\r\n")

    def _items(self, values: Iterable[object], out: list[bytes], handlers: _Handlers) -> None:
        for value in values:
            handlers[type(value)](value, out)

    def _flat(self, pairs: Iterable[tuple[object, object]], out: list[bytes], handlers: _Handlers) -> None:
        for key, value in pairs:
            handlers[type(key)](key, out)
            handlers[type(value)](value, out)

    # --- RESP2 ---

    def _constant2(self, value: Constant, out: list[bytes]) -> None:
        out.append(self._constants[0][value])

    def _null2(self, value: None, out: list[bytes]) -> None:
        out.append(b"$-1\r\n")

    def _bool2(self, value: bool, out: list[bytes]) -> None:
        out.append(b":1\r\n" if value else b":0\r\n")

    def _double2(self, value: float, out: list[bytes]) -> None:
        self.bulk(format_double(value), out)

    def _array2(self, value: Sequence[object], out: list[bytes]) -> None:
        self._array_header(len(value), out)
        self._items(value, out, self._handlers[0])

    def _members2(self, value: Members, out: list[bytes]) -> None:
        self._array2(value.items, out)

    def _dict2(self, value: dict[object, object], out: list[bytes]) -> None:
        self._array_header(2 * len(value), out)
        self._flat(value.items(), out, self._handlers[0])

    def _pairs2(self, value: Pairs | Rows, out: list[bytes]) -> None:
        self._array_header(2 * len(value.items), out)
        self._flat(value.items, out, self._handlers[0])

    def _push2(self, value: Push, out: list[bytes]) -> None:
        self._array2(value.items, out)

    def _verbatim2(self, value: Verbatim, out: list[bytes]) -> None:
        self.bulk(value.text, out)

    def _big_number2(self, value: BigNumber, out: list[bytes]) -> None:
        self.bulk(b"%d" % value.number, out)

    # --- RESP3 ---

    def _constant3(self, value: Constant, out: list[bytes]) -> None:
        out.append(self._constants[1][value])

    def _null3(self, value: None, out: list[bytes]) -> None:
        out.append(b"_\r\n")

    def _bool3(self, value: bool, out: list[bytes]) -> None:
        out.append(b"#t\r\n" if value else b"#f\r\n")

    def _double3(self, value: float, out: list[bytes]) -> None:
        out.append(b",%b\r\n" % format_double(value))

    def _array3(self, value: Sequence[object], out: list[bytes]) -> None:
        self._array_header(len(value), out)
        self._items(value, out, self._handlers[1])

    def _set3(self, value: set[object] | frozenset[object], out: list[bytes]) -> None:
        out.append(b"~%d\r\n" % len(value))
        self._items(value, out, self._handlers[1])

    def _members3(self, value: Members, out: list[bytes]) -> None:
        out.append(b"~%d\r\n" % len(value.items))
        self._items(value.items, out, self._handlers[1])

    def _dict3(self, value: dict[object, object], out: list[bytes]) -> None:
        out.append(b"%%%d\r\n" % len(value))
        self._flat(value.items(), out, self._handlers[1])

    def _pairs3(self, value: Pairs, out: list[bytes]) -> None:
        out.append(b"%%%d\r\n" % len(value.items))
        self._flat(value.items, out, self._handlers[1])

    def _rows3(self, value: Rows, out: list[bytes]) -> None:
        self._array_header(len(value.items), out)
        self._items(value.items, out, self._handlers[1])

    def _push3(self, value: Push, out: list[bytes]) -> None:
        out.append(b">%d\r\n" % len(value.items))
        self._items(value.items, out, self._handlers[1])

    def _verbatim3(self, value: Verbatim, out: list[bytes]) -> None:
        out.append(b"=%d\r\n%b:%b\r\n" % (len(value.text) + 4, value.format, value.text))

    def _big_number3(self, value: BigNumber, out: list[bytes]) -> None:
        out.append(b"(%d\r\n" % value.number)


_CONSTANT_FORMS: Final = (
    tuple((constant, constant.resp2) for constant in CONSTANTS),
    tuple((constant, constant.resp3) for constant in CONSTANTS),
)
