"""Cases of the HyperLogLog commands. Stored bytes are compared too: they are Redis's, opcode by opcode."""

from __future__ import annotations

from random import Random

from tests.differential.case import Book, Step, args, near, singles, table

BOOK = Book()

SHOW = ["PFCOUNT p", "GET p", "OBJECT ENCODING p", "STRLEN p", "PFDEBUG ENCODING p"]
HEADER = b"HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
DENSE = b"HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
EMPTY = HEADER + b"\x7f\xff"

# A value that Redis would have promoted, and registers that no elements make.
NOISE = Random(1).randbytes(12288)


def add(key: str, first: int, count: int, step: int = 100) -> list[Step]:
    """PFADDs of many numbers."""
    numbers = [b"%d" % number for number in range(first, first + count)]
    return [args(b"PFADD", key.encode(), *numbers[at : at + step]) for at in range(0, count, step)]


BOOK.add(
    table(
        "pfadd, pfcount",
        {
            "new": ["PFADD p a b c", *SHOW, "TYPE p"],
            "nothing to add": ["PFADD p", *SHOW, "PFADD p", *SHOW],
            "keys that are wrong in two ways": [
                "RPUSH l1 x",
                "RPUSH l2 x",
                "MSET s1 x s2 x s3 x",
                "PFCOUNT l1 s1",
                "PFCOUNT s1 l1",
                "PFCOUNT s2 l2 s3",
                "PFCOUNT l2 s2 s3",
                "PFCOUNT p s3 l1",
                "PFMERGE p s1 l1",
                "PFMERGE p l1 s1",
                "PFMERGE p l2 s3",
                "PFMERGE p s2 l2",
                "EXISTS p",
            ],
            "again": ["PFADD p a b", "PFADD p b a", "PFADD p a c", *SHOW],
            "the empty element": ['PFADD p ""', *SHOW],
            "elements of every length": [args(b"PFADD", b"p", *[b"x" * n for n in range(40)]), *SHOW],
            "binary elements": [args(b"PFADD", b"p", b"\x00", b"\xff" * 9, bytes(range(256))), *SHOW],
            "counted, changed, counted": [
                "PFADD p a",
                *SHOW,
                "PFADD p b",
                "GET p",
                *SHOW,
                "PFADD p b",
                *SHOW,
            ],
            "no key": ["PFCOUNT none", "PFCOUNT none none2", "EXISTS none"],
            "several keys": [
                *add("a", 0, 300),
                *add("b", 200, 300),
                *add("c", 0, 5),
                "PFCOUNT a b c none",
                "PFCOUNT a a",
                "PFCOUNT c b",
                "GET a",
            ],
            "sparse to dense": [*add("p", 0, 3000, 250), *SHOW, "PFADD p one more", *SHOW],
            "one by one": [step for n in range(60) for step in (f"PFADD p {n}", "GET p")] + ["PFCOUNT p"],
            "keeps the ttl": ["PFADD p a", "EXPIRE p 1000", "PFADD p b", "PFCOUNT p", near("TTL p", 2)],
            "over an expired key": ["PFADD p a", "PEXPIREAT p 1", "PFADD p b", *SHOW, "TTL p"],
            "arity": ["PFADD", "PFCOUNT", "PFMERGE", "PFDEBUG", "PFDEBUG ENCODING", "PFSELFTEST x"],
            "other types": [
                "LPUSH l a",
                "SET s text",
                "SET n 12345678901234567",
                *[f"PFADD {key} a" for key in "lsn"],
                *[f"PFCOUNT {key}" for key in "lsn"],
                "PFADD p a",
                *[f"PFCOUNT p {key}" for key in "lsn"],
                *[f"PFMERGE p {key}" for key in "lsn"],
                *[f"PFMERGE {key} p" for key in "lsn"],
                *[f"PFDEBUG ENCODING {key}" for key in "lsn"],
                "GET s",
                *SHOW,
            ],
        },
    )
)
BOOK.add(
    table(
        "pfmerge",
        {
            "two": ["PFADD a 1 2 3", "PFADD b 3 4", "PFMERGE p a b", *SHOW, "GET a", "GET b"],
            "into a key": ["PFADD p x y", "PFCOUNT p", "PFADD a 1 2 3", "PFMERGE p a", "GET p", *SHOW],
            "nothing": ["PFMERGE p", *SHOW, "PFMERGE p", *SHOW, "PFMERGE q none none2", "GET q"],
            "itself": ["PFADD p a b", "PFCOUNT p", "PFMERGE p p", "GET p", *SHOW],
            "sparse ones": [*add("a", 0, 200), *add("b", 100, 400), *add("p", 7, 30), "PFMERGE p a b", *SHOW],
            "sparse, too much": [*add("a", 0, 900), *add("b", 900, 900), "PFMERGE p a b", *SHOW],
            "dense and sparse": [*add("a", 0, 3000, 500), *add("b", 5000, 9), "PFMERGE p b a", *SHOW],
            "sparse into dense": [*add("p", 0, 3000, 500), *add("b", 5000, 9), "PFMERGE p b", *SHOW],
            "two dense": [*add("a", 0, 3000, 500), *add("b", 9000, 3000, 500), "PFMERGE p b a", *SHOW],
            "keeps the ttl": ["PFADD p a", "EXPIRE p 1000", "PFADD b x", "PFMERGE p b", near("TTL p", 2)],
            "over shards": [
                "PFADD a 1",
                "PFADD {t}1 2",
                "PFADD {t}2 3",
                "PFMERGE {t}3 a {t}1 {t}2",
                "GET {t}3",
            ],
        },
    )
)
BOOK.add(
    table(
        "pfdebug",
        {
            "decode": ["PFADD p a b c d e f", "PFDEBUG DECODE p", "PFADD q", "PFDEBUG decode q"],
            "decode many": [*add("p", 0, 200), "PFDEBUG DECODE p"],
            "getreg makes it dense": [
                "PFADD p a b",
                "PFCOUNT p",
                "PFDEBUG GETREG p",
                *SHOW,
                "PFDEBUG DECODE p",
            ],
            "todense": ["PFADD p a b", "PFDEBUG TODENSE p", "PFDEBUG TODENSE p", *SHOW, "PFADD p c", *SHOW],
            "no key": ["PFDEBUG ENCODING p", "PFDEBUG BOGUS p"],
            "unknown": ["PFADD p a", "PFDEBUG BOGUS p"],
            "selftest": ["PFSELFTEST"],
        },
    )
)

# What is not as it should be: the header, the length, the opcodes.
_INVALID = {
    "empty": b"",
    "short": b"HYLL\x01",
    "no opcodes": HEADER,
    "magic": b"HYLX" + EMPTY[4:],
    "encoding": EMPTY[:4] + b"\x02" + EMPTY[5:],
    "dense and short": DENSE + bytes(12287),
    "dense and long": DENSE + bytes(12289),
    "too few registers": HEADER + b"\x7f\xfe",
    "too many registers": HEADER + b"\x7f\xff\x00",
    "zeros past the end": HEADER + b"\x7f\xff\x3f\x7f\xff",
    "values past the end": HEADER + b"\x7f\xfd\x83",
    "values only": HEADER + b"\xff" * 100,
}
_ON_ANY = ["PFCOUNT p", "PFCOUNT p p", "PFADD q x", "PFMERGE q p", "PFCOUNT q", "PFDEBUG ENCODING p"]
BOOK.add(
    table(
        "corrupt",
        {name: [args(b"SET", b"p", value), *_ON_ANY, "GET p"] for name, value in _INVALID.items()},
    )
)
BOOK.add(
    table(
        "odd but valid",
        {
            "empty": [args(b"SET", b"p", EMPTY), *SHOW, "PFADD p a", *SHOW],
            "old cardinality": [args(b"SET", b"p", EMPTY[:8] + b"\x07" + bytes(7) + EMPTY[16:]), *SHOW],
            "runs in pieces": [
                args(b"SET", b"p", HEADER + b"\x00\x40\x00\x80\x81\x82\x3f" + b"\x7f\xb6"),
                "PFDEBUG DECODE p",
                *SHOW,
                *add("p", 0, 50, 5),
                *SHOW,
            ],
            "dense zeros": [args(b"SET", b"p", DENSE + bytes(12288)), *SHOW, "PFADD p a b", *SHOW],
            "dense noise": [
                args(b"SET", b"p", DENSE + NOISE),
                *SHOW,
                "PFADD p a b c d e",
                "PFDEBUG GETREG p",
            ],
            "dense, all the highest": [args(b"SET", b"p", DENSE + b"\xff" * 12288), "PFADD p a", "PFCOUNT p"],
            "dense, all 51": [args(b"SET", b"p", DENSE + b"\xf3\x3c\xcf" * 4096), "PFCOUNT p", "PFCOUNT p p"],
            "noise and sparse": [
                args(b"SET", b"a", DENSE + NOISE),
                "PFADD b x y",
                "PFCOUNT a b",
                "PFMERGE p a b",
                *SHOW,
            ],
        },
    )
)
BOOK.add(
    table(
        "hll-sparse-max-bytes",
        {
            str(limit): [
                f"CONFIG SET hll-sparse-max-bytes {limit}",
                "PFADD p a",
                *SHOW,
                *add("p", 0, 400, 20),
                *SHOW,
                *add("a", 300, 200, 50),
                "PFMERGE q p a",
                "GET q",
                "CONFIG SET hll-sparse-max-bytes 3000",
            ]
            for limit in (0, 18, 20, 100, 500, 16000)
        },
    )
)
BOOK.add(
    singles(
        "strings that are HyperLogLogs",
        [
            "APPEND p x",
            "SETRANGE p 0 h",
            "SETBIT p 0 1",
            "STRLEN p",
            "COPY p q",
            "BITCOUNT p",
            "GETRANGE p 0 3",
        ],
        setup=["PFADD p a b c"],
        probe=["PFCOUNT p", "PFADD p d", "GET p", "PFCOUNT q"],
    )
)
BOOK.add(
    table(
        "HyperLogLogs in scripts",
        {
            "several": [
                args(
                    b"EVAL",
                    b"local call, a, b = redis.call, KEYS[1], KEYS[2]; call('pfadd', a, 'x'); "
                    b"call('pfadd', b, 'y'); "
                    b"return {call('pfcount', a, b), call('pfmerge', b, a)}",
                    b"2",
                    b"a",
                    b"b",
                ),
                "GET b",
            ],
            "not in those that only read": [
                "PFADD p a",
                args(b"EVAL_RO", b"return redis.call('pfcount', KEYS[1])", b"1", b"p"),
                args(b"EVAL_RO", b"return redis.call('pfcount', KEYS[1], KEYS[2])", b"2", b"p", b"q"),
                args(b"EVAL_RO", b"return redis.call('publish', 'channel', 'x')", b"0"),
            ],
        },
        needs=["scripting"],
    )
)
