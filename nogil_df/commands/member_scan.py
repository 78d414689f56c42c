"""SSCAN, HSCAN and their kin: what the traversals of one collection have in common.

A collection that Redis would store in its compact form is answered whole, with cursor 0. A bigger one goes
step by step through its index (`nogil_df.shard.member_index`), whose cursor survives changes: a member that
is there from the first call to the last is given at least once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nogil_df.base.errors import ReplyError
from nogil_df.base.glob import compile_glob
from nogil_df.base.numbers import parse_int
from nogil_df.commands.scan import DEFAULT_COUNT, parse_cursor

Args = list[bytes]
Step = Callable[[int], tuple[int, list[bytes]]]

STEPS_PER_MEMBER = 10
"""Lists looked at for each member asked for, before a call ends with fewer than that; as in Redis."""


class Request(NamedTuple):
    """What a traversal was asked for.

    Attributes:
        most: members after which a call ends.
        pattern: what members have to match; None for all.
        values: whether HSCAN is to answer values beside the fields.
        error: what is wrong with the options; Redis only says so if the key is there.
    """

    key: bytes
    cursor: int
    most: int = DEFAULT_COUNT
    pattern: bytes | None = None
    values: bool = True
    error: ReplyError | None = None


def parse_request(args: Args, *, novalues: bool = False) -> Request:
    """Parse ``key cursor [MATCH pattern] [COUNT count]``, and NOVALUES if that is allowed.

    Raises:
        ReplyError INVALID_CURSOR.
    """
    cursor = parse_cursor(args[2])
    try:
        return _parse_options(Request(args[1], cursor), args[3:], novalues)
    except ReplyError as error:
        return Request(args[1], cursor, error=error.bare())


def _parse_options(request: Request, words: Args, novalues: bool) -> Request:
    at = 0
    while at < len(words):
        word = words[at].upper()
        if word == b"NOVALUES" and novalues:
            request = request._replace(values=False)
            at += 1
            continue
        if at + 1 == len(words) or word not in (b"COUNT", b"MATCH"):
            raise ReplyError("SYNTAX")
        operand = words[at + 1]
        if word == b"COUNT":
            count = parse_int(operand)
            if count is None:
                raise ReplyError("NOT_INTEGER")
            if count < 1:
                raise ReplyError("SYNTAX")
            request = request._replace(most=count)
        else:
            request = request._replace(pattern=None if operand == b"*" else operand)
        at += 2
    return request


def traverse(request: Request, step: Step) -> tuple[int, list[bytes]]:
    """Go on with a traversal. O(members asked for).

    Args:
        step: one step through the collection: cursor -> (next cursor, members).

    Returns:
        (next cursor, 0 at the end; the members that match).
    """
    cursor = request.cursor
    most = request.most
    found: list[bytes] = []
    for _ in range(most * STEPS_PER_MEMBER):
        cursor, members = step(cursor)
        found += members
        if not cursor or len(found) >= most:
            break
    if request.pattern is not None:
        matches = compile_glob(request.pattern)
        found = [member for member in found if matches(member)]
    return cursor, found
