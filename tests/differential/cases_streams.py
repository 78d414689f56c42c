"""Cases of streams: adding with every option, forms of ids, ranges, deleting, trimming, XREAD, XSETID."""

from __future__ import annotations

from tests.differential.case import Book, args, kinds, near, shape, singles, table

BOOK = Book()

OTHER = ["SET s v"]
STREAM = ["XADD x 1-1 a 1", "XADD x 1-2 b 2 c 3", "XADD x 2-0 a 1", "XADD x 3-5 a 4", "XADD x 5 a 5"]
SHOW = ["XRANGE x - +", "XLEN x", "XINFO STREAM x"]

# Texts that are ids, nearly ids, or none.
IDS = [
    "1-1",
    "1",
    "0",
    "0-0",
    "0-1",
    "2-",
    "-2",
    "-",
    "+",
    "(",
    "(2-0",
    "(-",
    "$",
    ">",
    "*",
    "2-*",
    "5-*",
    "6-*",
    "*-2",
    "-*",
    "18446744073709551615",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615-*",
    "18446744073709551616-0",
    "1-18446744073709551616",
    "9223372036854775808-9223372036854775808",
    "007",
    "+7",
    "+7-+7",
    '" 7"',
    '"7 "',
    '" 7- 7"',
    "7--7",
    "7--07",
    "-7-7",
    "7-7-7",
    "x",
    "7-x",
    "7.0",
    '""',
    '"7-7\\x00x"',
    "0" * 126 + "7",
    "0" * 127 + "7",
]

BOOK.add(
    table(
        "xadd",
        {
            "ids ascend": [*STREAM, *SHOW],
            "one id twice": ["XADD x 1-1 a 1", "XADD x 1-1 a 1", "XADD x 1-0 a 1", "XADD x 1 a 1", *SHOW],
            "zero": ["XADD x 0-0 a 1", "XADD x 0 a 1", "EXISTS x", "XADD x 0-1 a 1", *SHOW],
            "partial ids": ["XADD x 5-* a 1", "XADD x 5-* a 2", "XADD x 6-* a 3", "XADD x 5-* a 4", *SHOW],
            "partial id zero": ["XADD x 0-* a 1", "XADD x 0-* a 2", *SHOW],
            "the last ids": [
                "XADD x 18446744073709551615-18446744073709551614 a 1",
                "XADD x 18446744073709551615-* a 1",
                "XADD x 18446744073709551615-* a 1",
                "XADD x * a 1",
                "XADD x 1-1 a 1",
                *SHOW,
            ],
            "sequence at its end": [
                "XADD x 5-18446744073709551615 a 1",
                kinds("XADD x 5-* a 1"),
                "XADD x 6-* a 1",
                *SHOW,
            ],
            "after an id in the future": [
                "XADD x 9999999999999-18446744073709551615 a 1",
                "XADD x * a 1",
                "XADD x * a 1",
                *SHOW,
            ],
            "auto ids": [shape("XADD x * a 1"), shape("XADD x * a 2"), "XLEN x"],
            "auto id with options": [
                shape("XADD x MAXLEN 1 * a 1"),
                shape("XADD x MAXLEN = 1 * a 2"),
                "XLEN x",
            ],
            "field and value": ["XADD x 1-1 a", "XADD x 1-1 a 1 b", "XADD x 1-1", "EXISTS x"],
            "field twice": ["XADD x 1-1 a 1 a 2 a 3", *SHOW],
            "empty and binary": [
                'XADD x 1-1 "" ""',
                args(b"XADD", b"x", b"2-2", b"\x00\xff", b"\r\n"),
                *SHOW,
            ],
            "numbers stay as written": ["XADD x 1-1 1 007 -0 1.0 9223372036854775808 1e3", *SHOW],
            "long values": [args(b"XADD", b"x", b"1-1", b"f" * 300, b"v" * 70_000), *SHOW],
            "other fields": [
                "XADD x 1 a 1 b 2",
                "XADD x 2 a 1",
                "XADD x 3 b 2 a 1",
                "XADD x 4 a 3 b 4",
                *SHOW,
            ],
            "nomkstream": [
                "XADD x NOMKSTREAM 1-1 a 1",
                "EXISTS x",
                *STREAM,
                "XADD x NOMKSTREAM 9-1 a 1",
                *SHOW,
            ],
            "nomkstream auto": ["XADD x NOMKSTREAM * a 1", "EXISTS x"],
            "nomkstream twice": [
                "XADD x NOMKSTREAM nomkstream 1-1 a 1",
                *STREAM,
                "XADD x NOMKSTREAM 9-* a b",
            ],
            "maxlen": [*STREAM, "XADD x MAXLEN 3 9-1 a 1", *SHOW],
            "maxlen equals": [*STREAM, "XADD x MAXLEN = 3 9-1 a 1", *SHOW],
            "maxlen zero": [
                *STREAM,
                "XADD x MAXLEN 0 9-1 a 1",
                *SHOW,
                "XADD x 9-1 a 1",
                "XADD x 9-2 a 1",
                *SHOW,
            ],
            "minid": [*STREAM, "XADD x MINID 2 9-1 a 1", *SHOW],
            "minid with sequence": [*STREAM, "XADD x MINID = 2-1 9-1 a 1", *SHOW],
            "minid beyond all": [*STREAM, "XADD x MINID 100 9-1 a 1", *SHOW],
            "maxlen approximately": [*STREAM, "XADD x MAXLEN ~ 1 9-1 a 1", *SHOW],
            "maxlen with nomkstream": ["XADD x NOMKSTREAM MAXLEN ~ 10 LIMIT 5 1-1 a 1", "EXISTS x"],
            "a key of another type": [*OTHER, "XADD s * a 1", "XADD s 1-1 a 1", "XADD s NOMKSTREAM 1-1 a 1"],
            "keeps the ttl": [*STREAM, "EXPIRE x 1000", "XADD x 9-1 a 1", "XDEL x 9-1", near("TTL x", 2)],
            "over an expired key": [*STREAM, "PEXPIREAT x 1", "XADD x 1-1 a 1", *SHOW, "TTL x"],
            "arity": [
                "XADD",
                "XADD x",
                "XADD x *",
                "XADD x * a",
                "XLEN",
                "XLEN x y",
                "XDEL x",
                "XTRIM x MAXLEN",
            ],
            "type": [*STREAM, "TYPE x", "OBJECT ENCODING x"],
        },
    )
)
BOOK.add(
    singles(
        "xadd, syntax",
        [
            "XADD x MAXLEN 5 a 1",
            "XADD x MAXLEN",
            "XADD x MAXLEN x 1-1 a 1",
            "XADD x MAXLEN -1 1-1 a 1",
            "XADD x MAXLEN ~ -1 1-1 a 1",
            "XADD x MAXLEN ~ 9-9 a 1",
            "XADD x MAXLEN = ~ 5 9-9 a 1",
            "XADD x MAXLEN ~ = 5 9-9 a 1",
            "XADD x MAXLEN 5 MAXLEN 5 9-9 a 1",
            "XADD x MAXLEN 5 MINID 5 9-9 a 1",
            "XADD x MINID 5 MAXLEN 5 9-9 a 1",
            "XADD x MINID x 9-9 a 1",
            "XADD x MINID - 9-9 a 1",
            "XADD x MINID + 9-9 a 1",
            "XADD x MINID ~ 2 9-9 a 1",
            "XADD x LIMIT 5 9-9 a 1",
            "XADD x LIMIT 0 9-9 a 1",
            "XADD x LIMIT -1 9-9 a 1",
            "XADD x LIMIT x 9-9 a 1",
            "XADD x LIMIT 5 LIMIT 6 9-9 a 1",
            "XADD x MAXLEN 5 LIMIT 5 9-9 a 1",
            "XADD x MAXLEN 5 LIMIT 0 9-9 a 1",
            "XADD x MAXLEN = 5 LIMIT 5 9-9 a 1",
            "XADD x MAXLEN ~ 1 LIMIT 5 9-9 a 1",
            "XADD x LIMIT 5 MAXLEN ~ 1 9-9 a 1",
            "XADD x MAXLEN ~ 1 LIMIT 0 9-9 a 1",
            "XADD x MAXLEN ~ 1 LIMIT -5 9-9 a 1",
            "XADD x maxlen ~ 1 limit 5 nomkstream 9-9 a 1",
            "XADD x BOGUS 9-9 a 1",
            "XADD x 9-9 NOMKSTREAM a",
            "XADD x 9-9 MAXLEN 5 a 1",
            "XADD x NOMKSTREAM a 1 b",
            "XADD x MAXLEN 1 2 3 4",
            "XADD x ( a 1",
            "XADD x MAXLEN 0 9-9 a",
        ],
        setup=STREAM,
        probe=SHOW,
    )
)
BOOK.add(
    singles(
        "xadd, ids",
        [f"XADD x {text} a 1" for text in IDS if text != "*"],
        setup=STREAM,
        probe=SHOW,
    )
)
BOOK.add(
    singles("xadd, ids of a new stream", [f"XADD x {text} a 1" for text in IDS if text != "*"], probe=SHOW)
)
BOOK.add(
    table(
        "ranges",
        {
            "all": [*STREAM, "XRANGE x - +", "XREVRANGE x + -"],
            "by milliseconds": [
                *STREAM,
                "XRANGE x 1 1",
                "XRANGE x 2 3",
                "XREVRANGE x 1 1",
                "XREVRANGE x 3 2",
            ],
            "by id": [*STREAM, "XRANGE x 1-2 3-4", "XREVRANGE x 3-5 1-2", "XRANGE x 3-5 3-5"],
            "exclusive": [
                *STREAM,
                "XRANGE x (1-1 (5-0",
                "XREVRANGE x (5-0 (1-1",
                "XRANGE x (1 (3",
                "XRANGE x (2 +",
            ],
            "exclusive of the ends": [
                *STREAM,
                "XRANGE x (18446744073709551615-18446744073709551615 +",
                "XRANGE x - (0-0",
                "XRANGE x (0-0 (0-1",
                "XREVRANGE x (0-0 -",
                "XREVRANGE x + (18446744073709551615-18446744073709551615",
                "XREVRANGE x (0 (18446744073709551615-18446744073709551615",
                "XRANGE x (- +",
                "XRANGE x - (+",
                "XRANGE x ( +",
            ],
            "turned round": [*STREAM, "XRANGE x + -", "XREVRANGE x - +", "XRANGE x 3 1"],
            "count": [
                *STREAM,
                *(
                    f"{line} COUNT {count}"
                    for count in (0, 1, 2, 4, 5, 6, -1, -2)
                    for line in ("XRANGE x - +",)
                ),
                *(f"XREVRANGE x + - COUNT {count}" for count in (0, 1, 2, 5, 100, -1)),
                "XRANGE x 1-2 3-5 COUNT 2",
                "XREVRANGE x 3-5 1-2 COUNT 2",
            ],
            "count twice": [*STREAM, "XRANGE x - + COUNT 1 COUNT 2", "XREVRANGE x + - COUNT 1 COUNT 2"],
            "no key": ["XRANGE x - +", "XREVRANGE x + -", "XRANGE x - + COUNT 0", "XLEN x", "XRANGE x y z"],
            "wrong type": [
                *OTHER,
                "XRANGE s - +",
                "XREVRANGE s + -",
                "XLEN s",
                "XRANGE s y z",
                "XRANGE s - + COUNT 0",
            ],
            "syntax": [
                *STREAM,
                "XRANGE x - + COUNT",
                "XRANGE x - + COUNT x",
                "XRANGE x - + BOGUS 1",
                "XRANGE x - + 1",
                "XRANGE x -",
                "XRANGE x",
                "XREVRANGE x + - COUNT",
                "XREVRANGE x +",
                "XREVRANGE x bogus worse",
                "XRANGE x bogus worse COUNT x",
            ],
        },
    )
)
BOOK.add(singles("ranges, starts", [f"XRANGE x {text} +" for text in IDS], setup=STREAM))
BOOK.add(singles("ranges, ends", [f"XRANGE x - {text}" for text in IDS], setup=STREAM))
BOOK.add(singles("ranges, back", [f"XREVRANGE x + {text}" for text in IDS], setup=STREAM))

_MANY = [f"XADD x {number} f {number} g value" for number in range(1, 351)]
BOOK.add(
    table(
        "many entries",
        {
            "ranges": [
                *_MANY,
                "XLEN x",
                *(f"XRANGE x {start} {start + 3}" for start in range(1, 351, 33)),
                *(f"XREVRANGE x {start} - COUNT 3" for start in range(1, 351, 33)),
                "XRANGE x 90 210",
                "XREVRANGE x 210 90",
                "XRANGE x (100 (101",
            ],
            "deleted here and there": [
                *_MANY,
                *(f"XDEL x {at} {at + 1} {at * 2}" for at in range(1, 170, 5)),
                "XRANGE x - +",
                "XREVRANGE x + -",
                "XLEN x",
                "XTRIM x MAXLEN ~ 120",
                "XLEN x",
                "XTRIM x MINID ~ 250",
                "XTRIM x MAXLEN 20",
                "XRANGE x - +",
            ],
            "a whole block deleted": [
                *_MANY,
                "XDEL x " + " ".join(map(str, range(101, 201))),
                "XRANGE x 95 205",
                "XLEN x",
            ],
            "approximate lengths": [
                *_MANY,
                *(
                    f"XTRIM x MAXLEN ~ {most}"
                    for most in (351, 350, 349, 251, 250, 249, 151, 101, 100, 51, 50, 1, 0)
                ),
                "XINFO STREAM x",
            ],
            "approximate ids": [
                *_MANY,
                *(f"XTRIM x MINID ~ {least}" for least in (1, 2, 100, 101, 102, 200, 301, 350, 351, 500)),
                "XINFO STREAM x",
            ],
            "exact lengths": [
                *_MANY,
                *(f"XTRIM x MAXLEN {most}" for most in (349, 250, 249, 101, 100, 99, 1, 0)),
                "XLEN x",
            ],
            "exact ids": [
                *_MANY,
                *(f"XTRIM x MINID {least}" for least in (1, 2, 100, 101, 202, 350, 351)),
                "XLEN x",
            ],
            "limits": [
                *_MANY,
                "XTRIM x MAXLEN ~ 0 LIMIT 1",
                "XTRIM x MAXLEN ~ 0 LIMIT 99",
                "XTRIM x MAXLEN ~ 0 LIMIT 100",
                "XTRIM x MINID ~ 1000 LIMIT 150",
                "XTRIM x MAXLEN ~ 0 LIMIT 0",
                "XLEN x",
            ],
            "trimmed as they come": [
                *(f"XADD x MAXLEN ~ 120 {number} f v" for number in range(1, 351)),
                "XLEN x",
                "XRANGE x - + COUNT 1",
                *(f"XADD x MAXLEN 7 {number} f v" for number in range(351, 360)),
                "XRANGE x - +",
            ],
            "big entries": [
                *(f"XADD x {number} f {'v' * 400} g w{number}" for number in range(1, 40)),
                "XTRIM x MAXLEN ~ 20",
                "XTRIM x MAXLEN ~ 10",
                "XRANGE x - + COUNT 1",
            ],
        },
        protocols=(2,),
    )
)
BOOK.add(
    table(
        "xdel",
        {
            "one": [*STREAM, "XDEL x 1-2", *SHOW],
            "several": [*STREAM, "XDEL x 1-1 2 5 7 1-1", *SHOW],
            "all": [
                *STREAM,
                "XDEL x 1-1 1-2 2 3-5 5",
                "EXISTS x",
                *SHOW,
                "XADD x 5 a 1",
                "XADD x 5-1 a 1",
                *SHOW,
            ],
            "the last": [*STREAM, "XDEL x 5", *SHOW, "XADD x 5 a 1", "XADD x 5-* a 1", *SHOW],
            "no such id": [*STREAM, "XDEL x 4", "XDEL x 0 100", *SHOW],
            "no key": ["XDEL x 1", "XDEL x bogus", "EXISTS x"],
            "bad ids": [
                *STREAM,
                "XDEL x 1-1 bogus",
                "XDEL x -",
                "XDEL x +",
                "XDEL x 1-*",
                "XDEL x (1",
                *SHOW,
            ],
            "wrong type": [*OTHER, "XDEL s 1", "XDEL s bogus"],
            "keeps an expired stream away": [*STREAM, "PEXPIREAT x 1", "XDEL x 1-1", "EXISTS x"],
        },
    )
)
BOOK.add(
    table(
        "xtrim",
        {
            "maxlen": [*STREAM, "XTRIM x MAXLEN 3", *SHOW, "XTRIM x MAXLEN 3", "XTRIM x MAXLEN 100", *SHOW],
            "to nothing": [
                *STREAM,
                "XTRIM x MAXLEN 0",
                *SHOW,
                "EXISTS x",
                "XADD x 4 a 1",
                "XADD x 6 a 1",
                *SHOW,
            ],
            "minid": [*STREAM, "XTRIM x MINID 2", "XTRIM x MINID 3-5", "XTRIM x MINID 3-6", *SHOW],
            "minid of all": [*STREAM, "XTRIM x MINID 5-1", *SHOW],
            "approximately": [
                *STREAM,
                "XTRIM x MAXLEN ~ 2",
                "XTRIM x MINID ~ 3",
                "XTRIM x MAXLEN ~ 0",
                *SHOW,
            ],
            "approximately beyond": [*STREAM, "XTRIM x MINID ~ 6", *SHOW],
            "after deletions": [
                *STREAM,
                "XDEL x 1-1 5",
                "XTRIM x MAXLEN 2",
                *SHOW,
                "XTRIM x MINID ~ 4",
                *SHOW,
            ],
            "no key": ["XTRIM x MAXLEN 5", "XTRIM x MINID 5", "XTRIM x MAXLEN bogus", "EXISTS x"],
            "wrong type": [*OTHER, "XTRIM s MAXLEN 5", "XTRIM s BOGUS 5"],
        },
    )
)
BOOK.add(
    singles(
        "xtrim, syntax",
        [
            "XTRIM x BOGUS 5",
            "XTRIM x MAXLEN x",
            "XTRIM x MAXLEN -1",
            "XTRIM x MAXLEN ~",
            "XTRIM x MAXLEN =",
            "XTRIM x MAXLEN = 2",
            "XTRIM x MAXLEN 2 3",
            "XTRIM x MAXLEN 2 MINID 3",
            "XTRIM x MINID 2 MINID 3",
            "XTRIM x MINID (2",
            "XTRIM x MINID -",
            "XTRIM x MINID 2-*",
            "XTRIM x MINID 2 LIMIT",
            "XTRIM x MINID 2 LIMIT 1",
            "XTRIM x MINID ~ 2 LIMIT 1",
            "XTRIM x LIMIT 1",
            "XTRIM x LIMIT 0",
            "XTRIM x LIMIT 1 MAXLEN ~ 0",
            "XTRIM x NOMKSTREAM MAXLEN 1",
            "XTRIM x MAXLEN 2 NOMKSTREAM",
            "XTRIM x * 5",
        ],
        setup=STREAM,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "xsetid",
        {
            "higher": [*STREAM, "XSETID x 10-5", *SHOW, "XADD x 10-5 a 1", "XADD x 10-* a 1", *SHOW],
            "the same": [*STREAM, "XSETID x 5", *SHOW],
            "lower than the top": [*STREAM, "XSETID x 4", "XSETID x 0", *SHOW],
            "the last deleted one": [*STREAM, "XDEL x 5", "XSETID x 5-0", *SHOW],
            "lower after a trim": [
                *STREAM,
                "XTRIM x MAXLEN 0",
                "XSETID x 1-1",
                *SHOW,
                "XADD x 1-2 a 1",
                *SHOW,
            ],
            "entries added": [*STREAM, "XSETID x 7 ENTRIESADDED 100", *SHOW, "XADD x 8 a 1", *SHOW],
            "entries added too few": [
                *STREAM,
                "XSETID x 7 ENTRIESADDED 4",
                "XSETID x 7 ENTRIESADDED 5",
                *SHOW,
            ],
            "entries added to nothing": [*STREAM, "XTRIM x MAXLEN 0", "XSETID x 7 ENTRIESADDED 0", *SHOW],
            "max deleted": [*STREAM, "XSETID x 7 MAXDELETEDID 6", *SHOW, "XSETID x 7 MAXDELETEDID 0", *SHOW],
            "max deleted too high": [*STREAM, "XSETID x 7 MAXDELETEDID 8", *SHOW],
            "max deleted known": [*STREAM, "XSETID x 9 MAXDELETEDID 9", "XSETID x 9-1", *SHOW],
            "both": [
                *STREAM,
                "XSETID x 7 ENTRIESADDED 50 MAXDELETEDID 6",
                "XSETID x 7 MAXDELETEDID 5 ENTRIESADDED 9",
                *SHOW,
            ],
            "no key": ["XSETID x 1", "XSETID x bogus", "EXISTS x"],
            "wrong type": [*OTHER, "XSETID s 1", "XSETID s bogus"],
            "syntax": [
                *STREAM,
                "XSETID x",
                "XSETID x -",
                "XSETID x 9 BOGUS 1",
                "XSETID x 9 ENTRIESADDED",
                "XSETID x 9 ENTRIESADDED x",
                "XSETID x 9 ENTRIESADDED -1",
                "XSETID x 9 MAXDELETEDID",
                "XSETID x 9 MAXDELETEDID x",
                "XSETID x 9 1",
                *SHOW,
            ],
        },
    )
)
TWO = [*STREAM, "XADD {x}2 7-1 k v", "XADD {x}2 8-1 k v", "XADD y 1-1 k v"]
BOOK.add(
    table(
        "xread",
        {
            "one": [
                *STREAM,
                "XREAD STREAMS x 0",
                "XREAD STREAMS x 2-0",
                "XREAD STREAMS x 3",
                "XREAD STREAMS x 5",
            ],
            "count": [*STREAM, *(f"XREAD COUNT {count} STREAMS x 1-1" for count in (1, 2, 4, 5, 0, -1))],
            "several": [*TWO, "XREAD STREAMS x {x}2 y 0 0 0", "XREAD COUNT 1 STREAMS x {x}2 y 3 8 0"],
            "several, nothing in some": [
                *TWO,
                "XREAD STREAMS x {x}2 y none 9 7-1 9 0",
                "XREAD STREAMS none y 0 0",
            ],
            "nothing in any": [
                *TWO,
                "XREAD STREAMS x {x}2 y none 9 8-1 9 0",
                "XREAD STREAMS none 0",
                "XREAD STREAMS x $",
            ],
            "from now": [*TWO, "XREAD STREAMS x y $ $", "XREAD STREAMS x y $ 0", "XREAD STREAMS none $"],
            "a stream twice": [*TWO, "XREAD STREAMS x x 0 3", "XREAD STREAMS x x 5 3"],
            "after deletions": [
                *STREAM,
                "XDEL x 5",
                "XREAD STREAMS x 3-5",
                "XREAD STREAMS x 3-4",
                "XDEL x 3-5 2 1-1 1-2",
                "XREAD STREAMS x 0",
            ],
            "the last id": [
                *STREAM,
                "XREAD STREAMS x 18446744073709551615-18446744073709551615",
                "XREAD STREAMS x 18446744073709551615",
            ],
            "wrong type": [
                *OTHER,
                *STREAM,
                "XREAD STREAMS x s 0 0",
                "XREAD STREAMS s 0",
                "XREAD STREAMS s bogus",
                "XREAD STREAMS x s bogus 0",
                "XREAD STREAMS s x 0 bogus",
                "XREAD STREAMS s $",
            ],
            "bad ids": [
                *STREAM,
                "XREAD STREAMS x bogus",
                "XREAD STREAMS x >",
                "XREAD STREAMS x -",
                "XREAD STREAMS y x > bogus",
                "XREAD STREAMS x 1-*",
                "XREAD STREAMS x (1",
            ],
            "expired": [*STREAM, "PEXPIREAT x 1", "XREAD STREAMS x 0"],
            "keys": [
                "COMMAND GETKEYS XREAD COUNT 1 STREAMS a b 0 0",
                "COMMAND GETKEYS XREADGROUP GROUP g c BLOCK 1 STREAMS a b 0 0",
            ],
        },
    )
)
BOOK.add(
    singles(
        "xread, syntax",
        [
            "XREAD",
            "XREAD STREAMS x",
            "XREAD STREAMS x y 0",
            "XREAD COUNT 1 x 0",
            "XREAD COUNT x STREAMS x 0",
            "XREAD COUNT STREAMS x 0",
            "XREAD BLOCK x STREAMS x 0",
            "XREAD BLOCK -1 STREAMS x 0",
            "XREAD BLOCK 1.5 STREAMS x 0",
            "XREAD BLOCK STREAMS x 0",
            "XREAD BLOCK 9223372036854775807 STREAMS x 0",
            "XREAD BLOCK 9223372036854775808 STREAMS x 0",
            "XREAD BOGUS STREAMS x 0",
            "XREAD GROUP g c STREAMS x 0",
            "XREAD GROUP STREAMS x 0",
            "XREAD NOACK STREAMS x 0",
            "XREAD COUNT 1 COUNT 2 STREAMS x 0",
            "XREAD count 1 streams x 0",
            "XREAD STREAMS STREAMS 0",
            "XREAD STREAMS x 0 COUNT 1",
            "XREAD BLOCK 1 COUNT 1 STREAMS",
            "XREADGROUP STREAMS x y z 0 0 0",
            "XREADGROUP GROUP g c STREAMS x y 0",
            "XREADGROUP GROUP g c STREAMS x",
            "XREADGROUP COUNT 1 NOACK STREAMS x y 0 0",
            "XREADGROUP GROUP g STREAMS x 0 0 0",
            "XREADGROUP GROUP g c NOACK COUNT",
            "XREADGROUP GROUP g c BLOCK -5 STREAMS x 0",
        ],
        setup=STREAM,
    )
)
BOOK.add(
    table(
        "streams as keys",
        {
            "rename": [*STREAM, "RENAME x y", "XRANGE y - +", "EXISTS x"],
            "copy": [
                *STREAM,
                "XGROUP CREATE x g 1-2",
                "XREADGROUP GROUP g c COUNT 2 STREAMS x >",
                "COPY x y",
                "XADD x 9 a 1",
                "XACK x g 2-0",
                "XRANGE y - +",
                "XPENDING y g",
                "XINFO GROUPS y",
                "XINFO GROUPS x",
                "XADD y 9-9 q 1",
                "XRANGE x - +",
            ],
            "copy of an empty one": [
                "XGROUP CREATE x g $ MKSTREAM",
                "COPY x y",
                "XINFO STREAM y",
                "XINFO GROUPS y",
            ],
            "digest": [
                *STREAM,
                "DEBUG DIGEST-VALUE x",
                "XADD y 1-1 a 1",
                "DEBUG DIGEST-VALUE y",
                "DEBUG DIGEST",
            ],
            "in exec": [
                "MULTI",
                *STREAM,
                "XREAD STREAMS x y 0 0",
                "XREAD BLOCK 0 STREAMS x $",
                "XLEN x",
                "EXEC",
            ],
            "watched": [*STREAM, "WATCH x", "XADD x 9 a 1", "MULTI", "PING", "EXEC"],
            "watched, deleted nothing": [
                *STREAM,
                "WATCH x",
                "XDEL x 100",
                "XTRIM x MAXLEN 100",
                "MULTI",
                "PING",
                "EXEC",
            ],
            "watched, deleted": [*STREAM, "WATCH x", "XDEL x 5", "MULTI", "PING", "EXEC"],
            "watched, trimmed": [*STREAM, "WATCH x", "XTRIM x MAXLEN 1", "MULTI", "PING", "EXEC"],
            "watched, id set": [*STREAM, "WATCH x", "XSETID x 100", "MULTI", "PING", "EXEC"],
            "set over it": [*STREAM, "SET x v", "XLEN x", "GET x"],
            "other commands": [
                *STREAM,
                "GET x",
                "LPUSH x a",
                "SADD x a",
                "HSET x a b",
                "APPEND x a",
                "STRLEN x",
            ],
            "xinfo of nothing": [
                "XINFO STREAM x",
                "XINFO GROUPS x",
                "XINFO CONSUMERS x g",
                "XINFO STREAM x FULL",
            ],
            "xinfo of another type": [*OTHER, "XINFO STREAM s", "XINFO GROUPS s", "XINFO CONSUMERS s g"],
            "scan type": [*STREAM, *OTHER, "SCAN 0 TYPE stream COUNT 1000"],
        },
    )
)
