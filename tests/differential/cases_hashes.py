"""Cases of the hash commands of redis-server 7.0: fields, numbers, random fields, traversal, encodings, TTL.

What is newer (deadlines of fields) is in `cases_newer`.
"""

from __future__ import annotations

from tests.differential.case import Book, args, fields, near, shape, singles, table, unordered

BOOK = Book()

OTHER = ["SET x v"]
HASH = ["HSET h a 1 b 2 c 3"]
SHOW = ["HGETALL h", "HLEN h", "EXISTS h"]

INTEGERS = [
    "9223372036854775807",
    "-9223372036854775808",
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
FLOATS = ["0", "0.1", "-1.5", "1e3", "3.0", "1e17", "nan", "inf", "-inf", "x", '""', '" 1"', "0x10", "1e5000"]

BOOK.add(
    table(
        "hset, hdel",
        {
            "set": ["HSET h a 1", "HSET h a 2", "HSET h b 1", *SHOW],
            "set several": ["HSET h a 1 b 2", "HSET h b 3 c 4 d 5", *SHOW],
            "the same field twice": ["HSET h a 1 a 2 a 3", *SHOW],
            "empty field and value": ['HSET h "" ""', 'HGET h ""', *SHOW, 'HDEL h ""', *SHOW],
            "binary": [args(b"HSET", b"h", b"\x00\r\n\xff", bytes(range(256))), *SHOW],
            "long": [args(b"HSET", b"h", b"f" * 9000, b"v" * 20_000), *SHOW],
            "odd arguments": ["HSET h a 1 b", "HMSET h a 1 b", "HSET x a 1 b", "HSET h a", *SHOW],
            "hmset": ["HMSET h a 1 b 2", "HMSET h b 3 c 4", *SHOW],
            "hsetnx": ["HSETNX h a 1", "HSETNX h a 2", "HSETNX h b 3", *SHOW],
            "other types": [*OTHER, "HSET x a 1", "HMSET x a 1", "HSETNX x a 1", "HDEL x a", "GET x"],
            "keeps the ttl": ["HSET h a 1", "EXPIRE h 1000", "HSET h b 2", "HDEL h a", near("TTL h", 2)],
            "over an expired key": ["HSET h a 1", "PEXPIREAT h 1", "HSET h b 2", *SHOW, "TTL h"],
            "type": ["HSET h a 1", "TYPE h"],
            "remove": [*HASH, "HDEL h a", "HDEL h a", "HDEL h b z b", *SHOW],
            "remove the last": [*HASH, "HDEL h a b c", *SHOW, "TYPE h", "HDEL h a"],
            "remove more than there is": ["HSET h a 1", "HDEL h x a y a", *SHOW],
            "remove without a key": ["HDEL h a", *SHOW],
            "the order of fields": ["HSET h c 1 a 2", "HSET h b 3", "HDEL h c", "HSET h c 4 a 5", *SHOW],
            "the ttl goes with the key": ["HSET h a 1", "EXPIRE h 1000", "HDEL h a", "HSET h b 1", "TTL h"],
            "arity": ["HSET", "HSET h", "HMSET h a", "HSETNX h a", "HSETNX h a 1 b", "HDEL h", "HDEL"],
        },
    )
)
BOOK.add(
    table(
        "reading hashes",
        {
            "hget": ["HGET h a", *HASH, "HGET h a", "HGET h z", 'HGET h ""'],
            "hmget": ["HMGET h a b", *HASH, "HMGET h a z c a", "HMGET h z"],
            "hgetall": ["HGETALL h", *HASH, "HGETALL h"],
            "hkeys, hvals": ["HKEYS h", "HVALS h", *HASH, "HKEYS h", "HVALS h"],
            "hexists": ["HEXISTS h a", *HASH, "HEXISTS h a", "HEXISTS h z"],
            "hlen": ["HLEN h", *HASH, "HLEN h"],
            "hstrlen": ["HSTRLEN h a", *HASH, "HSTRLEN h a", "HSTRLEN h z", "HSET h d hello", "HSTRLEN h d"],
            "other types": [
                *OTHER,
                *[f"{name} x" for name in ("HGETALL", "HKEYS", "HVALS", "HLEN", "HRANDFIELD")],
                *[f"{name} x a" for name in ("HGET", "HMGET", "HEXISTS", "HSTRLEN")],
            ],
            "arity": ["HGET h", "HGET h a b", "HMGET h", "HGETALL", "HGETALL h x", "HKEYS", "HVALS h x"],
            "arity of the rest": ["HEXISTS h", "HLEN", "HLEN h x", "HSTRLEN h", "HSTRLEN h a b"],
            "after a deadline": [
                "HSET h a 1",
                "PEXPIREAT h 1",
                "HGET h a",
                "HGETALL h",
                "HLEN h",
                "HMGET h a",
            ],
            "many": [
                "HSET h " + " ".join(f"field:{number} {number}" for number in range(600)),
                unordered("HKEYS h"),
                unordered("HVALS h"),
                "HGET h field:599",
                "HLEN h",
                "OBJECT ENCODING h",
            ],
        },
    )
)
BOOK.add(
    singles(
        "hincrby",
        [f"HINCRBY h {field} {delta}" for field in ("a", "new") for delta in ["1", "-5", "0", *INTEGERS]],
        setup=HASH,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "hash numbers",
        {
            **{f"hincrby of {text}": [f"HSET h a {text}", "HINCRBY h a 1", *SHOW] for text in INTEGERS},
            **{
                f"hincrbyfloat of {text}": [f"HSET h a {text}", "HINCRBYFLOAT h a 0.5", *SHOW]
                for text in FLOATS
            },
            "overflow": [
                "HSET h a 9223372036854775807 b -9223372036854775808",
                "HINCRBY h a 1",
                "HINCRBY h b -1",
                "HINCRBY h a -1",
                "HINCRBY h b 1",
                "HINCRBY h a -9223372036854775807",
                *SHOW,
            ],
            "no key": ["HINCRBY h a 5", "HINCRBYFLOAT g a 2.5", *SHOW, "HGETALL g"],
            "other types": [
                *OTHER,
                "HINCRBY x a 1",
                "HINCRBYFLOAT x a 1",
                "HINCRBY x a y",
                "HINCRBYFLOAT x a y",
            ],
            "keeps the ttl": [
                "HSET h a 1",
                "EXPIRE h 1000",
                "HINCRBY h a 1",
                "HINCRBYFLOAT h a 1",
                near("TTL h", 2),
            ],
            "arity": ["HINCRBY h a", "HINCRBY h a 1 2", "HINCRBYFLOAT h a", "HINCRBYFLOAT h a 1 2"],
            "to the end of the range": [
                "HSET h a 1e308",
                *["HINCRBYFLOAT h a 1e4932"] * 3,
                shape("HGET h a"),
            ],
        },
    )
)
BOOK.add(
    singles(
        "hincrbyfloat",
        [f"HINCRBYFLOAT h {field} {delta}" for field in ("a", "new") for delta in FLOATS],
        setup=HASH,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "fields at random",
        {
            "one": [*HASH, shape("HRANDFIELD h"), *SHOW],
            "of one": ["HSET h a 1", "HRANDFIELD h", "HRANDFIELD h 5", "HRANDFIELD h -3", "HRANDFIELD h 1"],
            "of one with values": ["HSET h a 1", "HRANDFIELD h 5 WITHVALUES", "HRANDFIELD h -3 withvalues"],
            "without a key": [
                "HRANDFIELD h",
                "HRANDFIELD h 3",
                "HRANDFIELD h -3",
                "HRANDFIELD h 3 WITHVALUES",
            ],
            "count": [*HASH, *[shape(f"HRANDFIELD h {n}") for n in (0, 1, 2, -1, -10)]],
            "count with values": [
                *HASH,
                *[shape(f"HRANDFIELD h {n} WITHVALUES") for n in (0, 1, 2, -1, -10)],
            ],
            "all": [*HASH, unordered("HRANDFIELD h 3"), unordered("HRANDFIELD h 100")],
            "all with values": [*HASH, shape("HRANDFIELD h 100 WITHVALUES")],
            "wrong type": [
                *OTHER,
                "HRANDFIELD x",
                "HRANDFIELD x 1",
                "HRANDFIELD x abc",
                "HRANDFIELD x 1 BOGUS",
            ],
            "syntax": [
                *HASH,
                "HRANDFIELD h 1 BOGUS",
                "HRANDFIELD h 1 WITHVALUES x",
                "HRANDFIELD h x y",
                "HRANDFIELD",
            ],
            "with values alone": [*HASH, "HRANDFIELD h WITHVALUES"],
            "bounds": [
                "HRANDFIELD h -9223372036854775808",
                "HRANDFIELD h -9223372036854775808 WITHVALUES",
                "HRANDFIELD h 9223372036854775807 WITHVALUES",
                "HRANDFIELD h -9223372036854775807 WITHVALUES",
                "HRANDFIELD h 9223372036854775807",
                "HRANDFIELD h 4611686018427387904 WITHVALUES",
                "HRANDFIELD h 4611686018427387903 WITHVALUES",
            ],
        },
    )
)
BOOK.add(
    table(
        "hscan",
        {
            "all": [*HASH, "HSCAN h 0", "HSCAN h 0 COUNT 1"],
            "without a key": ["HSCAN h 0", "HSCAN h 5", "HSCAN h 0 COUNT 0", "HSCAN h 0 BOGUS", "HSCAN h x"],
            "match": [*HASH, "HSCAN h 0 MATCH [ab]", "HSCAN h 0 MATCH z*", "HSCAN h 0 MATCH *"],
            "wrong type": [*OTHER, "HSCAN x 0", "HSCAN x 0 BOGUS"],
            "bad options": [
                *HASH,
                *[
                    f"HSCAN h {rest}"
                    for rest in ("0 COUNT 0", "0 COUNT x", "0 COUNT", "0 MATCH", "0 BOGUS", "x")
                ],
            ],
            "arity": ["HSCAN", "HSCAN h"],
        },
    )
)
BOOK.add(
    table(
        "hash encodings",
        {
            "small": [*HASH, "OBJECT ENCODING h"],
            "a value of 64 bytes": [f"HSET h a {'v' * 64}", "OBJECT ENCODING h"],
            "a value of 65 bytes": [
                f"HSET h a {'v' * 65}",
                "OBJECT ENCODING h",
                "HSET h a 1",
                "OBJECT ENCODING h",
            ],
            "a field of 65 bytes": [f"HSET h {'f' * 65} 1", "OBJECT ENCODING h"],
            "a long value by hsetnx": ["HSET h a 1", f"HSETNX h b {'v' * 65}", "OBJECT ENCODING h"],
            "a long value later": ["HSET h a 1", f"HSET h a {'v' * 65}", "OBJECT ENCODING h"],
            "as many as there may be": [
                "HSET h " + " ".join(f"f{number} {number}" for number in range(512)),
                "OBJECT ENCODING h",
                "HSET h f1 x",
                "OBJECT ENCODING h",
                "HSET h f512 x",
                "OBJECT ENCODING h",
                "HDEL h f512 f511",
                "OBJECT ENCODING h",
            ],
            "configured": [
                "CONFIG SET hash-max-listpack-entries 2",
                "HSET h a 1 b 2",
                "OBJECT ENCODING h",
                "HSET h c 3",
                "OBJECT ENCODING h",
                "CONFIG SET hash-max-listpack-entries 512",
            ],
            "configured values": [
                "CONFIG SET hash-max-listpack-value 3",
                "HSET h a 123",
                "OBJECT ENCODING h",
                "HSET h b 1234",
                "OBJECT ENCODING h",
                "CONFIG SET hash-max-listpack-value 64",
            ],
            "copied": [*HASH, "COPY h g", "OBJECT ENCODING g", "HGETALL g", "HSET g z 9", "HLEN h"],
            "renamed": [*HASH, "EXPIRE h 1000", "RENAME h g", "HGETALL g", near("TTL g", 2), "EXISTS h"],
            "moved": [*HASH, "MOVE h 1", "EXISTS h", "SELECT 1", *SHOW, "SELECT 0"],
            "digests": [
                *HASH,
                "HSET g z 1",
                "DEBUG DIGEST-VALUE h g none",
                "EXPIRE h 10000",
                "DEBUG DIGEST-VALUE h",
            ],
            "object": [*HASH, "OBJECT REFCOUNT h", near("OBJECT IDLETIME h", 1)],
            "memory": [*HASH, shape("MEMORY USAGE h"), shape("MEMORY USAGE h SAMPLES 0")],
            "debug object": [*HASH, fields("DEBUG OBJECT h")],
        },
    )
)
BOOK.add(
    table(
        "hashes where other types are expected",
        {
            "strings": [
                *HASH,
                *[f"{line}" for line in ("GET h", "APPEND h x", "INCR h", "GETSET h x", "SETRANGE h 1 x")],
                *[f"{line}" for line in ("STRLEN h", "GETRANGE h 0 1", "GETDEL h", "GETEX h", "MGET h h")],
                *SHOW,
            ],
            "sets": [
                *HASH,
                "SADD h a",
                "SREM h a",
                "SMEMBERS h",
                "SINTER h",
                "SUNIONSTORE r h",
                "SMOVE h r a",
                *SHOW,
            ],
            "hashes": ["SADD h a", "HSET h a 1", "HGETALL h", "HDEL h a", "HSCAN h 0", "SMEMBERS h"],
            "set replaces": [*HASH, "SET h v", "GET h"],
            "a stored set replaces": [*HASH, "SADD s a", "SUNIONSTORE h s", "TYPE h", "SMEMBERS h"],
        },
    )
)
