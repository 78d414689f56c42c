"""Cases of the set commands: members, algebra, moves, counts, arity, types, order of checks, encodings, TTL.

What is drawn at random is compared by shape, or where it can only come out one way.
"""

from __future__ import annotations

from tests.differential.case import Book, Line, args, fields, near, shape, singles, table, unordered

BOOK = Book()

# Keys of other kinds.
OTHER = ["SET x v"]
SET = ["SADD s a b c d e"]
SHOW = [unordered("SMEMBERS s"), "SCARD s", "EXISTS s"]

SMALLEST = "-9223372036854775808"
INTEGERS = [
    "9223372036854775807",
    SMALLEST,
    "-9223372036854775807",
    "9223372036854775808",
    "007",
    "+1",
    "-0",
    '" 1"',
    '""',
    "1.0",
    "abc",
]

BOOK.add(
    table(
        "sadd, srem",
        {
            "add": ["SADD s a", "SADD s b", "SADD s a", *SHOW],
            "add several": ["SADD s a b c a", "SADD s c d", *SHOW],
            "empty member": ['SADD s ""', 'SISMEMBER s ""', *SHOW, 'SREM s ""', *SHOW],
            "binary members": [args(b"SADD", b"s", b"\x00\r\n\xff", bytes(range(256))), *SHOW],
            "numbers stay as written": ["SADD s 1 -1 1.0 007 1e3 9223372036854775808 +1", *SHOW],
            "long members": [args(b"SADD", b"s", b"x" * 20_000, b"y" * 9000), *SHOW],
            "add to another type": [*OTHER, "SADD x a", "GET x"],
            "add keeps the ttl": ["SADD s a", "EXPIRE s 1000", "SADD s b", near("TTL s", 2)],
            "add over an expired key": ["SADD s a", "PEXPIREAT s 1", "SADD s b", *SHOW, "TTL s"],
            "type": ["SADD s a", "TYPE s"],
            "remove": [*SET, "SREM s a", "SREM s a", "SREM s b c z b", *SHOW],
            "remove the last": ["SADD s a b", "SREM s a b", *SHOW, "TYPE s", "SREM s a"],
            "remove more than there is": ["SADD s a", "SREM s x a y a", *SHOW],
            "remove without a key": ["SREM s a", *SHOW],
            "remove from another type": [*OTHER, "SREM x a", "GET x"],
            "the ttl goes with the key": ["SADD s a", "EXPIRE s 1000", "SREM s a", "SADD s b", "TTL s"],
            "arity": ["SADD", "SADD s", "SREM", "SREM s"],
        },
    )
)
BOOK.add(
    table(
        "reading sets",
        {
            "scard": ["SCARD s", *SET, "SCARD s"],
            "sismember": ["SISMEMBER s a", *SET, "SISMEMBER s a", "SISMEMBER s z", 'SISMEMBER s ""'],
            "smismember": ["SMISMEMBER s a b", *SET, "SMISMEMBER s a z e a", "SMISMEMBER s z"],
            "smembers": ["SMEMBERS s", *SET, unordered("SMEMBERS s")],
            "integers in order": ["SADD s 30 -5 0 7 100 9223372036854775807", "SMEMBERS s"],
            "other types": [*OTHER, "SCARD x", "SISMEMBER x a", "SMISMEMBER x a b", "SMEMBERS x"],
            "arity": ["SCARD", "SCARD s t", "SISMEMBER s", "SISMEMBER s a b", "SMEMBERS", "SMEMBERS s t"],
            "smismember arity": ["SMISMEMBER", "SMISMEMBER s"],
            "after deadlines": ["SADD s a", "PEXPIREAT s 1", "SCARD s", "SMEMBERS s", "SISMEMBER s a"],
        },
    )
)
BOOK.add(
    table(
        "smove",
        {
            "moves": ["SADD a m n", "SMOVE a b m", "SMEMBERS a", "SMEMBERS b"],
            "there already": ["SADD a m n", "SADD b m", "SMOVE a b m", "SMEMBERS a", "SMEMBERS b"],
            "the last one": ["SADD a m", "SMOVE a b m", "EXISTS a", "SMEMBERS b", "SMOVE b a m", "EXISTS b"],
            "not a member": ["SADD a m", "SMOVE a b z", "EXISTS b", "SCARD a"],
            "no source": ["SADD b m", "SMOVE a b m", "SMEMBERS b"],
            "to itself": ["SADD a m", "SMOVE a a m", "SMOVE a a z", "SMEMBERS a"],
            "no source and another type": ["SET b v", "SMOVE a b m", "GET b"],
            "from another type": ["SET a v", "SADD b m", "SMOVE a b m", "SMOVE a a m", "SMOVE b b m"],
            "to another type": ["SADD a m", "SET b v", "SMOVE a b m", "SMOVE a b z", "SMEMBERS a"],
            "other types both": ["SET a v", "SET b v", "SMOVE a b m", "SMOVE a a m"],
            "integers": ["SADD a 1 2 3", "SADD b 4", "SMOVE a b 2", "SMEMBERS a", "SMEMBERS b"],
            "into integers": ["SADD a x y", "SADD b 4", "SMOVE a b x", "SMEMBERS a", unordered("SMEMBERS b")],
            "deadlines stay": [
                "SADD a m n",
                "SADD b o",
                "EXPIRE a 1000",
                "EXPIRE b 2000",
                "SMOVE a b m",
                near("TTL a", 2),
                near("TTL b", 2),
            ],
            "arity": ["SMOVE", "SMOVE a", "SMOVE a b", "SMOVE a b m n"],
        },
    )
)

# Every place of few keys on three shards is among these.
SETS = ["SADD a 1 2 3 4 x", "SADD b 2 3 4 5 x y", "SADD c 3 4 6 y z", "SADD d only", "SADD {t}1 3 4 5 7"]
QUERIES = [
    "a",
    "a b",
    "b a",
    "a b c",
    "c b a",
    "a a",
    "a b a",
    "a none",
    "none a",
    "none",
    "none none2",
    "a b c d",
    "a b c {t}1",
    "{t}1 a",
    "{t}1 b c a none",
    "d a",
]
BOOK.add(
    singles(
        "algebra",
        [unordered(f"{name} {keys}") for name in ("SINTER", "SUNION", "SDIFF") for keys in QUERIES],
        setup=SETS,
    )
)
BOOK.add(
    singles(
        "algebra stored",
        [
            f"{name} {to} {keys}"
            for name in ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE")
            for to in ("r", "a", "{t}2")
            for keys in QUERIES
        ],
        setup=SETS,
        probe=[unordered("SMEMBERS r"), unordered("SMEMBERS a"), unordered("SMEMBERS {t}2"), "DBSIZE"],
    )
)
BOOK.add(
    table(
        "algebra on other types",
        {
            **{
                f"{name} {keys}": ["SADD a 1 2", "SADD b 2 3", *OTHER, f"{name} {keys}"]
                for name in ("SINTER", "SUNION", "SDIFF", "SINTERSTORE r", "SUNIONSTORE r", "SDIFFSTORE r")
                for keys in ("x", "a x", "x a", "a none x", "none x", "a b x", "x none")
            },
            **{
                f"{name} over another type": [
                    "SADD a 1 2",
                    *OTHER,
                    f"{name} x a",
                    "TYPE x",
                    f"{name} x none",
                    "EXISTS x",
                    f"{name} x none",
                ]
                for name in ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE")
            },
            **{
                f"{name} takes the ttl away": [
                    "SADD a 1",
                    "SADD r 2",
                    "EXPIRE r 1000",
                    f"{name} r a",
                    "TTL r",
                ]
                for name in ("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE")
            },
            "arity": ["SINTER", "SUNION", "SDIFF", "SINTERSTORE r", "SUNIONSTORE r", "SDIFFSTORE r"],
        },
    )
)
BOOK.add(
    singles(
        "sintercard",
        [
            *[f"SINTERCARD {len(keys.split())} {keys}" for keys in QUERIES],
            *[f"SINTERCARD 2 a b LIMIT {limit}" for limit in ("0", "1", "2", "100", "-1", *INTEGERS)],
            *[f"SINTERCARD {number} a b" for number in ("0", "1", "3", "-1", *INTEGERS)],
            "SINTERCARD 2 a b LIMIT",
            "SINTERCARD 2 a b BOGUS 1",
            "SINTERCARD 2 a b limit 1",
            "SINTERCARD 2 a b LIMIT 1 LIMIT 2",
            "SINTERCARD 2 a x",
            "SINTERCARD 2 none x",
            "SINTERCARD",
            "SINTERCARD 1",
            "COMMAND GETKEYS SINTERCARD 2 a b LIMIT 1",
            "COMMAND GETKEYS SINTERCARD 3 a b",
            "COMMAND GETKEYS SINTERSTORE r a b",
            "COMMAND GETKEYS SMOVE a b m",
        ],
        setup=[*SETS, *OTHER],
    )
)

RANDOM: list[Line] = ["SPOP s 0", "SRANDMEMBER s 0", "SRANDMEMBER s -0"]
BOOK.add(
    table(
        "members at random",
        {
            "srandmember": [*SET, shape("SRANDMEMBER s"), *SHOW],
            "srandmember of one": ["SADD s a", "SRANDMEMBER s", "SRANDMEMBER s 5", "SRANDMEMBER s -3", *SHOW],
            "srandmember without a key": ["SRANDMEMBER s", "SRANDMEMBER s 3", "SRANDMEMBER s -3"],
            "srandmember count": [*SET, *[shape(f"SRANDMEMBER s {n}") for n in (1, 2, 4, -1, -10)], *SHOW],
            "srandmember all": [*SET, unordered("SRANDMEMBER s 5"), unordered("SRANDMEMBER s 100")],
            "srandmember wrong type": [*OTHER, "SRANDMEMBER x", "SRANDMEMBER x 1", "SRANDMEMBER x abc"],
            "srandmember syntax": [*SET, "SRANDMEMBER s 1 2", "SRANDMEMBER s a b", "SRANDMEMBER"],
            "spop": [*SET, shape("SPOP s"), "SCARD s"],
            "spop the last": ["SADD s a", "SPOP s", *SHOW, "SPOP s"],
            "spop without a key": ["SPOP s", "SPOP s 3", "SPOP s 0"],
            "spop count": [*SET, shape("SPOP s 2"), "SCARD s", shape("SPOP s 1"), "SCARD s"],
            "spop all": [*SET, unordered("SPOP s 5"), *SHOW],
            "spop more": [*SET, unordered("SPOP s 6"), *SHOW],
            "spop most": [*SET, unordered("SPOP s 9223372036854775807"), *SHOW],
            "spop wrong type": [*OTHER, "SPOP x", "SPOP x 1", "SPOP x -1", "SPOP x 0"],
            "spop syntax": [*SET, "SPOP s 1 2", "SPOP s -1", "SPOP s x", "SPOP", "SPOP s -1 x", *SHOW],
            "spop keeps the ttl": [*SET, "EXPIRE s 1000", shape("SPOP s"), near("TTL s", 2)],
            "none": [*SET, *RANDOM, *SHOW],
            "spop all but one": [*SET, shape("SPOP s 4"), "SCARD s", "EXISTS s"],
        },
    )
)
BOOK.add(singles("spop counts", [f"SPOP s {number}" for number in INTEGERS if number[0] != "9"], setup=SET))
BOOK.add(
    singles(
        "srandmember counts",
        [
            f"SRANDMEMBER s {number}"
            for number in INTEGERS
            if number[:2] != "92" and number != "-9223372036854775807"
        ],
        setup=SET,
    )
)
BOOK.add(
    table(
        "sscan",
        {
            "all": [*SET, unordered("SSCAN s 0 COUNT 100")],
            "integers": ["SADD s 3 1 2", "SSCAN s 0"],
            "without a key": ["SSCAN s 0", "SSCAN s 5", "SSCAN s 0 COUNT 0", "SSCAN s 0 BOGUS", "SSCAN s x"],
            "match": [*SET, unordered("SSCAN s 0 MATCH [ab] COUNT 100"), "SSCAN s 0 MATCH z* COUNT 100"],
            "match everything": [*SET, unordered("SSCAN s 0 MATCH * COUNT 100")],
            "options twice": [*SET, unordered("SSCAN s 0 COUNT 1 COUNT 100 MATCH z MATCH a")],
            "wrong type": [*OTHER, "SSCAN x 0", "SSCAN x 0 BOGUS", "SSCAN x x"],
            "bad options": [
                *SET,
                *[
                    f"SSCAN s {rest}"
                    for rest in ("0 COUNT 0", "0 COUNT -1", "0 COUNT x", "0 COUNT", "0 MATCH")
                ],
                *[f"SSCAN s {rest}" for rest in ("0 BOGUS", "0 BOGUS 1", "x", "-1x", "0 COUNT 1 MATCH")],
            ],
            "arity": ["SSCAN", "SSCAN s"],
            "type option": [*SET, "SSCAN s 0 TYPE string", "SSCAN s 0 TYPE"],
        },
    )
)
MANY_NUMBERS = " ".join(str(number) for number in range(512))
MANY_WORDS = " ".join(f"word:{number}" for number in range(200))
BOOK.add(
    table(
        "set encodings",
        {
            "integers": [
                "SADD s 1 2 3",
                "OBJECT ENCODING s",
                "SADD s 9223372036854775807",
                "OBJECT ENCODING s",
            ],
            "full of integers": [
                f"SADD s {MANY_NUMBERS}",
                "OBJECT ENCODING s",
                "SADD s 511",
                "OBJECT ENCODING s",
                "SADD s 512",
                "OBJECT ENCODING s",
                "SREM s 512 511 510",
                "OBJECT ENCODING s",
            ],
            "many words": [f"SADD s {MANY_WORDS}", "OBJECT ENCODING s", "SCARD s"],
            "a word among many integers": [f"SADD s {MANY_NUMBERS}", "SADD s x", "OBJECT ENCODING s"],
            "configured": [
                "CONFIG SET set-max-intset-entries 2",
                "SADD s 1 2",
                "OBJECT ENCODING s",
                "SADD s 3",
                "TYPE s",
                "CONFIG SET set-max-intset-entries 512",
            ],
            "stored": ["SADD a 1 2 3", "SADD b 2 3 4", "SUNIONSTORE s a b", "OBJECT ENCODING s"],
            "stored intersection": ["SADD a 1 2 3 x", "SADD b 2 3 4", "SINTERSTORE s b a", "SMEMBERS s"],
            "copied": ["SADD a 1 2 3", "COPY a s", "OBJECT ENCODING s", "SMEMBERS s", "SADD s 9", "SCARD a"],
            "renamed": ["SADD a 1 2 x", "EXPIRE a 1000", "RENAME a s", *SHOW, near("TTL s", 2)],
            "moved": ["SADD s 1 2 x", "MOVE s 1", "EXISTS s", "SELECT 1", *SHOW, "SELECT 0"],
            "digests": [
                "SADD s 1 2 x",
                "SADD t 3",
                "DEBUG DIGEST-VALUE s t none",
                "EXPIRE s 10000",
                "DEBUG DIGEST-VALUE s",
            ],
            "object": ["SADD s 1 2 x", "OBJECT REFCOUNT s", near("OBJECT IDLETIME s", 1)],
            "memory": ["SADD s 1 2 x", shape("MEMORY USAGE s"), shape("MEMORY USAGE s SAMPLES 0")],
            "debug object": ["SADD s 1 2 x", fields("DEBUG OBJECT s")],
        },
    )
)
BOOK.add(
    table(
        "sets where strings are expected",
        {
            "strings": [
                *SET,
                *[f"{line}" for line in ("GET s", "APPEND s x", "INCR s", "GETSET s x", "SETRANGE s 1 x")],
                *[f"{line}" for line in ("STRLEN s", "GETRANGE s 0 1", "GETDEL s", "GETEX s", "MGET s s")],
                *SHOW,
            ],
            "set replaces": [*SET, "SET s v", "GET s"],
            "set with get": [*SET, "SET s v GET", *SHOW],
            "setnx": [*SET, "SETNX s v", "MSETNX s v t w", *SHOW],
        },
    )
)
