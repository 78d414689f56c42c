"""Commands about the server as a process: TIME, ROLE, LOLWUT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.base.version import REDIS_VERSION
from nogil_df.commands.spec import Row, local
from nogil_df.wire.values import Verbatim

if TYPE_CHECKING:
    from nogil_df.commands.session import Session

Args = list[bytes]

CURVE_FOLDS = 8
"""Folds of the curve that LOLWUT draws where it is not told: about 40 columns wide."""

MOST_FOLDS = 12


def run_time(session: Session, args: Args) -> list[bytes]:
    """TIME: seconds and microseconds since 1970."""
    now = session.dispatcher.clock.unix_us()
    return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]


def run_role(session: Session, args: Args) -> list[Any]:
    """ROLE: a master at offset 0 that nobody follows."""
    return [b"master", 0, []]


def run_lolwut(session: Session, args: Args) -> Verbatim:
    """LOLWUT [VERSION version] [folds]: a dragon curve and the version."""
    numbers = args[1:]
    if len(args) >= 3 and args[1].upper() == b"VERSION":
        if parse_int(args[2]) is None:
            raise ReplyError("NOT_INTEGER")
        numbers = args[3:]
    folds = parse_int(numbers[0]) if numbers else None
    drawn = dragon_curve(CURVE_FOLDS if folds is None else min(max(folds, 0), MOST_FOLDS))
    return Verbatim(
        b"txt", f"{drawn}\nDragon curve, folded by nogil-df. Redis ver. {REDIS_VERSION}\n".encode()
    )


def dragon_curve(folds: int) -> str:
    """The outline of a strip of paper that was folded in the middle ``folds`` times. O(2^folds)."""
    turns: list[int] = []
    for _ in range(folds):
        turns = [*turns, 1, *(-turn for turn in reversed(turns))]
    x = y = 0
    dx, dy = 1, 0
    drawn: dict[tuple[int, int], str] = {}
    for turn in [*turns, 0]:
        drawn[2 * x + dx, 2 * y + dy] = "_" if dx else "|"
        x, y = x + dx, y + dy
        dx, dy = -dy * turn, dx * turn
    columns = [column for column, _ in drawn]
    rows = [row for _, row in drawn]
    lines = [
        "".join([drawn.get((column, row), " ") for column in range(min(columns), max(columns) + 1)]).rstrip()
        for row in range(min(rows), max(rows) + 1)
    ]
    return "\n".join(lines) + "\n"


TABLE: tuple[Row, ...] = (
    local(
        "TIME",
        1,
        "loading stale fast",
        run=run_time,
        acl="@fast",
        since="2.6.0",
        group="server",
        summary="Tells the server's time.",
        tips="nondeterministic_output",
    ),
    local(
        "ROLE",
        1,
        "noscript loading stale fast",
        run=run_role,
        acl="@admin @fast @dangerous",
        since="2.8.12",
        group="server",
        summary="Tells the server's part in replication.",
    ),
    local(
        "LOLWUT",
        -1,
        "readonly fast",
        run=run_lolwut,
        acl="@read @fast",
        since="5.0.0",
        group="server",
        syntax="[VERSION version]",
        summary="Draws something, and tells the version.",
    ),
)
