"""Arguments of the libraries that are written in Python: checked as Lua's own are, with Lua's texts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from nogil_df.base.crash import log_crash


class BadArgument(Exception):
    """What a script is told."""


def answered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as Lua may call it: it raises nothing, and answers (True, result...) or (False, text).

    A tuple that it returns is several results.
    """

    def answer(*args: Any) -> tuple[Any, ...]:
        try:
            result = function(*args)
        except BadArgument as error:
            return False, str(error).encode("latin-1", "replace")
        except BaseException:
            log_crash(function.__name__, sys.exc_info())
            return False, b"internal error"
        return (True, *result) if result.__class__ is tuple else (True, result)

    return answer


def lua_type(args: tuple[Any, ...], index: int) -> str:
    """The name of an argument's Lua type."""
    if index >= len(args):
        return "no value"
    value = args[index]
    if value is None:
        return "nil"
    names = {bool: "boolean", int: "number", float: "number", bytes: "string"}
    if type(value) in names:
        return names[type(value)]
    return type(value).__name__.removeprefix("_Lua").lower()


def lua_number(name: str, args: tuple[Any, ...], index: int) -> int | float:
    """A number, or a string that looks like one.

    Raises:
        BadArgument: it is neither.
    """
    value = args[index] if index < len(args) else None
    if type(value) is int or type(value) is float:
        return value
    if type(value) is bytes:
        try:
            text = value.strip()
            return int(text, 16) if text[:2].lower() == b"0x" else float(text)
        except ValueError:
            pass
    raise _wrong_type(name, args, index, "number")


def lua_string(name: str, args: tuple[Any, ...], index: int) -> bytes:
    """A string, or a number as one.

    Raises:
        BadArgument: it is neither.
    """
    value = args[index] if index < len(args) else None
    if type(value) is bytes:
        return value
    if type(value) is int or type(value) is float:
        return b"%.14g" % value
    raise _wrong_type(name, args, index, "string")


def _wrong_type(name: str, args: tuple[Any, ...], index: int, wanted: str) -> BadArgument:
    found = lua_type(args, index)
    return BadArgument(f"bad argument #{index + 1} to '{name}' ({wanted} expected, got {found})")
