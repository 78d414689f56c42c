"""LCS: the longest common subsequence of two strings.

The usual table of lengths has a cell for every pair of bytes. Here a row of it is one big integer: its bit j
is 0 where the length grows from column j to j + 1, else 1, and a row follows from the one above by four
operations on whole integers (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004). That is 64 cells
for each word the processor adds, in Python too, and a bit a cell where the rows are kept for the way back.

The way back takes the same turns as Redis's, so that of several longest subsequences it finds the same one:
from the ends, diagonally where the bytes are equal, else up where that loses nothing and left does, else
left.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.spec import Row, multi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nogil_df.commands.context import Context, Steps
    from nogil_df.shard.keyspace import Keyspace

Args = list[bytes]
Match = tuple[int, int, int]
"""Start in the first string, start in the second, length."""

CELL: Final = 4
"""Bytes of a cell in Redis's table, whose size has to keep proto-max-bulk-len."""


class Options(NamedTuple):
    """What LCS is to answer: the length, the places of the matches, or the subsequence itself."""

    length: bool
    places: bool
    match_length: bool
    least: int


def parse_options(words: list[bytes]) -> Options:
    """The options of LCS.

    Raises:
        ReplyError: SYNTAX, NOT_INTEGER, LCS_LEN_AND_IDX.
    """
    seen: set[bytes] = set()
    least = 0
    at = 0
    while at < len(words):
        word = words[at].upper()
        at += 1
        if word in (b"LEN", b"IDX", b"WITHMATCHLEN"):
            seen.add(word)
        elif word == b"MINMATCHLEN" and at < len(words):
            number = parse_int(words[at])
            if number is None:
                raise ReplyError("NOT_INTEGER")
            least = max(number, 0)
            at += 1
        else:
            raise ReplyError("SYNTAX")
    if b"LEN" in seen and b"IDX" in seen:
        raise ReplyError("LCS_LEN_AND_IDX")
    return Options(b"LEN" in seen, b"IDX" in seen, b"WITHMATCHLEN" in seen, least)


def op_string(db: Keyspace, key: bytes, h: int) -> bytes:
    """The string at a key, empty without one. O(1).

    Raises:
        ReplyError LCS_NOT_STRINGS.
    """
    value = db.find(key, h)
    if value is None:
        return b""
    if value.__class__ is bytes:
        return value
    if isinstance(value, bytearray):
        return bytes(value)
    raise ReplyError("LCS_NOT_STRINGS")


def cmd_lcs(context: Context, args: Args) -> Steps:
    """LCS: one hop for both strings; the work is the coordinator's."""
    one, other = yield from context.each_key(args[1:3], op_string, last=True)
    options = parse_options(args[3:])
    limit = context.dispatcher.config.proto_max_bulk_len
    if (len(one) + 1) * (len(other) + 1) * CELL > limit:
        raise ReplyError("LCS_MEMORY")
    if options.length:
        return length_of_lcs(one, other)
    matches = list(matches_of_lcs(one, other))
    if not options.places:
        return b"".join(one[start : start + size] for start, _, size in reversed(matches))
    return _places(matches, options)


def _places(matches: list[Match], options: Options) -> dict[bytes, Any]:
    shown: list[Any] = []
    for one, other, size in matches:
        if size >= options.least:
            place: list[Any] = [[one, one + size - 1], [other, other + size - 1]]
            if options.match_length:
                place.append(size)
            shown.append(place)
    return {b"matches": shown, b"len": sum(size for _, _, size in matches)}


def rows_of_lcs(one: bytes, other: bytes) -> Iterator[int]:
    """The rows of the table, one for each byte of ``one``; see the module's text.

    Complexity: O(len(one) * len(other) / 64).
    """
    places: dict[int, int] = {}
    for column, byte in enumerate(other):
        places[byte] = places.get(byte, 0) | 1 << column
    full = (1 << len(other)) - 1
    row = full
    for byte in one:
        matching = row & places.get(byte, 0)
        row = (row + matching | row - matching) & full
        yield row


def length_of_lcs(one: bytes, other: bytes) -> int:
    """The length of the longest common subsequence. O(len(one) * len(other) / 64)."""
    last = deque(rows_of_lcs(one, other), maxlen=1)
    return len(other) - last[0].bit_count() if last else 0


def matches_of_lcs(one: bytes, other: bytes) -> Iterator[Match]:
    """The runs of bytes that the subsequence is made of, from the last to the first.

    Complexity: O(len(one) * len(other) / 64) time, as many bits of memory as there are cells.
    """
    rows = list(rows_of_lcs(one, other))
    i, j = len(one), len(other)
    size = 0
    while i and j:
        if one[i - 1] == other[j - 1]:
            i -= 1
            j -= 1
            size += 1
            continue
        if size:
            yield i, j, size
            size = 0
        if rows[i - 1] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
    if size:
        yield i, j, size


TABLE: tuple[Row, ...] = (
    multi(
        "LCS",
        -3,
        "readonly",
        run=cmd_lcs,
        keys=(1, 2, 1),
        acl="@read @string @slow",
        since="7.0.0",
        group="string",
        syntax="key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        summary="Finds the longest common subsequence of two strings.",
        key_flags="RO ACCESS",
        complexity="O(N*M) where N and M are the lengths of the strings",
    ),
)
