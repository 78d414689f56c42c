"""Cases of the generic commands: DEL and its kin, RENAME, COPY, MOVE, SCAN, KEYS, OBJECT, TYPE, databases."""

from __future__ import annotations

from tests.differential.case import Book, anything, kinds, near, on, shape, singles, table, unordered

BOOK = Book()

COLLECTIONS = ["RPUSH l a b", "HSET h f v", "SADD s m", "ZADD z 1 m", "XADD x 1-1 f v"]

_FOUR = ["MSET a 1 b 2 c 3 d 4"]

BOOK.add(
    singles(
        "del unlink exists touch",
        [
            f"{command}{keys}"
            for command in ("DEL", "UNLINK", "EXISTS", "TOUCH")
            for keys in ("", " a", " nokey", " a b", " a b c d e", " a a", " a nokey a", ' ""')
        ],
        setup=_FOUR,
        probe=["DBSIZE", "MGET a b c d"],
    )
)
BOOK.add(
    table(
        "many keys",
        {
            f"{command} of thirty": [
                "MSET " + " ".join(f"key:{i} {i}" for i in range(30)),
                f"{command} " + " ".join(f"key:{i}" for i in range(0, 60, 2)),
                "DBSIZE",
            ]
            for command in ("DEL", "UNLINK", "EXISTS", "TOUCH")
        },
    )
)
BOOK.add(
    singles(
        "collections",
        [
            f"{command} {key}"
            for command in (
                "TYPE",
                "DEL",
                "UNLINK",
                "EXISTS",
                "TTL",
                "PERSIST",
                "OBJECT REFCOUNT",
            )
            for key in "lhszx"
        ]
        + [f"COPY {key} copy" for key in "lhszx"]
        + [f"RENAME {key} k" for key in "lhszx"]
        + [f"EXPIRE {key} 100" for key in "lhszx"]
        + [f"MOVE {key} 1" for key in "lhszx"]
        + [f"SCAN 0 COUNT 1000 TYPE {name}" for name in ("list", "hash", "set", "zset", "stream")],
        setup=["SET k v", *COLLECTIONS],
        probe=["TYPE k", "TYPE copy", "EXISTS l h s z x", near("TTL l", 1), "DBSIZE"],
    )
)

# Both names of a RENAME or COPY: on different shards, on the same one, the same key.
_PAIRS = ["a b", "a new", "nokey b", "nokey new", "a a", "nokey nokey", "{t}a {t}b", "{t}a new"]
BOOK.add(
    singles(
        "rename",
        [f"{command} {pair}" for command in ("RENAME", "RENAMENX", "COPY") for pair in _PAIRS]
        + [f"COPY {pair} REPLACE" for pair in _PAIRS]
        + [
            "RENAME",
            "RENAME a",
            "RENAME a b c",
            "RENAMENX",
            "RENAMENX a",
            "RENAMENX a b c",
            "COPY",
            "COPY a",
        ],
        setup=["MSET a 1 b 2 {t}a 3 {t}b 4", "EXPIRE a 100", "EXPIRE b 500"],
        probe=["MGET a b new {t}a {t}b", near("TTL a", 1), near("TTL b", 1), near("TTL new", 1), "DBSIZE"],
    )
)
BOOK.add(
    singles(
        "copy options",
        [
            "COPY a new DB 0",
            "COPY a new DB 1",
            "COPY a a DB 1",
            "COPY a a DB 0",
            "COPY a a",
            "COPY a b DB 1",
            "COPY a b DB 1 REPLACE",
            "COPY a b REPLACE DB 1",
            "COPY a other DB 1",
            "COPY a other DB 1 REPLACE",
            "COPY a other REPLACE REPLACE DB 1",
            "COPY nokey other DB 1 REPLACE",
            "COPY a new DB 16",
            "COPY a new DB -1",
            "COPY a new DB abc",
            'COPY a new DB ""',
            "COPY a new DB 1.5",
            "COPY a new DB 99999999999999999999",
            "COPY a new DB 9223372036854775807",
            "COPY a new DB 2147483648",
            "COPY a new DB",
            "COPY a new BOGUS",
            "COPY a new db 1 replace",
            "COPY a new DB 1 DB 2",
            "COPY nokey new BOGUS",
            "COPY nokey new DB 99",
        ],
        setup=["SELECT 1", "SET other o", "SELECT 0", "MSET a 1 b 2", "EXPIRE a 100"],
        probe=[
            "MGET a b new other",
            near("TTL new", 1),
            "SELECT 1",
            "MGET a b new other",
            near("TTL new", 1),
        ],
    )
)
BOOK.add(
    singles(
        "move",
        [
            "MOVE a 1",
            "MOVE b 1",
            "MOVE nokey 1",
            "MOVE a 0",
            "MOVE nokey 0",
            "MOVE a 15",
            "MOVE a 16",
            "MOVE a -1",
            "MOVE a abc",
            "MOVE a 99999999999999999999",
            "MOVE a 2147483648",
            "MOVE a",
            "MOVE",
            "MOVE a 1 2",
            "MOVE nokey 99",
        ],
        setup=["SELECT 1", "SET b theirs", "SELECT 0", "MSET a 1 b 2", "EXPIRE a 100"],
        probe=["MGET a b", "SELECT 1", "MGET a b", near("TTL a", 1), "SELECT 15", "GET a"],
    )
)
BOOK.add(
    singles(
        "select swapdb flushdb",
        [
            "SELECT 1",
            "SELECT 15",
            "SELECT 16",
            "SELECT -1",
            "SELECT abc",
            'SELECT ""',
            "SELECT 1.0",
            "SELECT 01",
            "SELECT 99999999999999999999",
            "SELECT 2147483648",
            "SELECT",
            "SELECT 1 2",
            "SWAPDB 0 1",
            "SWAPDB 1 0",
            "SWAPDB 0 0",
            "SWAPDB 1 2",
            "SWAPDB 0 16",
            "SWAPDB 16 0",
            "SWAPDB -1 0",
            "SWAPDB a 0",
            "SWAPDB 0 b",
            "SWAPDB a b",
            "SWAPDB 0 99999999999999999999",
            "SWAPDB 0",
            "SWAPDB",
            "SWAPDB 0 1 2",
            "FLUSHDB",
            "FLUSHDB ASYNC",
            "FLUSHDB SYNC",
            "FLUSHDB async",
            "FLUSHDB BOGUS",
            "FLUSHDB SYNC ASYNC",
            "FLUSHALL",
            "FLUSHALL ASYNC",
            "FLUSHALL SYNC",
            "FLUSHALL sync",
            "FLUSHALL BOGUS",
            "FLUSHALL SYNC ASYNC",
            "DBSIZE x",
        ],
        setup=["SET here 0", "SELECT 1", "MSET there 1 more 1 again 1", "SELECT 0"],
        probe=["DBSIZE", "MGET here there", "SELECT 1", "DBSIZE", "MGET here there", "SELECT 0", "DBSIZE"],
    )
)
BOOK.add(
    table(
        "databases of two connections",
        {
            "select is of the connection": [
                "SELECT 3",
                "SET k v",
                on(1, "GET k"),
                on(1, "SELECT 3"),
                on(1, "GET k"),
            ],
            "swapdb is seen by others": [
                "SET k v",
                on(1, "SELECT 1"),
                on(1, "GET k"),
                "SWAPDB 0 1",
                on(1, "GET k"),
                "GET k",
            ],
            "swapdb keeps ttl": ["SET k v EX 100", "SWAPDB 0 1", "SELECT 1", near("TTL k", 1)],
            "swapdb twice": ["SET k v", "SWAPDB 0 1", "SWAPDB 0 1", "GET k", "DBSIZE"],
            "flushall empties all": [
                "SET k v",
                on(1, "SELECT 2"),
                on(1, "SET j w"),
                "FLUSHALL",
                on(1, "DBSIZE"),
                "DBSIZE",
            ],
            "move back and forth": [
                "SET k v",
                "MOVE k 1",
                "SELECT 1",
                "MOVE k 0",
                "EXISTS k",
                "SELECT 0",
                "GET k",
            ],
        },
    )
)
BOOK.add(
    singles(
        "type",
        ["TYPE", "TYPE a", "TYPE nokey", "TYPE a b", "RANDOMKEY x", "KEYS", "KEYS * *", "DBSIZE"],
        setup=_FOUR,
    )
)
BOOK.add(
    table(
        "randomkey",
        {
            "of nothing": ["RANDOMKEY"],
            "of one": ["SET only v", "RANDOMKEY"],
            "of many": ["MSET a 1 b 2 c 3", shape("RANDOMKEY")],
            "of another database": ["SET k v", "SELECT 1", "RANDOMKEY"],
        },
    )
)

# Patterns at the edges of the glob syntax, against the keys below.
_NAMES = r"""MSET hello 1 hallo 1 hxllo 1 hllo 1 heello 1 "h*llo" 1 "h?llo" 1 "a[b" 1 "a]b" 1 "a\\b" 1
 "" 1 "a-b" 1 "^a" 1 abc 1 ABC 1 "a\x00b" 1 "a\nb" 1 "\xff" 1 é 1 0 1 9 1 "{t}1" 1""".replace("\n", "")
_PATTERNS = [
    "*",
    "h*llo",
    "h?llo",
    "h[ae]llo",
    "h[^e]llo",
    "h[a-b]llo",
    "h[b-a]llo",
    "hello",
    "",
    "?",
    "??",
    "***",
]
_PATTERNS += [
    r"h\\*llo",
    r"h\\?llo",
    "[",
    "a[b",
    r"a\\[b",
    "a[[]b",
    "[]",
    "a[]]b",
    "[^",
    "[a",
    "[a-",
    "[a-z",
    "*[a-c]",
]
_PATTERNS += [
    r"\\",
    r"a\\",
    r"a\\\\b",
    "[0-9]",
    "a[+--]b",
    r"[\\^]a",
    "^a",
    "[^^]a",
    r"\xff",
    r"a\x00b",
    r"a\nb",
    "ABC",
]
_PATTERNS += [
    "*l*l*",
    "*o",
    "h*",
    "*x*",
    "a*b*c",
    "{t}*",
    r"[\\a-c]bc",
    "[A-C]BC",
    "a?b",
    r"a[\\]]b",
    "[a-]*",
    "*" * 40,
]
BOOK.add(table("keys", {pattern: [_NAMES, unordered(f'KEYS "{pattern}"')] for pattern in _PATTERNS}))
BOOK.add(
    table(
        "scan match",
        {pattern: [_NAMES, unordered(f'SCAN 0 MATCH "{pattern}" COUNT 1000')] for pattern in _PATTERNS},
    )
)
BOOK.add(
    singles(
        "scan",
        [
            "SCAN",
            "SCAN abc",
            unordered('SCAN "" COUNT 100'),
            kinds("SCAN -1"),
            "SCAN 1.5",
            "SCAN 18446744073709551616",
            'SCAN " 0"',
            'SCAN "0 "',
            "SCAN 0 COUNT 0",
            "SCAN 0 COUNT -1",
            "SCAN 0 COUNT abc",
            "SCAN 0 COUNT",
            "SCAN 0 COUNT 9223372036854775808",
            "SCAN 0 MATCH",
            "SCAN 0 TYPE",
            "SCAN 0 BOGUS",
            "SCAN 0 BOGUS x",
            "SCAN 0 COUNT 10 BOGUS x",
            "SCAN abc BOGUS",
            unordered("SCAN 0 COUNT 100"),
            unordered("SCAN 0 COUNT 9223372036854775807"),
            unordered("SCAN 0 count 100 match *"),
            unordered("SCAN 0 COUNT 100 COUNT 200"),
            unordered("SCAN 0 MATCH a COUNT 100 MATCH b"),
            unordered("SCAN 0 TYPE string COUNT 100"),
            unordered("SCAN 0 TYPE STRING COUNT 100"),
            unordered("SCAN 0 TYPE list COUNT 100"),
            unordered("SCAN 0 TYPE bogus COUNT 100"),
            unordered("SCAN 0 MATCH nomatch COUNT 100"),
            unordered("SCAN 00 COUNT 100"),
        ],
        setup=_FOUR,
    )
)
BOOK.add(
    table(
        "scan skips",
        {
            "expired keys": ["SET gone v PX 1", *_FOUR, "DEBUG SLEEP 0.01", unordered("SCAN 0 COUNT 100")],
            "other databases": ["SELECT 1", *_FOUR, "SELECT 0", "SCAN 0 COUNT 100"],
            "nothing there": ["SCAN 0", "KEYS *", "DBSIZE"],
        },
    )
)
BOOK.add(
    singles(
        "object",
        [
            "OBJECT",
            "OBJECT BOGUS",
            "OBJECT BOGUS a",
            "OBJECT ENCODING",
            "OBJECT ENCODING a b",
            "OBJECT ENCODING nokey",
            "OBJECT ENCODING int",
            "OBJECT ENCODING embstr",
            "OBJECT ENCODING raw",
            "object encoding raw",
            near("OBJECT REFCOUNT raw", 1),  # inside MULTI the queue refers to the value as well
            "OBJECT REFCOUNT nokey",
            "OBJECT REFCOUNT",
            "OBJECT IDLETIME raw",
            "OBJECT IDLETIME nokey",
            "OBJECT IDLETIME",
            "OBJECT FREQ raw",
            "OBJECT FREQ nokey",
            "OBJECT FREQ",
            kinds("OBJECT HELP"),
            "OBJECT HELP x",
        ],
        setup=["SET int 123456", "SET embstr hello", "SET raw " + "r" * 60],
    )
)
BOOK.add(
    table(
        "object under lfu",
        {
            "freq": [
                "CONFIG SET maxmemory-policy allkeys-lfu",
                "SET k v",
                shape("OBJECT FREQ k"),
                "OBJECT FREQ nokey",
                "OBJECT IDLETIME k",
                "CONFIG SET maxmemory-policy noeviction",
            ],
        },
    )
)
BOOK.add(
    table(
        "encodings",
        {
            "setrange makes raw": ["SETRANGE k 0 ab", "OBJECT ENCODING k"],
            "append makes raw": ["SET k ab", "APPEND k c", "OBJECT ENCODING k"],
            "append to nothing": ["APPEND k abc", "OBJECT ENCODING k"],
            "append of digits to nothing": ["APPEND k 123", "OBJECT ENCODING k"],
            "incrbyfloat": [
                "INCRBYFLOAT k 1.5",
                "OBJECT ENCODING k",
                "INCRBYFLOAT k 0.25",
                "OBJECT ENCODING k",
            ],
            "getset": ["GETSET k 12", "OBJECT ENCODING k"],
            "mset": ["MSET k 12 j ab", "OBJECT ENCODING k", "OBJECT ENCODING j"],
            "setnx setex": ["SETNX k 12", "OBJECT ENCODING k", "SETEX j 100 12", "OBJECT ENCODING j"],
            "msetnx": ["MSETNX k 12", "OBJECT ENCODING k"],
            "copy": [
                "SET k 12",
                "COPY k j",
                "OBJECT ENCODING j",
                "APPEND k 3",
                "COPY k i",
                "OBJECT ENCODING i",
            ],
            "rename": ["APPEND k 12", "RENAME k j", "OBJECT ENCODING j"],
            "small and large ints": [
                "MSET a 0 b 9999 c 10000 d -1",
                *[f"OBJECT ENCODING {k}" for k in "abcd"],
            ],
            "set over append": ["APPEND k ab", "SET k ab", "OBJECT ENCODING k"],
            "incr on digits appended": ["APPEND k 12", "INCR k", "OBJECT ENCODING k", "GET k"],
            "setrange inside an int": [
                "SET k 123",
                "SETRANGE k 1 9",
                "OBJECT ENCODING k",
                "INCR k",
                "OBJECT ENCODING k",
            ],
        },
    )
)
BOOK.add(
    table(
        "binary keys",
        {
            "generic commands": [
                r'MSET "\x00" 1 "\r\n" 2 "\xff\xfe" 3 "" 4 " " 5',
                r'EXISTS "\x00" "\r\n" "\xff\xfe" "" " "',
                r'RENAME "\x00" "\x00\x00"',
                r'COPY "\r\n" "\n\r"',
                unordered("KEYS *"),
                r'DEL "" " " "\xff\xfe"',
                r'TYPE "\n\r"',
                r'EXPIRE "\n\r" 100',
                unordered("SCAN 0 COUNT 100"),
            ],
        },
    )
)
BOOK.add(
    table(
        "commands that are not there",
        {
            "unknown": [
                "NOSUCH",
                "NOSUCH a b",
                "nosuch a",
                r'"NO\r\nSUCH" a',
                r'"a\x00b"',
                '""',
                "FOO " + "x" * 300,
            ],
            "unknown with many arguments": ["FOO " + " ".join(f"argument{i}" for i in range(50))],
            "unknown with long name": ["F" * 300, "F" * 120 + " a"],
            "unknown with quotes": [r"""FOO "it's" '"' "\xff" """.strip()],
            "unknown subcommands": [
                "OBJECT FOO",
                "CLIENT FOO",
                "CONFIG FOO",
                "COMMAND FOO",
                "MEMORY FOO",
                "LATENCY FOO",
                "SLOWLOG FOO",
                "CLIENT foo bar",
                "CLIENT " + "X" * 300,
                r'CLIENT "a\r\nb"',
            ],
        },
        multi=False,
    )
)
BOOK.add(
    table(
        "memory usage",
        {
            "of keys": [
                shape("MEMORY USAGE a"),
                "MEMORY USAGE nokey",
                shape("MEMORY USAGE a SAMPLES 0"),
                "MEMORY USAGE",
            ],
            "options": [
                shape("MEMORY USAGE a SAMPLES 5"),
                "MEMORY USAGE a SAMPLES",
                "MEMORY USAGE a SAMPLES abc",
                "MEMORY USAGE a SAMPLES -1",
                "MEMORY USAGE a BOGUS 5",
                "MEMORY USAGE nokey SAMPLES -1",
                "MEMORY USAGE a b",
                shape("memory usage a samples 1"),
            ],
            "of a large value": [anything("SET big " + "x" * 10000), shape("MEMORY USAGE big")],
        },
        setup=_FOUR,
    )
)
