"""What later versions have on bitmaps beyond redis-server 7.0.15; see `cases_newer`.

Since 7.2 arguments are looked at before the key; BITOP's DIFF, DIFF1, ANDOR and ONE are of 8.2.
"""

from __future__ import annotations

from tests.differential.cases_newer import Expected

NOT_INTEGER = "-ERR value is not an integer or out of range"
SYNTAX = "-ERR syntax error"
WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value"

# The tutorial's bitmaps: a 0b11011000, b 0b00011001, c 0b01101100.
_SOURCES: Expected = [
    (r'SET a "\xd8"', "+OK"),
    (r'SET b "\x19"', "+OK"),
    (r'SET c "\x6c"', "+OK"),
    (r'SET long "\x01\xff"', "+OK"),
]


def _too_few(name: str) -> str:
    return f"-ERR BITOP {name} must be called with at least two source keys."


NEWER_BITS: dict[str, Expected] = {
    "bitcount looks at its arguments first": [
        ("BITCOUNT none 1", SYNTAX),
        ("BITCOUNT none x 1", NOT_INTEGER),
        ("BITCOUNT none 0 1 BITS", SYNTAX),
        ("BITCOUNT none 0 1 BIT x", SYNTAX),
        ("SET k a", "+OK"),
        ("BITCOUNT k -1 -2 x", SYNTAX),
        ("LPUSH l a", ":1"),
        ("BITCOUNT l 1", SYNTAX),
        ("BITCOUNT l 1 2", WRONGTYPE),
    ],
    "bitpos looks at its arguments first": [
        ("BITPOS none 0 x", NOT_INTEGER),
        ("BITPOS none 0 1 x", NOT_INTEGER),
        ("BITPOS none 0 0 1 BITS", SYNTAX),
        ("BITPOS none 0 0 1 BIT x", SYNTAX),
        ("LPUSH l a", ":1"),
        ("BITPOS l 1 x", NOT_INTEGER),
        ("BITPOS l 1 1", WRONGTYPE),
    ],
    "bitop diff": [
        *_SOURCES,
        ("BITOP DIFF r a b c", ":1"),
        ("BITCOUNT r", ":1"),
        ("GETBIT r 0", ":1"),
        ("BITOP diff r long a", ":2"),
        ("BITPOS r 1", ":7"),
        ("BITCOUNT r", ":9"),
        ("BITOP DIFF r a long", ":2"),
        ("STRLEN r", ":2"),
        ("BITCOUNT r", ":4"),
        ("BITOP DIFF r a none", ":1"),
        ("BITCOUNT r", ":4"),
        ("BITOP DIFF r none a", ":1"),
        ("BITCOUNT r", ":0"),
        ("BITOP DIFF r none none", ":0"),
        ("EXISTS r", ":0"),
    ],
    "bitop diff1": [
        *_SOURCES,
        ("BITOP DIFF1 r a b c", ":1"),
        ("GET r", "$%"),
        ("BITOP DIFF1 r a a", ":1"),
        ("BITCOUNT r", ":0"),
        ("BITOP DIFF1 r a long", ":2"),
        ("BITCOUNT r", ":9"),
        ("BITOP DIFF1 r none long a", ":2"),
        ("BITCOUNT r", ":13"),
    ],
    "bitop andor": [
        *_SOURCES,
        ("BITOP ANDOR r a b c", ":1"),
        ("GET r", "$X"),
        ("BITOP ANDOR r long a none", ":2"),
        ("BITCOUNT r", ":0"),
        ("BITOP ANDOR r none a", ":1"),
        ("BITCOUNT r", ":0"),
    ],
    "bitop one": [
        *_SOURCES,
        ("BITOP ONE r a b c", ":1"),
        ("BITCOUNT r", ":4"),
        ("GETBIT r 0", ":1"),
        ("GETBIT r 2", ":1"),
        ("GETBIT r 5", ":1"),
        ("GETBIT r 7", ":1"),
        ("BITOP ONE r a", ":1"),
        ("BITCOUNT r", ":4"),
        ("BITOP ONE r a a", ":1"),
        ("BITCOUNT r", ":0"),
        ("BITOP ONE r a a a", ":1"),
        ("BITCOUNT r", ":0"),
        ("BITOP ONE r long none a", ":2"),
        ("BITCOUNT r", ":13"),
    ],
    "bitop with too few sources": [
        ("BITOP DIFF r a", _too_few("DIFF")),
        ("BITOP diff1 r a", _too_few("DIFF1")),
        ("BITOP AndOr r a", _too_few("ANDOR")),
        ("BITOP ONE r none", ":0"),
        ("BITOP TWO r a", SYNTAX),
        ("LPUSH l a", ":1"),
        ("BITOP DIFF r a l", WRONGTYPE),
        ("BITOP ONE r l a", WRONGTYPE),
    ],
}
