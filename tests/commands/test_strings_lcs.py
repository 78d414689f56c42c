"""LCS against the textbook: a table of lengths filled cell by cell, and the way back through it."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from nogil_df.base.flags import Options
from nogil_df.commands.lcs import length_of_lcs, matches_of_lcs
from tests.commands.console import Console
from tests.resp import Reply

TEXT = st.binary(max_size=80) | st.text("ab", max_size=80).map(str.encode) | st.text("abcd").map(str.encode)


def lengths(one: bytes, other: bytes) -> list[list[int]]:
    """The table: cell [i][j] is the length for the first i and j bytes."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if a == b else max(table[i - 1][j], table[i][j - 1])
    return table


def pairs(one: bytes, other: bytes) -> list[tuple[int, int]]:
    """The matching places from last to first, by the rule that the module's text tells."""
    table = lengths(one, other)
    i, j = len(one), len(other)
    found = []
    while i and j:
        if one[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


@settings(max_examples=400, deadline=None)
@given(TEXT, TEXT)
def test_lengths_and_places_are_those_of_the_textbook(one: bytes, other: bytes) -> None:
    assert length_of_lcs(one, other) == lengths(one, other)[-1][-1]
    matches = list(matches_of_lcs(one, other))
    spread = [(i + k, j + k) for i, j, size in matches for k in reversed(range(size))]
    assert spread == pairs(one, other)
    # Runs are as long as they can be.
    for (i, j, _), (before_i, before_j, size) in itertools.pairwise(matches):
        assert (before_i + size, before_j + size) != (i, j)


def test_ten_thousand_bytes_take_no_time_to_speak_of() -> None:
    one = bytes(range(256)) * 40
    other = bytes(reversed(range(256))) * 40
    assert length_of_lcs(one, one) == len(one)
    assert 40 <= length_of_lcs(one, other) < len(one)


def test_the_table_that_redis_would_need_keeps_the_limit() -> None:
    redis = Console(options=Options(max_bulk_len=1 << 20))
    redis.run(b"SET", b"a", b"x" * 600)
    redis.run(b"SET", b"b", b"x" * 400)
    assert redis("LCS a b LEN") == Reply(":", 400)
    assert redis("LCS a a LEN") == Reply(
        "-", b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    )


def test_places_are_a_map_in_resp3() -> None:
    redis = Console(protocol=3)
    redis("MSET a abc b xbc")
    assert redis("LCS a b IDX WITHMATCHLEN") == Reply(
        "%",
        (
            (
                Reply("$", b"matches"),
                Reply(
                    "*",
                    (
                        Reply(
                            "*",
                            (
                                Reply("*", (Reply(":", 1), Reply(":", 2))),
                                Reply("*", (Reply(":", 1), Reply(":", 2))),
                                Reply(":", 2),
                            ),
                        ),
                    ),
                ),
            ),
            (Reply("$", b"len"), Reply(":", 2)),
        ),
    )
