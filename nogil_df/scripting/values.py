"""Replies of commands as Lua values, as Redis converts them (its "Lua API reference").

A plain value needs no more than its type: bytes, int and bool cross into Lua as they are, and an array
becomes a table made of them. Everything else that a script can be handed by `redis.call` is a table with one
field that tells what it is: ``{ok=...}``, ``{err=...}``, ``{double=...}``, ``{map=...}``.

Two forms exist: under RESP2 null is false and a map is a flat array; after ``redis.setresp(3)`` null is nil
and maps, sets, doubles, big numbers and verbatim strings are told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

from nogil_df.base.errors import ReplyError, text
from nogil_df.base.numbers import format_double
from nogil_df.wire.values import (
    NULL_ARRAY,
    OK,
    PONG,
    QUEUED,
    BigNumber,
    Members,
    Pairs,
    Push,
    Rows,
    Simple,
    Verbatim,
)

STATUS, ERROR = 1, 2
"""What a tuple given to Lua begins with: ``(None, STATUS, text)``, ``(None, ERROR, text, counted)``."""

STATUSES: Final = {OK: b"OK", PONG: b"PONG", QUEUED: b"QUEUED"}

MOST_VALUES: Final = 4000
"""Values in one call of a Lua function: Lua has room for 8,000 on its stack."""


class Converter:
    """Makes Lua values of reply values for one runtime.

    Args:
        functions: ``list``, ``extend``, ``tagged`` and ``set_item`` of the sandbox.
    """

    __slots__ = ("_extend", "_list", "_set_item", "_tagged")

    def __init__(self, functions: Any) -> None:
        self._list: Callable[..., Any] = functions[b"list"]
        self._extend: Callable[..., None] = functions[b"extend"]
        self._tagged: Callable[[bytes, Any], Any] = functions[b"tagged"]
        self._set_item: Callable[[Any, Any, Any], None] = functions[b"set_item"]

    def result(self, value: Any, protocol: int) -> Any:
        """What the function under `redis.call` returns for a reply. O(size of the reply).

        Returns:
            A plain value, or a tuple that the sandbox understands.
        """
        kind = value.__class__
        if kind is bytes or kind is int:
            return value
        if value is None:
            return False if protocol == 2 else None
        if kind is ReplyError:
            return None, ERROR, text(value), True
        if kind is Simple:
            return None, STATUS, value.text
        if kind is type(OK) and value in STATUSES:
            return None, STATUS, STATUSES[value]
        return self._nested(value, protocol)

    def _nested(self, value: Any, protocol: int) -> Any:
        """A reply as one Lua value, tables included."""
        kind = value.__class__
        if kind is bytes or kind is int:
            return value
        if value is None or value is NULL_ARRAY:
            return False if protocol == 2 else None
        if kind is bool:
            return value if protocol == 3 else int(value)
        if isinstance(value, list | tuple):
            return self.array(value, protocol)
        if kind is float:
            return self._tagged(b"double", value) if protocol == 3 else format_double(value)
        if isinstance(value, dict):
            return self._map(value.items(), protocol)
        if kind is Pairs:
            return self._map(value.items, protocol)
        if isinstance(value, set | frozenset):
            return self._set(value, protocol)
        if kind is Members:
            return self._set(value.items, protocol)
        if kind is Rows:
            return self.array(
                value.items if protocol == 3 else list(chain.from_iterable(value.items)), protocol
            )
        return self._rare(value, protocol)

    def _rare(self, value: Any, protocol: int) -> Any:
        kind = value.__class__
        if isinstance(value, int):
            return int(value)
        if isinstance(value, bytes | bytearray):
            return bytes(value)
        if kind is str:
            return value.encode("utf-8", "surrogateescape")
        if kind is ReplyError:
            return self._tagged(b"err", text(value))
        if kind is Simple:
            return self._tagged(b"ok", value.text)
        if kind is type(OK) and value in STATUSES:
            return self._tagged(b"ok", STATUSES[value])
        if kind is Push:
            return self.array(value.items, protocol)
        if kind is BigNumber:
            digits = b"%d" % value.number
            return self._tagged(b"big_number", digits) if protocol == 3 else digits
        if kind is Verbatim:
            return self._verbatim(value) if protocol == 3 else value.text
        raise TypeError(f"a command returned a {kind.__name__}, which has no form in Lua")

    def _verbatim(self, value: Verbatim) -> Any:
        parts = self._tagged(b"string", value.text)
        self._set_item(parts, b"format", value.format)
        return self._tagged(b"verbatim_string", parts)

    def array(self, values: Sequence[Any], protocol: int) -> Any:
        nested = self._nested
        made = [
            item if item.__class__ is bytes or item.__class__ is int else nested(item, protocol)
            for item in values
        ]
        table = self._list(*made[:MOST_VALUES])
        for start in range(MOST_VALUES, len(made), MOST_VALUES):
            self._extend(table, start, *made[start : start + MOST_VALUES])
        return table

    def _map(self, pairs: Iterable[tuple[Any, Any]], protocol: int) -> Any:
        if protocol == 2:
            return self.array([item for pair in pairs for item in pair], protocol)
        table = self._list()
        for key, value in pairs:
            self._set_item(table, self._nested(key, protocol), self._nested(value, protocol))
        return self._tagged(b"map", table)

    def _set(self, members: Iterable[Any], protocol: int) -> Any:
        if protocol == 2:
            return self.array(list(members), protocol)
        table = self._list()
        for member in members:
            self._set_item(table, self._nested(member, protocol), True)
        return self._tagged(b"set", table)
