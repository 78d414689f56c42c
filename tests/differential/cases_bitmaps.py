"""Cases of the bitmap commands: single bits, ranges of bytes and bits, logic over keys, fields of any width.

Where redis-server 7.0 answers 0 for a missing key before it looks at the arguments, later ones don't: such
cases are in `cases_newer_bits`.
"""

from __future__ import annotations

import itertools

from tests.differential.case import Book, Line, args, near, singles, table

BOOK = Book()

OTHER = ["LPUSH l a"]
SHOW = ["GET k", "STRLEN k", "OBJECT ENCODING k"]
BITS = [args(b"SET", b"k", b"\x00\xff\xf0\x00\x81\x7f")]
OFFSETS = ["-1", "x", "1.5", "007", "+1", '""', "4294967296", "9223372036854775807", "9223372036854775808"]

BOOK.add(
    table(
        "setbit, getbit",
        {
            "new key": ["SETBIT k 7 1", *SHOW, "GETBIT k 7", "GETBIT k 6", "TYPE k"],
            "old bits": ["SETBIT k 3 1", "SETBIT k 3 1", "SETBIT k 3 0", "SETBIT k 3 0", *SHOW],
            "zero makes the key": ["SETBIT k 20 0", *SHOW],
            "grows with zeros": ["SET k ab", "SETBIT k 39 1", *SHOW, "SETBIT k 100 0", *SHOW],
            "of a number": ["SET k 123", "GETBIT k 3", "SETBIT k 3 0", *SHOW],
            "unchanged becomes raw": ["SET k 123", "SETBIT k 0 0", *SHOW],
            "every bit of a byte": [f"SETBIT k {at} {at % 2}" for at in range(16)] + SHOW,
            "behind the end": ["SET k a", "GETBIT k 8", "GETBIT k 4294967295", "GETBIT none 0"],
            "far away": ["SETBIT k 8000000 1", "STRLEN k", "GETBIT k 8000000", "BITCOUNT k"],
            "other type": [
                *OTHER,
                "SETBIT l 0 1",
                "GETBIT l 0",
                "SETBIT l x 1",
                "SETBIT l 0 2",
                "GETBIT l x",
            ],
            "keeps the ttl": ["SET k a EX 1000", "SETBIT k 30 1", near("TTL k", 2)],
            "over an expired key": ["SET k a", "PEXPIREAT k 1", "SETBIT k 1 1", *SHOW, "TTL k"],
            "wrong bits": ["SETBIT k 0 2", "SETBIT k 0 -1", "SETBIT k 0 x", 'SETBIT k 0 ""', "EXISTS k"],
            "arity": ["SETBIT", "SETBIT k 0", "SETBIT k 0 1 2", "GETBIT k", "GETBIT k 0 1", "GETBIT"],
        },
    )
)
BOOK.add(singles("setbit offsets", [f"SETBIT k {offset} 1" for offset in OFFSETS], probe=["EXISTS k"]))
BOOK.add(singles("getbit offsets", [f"GETBIT k {offset}" for offset in OFFSETS], setup=BITS))

_BOUNDS = ["0", "1", "2", "5", "6", "-1", "-2", "-6", "-7", "100"]
_BIT_BOUNDS = ["0", "3", "8", "15", "16", "20", "47", "48", "-1", "-5", "-48", "-100"]
_EXTREME = ["9223372036854775807", "-9223372036854775808"]

BOOK.add(
    table(
        "bitcount",
        {
            "all": ["BITCOUNT k"],
            **{
                f"bytes from {first}": [f"BITCOUNT k {first} {last}" for last in _BOUNDS] for first in _BOUNDS
            },
            **{
                f"bits from {first}": [f"BITCOUNT k {first} {last} BIT" for last in _BIT_BOUNDS]
                for first in _BIT_BOUNDS
            },
            "extremes": [
                f"BITCOUNT k {first} {last} {unit}"
                for first, last in itertools.product(_EXTREME, repeat=2)
                for unit in ("BIT", "BYTE")
            ],
            "units": ["BITCOUNT k 1 2 byte", "BITCOUNT k 1 2 bit", "BITCOUNT k 1 2 bits"],
            "arguments": ["BITCOUNT k 1", "BITCOUNT k 1 2 BIT 3", "BITCOUNT k x 1", "BITCOUNT k 1 x"],
            "too large": ["BITCOUNT k 1 9223372036854775808", "BITCOUNT"],
        },
        setup=BITS,
    )
)
BOOK.add(
    table(
        "bitcount of",
        {
            "nothing": ["BITCOUNT none", "BITCOUNT none 0 -1", "BITCOUNT none 3 -4 BIT"],
            "the empty string": ['SET k ""', "BITCOUNT k", "BITCOUNT k 0 -1", "BITCOUNT k 0 0 BIT"],
            "a number": ["SET k 1234567", "BITCOUNT k", "BITCOUNT k 1 1", "BITCOUNT k -9 -1 BIT"],
            "one byte, both ends before it": ["SET k a", "BITCOUNT k -2 -3", "BITCOUNT k -3 -2"],
            "another type": [*OTHER, "BITCOUNT l", "BITCOUNT l 0 1"],
            "what is long": [
                args(b"SET", b"k", bytes(range(256)) * 700),
                "BITCOUNT k",
                "BITCOUNT k 3 -3",
                "BITCOUNT k 1001 1400001 BIT",
                "BITCOUNT k 524283 524299 BIT",
            ],
        },
    )
)
BOOK.add(
    table(
        "bitpos",
        {
            "all": ["BITPOS k 0", "BITPOS k 1"],
            **{f"{bit} from": [f"BITPOS k {bit} {first}" for first in _BOUNDS] for bit in (0, 1)},
            **{
                f"{bit} in bytes from {first}": [f"BITPOS k {bit} {first} {last}" for last in _BOUNDS]
                for bit in (0, 1)
                for first in _BOUNDS
            },
            **{
                f"{bit} in bits from {first}": [f"BITPOS k {bit} {first} {last} BIT" for last in _BIT_BOUNDS]
                for bit in (0, 1)
                for first in _BIT_BOUNDS
            },
            "extremes": [
                f"BITPOS k {bit} {first} {last} {unit}"
                for bit in (0, 1)
                for first, last in itertools.product(_EXTREME, repeat=2)
                for unit in ("BIT", "BYTE")
            ],
            "units": [
                "BITPOS k 1 1 2 byte",
                "BITPOS k 1 1 2 bits",
                "BITPOS k 1 1 x WORD",
                "BITPOS k 1 1 x BIT",
            ],
            "bits": ["BITPOS k 2", "BITPOS k -1", "BITPOS k x", "BITPOS k 9223372036854775808"],
            "arguments": ["BITPOS k 1 x", "BITPOS k 1 1 x", "BITPOS k 1 1 2 BIT 3", "BITPOS k", "BITPOS"],
        },
        setup=BITS,
    )
)
BOOK.add(
    table(
        "bitpos of",
        {
            "nothing": ["BITPOS none 0", "BITPOS none 1", "BITPOS none 0 5", "BITPOS none 1 0 -1 BIT"],
            "the empty string": ['SET k ""', "BITPOS k 0", "BITPOS k 1", "BITPOS k 0 0", "BITPOS k 0 0 -1"],
            "ones": [
                args(b"SET", b"k", b"\xff" * 3),
                "BITPOS k 0",
                "BITPOS k 0 1",
                "BITPOS k 0 3",
                "BITPOS k 0 0 -1",
                "BITPOS k 0 0 23 BIT",
                "BITPOS k 0 5 5 BIT",
            ],
            "zeros": [args(b"SET", b"k", b"\x00" * 3), "BITPOS k 1", "BITPOS k 1 0 -1", "BITPOS k 1 3 9 BIT"],
            "a number": ["SET k 1234567", "BITPOS k 1", "BITPOS k 0 2", "BITPOS k 1 9 30 BIT"],
            "another type": [*OTHER, "BITPOS l 1", "BITPOS l 2", "BITPOS l 1 0 1"],
            "what is long": [
                "SETBIT k 3000000 1",
                "BITPOS k 1",
                "BITPOS k 1 375000",
                "BITPOS k 1 375001",
                "BITPOS k 1 3000000 3000000 BIT",
                "BITPOS k 1 3 2999999 BIT",
                "BITPOS k 0 375000",
                "BITOP NOT n k",
                "BITPOS n 0",
                "BITPOS n 0 0 374999",
                "BITPOS n 1 375000",
            ],
        },
    )
)

_OPERATIONS = ("AND", "OR", "XOR")
_SOURCES = ["a", "a b", "b a", "a b c", "c c", "a none", "none a", "none", "none none2", "a d b c {t}1", "d"]
BOOK.add(
    singles(
        "bitop",
        [
            *[f"BITOP {name} {to} {keys}" for name in _OPERATIONS for to in ("r", "a") for keys in _SOURCES],
            *[f"BITOP NOT {to} {key}" for to in ("r", "a") for key in ("a", "b", "d", "none")],
        ],
        setup=[
            args(b"SET", b"a", b"\x0f\xf0\xaa\x00\xff"),
            args(b"SET", b"b", b"\x33\x33\x33"),
            args(b"SET", b"c", b"\xff\x00\xff\x00\x81\x01\x01"),
            args(b"SET", b"{t}1", b"\x80"),
            "SET d 12345",
        ],
        probe=["GET r", "GET a", "OBJECT ENCODING r", "OBJECT ENCODING a", "DBSIZE"],
    )
)
BOOK.add(
    table(
        "bitop:",
        {
            "an empty result removes": [
                "SET r v",
                "BITOP AND r none",
                "EXISTS r",
                'SET e ""',
                "BITOP OR r e",
            ],
            "the ttl goes": ["SET r v EX 100", "SET a x EX 100", "BITOP OR r a", "TTL r", near("TTL a", 2)],
            "over another type": ["LPUSH r a", "SET a x", "BITOP OR r a", "TYPE r", "GET r"],
            "of another type": ["LPUSH l a", "SET a x", "BITOP OR r a l", "BITOP OR r l none", "EXISTS r"],
            "long result": [
                args(b"SET", b"a", bytes(range(256)) * 9),
                args(b"SET", b"b", bytes(range(255, -1, -1)) * 8),
                "BITOP AND r a b",
                "GET r",
                "BITOP XOR r r a",
                "GET r",
                "OBJECT ENCODING r",
            ],
            "not of several": ["BITOP NOT r a b", "BITOP not r none none", "BITOP NOT r"],
            "lower case": ["SET a x", "BITOP or r a", "BITOP Xor r a a", "GET r"],
            "unknown": ["BITOP NAND r a", 'BITOP "" r a', "BITOP ANDX r a", "BITOP NOTX r a b"],
            "arity": ["BITOP", "BITOP AND", "BITOP AND r"],
        },
    )
)

_TYPES = ["u1", "u2", "u7", "u8", "u13", "u32", "u63", "i1", "i2", "i5", "i8", "i33", "i63", "i64"]
_VALUES = ["0", "1", "-1", "100", "-129", "4294967296", *_EXTREME]
_PLACES = ("3", "#1", "40", "0", "#0", "11", "5", "1")


def _changes(action: str, overflow: str, kind: str) -> list[Line]:
    """A step on a field for each of some values, always of the same string."""
    lines: list[Line] = []
    for place, value in zip(_PLACES, _VALUES, strict=True):
        change = f"BITFIELD k OVERFLOW {overflow} {action} {kind} {place} {value}"
        lines += [*BITS, change, "GET k"]
    return lines


BOOK.add(
    table(
        "bitfield",
        {
            "get": [*BITS, *[f"BITFIELD k GET {kind} {at}" for kind in _TYPES for at in (0, 5, 40)]],
            **{
                f"{action} {overflow} {kind}": _changes(action, overflow, kind)
                for action in ("SET", "INCRBY")
                for overflow in ("WRAP", "SAT", "FAIL")
                for kind in _TYPES
            },
        },
    )
)
BOOK.add(
    table(
        "bitfield:",
        {
            "several": [
                "BITFIELD k SET u8 0 200 INCRBY u8 0 100 GET u8 0 OVERFLOW SAT INCRBY u8 0 300 GET u4 4",
                *SHOW,
            ],
            "overflow goes on": [
                "BITFIELD k OVERFLOW FAIL INCRBY u2 0 5 INCRBY u2 2 3 OVERFLOW WRAP INCRBY u2 0 5",
                *SHOW,
            ],
            "nothing to do": ["BITFIELD k", "BITFIELD k OVERFLOW SAT", "EXISTS k", "BITFIELD_RO k"],
            "reads of nothing": ["BITFIELD k GET u8 0 GET i64 100", "EXISTS k", "BITFIELD_RO k GET u8 #4"],
            "declined, and yet it grows": ["BITFIELD k OVERFLOW FAIL INCRBY u2 50 100", *SHOW],
            "unchanged, and yet it grows": ["SET k a", "BITFIELD k SET u8 #2 0", *SHOW],
            "of a number": [
                "SET k 12",
                "BITFIELD k GET u8 0",
                "OBJECT ENCODING k",
                "BITFIELD k SET u8 0 49",
                *SHOW,
            ],
            "keeps the ttl": ["SET k a EX 1000", "BITFIELD k SET u8 #4 1", near("TTL k", 2)],
            "other type": [
                *OTHER,
                "BITFIELD l",
                "BITFIELD l GET u8 0",
                "BITFIELD l SET u8 0 1",
                "BITFIELD_RO l GET u8 0",
            ],
            "words in any case": [
                "bitfield k Set U8 0 1",
                "bitfield k Set u8 0 1 overflow sat incrby u8 0 300",
            ],
            "read only": [
                "SET k abc",
                "BITFIELD_RO k GET u8 0 get i9 #1",
                "BITFIELD_RO k SET u8 0 1",
                "BITFIELD_RO k GET u8 0 INCRBY u8 0 1",
                "BITFIELD_RO k OVERFLOW SAT GET u8 0",
                "BITFIELD_RO l SET u65 0 1",
                *OTHER,
                "BITFIELD_RO l SET u8 0 1",
                *SHOW,
            ],
            "arity": ["BITFIELD", "BITFIELD_RO"],
        },
    )
)
BOOK.add(
    singles(
        "bitfield errors",
        [
            *[
                f"BITFIELD k GET {kind} 0"
                for kind in ("u64", "i65", "u0", "i0", "x8", "u", "8", '""', "u08", "U8")
            ],
            *[f"BITFIELD k GET u8 {offset}" for offset in (*OFFSETS, "#", "#-1", "#x", "##1", "#536870912")],
            "BITFIELD k GET u1 4294967295",
            "BITFIELD k GET",
            "BITFIELD k GET u8",
            "BITFIELD k SET u8 0",
            "BITFIELD k INCRBY u8 0",
            "BITFIELD k SET u8 0 x",
            "BITFIELD k SET u8 0 18446744073709551615",
            "BITFIELD k INCRBY u8 0 1.5",
            "BITFIELD k OVERFLOW",
            "BITFIELD k OVERFLOW BOGUS",
            "BITFIELD k BOGUS",
            "BITFIELD k SET u8 0 1 GET",
            "BITFIELD k SET u8 0 1 GET u99 0",
        ],
        probe=["EXISTS k"],
    )
)
