"""Cases of the string commands: options, conflicts, arity, types, number formats, TTL effects, sizes."""

from __future__ import annotations

from tests.differential.case import Book, args, kinds, near, singles, table, unordered, until

BOOK = Book()

# A key of every kind, to see what each command says to the wrong type.
WRONG_TYPES = ["RPUSH l a b", "HSET h f v", "SADD s m", "ZADD z 1 m"]

# Texts at the edges of what Redis takes as a 64-bit integer.
INTEGERS = {
    "smallest": "-9223372036854775808",
    "largest": "9223372036854775807",
    "one too large": "9223372036854775808",
    "one too small": "-9223372036854775809",
    "leading zero": "007",
    "plus sign": "+1",
    "minus zero": "-0",
    "leading blank": '" 1"',
    "trailing blank": '"1 "',
    "trailing newline": '"1\\n"',
    "empty": '""',
    "float": "1.0",
    "exponent": "1e3",
    "hex": "0x10",
    "word": "abc",
    "minus alone": "-",
    "double minus": "--1",
    "twenty-one digits": "100000000000000000000",
    "NUL inside": '"1\\x002"',
    "arabic digit": "٣",
    "underscore": "1_0",
}

# Texts at the edges of what Redis takes as a long double.
FLOATS = {
    "integer": "3",
    "half": "0.5",
    "no leading digit": ".5",
    "no trailing digit": "5.",
    "exponent": "5.0e3",
    "capital exponent": "1E2",
    "negative exponent": "1e-5",
    "plus sign": "+1.5",
    "leading zeros": "0001.5",
    "minus zero": "-0",
    "inf": "inf",
    "minus inf": "-inf",
    "infinity": "Infinity",
    "nan": "nan",
    "hex": "0x1p3",
    "hex integer": "0x10",
    "leading blank": '" 1.5"',
    "trailing blank": '"1.5 "',
    "empty": '""',
    "word": "abc",
    "two dots": "1.2.3",
    "beyond the range": "1e5000",
    "below the range": "1e-5000",
    "large": "1e300",
    "seventeen digits": "0.12345678901234567",
    "twenty digits": "0.12345678901234567890",
    "thirty digits": "123456789012345678901234567890",
    "one third": "0.33333333333333333333",
    "tenth": "0.1",
    "NUL inside": '"1\\x002"',
    "underscore": "1_0",
}

# Those that INCRBYFLOAT by 1 makes whole: redis-server stores such a sum as embstr until the next SET or
# INCR, we say int at once (docs/differences.md).
WHOLE_SUMS = frozenset(
    [
        "integer",
        "no trailing digit",
        "exponent",
        "capital exponent",
        "minus zero",
        "hex",
        "hex integer",
    ]
)

BOOK.add(
    table(
        "set",
        {
            "plain": ["SET k v"],
            "replaces": ["SET k v", "SET k w"],
            "drops the ttl": ["SET k v EX 100", "SET k w"],
            "keepttl": ["SET k v EX 100", "SET k w KEEPTTL"],
            "keepttl without ttl": ["SET k v", "SET k w KEEPTTL"],
            "keepttl on nothing": ["SET k v KEEPTTL"],
            "nx on nothing": ["SET k v NX"],
            "nx on a key": ["SET k v", "SET k w NX"],
            "xx on nothing": ["SET k v XX"],
            "xx on a key": ["SET k v", "SET k w XX"],
            "nx leaves the ttl": ["SET k v EX 100", "SET k w NX EX 500"],
            "get on nothing": ["SET k v GET"],
            "get on a key": ["SET k v", "SET k w GET"],
            "nx get on nothing": ["SET k v NX GET"],
            "nx get on a key": ["SET k v", "SET k w NX GET"],
            "xx get on nothing": ["SET k v XX GET"],
            "xx get on a key": ["SET k v", "SET k w XX GET"],
            "get with ex": ["SET k v", "SET k w GET EX 100"],
            "get keepttl": ["SET k v EX 100", "SET k w GET KEEPTTL"],
            "ex": ["SET k v EX 100"],
            "px": ["SET k v PX 100000"],
            "exat": ["SET k v EXAT 4102444800", "PEXPIRETIME k"],
            "pxat": ["SET k v PXAT 4102444800123", "PEXPIRETIME k"],
            "exat in the past deletes": ["SET k v", "SET k w EXAT 1"],
            "pxat in the past deletes": ["SET k v", "SET k w PXAT 1"],
            "options in any order and case": ["SET k v", "set k w eX 100 gEt xX"],
            "px runs out": ["SET k v PX 1", until("EXISTS k", ":0")],
            "integer becomes int": ["SET k 12345"],
            "short is embstr": ['SET k "a b c"'],
            "44 bytes are embstr": ["SET k " + "x" * 44],
            "45 bytes are raw": ["SET k " + "x" * 45],
            "20 digits are embstr": ["SET k 12345678901234567890"],
            "leading zero is embstr": ["SET k 0123"],
            "empty value": ['SET k ""'],
            "binary value": [r'SET k "\x00\xff\r\n\x80"'],
        },
        probe=["GET k", near("PTTL k", 1000), "TYPE k", "OBJECT ENCODING k", "EXISTS k"],
    )
)
BOOK.add(
    singles(
        "set errors",
        [
            "SET",
            "SET k",
            "SET k v EX",
            "SET k v PX",
            "SET k v EXAT",
            "SET k v PXAT",
            "SET k v NX XX",
            "SET k v XX NX",
            "SET k v NX NX",
            "SET k v EX 10 PX 10",
            "SET k v EX 10 EX 10",
            "SET k v EX 10 KEEPTTL",
            "SET k v KEEPTTL EX 10",
            "SET k v KEEPTTL KEEPTTL",
            "SET k v PXAT 1 EXAT 1",
            "SET k v BOGUS",
            "SET k v NX BOGUS",
            "SET k v GET GET",
            "SET k v PERSIST",
            "SET k v EX 0",
            "SET k v EX -1",
            "SET k v PX 0",
            "SET k v PX -5",
            "SET k v EXAT 0",
            "SET k v EXAT -1",
            "SET k v PXAT 0",
            "SET k v EX abc",
            "SET k v EX 1.5",
            'SET k v EX ""',
            "SET k v EX 9223372036854775807",
            "SET k v EX 9223372036854776",
            "SET k v EX 9223372036854775",
            "SET k v EX 9223370399119966",
            "SET k v PX 9223372036854775807",
            "SET k v PX 9223370399119966000",
            "SET k v PX 9223372036854775808",
            "SET k v EXAT 9223372036854775807",
            "SET k v EXAT 9223372036854775",
            "SET k v PXAT 9223372036854775807",
            "SET k v EX -9223372036854775808",
            "SET k v 10",
            "SET k v NX EX",
            "SET k v GET NX EX 10 XX",
            "SET k v IFEQ",
        ],
        setup=["SET k old EX 50"],
        probe=["GET k", near("PTTL k", 1000)],
    )
)
BOOK.add(
    table(
        "set on other types",
        {
            "replaces a list": ["SET l v", "GET l", "TYPE l"],
            "get on a list": ["SET l v GET", "TYPE l"],
            "nx get on a list": ["SET l v NX GET", "TYPE l"],
            "xx replaces a hash": ["SET h v XX", "TYPE h"],
            "getset on a hash": ["GETSET h v", "TYPE h"],
            "setnx on a hash": ["SETNX h v", "TYPE h"],
            "setex on a hash": ["SETEX h 10 v", "TYPE h"],
            "mset on all": ["MSET l 1 h 2 s 3 z 4", "MGET l h s z"],
            "mget gives null": ["SET k v", "MGET k l h s z"],
        },
        setup=WRONG_TYPES,
    )
)
_WRONG_KEY = [
    "GET {}",
    "GETDEL {}",
    "GETEX {}",
    "GETEX {} EX 10",
    "GETEX {} EX 0",
    "GETEX {} BOGUS",
    "APPEND {} x",
    "STRLEN {}",
    "INCR {}",
    "DECR {}",
    "INCRBY {} 1",
    "INCRBY {} abc",
    "DECRBY {} 1",
    "INCRBYFLOAT {} 1",
    "INCRBYFLOAT {} abc",
    "GETRANGE {} 0 -1",
    "GETRANGE {} a b",
    "SUBSTR {} 0 -1",
    "SETRANGE {} 0 x",
    'SETRANGE {} 0 ""',
    "SETRANGE {} -1 x",
    "LCS {} nokey",
    "LCS nokey {}",
]
for _name in "lhsz":
    BOOK.add(singles("wrong type", [line.format(_name) for line in _WRONG_KEY], setup=WRONG_TYPES))

BOOK.add(
    singles(
        "get",
        ["GET", "GET k", "GET nokey", "GET k k", "get k", "GeT k", r'GET "bin\x00ary\xff\r\n"', 'GET ""'],
        setup=["SET k v", r'SET "bin\x00ary\xff\r\n" "\x00\xff"', 'SET "" emptyname'],
    )
)
BOOK.add(
    singles(
        "setnx setex psetex getset",
        [
            "SETNX k w",
            "SETNX new w",
            "SETNX k",
            "SETNX k v x",
            "SETEX k 100 w",
            "SETEX new 100 w",
            "SETEX k 0 w",
            "SETEX k -1 w",
            "SETEX k abc w",
            "SETEX k 1.5 w",
            "SETEX k 9223372036854775807 w",
            "SETEX k 9223372036854776 w",
            "SETEX k 10",
            "SETEX k 10 v x",
            "PSETEX k 100000 w",
            "PSETEX k 0 w",
            "PSETEX k -1 w",
            "PSETEX k abc w",
            "PSETEX k 9223372036854775807 w",
            "PSETEX k 10",
            "GETSET k w",
            "GETSET new w",
            "GETSET k",
            "GETSET k v x",
            "GETDEL k",
            "GETDEL new",
            "GETDEL",
            "GETDEL k k",
        ],
        setup=["SET k v EX 50"],
        probe=["GET k", near("PTTL k", 1000), "GET new", near("PTTL new", 1000)],
    )
)
BOOK.add(
    singles(
        "getex",
        [
            "GETEX k",
            "GETEX nokey",
            "GETEX nokey EX 10",
            "GETEX nokey BOGUS",
            "GETEX nokey EX abc",
            "GETEX",
            "GETEX k EX 100",
            "GETEX k PX 100000",
            "GETEX k EXAT 4102444800",
            "GETEX k PXAT 4102444800123",
            "GETEX k EXAT 1",
            "GETEX k PXAT 1",
            "GETEX k PERSIST",
            "GETEX k persist",
            "GETEX k EX",
            "GETEX k EX 0",
            "GETEX k EX -1",
            "GETEX k PX 0",
            "GETEX k EX abc",
            "GETEX k EX 9223372036854775807",
            "GETEX k PERSIST EX 10",
            "GETEX k EX 10 PERSIST",
            "GETEX k EX 10 PX 10",
            "GETEX k KEEPTTL",
            "GETEX k NX",
            "GETEX k GET",
            "GETEX k EX 10 EX 20",
            "GETEX k PERSIST PERSIST",
        ],
        setup=["SET k v EX 50"],
        probe=["GET k", near("PTTL k", 1000)],
    )
)
BOOK.add(
    table(
        "append strlen",
        {
            "append makes": ["APPEND k abc", "GET k", "OBJECT ENCODING k"],
            "append appends": ["SET k ab", "APPEND k cd", "GET k", "OBJECT ENCODING k"],
            "append to an integer": [
                "SET k 12",
                "APPEND k 3",
                "GET k",
                "OBJECT ENCODING k",
                "INCR k",
                "OBJECT ENCODING k",
            ],
            "append nothing": ['APPEND k ""', "EXISTS k", "GET k"],
            "append nothing to a value": ["SET k v", 'APPEND k ""', "GET k", "OBJECT ENCODING k"],
            "append keeps the ttl": ["SET k v EX 100", "APPEND k w", near("PTTL k", 1000)],
            "append binary": [r'APPEND k "\x00"', r'APPEND k "\xff"', "GET k", "STRLEN k"],
            "append arity": ["APPEND k", "APPEND k a b", "APPEND"],
            "strlen": ["SET k hello", "STRLEN k", "STRLEN nokey", "SET n -123", "STRLEN n"],
            "strlen counts bytes": ["SET k ñandú", "STRLEN k"],
            "strlen arity": ["STRLEN", "STRLEN a b"],
        },
    )
)
_RANGES = [
    "0 -1",
    "0 0",
    "-1 -1",
    "1 3",
    "3 1",
    "-3 -1",
    "-1 -3",
    "0 100",
    "-100 100",
    "5 5",
    "4 4",
    "100 200",
]
_RANGES += [
    "-100 -100",
    "-100 2",
    "0 -100",
    "0 9223372036854775807",
    "-9223372036854775808 -1",
    "9223372036854775807 -1",
]
_RANGES += ["a 1", "1 b", "0 9223372036854775808", "0 1.5", '"" 1', "0", "0 1 2"]
for _command in ("GETRANGE", "SUBSTR"):
    BOOK.add(
        singles(
            "ranges",
            [f"{_command} {key} {span}" for key in ("k", "nokey", "n") for span in _RANGES] + [_command],
            setup=["SET k hello", "SET n 12345"],
        )
    )
BOOK.add(
    singles(
        "setrange",
        [
            "SETRANGE k 0 HE",
            "SETRANGE k 3 LOWORLD",
            "SETRANGE k 5 x",
            "SETRANGE k 10 x",
            'SETRANGE k 10 ""',
            'SETRANGE k 0 ""',
            "SETRANGE new 0 x",
            "SETRANGE new 5 x",
            'SETRANGE new 5 ""',
            'SETRANGE new 0 ""',
            "SETRANGE n 1 x",
            "SETRANGE n 1 9",
            "SETRANGE k -1 x",
            'SETRANGE k -1 ""',
            "SETRANGE new -1 x",
            "SETRANGE k abc x",
            "SETRANGE k 1.0 x",
            "SETRANGE k 536870912 x",
            'SETRANGE k 536870912 ""',
            "SETRANGE k 9223372036854775807 x",
            "SETRANGE k 9223372036854775808 x",
            "SETRANGE k 0",
            "SETRANGE k 0 x y",
            "SETRANGE",
            r'SETRANGE k 1 "\x00\xff"',
        ],
        setup=["SET k hello EX 100", "SET n 12345"],
        probe=[
            "GETRANGE k 0 100",
            "STRLEN k",
            near("PTTL k", 1000),
            "GET new",
            "GET n",
            "OBJECT ENCODING n",
            "OBJECT ENCODING k",
        ],
    )
)
BOOK.add(
    table(
        "counters",
        {
            "incr makes": ["INCR k", "GET k", "OBJECT ENCODING k"],
            "decr makes": ["DECR k", "GET k"],
            "incrby makes": ["INCRBY k 5", "GET k"],
            "decrby makes": ["DECRBY k 5", "GET k"],
            "incr keeps the ttl": ["SET k 1 EX 100", "INCR k", near("PTTL k", 1000)],
            "incr at the top": ["SET k 9223372036854775807", "INCR k", "GET k"],
            "incr to the top": ["SET k 9223372036854775806", "INCR k", "INCR k", "GET k"],
            "decr at the bottom": ["SET k -9223372036854775808", "DECR k", "GET k"],
            "incrby over the top": ["SET k 9223372036854775800", "INCRBY k 8", "INCRBY k 7"],
            "incrby under the bottom": ["SET k -9223372036854775800", "INCRBY k -9", "INCRBY k -8"],
            "decrby by the smallest": ["SET k 0", "DECRBY k -9223372036854775808", "GET k"],
            "decrby by the largest": ["SET k 0", "DECRBY k 9223372036854775807", "DECRBY k 1", "DECRBY k 1"],
            "decrby negative": ["SET k 5", "DECRBY k -3"],
            "negative and back": ["INCRBY k -10", "INCRBY k 10", "OBJECT ENCODING k"],
            "arity": [
                "INCR",
                "INCR k k",
                "DECR",
                "DECR k 1",
                "INCRBY k",
                "INCRBY k 1 1",
                "DECRBY k",
                "INCRBYFLOAT k",
            ],
            "refcount of small integers": ["SET k 100", "INCR k", "GET k", "OBJECT ENCODING k"],
            "string becomes int": ['SET k "12"', "OBJECT ENCODING k", "INCR k", "OBJECT ENCODING k"],
            "float value refused": ["INCRBYFLOAT k 1.5", "INCR k", "GET k"],
            "float back to integer": ["SET k 1.5", "INCRBYFLOAT k 0.5", kinds("OBJECT ENCODING k"), "INCR k"],
        },
    )
)
BOOK.add(
    table(
        "integer values",
        {
            name: [f"SET k {text}", "OBJECT ENCODING k", "INCR k", "DECRBY k 1", "GET k"]
            for name, text in INTEGERS.items()
        },
    )
)
BOOK.add(
    table(
        "integer arguments",
        {
            f"{name}, {command}": [
                "SET k 10",
                f"{command} k {text}",
                "GET k",
                f"{command} new {text}",
                "GET new",
            ]
            for name, text in INTEGERS.items()
            for command in ("INCRBY", "DECRBY")
        },
    )
)
BOOK.add(
    table(
        "float values",
        {
            name: [
                f"SET k {text}",
                "INCRBYFLOAT k 1",
                "GET k",
                kinds("OBJECT ENCODING k") if name in WHOLE_SUMS else "OBJECT ENCODING k",
            ]
            for name, text in FLOATS.items()
        },
    )
)
BOOK.add(
    table(
        "float arguments",
        {
            name: [
                f"INCRBYFLOAT new {text}",
                "GET new",
                "SET k 10.5 EX 100",
                f"INCRBYFLOAT k {text}",
                "GET k",
                near("TTL k", 1),
            ]
            for name, text in FLOATS.items()
        },
    )
)
_SUMS = [("0.1", "0.2"), ("10.50", "0.1"), ("5.0e3", "2.0e2"), ("3", "-3"), ("1e17", "1"), ("1e18", "0.25")]
_SUMS += [
    ("1.5", "1.5"),
    ("-1.1", "1.1"),
    ("0.3", "-0.1"),
    ("123456789.123456789", "0.000000001"),
    ("1e20", "1e20"),
]
_SUMS += [
    ("9007199254740993", "0"),
    ("9223372036854775807", "1"),
    ("0.00000000000000001", "0"),
    ("1e-18", "1e-18"),
]
_SUMS += [
    ("17179869185", "0.1"),
    ("2.675", "0"),
    ("1.1", "2.2"),
    ("100", "-99.99"),
    ("3.14159265358979323846", "0"),
]
_SUMS += [
    ("1e400", "1"),
    ("1e4900", "1e4900"),
    ("0.7", "0.1"),
    ("4.35", "100"),
    ("1.005", "1000"),
    ("-0.0", "-0.0"),
]
BOOK.add(
    table(
        "float sums",
        {f"{a} + {b}": [f"SET k {a}", f"INCRBYFLOAT k {b}", "GET k", "STRLEN k"] for a, b in _SUMS},
    )
)
BOOK.add(
    table(
        "mset mget msetnx",
        {
            "mset": ["MSET a 1 b 2 c 3", "MGET a b c"],
            "mset of twenty keys": [
                "MSET " + " ".join(f"key:{i} {i}" for i in range(20)),
                "MGET " + " ".join(f"key:{i}" for i in range(21)),
                "DBSIZE",
            ],
            "mset twice the same key": ["MSET a 1 b 2 a 3", "MGET a b"],
            "mset drops ttl": ["SET a 1 EX 100", "MSET a 2 b 3", "PTTL a"],
            "mset arity": ["MSET", "MSET a", "MSET a 1 b", "MSET a 1 b 2 c", "MGET a b c"],
            "msetnx": ["MSETNX a 1 b 2", "MGET a b", "MSETNX b 3 c 4", "MGET a b c"],
            "msetnx twice the same key": ["MSETNX a 1 a 2", "GET a"],
            "msetnx arity": ["MSETNX", "MSETNX a", "MSETNX a 1 b"],
            "msetnx of many": [
                "SET key:13 x",
                "MSETNX " + " ".join(f"key:{i} {i}" for i in range(20)),
                "DBSIZE",
                "DEL key:13",
                "MSETNX " + " ".join(f"key:{i} {i}" for i in range(20)),
                "DBSIZE",
            ],
            "mget": ["MSET a 1 b 2", "MGET a nokey b a", "MGET", "MGET a"],
            "mget of one hash tag": ["MSET {t}a 1 {t}b 2", "MGET {t}a {t}b {t}c"],
            "mset of binary": [r'MSET "\x00" "\r\n" "\xff" "\x00\x00"', r'MGET "\xff" "\x00"'],
        },
    )
)
_LCS = [
    "",
    "LEN",
    "IDX",
    "IDX WITHMATCHLEN",
    "IDX MINMATCHLEN 4",
    "IDX MINMATCHLEN 4 WITHMATCHLEN",
    "LEN IDX",
    "len",
]
_LCS += [
    "IDX LEN",
    "MINMATCHLEN 4",
    "WITHMATCHLEN",
    "LEN MINMATCHLEN 2",
    "IDX MINMATCHLEN -1",
    "IDX MINMATCHLEN abc",
]
_LCS += ["IDX MINMATCHLEN", "BOGUS", "IDX MINMATCHLEN 100", "IDX MINMATCHLEN 0", "IDX IDX"]
BOOK.add(
    singles(
        "lcs",
        [
            f"LCS {keys} {options}".strip()
            for keys in ("a b", "a nokey", "nokey nokey2", "a a", "d e")
            for options in _LCS
        ]
        + ["LCS", "LCS a", "LCS e f", "LCS e f IDX", "LCS n b", "LCS e1 a IDX"],
        setup=[
            "MSET a ohmytext b mynewtext d aaaabbbbccccdddd e bbbbxxaaaayydddd f abc n 12345",
            'SET e1 ""',
        ],
    )
)
_BIG = bytes(range(256)) * 1024
BOOK.add(
    table(
        "large values",
        {
            "256 KB": [args(b"SET", b"k", _BIG), "GET k", "STRLEN k", "GETRANGE k 1000 1020"],
            "3 MB": [
                args(b"SET", b"k", b"x" * 3_000_000),
                "STRLEN k",
                "GET k",
                "APPEND k y",
                "GETRANGE k -3 -1",
            ],
            "many large in one mget": [
                args(b"MSET", *[x for i in range(12) for x in (b"k%d" % i, bytes([65 + i]) * 70_000)]),
                "MGET " + " ".join(f"k{i}" for i in range(12)),
            ],
            "around reply buffer sizes": [
                args(
                    b"MSET",
                    *[x for n in (16_383, 16_384, 16_385, 65_535, 65_536) for x in (b"k%d" % n, b"z" * n)],
                ),
                *[f"GET k{n}" for n in (16_383, 16_384, 16_385, 65_535, 65_536)],
            ],
            "large key": [
                args(b"SET", b"n" * 100_000, b"v"),
                args(b"GET", b"n" * 100_000),
                unordered("KEYS *"),
            ],
            "setrange far out": ["SETRANGE k 1000000 x", "STRLEN k", "GETRANGE k 999990 -1"],
        },
    )
)
