"""Cases of TTLs: EXPIRE and its kin, what keeps and what drops a TTL, keys whose time has come."""

from __future__ import annotations

from tests.differential.case import Book, near, on, singles, table, unordered, until

BOOK = Book()

# Unix times beyond any run of the tests, in seconds.
LATE, LATER, LATEST = 4102444800, 4102444900, 4102445000

COMMANDS = ("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT")

_AMOUNTS = ["100", "0", "-1", "-100", "abc", "1.5", '""', "9223372036854775807", "-9223372036854775808"]
_AMOUNTS += [
    "9223372036854775808",
    "9223372036854775",
    "-9223372036854775",
    "9223372036854776",
    "1e3",
    "+5",
    '" 5"',
]

BOOK.add(
    singles(
        "amounts",
        [f"{command} {key} {amount}" for command in COMMANDS for key in ("k", "nokey") for amount in _AMOUNTS]
        + [f"{command}{rest}" for command in COMMANDS for rest in ("", " k")]
        + [f"{command} k {LATE}123" for command in ("PEXPIREAT", "PEXPIRE")]
        + [f"{command} k {LATE}" for command in ("EXPIREAT", "EXPIRE")],
        setup=["SET k v"],
        probe=["GET k", near("PTTL k", 1000), near("PEXPIRETIME k", 1000), "DBSIZE"],
    )
)

_VALID = ["NX", "XX", "GT", "LT", "XX GT", "LT XX"]
_INVALID = [
    "nx xx",
    "NX GT",
    "NX LT",
    "GT LT",
    "LT GT XX",
    "NX NX",
    "GT GT",
    "BOGUS",
    "NX BOGUS",
    "BOGUS NX",
    "10",
    '""',
]
_TWO_KEYS = ["MSET with v without v", f"EXPIREAT with {LATER}"]
_TWO_TIMES = ["EXPIRETIME with", "EXPIRETIME without", "DBSIZE"]
BOOK.add(
    singles(
        "options",
        [
            f"EXPIREAT {key} {moment} {options}"
            for options in _VALID
            for key in ("with", "without", "nokey")
            for moment in (LATE, LATER, LATEST, 1)
        ]
        + [f"{command} with 100 {options}" for options in _INVALID for command in COMMANDS]
        + [f"EXPIRE nokey 100 {options}" for options in _INVALID]
        + [f"EXPIRE with abc {options}" for options in ("NX XX", "BOGUS", "NX")],
        setup=_TWO_KEYS,
        probe=_TWO_TIMES,
    )
)
BOOK.add(
    singles(
        "options of each command",
        [
            near(f"{command} {key} {amount} {option}", 0)
            for command, amount in (("EXPIRE", 100), ("PEXPIRE", 100_000), ("PEXPIREAT", LATE * 1000))
            for option in ("NX", "XX", "GT", "LT", "gt")
            for key in ("with", "without")
        ],
        setup=_TWO_KEYS,
        probe=[near("TTL with", 1), near("TTL without", 1)],
    )
)
BOOK.add(
    singles(
        "reading",
        [
            near(f"{command}{rest}", 1000)
            for command in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST")
            for rest in ("", " with", " without", " nokey", " with without")
        ],
        setup=_TWO_KEYS,
        probe=_TWO_TIMES,
    )
)
BOOK.add(
    table(
        "rounding",
        {
            "ttl rounds to the nearest": [
                "SET k v PX 1999",
                near("TTL k", 0),
                "SET k v PX 10400",
                near("TTL k", 0),
            ],
            "expiretime rounds up": [f"SET k v PXAT {LATE}001", "EXPIRETIME k", "PEXPIRETIME k"],
            "expiretime of 499": [f"SET k v PXAT {LATE}499", "EXPIRETIME k"],
            "expiretime of 500": [f"SET k v PXAT {LATE}500", "EXPIRETIME k"],
            "expiretime of 999": [f"SET k v PXAT {LATE}999", "EXPIRETIME k"],
            "exact milliseconds far away": ["SET k v", "PEXPIREAT k 9007199254740993", "PEXPIRETIME k"],
            "300 years away": ["SET k v EXAT 11000000000", "PEXPIRETIME k", "EXPIRETIME k"],
            "beyond 2^28 ms": ["SET k v", "PEXPIREAT k 4102444800123", "PEXPIRETIME k"],
        },
    )
)

# Every write to a string, and whether the TTL is still there after it.
_WRITES = [
    "SET k 5",
    "SET k 5 KEEPTTL",
    "SET k 5 XX",
    "SET k 5 NX",
    "SET k 5 GET",
    "GETSET k 5",
    "SETNX k 5",
    "MSET k 5",
]
_WRITES += ["MSETNX k 5 j 6", "APPEND k 5", "SETRANGE k 0 5", "INCR k", "DECR k", "INCRBY k 5", "DECRBY k 5"]
_WRITES += [
    "INCRBYFLOAT k 5",
    "GETEX k",
    "GETEX k PERSIST",
    "GETDEL k",
    "RENAME k j",
    "RENAME j k",
    "RENAMENX k n",
]
_WRITES += [
    "COPY k j REPLACE",
    "COPY j k REPLACE",
    "COPY k n",
    "PERSIST k",
    "TOUCH k",
    "EXPIRE k -1",
    "DEL k",
    "UNLINK k",
]
BOOK.add(
    singles(
        "effects",
        _WRITES,
        setup=[f"SET k 1 EXAT {LATE}", "SET j 2"],
        probe=["EXPIRETIME k", "EXPIRETIME j", "EXPIRETIME n", "MGET k j n"],
    )
)

# A key whose time has come is not there for any command.
_AFTER = [
    "GET k",
    "EXISTS k",
    "TTL k",
    "PTTL k",
    "EXPIRETIME k",
    "TYPE k",
    "STRLEN k",
    "GETRANGE k 0 -1",
    "SETNX k w",
]
_AFTER += [
    "SET k w XX",
    "SET k w NX",
    "SET k w GET",
    "SET k w KEEPTTL",
    "GETSET k w",
    "GETDEL k",
    "GETEX k PERSIST",
    "INCR k",
]
_AFTER += [
    "APPEND k x",
    "SETRANGE k 1 x",
    "RENAME k j",
    "RENAMENX j k",
    "RENAMENX k j",
    "COPY k n",
    "COPY j k",
    "PERSIST k",
]
_AFTER += [
    "EXPIRE k 10",
    "EXPIRE k 10 NX",
    "DEL k",
    "UNLINK k",
    "TOUCH k",
    "MSETNX k w n w",
    "MGET k j",
    "OBJECT ENCODING k",
]
_AFTER += [
    "MOVE k 1",
    "RANDOMKEY",
    "KEYS *",
    "SCAN 0 COUNT 100",
    "LCS k j",
    "INCRBYFLOAT k 1.5",
]
BOOK.add(
    singles(
        "after expiry",
        _AFTER,
        setup=["SET j here", "SET k gone PX 1", "DEBUG SLEEP 0.005"],
        probe=["GET k", "PTTL k", "GET j", "GET n", "EXISTS k"],
    )
)
BOOK.add(
    singles(
        "after expiry by a negative time",
        [line for line in _AFTER if line not in ("RANDOMKEY",)],
        setup=["SET j here", "SET k gone", "EXPIRE k -1"],
        probe=["GET k", "PTTL k", "GET j", "GET n", "EXISTS k"],
    )
)
BOOK.add(
    table(
        "time passes",
        {
            "expire": ["SET k v", "PEXPIRE k 20", until("EXISTS k", ":0"), "TTL k"],
            "expireat": ["SET k v", "PEXPIREAT k {ms+20}", until("GET k", "$")],
            "active expiry empties the database": [
                *[f"SET key:{i} v PX {i + 1}" for i in range(30)],
                until("DBSIZE", ":0"),
            ],
            "a new value lives on": [
                "SET k v PX 10",
                "SET k w",
                "SET j v PX 20",
                until("EXISTS j", ":0"),
                "GET k",
            ],
            "renamed keys run out": ["SET k v PX 300", "RENAME k j", until("EXISTS j", ":0"), "DBSIZE"],
            "copies run out": [
                "SET k v PX 300",
                "COPY k j",
                until("EXISTS j", ":0"),
                until("EXISTS k", ":0"),
            ],
            "getex": ["SET k v", "GETEX k PX 10", until("EXISTS k", ":0")],
            "as others see it": [
                on(1, "PING"),
                "SET k v PX 300",
                on(1, "EXISTS k"),
                until("EXISTS k", ":0"),
                on(1, "GET k"),
            ],
            "set-active-expire off": [
                "DEBUG SET-ACTIVE-EXPIRE 0",
                "SET k v PX 1",
                "SET j v PX 1",
                until("EXISTS k", ":0"),
                until("EXISTS j", ":0"),
                "DEBUG SET-ACTIVE-EXPIRE 1",
                unordered("KEYS *"),
            ],
        },
    )
)
