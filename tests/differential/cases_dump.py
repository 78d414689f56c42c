"""Cases of DUMP and RESTORE: options, deadlines, errors, and every form that redis-server 7.0 reads.

Where a payload says that there is more than there is, it says so of more bytes than a footer has: Redis reads
on into the footer.
"""

from __future__ import annotations

from nogil_df.base.rdb_strings import write_length, write_string
from nogil_df.rdb import forms
from tests.differential.case import Book, Line, Step, args, blocked, near, on, receive, send, table, unordered
from tests.rdb.building import counted, lengths, listpack, payload, strings, ziplist
from tests.rdb.captured import CAPTURED
from tests.rdb.other_forms import OLDER

BOOK = Book()


def restore(data: bytes, *options: str, key: str = "k", ttl: str = "0") -> Step:
    """RESTORE of a payload."""
    return args(b"RESTORE", key.encode(), ttl.encode(), data, *[option.encode() for option in options])


TEXT = payload(forms.STRING, write_string(b"text"))
LIST = payload(forms.LIST, counted(b"a", b"b"))
BAD = payload(forms.LIST, b"\x00")
SHOW: list[Line] = ["TYPE k", "GET k", "PTTL k", "EXISTS k"]

BOOK.add(
    table(
        "restore",
        {
            "a string": [restore(TEXT), *SHOW],
            "taken": ["SET k v", restore(TEXT), *SHOW],
            "taken by another type": ["RPUSH k v", restore(TEXT), "TYPE k"],
            "replace": ["SET k v EX 100", restore(TEXT, "REPLACE"), *SHOW],
            "replace in small letters": ["SET k v", restore(TEXT, "replace"), *SHOW],
            "replace another type": ["SADD k v", restore(TEXT, "REPLACE"), *SHOW],
            "replace nothing": [restore(TEXT, "REPLACE"), *SHOW],
            "replace by what is bad": ["SET k v", restore(BAD, "REPLACE"), *SHOW],
            "over an expired key": ["SET k v PXAT 1", restore(TEXT), *SHOW],
            "twice": [restore(TEXT), restore(TEXT), restore(TEXT, "REPLACE"), *SHOW],
            "ttl": [restore(TEXT, ttl="100000"), near("PTTL k", 2000), "GET k"],
            "no ttl": [restore(TEXT, ttl="0"), *SHOW],
            "absttl 0": [restore(TEXT, "ABSTTL"), *SHOW],
            "absttl": [restore(TEXT, "ABSTTL", ttl="9000000000000"), "PEXPIRETIME k", "GET k"],
            "absttl in the past": [restore(TEXT, "ABSTTL", ttl="1"), *SHOW],
            "absttl in the past, replacing": ["SET k v", restore(TEXT, "ABSTTL", "REPLACE", ttl="1"), *SHOW],
            "absttl in the past, taken": ["SET k v", restore(TEXT, "ABSTTL", ttl="1"), *SHOW],
            "the latest ttl": [restore(TEXT, ttl="9223372036854775807"), *SHOW],
            "the latest absttl": [restore(TEXT, "ABSTTL", ttl="9223372036854775807"), "PEXPIRETIME k"],
            "wrong ttl": [restore(TEXT, ttl=ttl) for ttl in ("-1", "x", "", "1.5", "9223372036854775808")],
            "idletime": [restore(TEXT, "IDLETIME", "50"), near("OBJECT IDLETIME k", 2), "OBJECT FREQ k"],
            "idletime 0": [restore(TEXT, "IDLETIME", "0"), near("OBJECT IDLETIME k", 2)],
            "freq": [restore(TEXT, "FREQ", "7"), "OBJECT FREQ k", "GET k"],
            "wrong idletime": [restore(TEXT, "IDLETIME", word) for word in ("-1", "x", "", "1.5")],
            "wrong freq": [restore(TEXT, "FREQ", word) for word in ("-1", "x", "", "256")],
            "both": [
                restore(TEXT, "IDLETIME", "1", "FREQ", "1"),
                restore(TEXT, "FREQ", "1", "IDLETIME", "1"),
                restore(TEXT, "FREQ", "1", "FREQ", "2", "REPLACE", "ABSTTL", "REPLACE"),
                "EXISTS k",
            ],
            "options cut off": [
                restore(TEXT, "IDLETIME"),
                restore(TEXT, "FREQ"),
                restore(TEXT, "x"),
                "EXISTS k",
            ],
            "what is wrong first": [
                "SET k v",
                restore(b"x", "x", ttl="x"),
                restore(b"x", "FREQ", "x", ttl="x"),
                restore(b"x", ttl="x"),
                restore(b"x", "REPLACE", ttl="x"),
                restore(b"x", "REPLACE", ttl="-1"),
                restore(b"x", "REPLACE"),
                restore(BAD, "REPLACE"),
            ],
            "asking": [
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT)),
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT)),
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT, b"REPLACE")),
                Step((b"RESTORE-ASKING", b"k", b"4102444800000", TEXT, b"REPLACE", b"ABSTTL")),
                "PEXPIRETIME k",
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT, b"REPLACE", b"IDLETIME", b"x")),
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT, b"REPLACE", b"IDLETIME", b"1")),
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT, b"REPLACE", b"FREQ", b"256")),
                Step((b"RESTORE-ASKING", b"k", b"0", TEXT, b"REPLACE", b"FREQ", b"1")),
                *SHOW,
            ],
            "arity": ["RESTORE", "RESTORE k", "RESTORE k 0", "RESTORE-ASKING k 0", "DUMP", "DUMP a b"],
        },
    )
)

_GOOD = TEXT[:-8]
BOOK.add(
    table(
        "restore, payload",
        {
            "nothing": [restore(b"")],
            "short": [restore(TEXT[:size]) for size in range(1, len(TEXT), 4)],
            "only a footer": [restore(payload(0, b"")[1:]), restore(bytes(9))],
            "checksum 0": [restore(_GOOD + bytes(8))],
            "another checksum": [restore(TEXT[:-1] + bytes([TEXT[-1] ^ 1]))],
            "versions": [
                restore(payload(forms.STRING, write_string(b"a"), version), "REPLACE")
                for version in range(1, 11)
            ],
            "versions to come": [
                restore(payload(forms.STRING, write_string(b"a"), version)) for version in (100, 9999, 65535)
            ],
            "unknown forms": [restore(payload(form, write_string(b"a"))) for form in (8, 27, 99, 255)],
            "forms that are no values": [restore(payload(form, write_string(b"a"))) for form in (250, 254)],
        },
        probe=["EXISTS k"],
    )
)

_WRONG = {
    "empty list": payload(forms.LIST, b"\x00"),
    "empty set": payload(forms.SET, b"\x00"),
    "empty hash": payload(forms.HASH, b"\x00"),
    "empty sorted set": payload(forms.SORTED_SET_2, b"\x00"),
    "empty quicklist": payload(forms.LIST_QUICKLIST_2, b"\x00"),
    "empty ziplist": payload(forms.HASH_ZIPLIST, write_string(ziplist())),
    "empty listpack": payload(forms.SORTED_SET_LISTPACK, write_string(listpack())),
    "string cut off": payload(forms.STRING, write_length(30) + b"short"),
    "list cut off": payload(forms.LIST, lengths(3) + strings(b"a", b"b")),
    "set with a member twice": payload(forms.SET, counted(b"a", b"a")),
    "hash cut off": payload(forms.HASH, lengths(2) + strings(b"a", b"b", b"c")),
    "sorted set with nan": payload(
        forms.SORTED_SET_2, lengths(1) + write_string(b"a") + b"\x00\x00\x00\x00\x00\x00\xf8\x7f"
    ),
    "listpack of another size": payload(forms.HASH_LISTPACK, write_string(listpack(b"a", b"b")[:-1])),
    "ziplist of another size": payload(forms.HASH_ZIPLIST, write_string(ziplist(b"a", b"b")[1:])),
    "intset of another size": payload(forms.SET_INTSET, write_string(b"\x02\0\0\0\x02\0\0\0\x01\0")),
    "a node of another kind": payload(forms.LIST_QUICKLIST_2, b"\x01\x03" + write_string(listpack(b"a"))),
    "stream of short ids": payload(forms.STREAM_2, b"\x01" + strings(b"short", listpack(1))),
    "stream without figures": payload(forms.STREAM_2, b"\x00"),
    "compressed badly": payload(forms.STRING, b"\xc3\x03\x20" + b"\xff\xff\xff"),
}
BOOK.add(
    table(
        "restore, bad format",
        {name: [restore(data), "EXISTS k"] for name, data in _WRONG.items()},
    )
)

_PAYLOADS = {name: bytes.fromhex(captured.payload) for name, captured in CAPTURED.items()}
_PAYLOADS |= {name: given for name, (given, _) in OLDER.items()}
_READ: dict[str, list[Line]] = {
    "string": ["GET k"],
    "list": ["LRANGE k 0 -1", "LLEN k"],
    "set": [unordered("SMEMBERS k"), "SCARD k"],
    "hash": [unordered("HGETALL k"), "HLEN k"],
    "sorted": ["ZRANGE k 0 -1 WITHSCORES", "ZCARD k"],
    "stream": ["XRANGE k - +", "XLEN k", "XINFO STREAM k", "XINFO GROUPS k"],
}


def _type_of(name: str) -> str:
    return next((type_ for type_ in _READ if type_ in name), "string")


BOOK.add(
    table(
        "restore, forms",
        {name: [restore(data), "TYPE k", "DEBUG DIGEST-VALUE k"] for name, data in _PAYLOADS.items()},
    )
)
BOOK.add(
    table(
        "restore, used as any other",
        {
            "string": [restore(_PAYLOADS["string"]), "APPEND k x", "GETRANGE k 0 2", "OBJECT ENCODING k"],
            "number": [restore(_PAYLOADS["string of a 16-bit integer"]), "INCR k", "OBJECT ENCODING k"],
            "list": [
                restore(_PAYLOADS["list, ziplist"]),
                "LPUSH k x",
                "RPOP k",
                "LINDEX k 3",
                *_READ["list"],
            ],
            "set": [restore(_PAYLOADS["set"]), "SADD k x 0", "SREM k 01", *_READ["set"], "OBJECT ENCODING k"],
            "intset": [
                restore(_PAYLOADS["set of 64-bit integers"]),
                "OBJECT ENCODING k",
                "SADD k 7",
                "SMEMBERS k",
            ],
            "hash": [
                restore(_PAYLOADS["hash, zipmap"]),
                "HSET k f new h 1",
                "HINCRBY k h 4",
                "HDEL k g",
                *_READ["hash"],
                "OBJECT ENCODING k",
            ],
            "sorted set": [
                restore(_PAYLOADS["sorted set, ziplist"]),
                "ZADD k 1 x",
                "ZINCRBY k 2 a",
                "ZRANK k c",
                "ZRANGE k 0 -1 WITHSCORES",
                "OBJECT ENCODING k",
            ],
            "stream": [
                restore(_PAYLOADS["stream with groups"]),
                "XADD k 50-1 a b",
                "XPENDING k g",
                "XREADGROUP GROUP g two STREAMS k 0",
                "XREADGROUP GROUP g one COUNT 2 STREAMS k >",
                "XACK k g 1-1",
                "XINFO GROUPS k",
                "XTRIM k MAXLEN = 3",
                *_READ["stream"][:2],
            ],
            "old stream": [
                restore(_PAYLOADS["stream of version 1"]),
                "XINFO GROUPS k",
                "XRANGE k - +",
                near("XPENDING k group - + 10", 5000),
                "XADD k 9-3 a b",
                "XADD k 9-4 a b",
            ],
        },
        needs=["list", "set", "hash", "zset", "stream"],
    )
)

BOOK.add(
    table(
        "dump",
        {
            "no key": ["DUMP none"],
            "expired": ["SET k v PXAT 1", "DUMP k"],
            "strings": [
                "SET a hello",
                "SET b 12345",
                "SET c -7",
                'SET d ""',
                *[f"DUMP {key}" for key in "abcd"],
            ],
            "list": ["RPUSH k a 1 b -5000 c", "DUMP k"],
            "integers": ["SADD k 1 2 70000", "DUMP k"],
            "hash": ["HSET k a 1 b 2 c d", "DUMP k"],
            "sorted set": ["ZADD k 1 a 2 b -5 c", "DUMP k"],
            "stream": [
                "XADD k 1-1 a b",
                "XADD k 2-1 a c",
                "XDEL k 2-1",
                "XADD k 3-1 a d",
                "XDEL k 1-1",
                "XLEN k",
            ],
            "stream, bytes": ["XADD k 1-1 a b", "XADD k 2-1 c d e f", "DUMP k"],
            "the deadline is left out": ["SET k v EX 100", "DUMP k"],
            "from a script": ["EVAL \"return redis.call('DUMP', KEYS[1])\" 1 k", "SET k v"],
        },
        needs=["list", "set", "hash", "zset", "stream", "scripting"],
    )
)

BOOK.add(
    table(
        "restore, from elsewhere",
        {
            "script": [
                args(
                    b"EVAL",
                    b"local d = redis.call('DUMP', KEYS[1]) redis.call('RESTORE', KEYS[2], 0, d) return #d",
                    b"2",
                    b"{t}a",
                    b"{t}b",
                )
                if setup
                else "RPUSH {t}a 1 2 3"
                for setup in (False, True)
            ]
            + ["LRANGE {t}b 0 -1"],
            "script, error": [
                args(b"EVAL", b"return redis.pcall('RESTORE', KEYS[1], 0, 'x')", b"1", b"k"),
                "EXISTS k",
            ],
            "wakes who waits": [
                on(1, send("BLPOP k 0")),
                blocked(1),
                restore(LIST),
                receive(1),
                "LRANGE k 0 -1",
            ],
            "not who waits for another type": [
                on(1, send("BLPOP k 0")),
                blocked(1),
                restore(TEXT),
                "DEL k",
                restore(LIST),
                receive(1),
            ],
            "in a transaction": ["MULTI", restore(LIST), "RPUSH k c", "LRANGE k 0 -1", "EXEC"],
            "watched": [
                "WATCH k",
                on(1, restore(TEXT)),
                "MULTI",
                "GET k",
                "EXEC",
                "GET k",
            ],
        },
        needs=["list", "scripting", "blocking"],
        multi=False,
    )
)
