"""Cases of consumer groups, and of XINFO.

Since 7.2 a consumer is made by whoever asks in its name, where redis-server 7.0 makes it when there is
something to give; the cases make their consumers themselves where that would show.
"""

from __future__ import annotations

from tests.differential import compare
from tests.differential.case import Book, Line, Step, near, singles, step, table
from tests.resp import Reply

BOOK = Book()

NEWER_FIELDS = frozenset([b"inactive", b"active-time"])
"""What Redis tells of a consumer since 7.2."""

TIMES = frozenset([b"idle", b"seen-time"])

TOLERANCE = 3000
"""Milliseconds that two servers may be apart."""


def _times(expected: Reply, actual: Reply) -> bool:
    """As exact, but for times and for what is newer than redis-server 7.0."""
    if expected.kind != actual.kind:
        return False
    if expected.kind == ":" and expected.value > 10**12:
        return bool(abs(expected.value - actual.value) < TOLERANCE)
    if expected.kind not in "*%" or expected.value is None or actual.value is None:
        return expected == actual
    want, got = _known(expected), _known(actual)
    return len(want) == len(got) and all(map(_member, want, got))


def _member(expected: object, actual: object) -> bool:
    if isinstance(expected, Reply) and isinstance(actual, Reply):
        return _times(expected, actual)
    assert isinstance(expected, tuple)
    assert isinstance(actual, tuple)
    if expected[0] == actual[0] and expected[0].value in TIMES:
        return bool(abs(expected[1].value - actual[1].value) < TOLERANCE)
    return all(map(_times, expected, actual))


def _known(reply: Reply) -> list[object]:
    """Members of an array or pairs of a map, without the newer fields; a flat array of fields as pairs."""
    members = list(reply.value)
    if reply.kind == "*" and members and members[0].kind == "$" and members[0].value == b"name":
        members = list(zip(members[::2], members[1::2], strict=True))
    elif reply.kind == "*":
        return members
    return [pair for pair in members if pair[0].value not in NEWER_FIELDS]


def timed(line: Line) -> Step:
    """A step whose reply holds times."""
    made = step(line)
    return Step(made.args, _times, made.client, made.wait, made.want)


# Idle times: small ones may differ.
IDLE = compare.Near(TOLERANCE)

STREAM: list[Line] = [f"XADD x {number}-{number} f v{number}" for number in range(1, 7)]
GROUP: list[Line] = [*STREAM, "XGROUP CREATE x g 0"]
READ: list[Line] = [
    *GROUP,
    "XREADGROUP GROUP g one COUNT 3 STREAMS x >",
    "XREADGROUP GROUP g two COUNT 2 STREAMS x >",
]
CLAIM: list[Line] = [*READ, "XGROUP CREATECONSUMER x g new"]
SHOW: list[Line] = [
    "XINFO GROUPS x",
    timed("XINFO CONSUMERS x g"),
    timed("XINFO STREAM x FULL"),
    "XPENDING x g",
    near("XPENDING x g - + 100", TOLERANCE),
]

BOOK.add(
    table(
        "xgroup create",
        {
            "at the start": [*STREAM, "XGROUP CREATE x g 0", *SHOW],
            "at an id": [
                *STREAM,
                "XGROUP CREATE x g 3-3",
                "XGROUP CREATE x h 3",
                "XGROUP CREATE x i 100",
                *SHOW,
            ],
            "at the end": [*STREAM, "XGROUP CREATE x g $", *SHOW],
            "entries read": [*STREAM, "XGROUP CREATE x g 3-3 ENTRIESREAD 3", *SHOW],
            "entries read unknown": [*STREAM, "XGROUP CREATE x g 3-3 ENTRIESREAD -1", *SHOW],
            "entries read too many": [*STREAM, "XGROUP CREATE x g 3-3 ENTRIESREAD 300", *SHOW],
            "again": [*GROUP, "XGROUP CREATE x g 5", "XGROUP CREATE x g bogus", *SHOW],
            "no key": ["XGROUP CREATE x g 0", "XGROUP CREATE x g bogus", "EXISTS x"],
            "mkstream": ["XGROUP CREATE x g $ MKSTREAM", "XLEN x", "TYPE x", *SHOW, "XADD x 1 a 1", *SHOW],
            "mkstream at an id": ["XGROUP CREATE x g 5-5 MKSTREAM", *SHOW, "XADD x 1 a 1", *SHOW],
            "mkstream of a stream": [*STREAM, "XGROUP CREATE x g 0 mkstream", *SHOW],
            "mkstream with a bad id": ["XGROUP CREATE x g bogus MKSTREAM", "EXISTS x"],
            "mkstream and entries read": ["XGROUP CREATE x g 0 MKSTREAM ENTRIESREAD 5", *SHOW],
            "wrong type": [
                "SET x v",
                "XGROUP CREATE x g 0",
                "XGROUP CREATE x g 0 MKSTREAM",
                "XGROUP SETID x g 0",
            ],
            "odd names": [*STREAM, 'XGROUP CREATE x "" 0', r'XGROUP CREATE x "\x00\xff" 0', "XINFO GROUPS x"],
            "order of names": [
                *STREAM,
                *(f"XGROUP CREATE x {name} 0" for name in ("b", "a", "B", "ab", "aa")),
                "XINFO GROUPS x",
            ],
        },
    )
)
BOOK.add(
    singles(
        "xgroup, syntax",
        [
            "XGROUP",
            "XGROUP BOGUS x g",
            "XGROUP BOGUS",
            "XGROUP HELP x",
            "XGROUP CREATE x g",
            "XGROUP CREATE x g 0 BOGUS",
            "XGROUP CREATE x g 0 ENTRIESREAD",
            "XGROUP CREATE x h 0 ENTRIESREAD x",
            "XGROUP CREATE x h 0 ENTRIESREAD -2",
            "XGROUP CREATE x h 0 MKSTREAM MKSTREAM",
            "XGROUP CREATE x h 0 MKSTREAM MKSTREAM MKSTREAM MKSTREAM",
            "XGROUP CREATE y h 0 MKSTREAM MKSTREAM MKSTREAM MKSTREAM",
            "XGROUP CREATE x h 0 ENTRIESREAD 1 ENTRIESREAD 2",
            "XGROUP CREATE x h -",
            "XGROUP CREATE x h +",
            "XGROUP CREATE x h >",
            "XGROUP CREATE x h 1-*",
            "XGROUP CREATE x h 1-1 entriesread 1 mkstream",
            "XGROUP SETID x g -",
            "XGROUP SETID x g +",
            "XGROUP SETID x g >",
            "XGROUP SETID x g 1 ENTRIESREAD",
            "XGROUP SETID x g 1 ENTRIESREAD 5",
            "XGROUP SETID x g 1 ENTRIESREAD -1",
            "XGROUP SETID x g 1 ENTRIESREAD -5",
            "XGROUP SETID x g 1 ENTRIESREAD 5 ENTRIESREAD 6",
            "XGROUP SETID x g 1 MKSTREAM",
            "XGROUP SETID x none 1",
            "XGROUP SETID y g 1",
            "XGROUP SETID x g",
            "XGROUP DESTROY x",
            "XGROUP DESTROY x g g",
            "XGROUP DESTROY x none",
            "XGROUP DESTROY y g",
            "XGROUP CREATECONSUMER x g",
            "XGROUP CREATECONSUMER x none c",
            "XGROUP CREATECONSUMER y g c",
            "XGROUP DELCONSUMER x g",
            "XGROUP DELCONSUMER x none c",
            "XGROUP DELCONSUMER y g c",
            "XGROUP DELCONSUMER x g none",
            "XINFO",
            "XINFO BOGUS x",
            "XINFO STREAM",
            "XINFO STREAM x BOGUS",
            "XINFO STREAM x FULL COUNT",
            "XINFO STREAM x FULL BOGUS 1",
            "XINFO STREAM x FULL COUNT x",
            "XINFO STREAM x FULL COUNT 1 2",
            "XINFO STREAM x COUNT 1",
            "XINFO STREAM y BOGUS",
            "XINFO GROUPS",
            "XINFO GROUPS x g",
            "XINFO CONSUMERS x",
            "XINFO CONSUMERS x none",
            "XINFO CONSUMERS y g",
            "XINFO CONSUMERS x g c",
        ],
        setup=GROUP,
        probe=["XINFO GROUPS x", "EXISTS y"],
    )
)
BOOK.add(
    table(
        "xgroup",
        {
            "setid": [
                *READ,
                "XGROUP SETID x g 1",
                *SHOW,
                "XREADGROUP GROUP g three COUNT 2 STREAMS x >",
                *SHOW,
            ],
            "setid to the end": [
                *READ,
                "XGROUP SETID x g $",
                *SHOW,
                "XGROUP SETID x g $ ENTRIESREAD 6",
                *SHOW,
            ],
            "destroy": [
                *READ,
                "XGROUP DESTROY x g",
                "XGROUP DESTROY x g",
                "XINFO GROUPS x",
                "XINFO STREAM x FULL",
            ],
            "destroy and create": [*READ, "XGROUP DESTROY x g", "XGROUP CREATE x g 2", *SHOW],
            "createconsumer": [*GROUP, "XGROUP CREATECONSUMER x g c", "XGROUP CREATECONSUMER x g c", *SHOW],
            "delconsumer": [*READ, "XGROUP DELCONSUMER x g one", *SHOW, "XGROUP DELCONSUMER x g one", *SHOW],
            "delconsumer of nothing": [
                *GROUP,
                "XGROUP CREATECONSUMER x g c",
                "XGROUP DELCONSUMER x g c",
                *SHOW,
            ],
            "key deleted": [
                *READ,
                "DEL x",
                "XREADGROUP GROUP g one STREAMS x >",
                "XPENDING x g",
                "XACK x g 1-1",
            ],
            "watched": [*READ, "WATCH x", "XGROUP SETID x g 0", "XACK x g 1-1", "MULTI", "PING", "EXEC"],
            "watched, made": ["WATCH x", "XGROUP CREATE x g 0 MKSTREAM", "MULTI", "PING", "EXEC"],
            "watched, read": [
                *READ,
                "WATCH x",
                "XREADGROUP GROUP g new STREAMS x >",
                "MULTI",
                "PING",
                "EXEC",
            ],
            "watched, claimed": [
                *READ,
                "WATCH x",
                "XCLAIM x g new 0 1-1",
                "XAUTOCLAIM x g new 0 0",
                "MULTI",
                "PING",
                "EXEC",
            ],
        },
    )
)
BOOK.add(
    table(
        "xreadgroup",
        {
            "new": [
                *READ,
                *SHOW,
                "XREADGROUP GROUP g one STREAMS x >",
                "XREADGROUP GROUP g one STREAMS x >",
                *SHOW,
            ],
            "history": [
                *READ,
                "XREADGROUP GROUP g one STREAMS x 0",
                "XREADGROUP GROUP g one COUNT 1 STREAMS x 0",
                "XREADGROUP GROUP g two STREAMS x 4-4",
                "XREADGROUP GROUP g three STREAMS x 0",
                *SHOW,
            ],
            "history from ids": [
                *READ,
                "XREADGROUP GROUP g one STREAMS x 1-1",
                "XREADGROUP GROUP g one STREAMS x 2",
                "XREADGROUP GROUP g one STREAMS x 3-3",
                "XREADGROUP GROUP g one STREAMS x 18446744073709551615-18446744073709551614",
            ],
            "the last id is new": [
                *READ,
                "XREADGROUP GROUP g one STREAMS x 18446744073709551615-18446744073709551615",
                *SHOW,
            ],
            "history of deleted": [
                *READ,
                "XDEL x 2-2 3-3",
                "XREADGROUP GROUP g one STREAMS x 0",
                "XREADGROUP GROUP g one COUNT 2 STREAMS x 1-1",
                *SHOW,
            ],
            "noack": [
                *GROUP,
                "XREADGROUP GROUP g one NOACK COUNT 2 STREAMS x >",
                *SHOW,
                "XREADGROUP GROUP g one NOACK STREAMS x 0",
                *SHOW,
            ],
            "several": [
                *READ,
                "XADD y 1 a 1",
                "XGROUP CREATE y g 0",
                "XREADGROUP GROUP g one STREAMS x y > >",
                "XREADGROUP GROUP g one STREAMS x y > 0",
                "XREADGROUP GROUP g one STREAMS y x 0 0",
                "XINFO GROUPS y",
            ],
            "several, the second wrong": [
                *READ,
                "XADD y 1 a 1",
                "XREADGROUP GROUP g new STREAMS x y > >",
                "XREADGROUP GROUP g new STREAMS x none > >",
                *SHOW,
            ],
            "several, an id wrong": [
                *READ,
                "XADD y 1 a 1",
                "XGROUP CREATE y g 0",
                "XREADGROUP GROUP g new STREAMS x y > bogus",
                "XREADGROUP GROUP g new STREAMS y x bogus >",
                *SHOW,
            ],
            "several, two wrong": [
                *READ,
                "SET y v",
                "XREADGROUP GROUP g c STREAMS x y bogus >",
                "XREADGROUP GROUP g c STREAMS y x > bogus",
                "XREADGROUP GROUP h c STREAMS x y > >",
            ],
            "a stream twice": [
                *GROUP,
                "XREADGROUP GROUP g c COUNT 2 STREAMS x x > >",
                "XREADGROUP GROUP g c COUNT 2 STREAMS x x > 0",
                *SHOW,
            ],
            "no group": [
                *STREAM,
                "XREADGROUP GROUP g c STREAMS x >",
                "XREADGROUP GROUP g c STREAMS x bogus",
                "XREADGROUP GROUP g c STREAMS y >",
            ],
            "wrong type": ["SET x v", "XREADGROUP GROUP g c STREAMS x >", "XREADGROUP GROUP g c STREAMS x $"],
            "ids": [
                *GROUP,
                *(f"XREADGROUP GROUP g c STREAMS x {text}" for text in ("$", "-", "bogus", "(1", "1-*", "5")),
            ],
            "group twice": [
                *GROUP,
                "XGROUP CREATE x h 0",
                "XREADGROUP GROUP g c GROUP h d STREAMS x >",
                *SHOW,
                timed("XINFO CONSUMERS x h"),
            ],
            "added meanwhile": [
                *READ,
                "XADD x 10 a 1",
                "XREADGROUP GROUP g one STREAMS x >",
                "XADD x 11 a 1",
                *SHOW,
            ],
            "ids given again": [*READ, "XGROUP SETID x g 1-1", "XREADGROUP GROUP g two STREAMS x >", *SHOW],
            "to oneself again": [
                *READ,
                "XGROUP SETID x g 0",
                "XREADGROUP GROUP g one COUNT 2 STREAMS x >",
                *SHOW,
            ],
            "count zero and less": [
                *GROUP,
                "XREADGROUP GROUP g c COUNT 0 STREAMS x >",
                "XREADGROUP GROUP g c COUNT -1 STREAMS x 0",
            ],
            "in exec": [
                *GROUP,
                "MULTI",
                "XREADGROUP GROUP g c STREAMS x >",
                "XREADGROUP GROUP g c BLOCK 0 STREAMS x >",
                "XACK x g 1-1",
                "EXEC",
                *SHOW,
            ],
            "empty stream": [
                "XGROUP CREATE x g 0 MKSTREAM",
                "XREADGROUP GROUP g c STREAMS x >",
                "XREADGROUP GROUP g c STREAMS x 0",
                *SHOW,
            ],
        },
    )
)
_LAG: list[Line] = ["XINFO GROUPS x", timed("XINFO STREAM x FULL")]
BOOK.add(
    table(
        "lag",
        {
            "as it is read": [
                *GROUP,
                *_LAG,
                *(line for _ in range(4) for line in ("XREADGROUP GROUP g c COUNT 2 STREAMS x >", *_LAG)),
            ],
            "deleted ahead": [
                *READ,
                "XDEL x 6-6",
                *_LAG,
                "XADD x 7-7 a 1",
                *_LAG,
                "XREADGROUP GROUP g c STREAMS x >",
                *_LAG,
            ],
            "deleted behind": [*READ, "XDEL x 2-2", *_LAG, "XREADGROUP GROUP g c STREAMS x >", *_LAG],
            "deleted, first": [*READ, "XDEL x 1-1", *_LAG, "XREADGROUP GROUP g c STREAMS x >", *_LAG],
            "trimmed": [
                *READ,
                "XTRIM x MAXLEN 3",
                *_LAG,
                "XTRIM x MAXLEN 1",
                *_LAG,
                "XREADGROUP GROUP g c STREAMS x >",
                *_LAG,
            ],
            "trimmed beyond": [
                *GROUP,
                "XTRIM x MAXLEN 2",
                *_LAG,
                "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
                *_LAG,
            ],
            "trimmed to nothing": [*READ, "XTRIM x MAXLEN 0", *_LAG, "XADD x 9 a 1", *_LAG],
            "deleted to nothing": [
                *GROUP,
                "XDEL x 1-1 2-2 3-3 4-4 5-5 6-6",
                *_LAG,
                "XADD x 9 a 1",
                *_LAG,
                "XREADGROUP GROUP g c STREAMS x >",
                *_LAG,
            ],
            "arbitrary ids": [
                *STREAM,
                *(f"XGROUP CREATE x g{n} {n}" for n in range(9)),
                *(f"XGROUP CREATE x h{n} {n}-{n}" for n in range(9)),
                *_LAG,
            ],
            "arbitrary ids, deleted": [
                *STREAM,
                "XDEL x 1-1 4-4",
                *(f"XGROUP CREATE x g{n} {n}" for n in range(9)),
                *(f"XGROUP CREATE x h{n} {n}-{n}" for n in range(9)),
                *_LAG,
                *(f"XGROUP CREATECONSUMER x h{n} c" for n in range(9)),
                *(f"XREADGROUP GROUP h{n} c COUNT 2 STREAMS x >" for n in range(9)),
                *_LAG,
            ],
            "set": [
                *READ,
                "XGROUP SETID x g 3-3",
                *_LAG,
                "XGROUP SETID x g 6-6",
                *_LAG,
                "XGROUP SETID x g 100",
                *_LAG,
                "XGROUP SETID x g 2-2 ENTRIESREAD 2",
                *_LAG,
            ],
            "read after a set": [
                *READ,
                "XGROUP SETID x g 3-3",
                "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
                *_LAG,
                "XREADGROUP GROUP g c STREAMS x >",
                *_LAG,
            ],
            "of a stream with its past set": [
                *GROUP,
                "XSETID x 9-9 ENTRIESADDED 20 MAXDELETEDID 8-8",
                *_LAG,
                "XREADGROUP GROUP g c STREAMS x >",
                *_LAG,
            ],
            "in an empty stream": [
                "XGROUP CREATE x g 0 MKSTREAM",
                "XSETID x 5-5 ENTRIESADDED 7",
                *_LAG,
                "XGROUP CREATE x h $",
                *_LAG,
            ],
        },
    )
)
BOOK.add(
    table(
        "xack",
        {
            "one": [*READ, "XACK x g 1-1", *SHOW, "XACK x g 1-1", *SHOW],
            "several": [
                *READ,
                "XACK x g 1-1 2 2-2 5-5 6-6 7-7 1-1",
                *SHOW,
                "XREADGROUP GROUP g one STREAMS x 0",
            ],
            "all": [*READ, "XACK x g 1-1 2-2 3-3 4-4 5-5", *SHOW],
            "no key": ["XACK x g 1", "XACK x g bogus", "EXISTS x"],
            "no group": [*GROUP, "XACK x h 1-1", "XACK x h bogus"],
            "bad ids": [*READ, "XACK x g 1-1 bogus", "XACK x g -", "XACK x g 1-*", *SHOW],
            "wrong type": ["SET x v", "XACK x g 1-1"],
            "arity": ["XACK x g", "XACK x"],
            "of deleted entries": [*READ, "XDEL x 1-1", "XACK x g 1-1", *SHOW],
        },
    )
)
BOOK.add(
    table(
        "xpending",
        {
            "summary": [
                *READ,
                "XPENDING x g",
                "XACK x g 1-1 5-5",
                "XPENDING x g",
                "XACK x g 4-4",
                "XPENDING x g",
            ],
            "nothing": [*GROUP, "XPENDING x g", "XPENDING x g - + 10", "XPENDING x g - + 10 none"],
            "of one": [
                *READ,
                near("XPENDING x g - + 10 one", TOLERANCE),
                near("XPENDING x g - + 10 two", TOLERANCE),
                "XPENDING x g - + 10 three",
            ],
            "ranges": [
                *READ,
                *(
                    near(f"XPENDING x g {text}", TOLERANCE)
                    for text in (
                        "2 3-3 10",
                        "(2-2 (4-4 10",
                        "2-2 4 1",
                        "+ - 10",
                        "- + 0",
                        "- + -5",
                        "4 4 10 two",
                        "- (1-1 10",
                    )
                ),
            ],
            "idle": [
                *READ,
                "XCLAIM x g one 0 2-2 IDLE 100000",
                *(
                    near(f"XPENDING x g IDLE {text}", TOLERANCE)
                    for text in (
                        "50000 - + 10",
                        "50000 - + 10 one",
                        "50000 - + 10 two",
                        "200000 - + 10",
                        "0 - + 10",
                        "-1 - + 2",
                    )
                ),
            ],
            "of deleted entries": [
                *READ,
                "XDEL x 1-1",
                near("XPENDING x g - + 10", TOLERANCE),
                "XPENDING x g",
            ],
            "no key": ["XPENDING x g", "XPENDING x g - + 1", "XPENDING x g bogus + 1"],
            "no group": [*GROUP, "XPENDING x h", "XPENDING x h - + 1"],
            "wrong type": ["SET x v", "XPENDING x g", "XPENDING x g - + 1"],
        },
    )
)
BOOK.add(
    singles(
        "xpending, syntax",
        [
            "XPENDING x",
            "XPENDING x g -",
            "XPENDING x g - +",
            "XPENDING x g - + x",
            "XPENDING x g bogus + 1",
            "XPENDING x g - bogus 1",
            "XPENDING x g - bogus x",
            "XPENDING x g (18446744073709551615-18446744073709551615 + 1",
            "XPENDING x g - (0-0 1",
            near("XPENDING x g - + 1 one two", TOLERANCE),
            "XPENDING x g IDLE 5 - +",
            "XPENDING x g IDLE x - + 1",
            "XPENDING x g IDLE 5 - + x",
            "XPENDING x g IDLE 5 - + 1 one two",
            "XPENDING x g IDLE 5 -",
            "XPENDING x g BOGUS 5 - + 1",
        ],
        setup=READ,
    )
)
BOOK.add(
    table(
        "xclaim",
        {
            "one": [*CLAIM, "XCLAIM x g two 0 1-1", *SHOW, "XCLAIM x g two 0 1-1", *SHOW],
            "several": [*CLAIM, "XCLAIM x g new 0 1-1 3-3 5-5 6-6", *SHOW],
            "justid": [*CLAIM, "XCLAIM x g two 0 1-1 4-4 JUSTID", *SHOW],
            "not idle for long enough": [*CLAIM, "XCLAIM x g new 100000 1-1", *SHOW],
            "negative idle": [*CLAIM, "XCLAIM x g new -100000 1-1", *SHOW],
            "idle option": [
                *CLAIM,
                "XCLAIM x g two 0 1-1 IDLE 50000",
                *SHOW,
                "XCLAIM x g two 60000 1-1",
                "XCLAIM x g two 40000 1-1",
                *SHOW,
            ],
            "idle beyond": [
                *CLAIM,
                "XCLAIM x g two 0 1-1 IDLE 9223372036854775807",
                *SHOW,
                "XCLAIM x g two 0 1-1 IDLE -5",
                *SHOW,
            ],
            "time option": [
                *CLAIM,
                "XCLAIM x g two 0 1-1 TIME {ms-50000}",
                *SHOW,
                "XCLAIM x g two 0 1-1 TIME 0",
                "XCLAIM x g two 0 1-1 TIME {ms+500000}",
                *SHOW,
            ],
            "time negative": [*CLAIM, "XCLAIM x g two 0 1-1 TIME -1", "XCLAIM x g two 0 1-1 TIME -2", *SHOW],
            "retrycount": [
                *CLAIM,
                "XCLAIM x g two 0 1-1 RETRYCOUNT 7",
                "XCLAIM x g two 0 2-2 RETRYCOUNT 0 JUSTID",
                "XCLAIM x g two 0 3-3 RETRYCOUNT -1",
                *SHOW,
            ],
            "force": [
                *CLAIM,
                "XCLAIM x g two 0 6-6 FORCE",
                *SHOW,
                "XCLAIM x g two 0 7-7 FORCE",
                "XCLAIM x g new 100000 1-1 FORCE",
                *SHOW,
            ],
            "force justid": [*CLAIM, "XCLAIM x g two 100000 6-6 FORCE JUSTID", *SHOW],
            "force in between": [
                *GROUP,
                "XCLAIM x g a 0 4-4 FORCE",
                "XCLAIM x g a 0 2-2 FORCE",
                "XCLAIM x g b 0 3-3 6-6 1-1 FORCE",
                *SHOW,
                "XREADGROUP GROUP g a STREAMS x 0",
            ],
            "force with retrycount": [*CLAIM, "XCLAIM x g two 0 6-6 FORCE RETRYCOUNT 5", *SHOW],
            "lastid": [
                *CLAIM,
                "XCLAIM x g two 0 1-1 LASTID 5-9",
                *SHOW,
                "XCLAIM x g two 0 1-1 LASTID 1-1",
                *SHOW,
            ],
            "lastid alone": [*CLAIM, "XCLAIM x g two 0 100 LASTID 6-6 JUSTID", *SHOW],
            "deleted": [
                *CLAIM,
                "XDEL x 1-1 4-4",
                "XCLAIM x g new 0 1-1",
                *SHOW,
                "XCLAIM x g new 100000 4-4",
                *SHOW,
            ],
            "everything": [
                *CLAIM,
                "XCLAIM x g new 0 1-1 2-2 IDLE 1000 RETRYCOUNT 3 FORCE JUSTID LASTID 9-9",
                *SHOW,
            ],
            "no key": ["XCLAIM x g c 0 1", "XCLAIM x g c bogus bogus"],
            "no group": [*GROUP, "XCLAIM x h c 0 1"],
            "wrong type": ["SET x v", "XCLAIM x g c 0 1"],
            "an id twice": [*CLAIM, "XCLAIM x g new 0 1-1 1-1", *SHOW],
        },
    )
)
BOOK.add(
    singles(
        "xclaim, syntax",
        [
            "XCLAIM x g c 0",
            "XCLAIM x g c x 1-1",
            "XCLAIM x g c 0 bogus",
            "XCLAIM x g c 0 1-1 bogus",
            "XCLAIM x g c 0 1-1 bogus 2-2",
            "XCLAIM x g c 0 JUSTID",
            "XCLAIM x g c 0 1-1 JUSTID 2-2",
            "XCLAIM x g c 0 1-1 IDLE",
            "XCLAIM x g c 0 1-1 IDLE x",
            "XCLAIM x g c 0 1-1 TIME",
            "XCLAIM x g c 0 1-1 TIME x",
            "XCLAIM x g c 0 1-1 RETRYCOUNT",
            "XCLAIM x g c 0 1-1 RETRYCOUNT x",
            "XCLAIM x g c 0 1-1 LASTID",
            "XCLAIM x g c 0 1-1 LASTID x",
            "XCLAIM x g c 0 -",
            "XCLAIM x g c 0 1-1 idle 5 time 5 retrycount 1 force justid",
            "XAUTOCLAIM x g c 0",
            "XAUTOCLAIM x g c x 0",
            "XAUTOCLAIM x g c 0 bogus",
            "XAUTOCLAIM x g c 0 (18446744073709551615-18446744073709551615",
            "XAUTOCLAIM x g c 0 0 COUNT",
            "XAUTOCLAIM x g c 0 0 COUNT x",
            "XAUTOCLAIM x g c 0 0 COUNT 0",
            "XAUTOCLAIM x g c 0 0 COUNT -1",
            "XAUTOCLAIM x g c 0 0 COUNT 576460752303423488",
            "XAUTOCLAIM x g c 0 0 COUNT 9223372036854775807",
            "XAUTOCLAIM x g c 0 0 BOGUS",
            "XAUTOCLAIM x g c 0 0 JUSTID COUNT 1 JUSTID",
            "XAUTOCLAIM x h c 0 0",
            "XAUTOCLAIM y g c 0 0",
            "XAUTOCLAIM y g c 0 bogus",
        ],
        setup=READ,
        probe=["XPENDING x g"],
    )
)
BOOK.add(
    table(
        "xautoclaim",
        {
            "all": [*CLAIM, "XAUTOCLAIM x g new 0 0", *SHOW],
            "justid": [*CLAIM, "XAUTOCLAIM x g new 0 - JUSTID", *SHOW],
            "in steps": [
                *CLAIM,
                "XAUTOCLAIM x g new 0 0 COUNT 2",
                "XAUTOCLAIM x g new 0 3-3 COUNT 2",
                "XAUTOCLAIM x g new 0 5-5 COUNT 2",
                *SHOW,
            ],
            "exactly the last": [
                *CLAIM,
                "XAUTOCLAIM x g new 0 0 COUNT 5",
                "XAUTOCLAIM x g new 0 0 COUNT 4",
                *SHOW,
            ],
            "starts": [
                *CLAIM,
                "XAUTOCLAIM x g new 0 (2-2 COUNT 1",
                "XAUTOCLAIM x g new 0 4",
                "XAUTOCLAIM x g new 0 +",
                "XAUTOCLAIM x g new 0 9",
                *SHOW,
            ],
            "not idle": [*CLAIM, "XAUTOCLAIM x g new 100000 0", *SHOW],
            "some idle": [
                *CLAIM,
                "XCLAIM x g one 0 2-2 5-5 IDLE 100000",
                "XAUTOCLAIM x g new 50000 0 COUNT 1",
                "XAUTOCLAIM x g new 50000 0",
                *SHOW,
            ],
            "deleted": [*CLAIM, "XDEL x 1-1 4-4", "XAUTOCLAIM x g new 0 0", *SHOW],
            "deleted count": [
                *CLAIM,
                "XDEL x 1-1 2-2",
                "XAUTOCLAIM x g new 0 0 COUNT 2",
                "XAUTOCLAIM x g new 0 0 COUNT 2",
                *SHOW,
            ],
            "deleted only": [*CLAIM, "XTRIM x MAXLEN 0", "XAUTOCLAIM x g new 0 0", *SHOW],
            "attempts": [
                *[f"XADD x {n} f v" for n in range(1, 31)],
                "XGROUP CREATE x g 0",
                "XREADGROUP GROUP g one STREAMS x >",
                "XAUTOCLAIM x g new 100000 0 COUNT 1",
                "XAUTOCLAIM x g new 100000 0 COUNT 2",
                "XAUTOCLAIM x g new 100000 0 COUNT 3",
            ],
            "nothing pending": [*GROUP, "XGROUP CREATECONSUMER x g new", "XAUTOCLAIM x g new 0 0", *SHOW],
            "wrong type": ["SET x v", "XAUTOCLAIM x g c 0 0"],
        },
    )
)
BOOK.add(
    table(
        "xinfo",
        {
            "full": [
                *READ,
                timed("XINFO STREAM x FULL"),
                timed("XINFO STREAM x FULL COUNT 1"),
                timed("XINFO STREAM x full count 0"),
                timed("XINFO STREAM x FULL COUNT -5"),
            ],
            "full of many": [
                *[f"XADD x {n} f v" for n in range(1, 31)],
                "XGROUP CREATE x g 0",
                "XREADGROUP GROUP g c STREAMS x >",
                timed("XINFO STREAM x FULL"),
                timed("XINFO STREAM x FULL COUNT 20"),
            ],
            "consumers": [
                *READ,
                timed("XINFO CONSUMERS x g"),
                "XGROUP CREATECONSUMER x g a",
                timed("XINFO CONSUMERS x g"),
            ],
            "groups": [*READ, "XGROUP CREATE x f $", "XINFO GROUPS x"],
            "without groups": [*STREAM, "XINFO GROUPS x", "XINFO STREAM x", "XINFO STREAM x FULL"],
        },
    )
)
