"""Cases of the commands on one sorted set: members and scores, ranks, ranges of all kinds, pops, encodings.

What Redis 7.0 does not know is in `cases_newer`: ZRANK WITHSCORE is the only one. Doubles are compared as
numbers wherever they are answered, for redis-server 7.0 prints 17 digits of them.
"""

from __future__ import annotations

from tests.differential.case import Book, Line, args, doubles, fields, near, shape, singles, table, unordered

BOOK = Book()

OTHER = ["SET x v"]
ZSET = ["ZADD z 1 a 2 b 3 c 4 d 5 e"]
LEX = ["ZADD z 0 a 0 aa 0 b 0 ba 0 c 0 d 0 ''"]
SHOW: list[Line] = [doubles("ZRANGE z 0 -1 WITHSCORES"), "ZCARD z", "EXISTS z"]

# What a double may be given as, and what is none.
SCORES = [
    *("1", "-1", "0", "-0", "+1", "007", "1.5", ".5", "5.", "-.5", "1e3", "1E3", "1e-3", "0x10", "0x1p-2"),
    *("inf", "-inf", "+inf", "Infinity", "INF", "1e308", "4.9e-324", "3.14159265358979", "0.1"),
    *("9007199254740993", "9223372036854775807", "1e17", "123456789.123456789", "1e22", "0.000001", "1e-7"),
]
NO_SCORES = [
    *("nan", "-nan", "x", '""', '" 1"', '"1 "', "1_0", "1,5", "1e", "--1", "1e400", "-1e400", "1e-400"),
    *(".", "-", "+", "e5", "0x", "infx", "1.2.3"),
]

BOOK.add(
    table(
        "zadd",
        {
            "add": ["ZADD z 1 a", "ZADD z 2 b", "ZADD z 1 a", *SHOW],
            "add several": ["ZADD z 1 a 2 b 3 c 1 a", "ZADD z 3 c 4 d", *SHOW],
            "the same member twice": ["ZADD z 1 a 2 a 3 b 1 b", *SHOW],
            "change": [*ZSET, "ZADD z 10 a 0 e", "ZADD z CH 10 a 1 b 2 c 3 x", *SHOW],
            "ties are in order of the bytes": ["ZADD z 1 c 1 b 1 B 1 bb 1 '' 1 a", *SHOW],
            "binary members": [args(b"ZADD", b"z", b"1", b"\x00\r\n\xff", b"2", bytes(range(256))), *SHOW],
            "long members": [args(b"ZADD", b"z", b"1", b"x" * 20_000, b"2", b"y" * 9000), *SHOW],
            "infinities": ["ZADD z inf a -inf b 0 c +inf d", *SHOW, "ZADD z 1 a", *SHOW],
            "zeros": ["ZADD z 0 a -0 b", *SHOW, "ZADD z -0 a 0 b", *SHOW],
            "nx": [*ZSET, "ZADD z NX 9 a 9 x", "ZADD z NX CH 9 b 8 y", *SHOW],
            "xx": [*ZSET, "ZADD z XX 9 a 9 x", "ZADD z XX CH 9 b 8 y", *SHOW],
            "xx without a key": ["ZADD z XX 1 a", "ZADD z XX INCR 1 a", *SHOW],
            "gt": [*ZSET, "ZADD z GT 0 a 3 b 3 c 1 x", "ZADD z GT CH 0 a 9 b 1 y", *SHOW],
            "lt": [*ZSET, "ZADD z LT 0 a 3 b 3 c 1 x", "ZADD z LT CH 9 a 1 b 1 y", *SHOW],
            "gt xx": [*ZSET, "ZADD z GT XX CH 0 a 3 b 1 x", "ZADD z XX LT CH 0 a 9 b 1 x", *SHOW],
            "gt without a key": ["ZADD z GT 1 a", "ZADD y LT CH 1 a", *SHOW],
            "incr": ["ZADD z INCR 1 a", "ZADD z INCR 2.5 a", "ZADD z INCR -1 b", "ZADD z CH INCR 1 a", *SHOW],
            "incr nx": ["ZADD z NX INCR 1 a", "ZADD z NX INCR 1 a", "ZADD z INCR XX 1 b", *SHOW],
            "incr xx": [*ZSET, "ZADD z XX INCR 1 a", "ZADD z XX INCR 1 x", *SHOW],
            "incr gt": [*ZSET, "ZADD z GT INCR -1 a", "ZADD z GT INCR 1 a", "ZADD z GT INCR 0 a", *SHOW],
            "incr lt": [*ZSET, "ZADD z LT INCR 1 a", "ZADD z LT INCR -1 a", "ZADD z LT INCR 0 a", *SHOW],
            "incr to no number": ["ZADD z inf a", "ZADD z INCR -inf a", "ZINCRBY z -inf a", *SHOW],
            "options in any case and order": [*ZSET, "ZADD z ch Xx gT 9 a", "ZADD z NX NX 1 q", *SHOW],
            "members like options": ["ZADD z 1 NX 2 XX 3 INCR", "ZADD z CH 2 nx", *SHOW],
            "add to another type": [*OTHER, "ZADD x 1 a", "ZADD x XX 1 a", "ZADD x y a", "GET x"],
            "add keeps the ttl": ["ZADD z 1 a", "EXPIRE z 1000", "ZADD z 2 b", near("TTL z", 2)],
            "add over an expired key": ["ZADD z 1 a", "PEXPIREAT z 1", "ZADD z 2 b", *SHOW, "TTL z"],
            "type": ["ZADD z 1 a", "TYPE z"],
            "nothing is done with one bad score": ["ZADD z 1 a x b", "ZADD z 1 a 2", *SHOW],
            "arity": ["ZADD", "ZADD z", "ZADD z 1", "ZINCRBY", "ZINCRBY z 1", "ZINCRBY z 1 a b"],
        },
    )
)
BOOK.add(
    singles(
        "zadd, what does not go together",
        [
            "ZADD z NX XX 1 a",
            "ZADD z NX GT 1 a",
            "ZADD z NX LT 1 a",
            "ZADD z GT LT 1 a",
            "ZADD z NX XX GT LT 1 a",
            "ZADD z INCR 1 a 2 b",
            "ZADD z INCR NX XX 1 a 2 b",
            "ZADD z NX XX 1",
            "ZADD z NX 1",
            "ZADD z NX a",
            "ZADD z CH CH",
            "ZADD z 1 a NX",
            "ZADD z BOGUS 1 a",
            "ZADD z BOGUS 1 a b",
            "ZINCRBY z NX a",
            "ZINCRBY z x a",
            "ZINCRBY z nan a",
            "ZADD x NX XX 1 a",
        ],
        setup=[*OTHER, *ZSET],
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "scores",
        {
            f"score {score}": [
                f"ZADD z {score} m",
                doubles("ZSCORE z m"),
                f"ZADD y 1 m {score} n",
                doubles("ZRANGE y 0 -1 WITHSCORES"),
                doubles(f"ZINCRBY y {score} m"),
                doubles("ZSCAN y 0"),
                f"ZADD y CH {score} n",
            ]
            for score in SCORES
        },
    )
)
BOOK.add(
    table(
        "no scores",
        {
            f"score {score}": [f"ZADD z {score} m", f"ZADD z CH {score} m", f"ZINCRBY z {score} m", *SHOW]
            for score in NO_SCORES
        },
    )
)
BOOK.add(
    table(
        "zincrby",
        {
            "counts": ["ZINCRBY z 1 a", "ZINCRBY z 2 a", "ZINCRBY z -5 a", "ZINCRBY z 0 a", *SHOW],
            "fractions": [doubles("ZINCRBY z 0.1 a"), doubles("ZINCRBY z 0.2 a"), *SHOW],
            "big": ["ZINCRBY z 9007199254740992 a", doubles("ZINCRBY z 1 a"), *SHOW],
            "infinite": ["ZINCRBY z inf a", "ZINCRBY z 1 a", "ZINCRBY z -inf a", *SHOW],
            "past the end": [doubles("ZINCRBY z 1.7e308 a"), doubles("ZINCRBY z 1.7e308 a"), *SHOW],
            "moves in the order": [*ZSET, "ZINCRBY z 10 a", "ZINCRBY z -10 e", *SHOW],
            "another type": [*OTHER, "ZINCRBY x 1 a", "ZINCRBY x y a"],
        },
    )
)
BOOK.add(
    table(
        "zrem",
        {
            "remove": [*ZSET, "ZREM z a", "ZREM z a", "ZREM z b c x b", *SHOW],
            "the last": ["ZADD z 1 a 2 b", "ZREM z a b", *SHOW, "TYPE z", "ZREM z a"],
            "more than there is": ["ZADD z 1 a", "ZREM z x a y a", *SHOW],
            "without a key": ["ZREM z a", *SHOW],
            "another type": [*OTHER, "ZREM x a", "GET x"],
            "the ttl goes with the key": ["ZADD z 1 a", "EXPIRE z 1000", "ZREM z a", "ZADD z 1 b", "TTL z"],
            "arity": ["ZREM", "ZREM z"],
        },
    )
)
BOOK.add(
    table(
        "reading members",
        {
            "zscore": ["ZSCORE z a", *ZSET, "ZSCORE z a", "ZSCORE z x", "ZSCORE z ''"],
            "zmscore": ["ZMSCORE z a b", *ZSET, "ZMSCORE z a x e a", "ZMSCORE z x"],
            "zcard": ["ZCARD z", *ZSET, "ZCARD z"],
            "zrank": [
                "ZRANK z a",
                *ZSET,
                "ZRANK z a",
                "ZRANK z e",
                "ZRANK z x",
                "ZREVRANK z a",
                "ZREVRANK z x",
            ],
            "ranks of ties": [
                *LEX,
                *[f"{name} z {m}" for name in ("ZRANK", "ZREVRANK") for m in ("a", "aa", "''", "d")],
            ],
            "other types": [*OTHER, "ZSCORE x a", "ZMSCORE x a b", "ZCARD x", "ZRANK x a", "ZREVRANK x a"],
            "arity": ["ZSCORE z", "ZSCORE z a b", "ZMSCORE z", "ZCARD", "ZCARD z y", "ZRANK z", "ZREVRANK z"],
            "after deadlines": ["ZADD z 1 a", "PEXPIREAT z 1", "ZCARD z", "ZSCORE z a", "ZRANGE z 0 -1"],
        },
    )
)

_INDEXES = ["0", "1", "4", "5", "-1", "-5", "-6", "9223372036854775807"]
BOOK.add(
    table(
        "zrange by rank",
        {
            f"{start} {stop}": [
                *ZSET,
                f"ZRANGE z {start} {stop}",
                f"ZRANGE z {start} {stop} REV WITHSCORES",
                f"ZREVRANGE z {start} {stop} WITHSCORES",
                f"ZRANGESTORE y z {start} {stop}",
                "ZRANGE y 0 -1 WITHSCORES",
                f"ZRANGESTORE y z {start} {stop} REV",
                "ZRANGE y 0 -1 WITHSCORES",
                f"ZREMRANGEBYRANK z {start} {stop}",
                *SHOW,
            ]
            for start in _INDEXES
            for stop in _INDEXES
        },
    )
)
_SCORE_BOUNDS = ["-inf", "+inf", "1", "(1", "3", "(3", "2.5", "(inf", '" 2"', '""', "("]
BOOK.add(
    table(
        "zrange by score",
        {
            f"{low} {high}": [
                "ZADD z 1 a 2 b 3 c 3 d 5 e inf f -inf g",
                f'ZRANGE z "{low.strip(chr(34))}" "{high.strip(chr(34))}" BYSCORE',
                f"ZRANGEBYSCORE z {low} {high} WITHSCORES",
                f"ZREVRANGEBYSCORE z {high} {low} WITHSCORES",
                f"ZRANGE z {high} {low} REV BYSCORE WITHSCORES LIMIT 1 2",
                f"ZCOUNT z {low} {high}",
                f"ZRANGESTORE y z {low} {high} BYSCORE",
                "ZRANGE y 0 -1 WITHSCORES",
                f"ZREMRANGEBYSCORE z {low} {high}",
                *SHOW,
            ]
            for low in _SCORE_BOUNDS
            for high in _SCORE_BOUNDS
        },
    )
)
_LEX_BOUNDS = ["-", "+", "[a", "(a", "[b", "(b", "[zz", "["]
BOOK.add(
    table(
        "zrange by member",
        {
            f"{low} {high}": [
                *LEX,
                f"ZRANGE z {low} {high} BYLEX",
                f"ZRANGEBYLEX z {low} {high}",
                f"ZREVRANGEBYLEX z {high} {low}",
                f"ZRANGE z {high} {low} REV BYLEX LIMIT 1 2",
                f"ZLEXCOUNT z {low} {high}",
                f"ZRANGESTORE y z {low} {high} BYLEX",
                "ZRANGE y 0 -1 WITHSCORES",
                f"ZREMRANGEBYLEX z {low} {high}",
                *SHOW,
            ]
            for low in _LEX_BOUNDS
            for high in _LEX_BOUNDS
        },
    )
)
_LIMITS = [
    "0 2",
    "1 2",
    "2 -1",
    "0 0",
    "5 5",
    "-1 2",
    "100 1",
    "0 -5",
    "9223372036854775807 1",
    "1 9223372036854775807",
]
BOOK.add(
    table(
        "zrange, limits",
        {
            limit: [
                *ZSET,
                f"ZRANGE z -inf inf BYSCORE LIMIT {limit}",
                f"ZRANGEBYSCORE z 2 inf LIMIT {limit} WITHSCORES",
                f"ZREVRANGEBYSCORE z inf 2 WITHSCORES LIMIT {limit}",
                f"ZRANGE z inf 0 BYSCORE REV LIMIT {limit} WITHSCORES",
                f"ZRANGEBYLEX z - + LIMIT {limit}",
                f"ZREVRANGEBYLEX z + - LIMIT {limit}",
                f"ZRANGE z 0 -1 LIMIT {limit}",
                f"ZRANGESTORE y z 2 inf BYSCORE LIMIT {limit}",
                "ZRANGE y 0 -1 WITHSCORES",
                f"ZRANGESTORE y z inf 2 BYSCORE REV LIMIT {limit}",
                "ZRANGE y 0 -1 WITHSCORES",
            ]
            for limit in _LIMITS
        },
    )
)
_BAD = [
    "ZRANGE z 0 x",
    "ZRANGE z x 0",
    "ZRANGE z 1.5 2",
    "ZRANGE z 9223372036854775808 0",
    "ZRANGE z 0 -1 BOGUS",
    "ZRANGE z 0 -1 LIMIT 0",
    "ZRANGE z 0 -1 LIMIT 0 1",
    "ZRANGE z 0 -1 LIMIT 0 -1",
    "ZRANGE z 0 -1 LIMIT x 1",
    "ZRANGE z 0 -1 LIMIT 0 x",
    "ZRANGE z 0 1 BYSCORE BYLEX",
    "ZRANGE z 0 1 BYSCORE BYSCORE",
    "ZRANGE z 0 1 REV REV",
    "ZRANGE z 0 1 WITHSCORES withscores",
    "ZRANGE z - + BYLEX WITHSCORES",
    "ZRANGE z a b BYSCORE",
    "ZRANGE z 1 nan BYSCORE",
    "ZRANGE z ((1 2 BYSCORE",
    "ZRANGE z [1 2 BYSCORE",
    "ZRANGE z a b BYLEX",
    "ZRANGE z -- + BYLEX",
    "ZRANGE z - ++ BYLEX",
    "ZRANGE z '' + BYLEX",
    'ZRANGE z "- " + BYLEX',
    "ZRANGE z 1 1x BYSCORE",
    'ZRANGE z "1 " 2 BYSCORE',
    "ZREVRANGE z 0 -1 REV",
    "ZREVRANGE z 0 -1 BYSCORE",
    "ZREVRANGE z 0 -1 LIMIT 0 1",
    "ZREVRANGE z 0 x",
    "ZRANGEBYSCORE z 0 1 REV",
    "ZRANGEBYSCORE z 0 1 BYSCORE",
    "ZRANGEBYSCORE z 0 1 LIMIT 1",
    "ZRANGEBYSCORE z 0 x",
    "ZREVRANGEBYSCORE z x 0",
    "ZREVRANGEBYSCORE z 0 1 LIMIT a b",
    "ZRANGEBYLEX z - + WITHSCORES",
    "ZRANGEBYLEX z a +",
    "ZREVRANGEBYLEX z + a",
    "ZREVRANGEBYLEX z - + LIMIT 1",
    "ZCOUNT z a 1",
    "ZCOUNT z 1 (",
    "ZCOUNT z 1 nan",
    "ZCOUNT z 1",
    "ZCOUNT z 1 2 3",
    "ZLEXCOUNT z a [b",
    "ZLEXCOUNT z [a b",
    "ZLEXCOUNT z -",
    "ZREMRANGEBYRANK z a 1",
    "ZREMRANGEBYRANK z 1 b",
    "ZREMRANGEBYRANK z 1",
    "ZREMRANGEBYSCORE z a 1",
    "ZREMRANGEBYSCORE z 1",
    "ZREMRANGEBYLEX z a [b",
    "ZREMRANGEBYLEX z -",
    "ZRANGESTORE y z 0 1 WITHSCORES",
    "ZRANGESTORE y z 0 x",
    "ZRANGESTORE y z 0 -1 LIMIT 0 1",
    "ZRANGESTORE y z a b BYSCORE",
    "ZRANGESTORE y z 0",
    *[f"{name} x 0 1" for name in ("ZRANGE", "ZREVRANGE", "ZCOUNT", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE")],
    *[f"{name} x 0 1" for name in ("ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZRANGESTORE y")],
    *[f"{name} x - +" for name in ("ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZREMRANGEBYLEX")],
    *[f"{name} x a b" for name in ("ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZCOUNT", "ZREMRANGEBYRANK")],
    *[f"{name} no 0 1" for name in ("ZRANGE", "ZREVRANGE", "ZCOUNT", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE")],
    *[f"{name} no - +" for name in ("ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZREMRANGEBYLEX")],
    *[f"{name} z" for name in ("ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZRANGEBYLEX", "ZRANGESTORE")],
    "COMMAND GETKEYS ZRANGESTORE a b 0 1",
]
BOOK.add(singles("zrange, what is wrong", _BAD, setup=[*OTHER, *ZSET], probe=SHOW))
BOOK.add(
    table(
        "zrangestore",
        {
            "over itself": [*ZSET, "ZRANGESTORE z z 1 2", *SHOW],
            "over another type": [*OTHER, *ZSET, "ZRANGESTORE x z 0 1", "TYPE x", "ZRANGE x 0 -1"],
            "nothing over something": [*OTHER, *ZSET, "ZRANGESTORE x z 9 9", "EXISTS x"],
            "without a source": [*OTHER, "ZRANGESTORE x no 0 -1", "EXISTS x", "ZRANGESTORE y no 0 -1"],
            "the ttl goes": [*ZSET, "ZADD y 1 q", "EXPIRE y 1000", "ZRANGESTORE y z 0 0", "TTL y"],
            "a bad range leaves it": [*ZSET, "ZADD y 1 q", "ZRANGESTORE y z a b", "ZRANGE y 0 -1"],
            "mixed scores by member": [*ZSET, "ZRANGESTORE y z [b [d BYLEX", "ZRANGE y 0 -1 WITHSCORES"],
        },
    )
)
BOOK.add(
    table(
        "lexicographical ranges of several scores",
        {
            f"{low} {high}": [
                "ZADD z 1 d 2 a 3 c 4 b 5 e",
                f"ZRANGEBYLEX z {low} {high}",
                f"ZLEXCOUNT z {low} {high}",
                f"ZREMRANGEBYLEX z {low} {high}",
                *SHOW,
            ]
            for low in ("-", "[a", "(b", "[c", "[e", "[z")
            for high in ("+", "[a", "(b", "[c", "[e", "(z")
        },
    )
)
BOOK.add(
    table(
        "popping of sorted sets",
        {
            "min": [*ZSET, "ZPOPMIN z", "ZPOPMIN z 2", *SHOW, "ZPOPMIN z 100", *SHOW, "ZPOPMIN z"],
            "max": [*ZSET, "ZPOPMAX z", "ZPOPMAX z 2", *SHOW, "ZPOPMAX z 100", *SHOW, "ZPOPMAX z"],
            "ties": [*LEX, "ZPOPMIN z 2", "ZPOPMAX z 2", *SHOW],
            "none": [*ZSET, "ZPOPMIN z 0", "ZPOPMAX z 0", *SHOW],
            "without a key": ["ZPOPMIN z", "ZPOPMIN z 5", "ZPOPMAX z 0", "ZPOPMIN z -1"],
            "bad counts": [
                *ZSET,
                *[f"ZPOPMIN z {n}" for n in ("-1", "x", "1.0", "9223372036854775808", "1 2")],
            ],
            "other types": [*OTHER, "ZPOPMIN x", "ZPOPMAX x 1", "ZPOPMIN x 0", "ZPOPMIN x -1"],
            "fractions": ["ZADD z 0.1 a 0.2 b", doubles("ZPOPMIN z"), doubles("ZPOPMAX z 1"), *SHOW],
            "arity": ["ZPOPMIN", "ZPOPMAX"],
        },
    )
)
BOOK.add(
    table(
        "members of sorted sets at random",
        {
            "one of one": ["ZADD z 1 a", "ZRANDMEMBER z", "ZRANDMEMBER z 5", "ZRANDMEMBER z -3 WITHSCORES"],
            "all": [*ZSET, unordered("ZRANDMEMBER z 5"), unordered("ZRANDMEMBER z 10")],
            "some": [*ZSET, shape("ZRANDMEMBER z 3"), shape("ZRANDMEMBER z -12"), shape("ZRANDMEMBER z")],
            "with scores": [*ZSET, shape("ZRANDMEMBER z 3 WITHSCORES"), shape("ZRANDMEMBER z -7 WITHSCORES")],
            "none": [*ZSET, "ZRANDMEMBER z 0", "ZRANDMEMBER z 0 WITHSCORES"],
            "without a key": ["ZRANDMEMBER z", "ZRANDMEMBER z 3", "ZRANDMEMBER z -3 WITHSCORES"],
            "other types": [*OTHER, "ZRANDMEMBER x", "ZRANDMEMBER x 1", "ZRANDMEMBER x y"],
            "bad": [
                *ZSET,
                *[
                    f"ZRANDMEMBER z {rest}"
                    for rest in (
                        *("x", "1.5", "1 BOGUS", "1 WITHSCORES x", "x WITHSCORES", "WITHSCORES"),
                        *("-9223372036854775808", "9223372036854775807 WITHSCORES"),
                    )
                ],
            ],
            "arity": ["ZRANDMEMBER"],
        },
    )
)
BOOK.add(
    table(
        "zscan",
        {
            "all": [*ZSET, "ZSCAN z 0", "ZSCAN z 0 COUNT 1"],
            "fractions": ["ZADD z 0.1 a inf b -0 c 1e20 d", doubles("ZSCAN z 0")],
            "without a key": ["ZSCAN z 0", "ZSCAN z 5", "ZSCAN z 0 COUNT 0", "ZSCAN z 0 BOGUS", "ZSCAN z x"],
            "match": [*ZSET, "ZSCAN z 0 MATCH [ab]", "ZSCAN z 0 MATCH y*", "ZSCAN z 0 MATCH *"],
            "wrong type": [*OTHER, "ZSCAN x 0", "ZSCAN x 0 BOGUS"],
            "bad options": [
                *ZSET,
                *[
                    f"ZSCAN z {rest}"
                    for rest in ("0 COUNT 0", "0 COUNT x", "0 COUNT", "0 MATCH", "0 BOGUS", "x")
                ],
            ],
            "arity": ["ZSCAN", "ZSCAN z"],
        },
    )
)


def many(count: int) -> str:
    """ZADD of so many members."""
    return "ZADD z " + " ".join(f"{number} m{number}" for number in range(count))


ENCODING: list[Line] = ["OBJECT ENCODING z"]
BOOK.add(
    table(
        "sorted set encodings",
        {
            "small": [*ZSET, *ENCODING],
            "a member of 64 bytes": [f"ZADD z 1 {'m' * 64}", *ENCODING],
            "a member of 65 bytes": [f"ZADD z 1 {'m' * 65}", *ENCODING],
            "a long member later": [
                *ZSET,
                f"ZADD z 1 {'m' * 65}",
                *ENCODING,
                f"ZREM z {'m' * 65}",
                *ENCODING,
            ],
            "as many as there may be": [
                many(128),
                *ENCODING,
                "ZADD z 5 m1",
                *ENCODING,
                "ZADD z 1 x",
                *ENCODING,
            ],
            "and fewer again": [many(129), *ENCODING, "ZPOPMIN z 100", *ENCODING, *SHOW],
            "by zincrby": [many(128), "ZINCRBY z 1 m1", *ENCODING, "ZINCRBY z 1 x", *ENCODING],
            "stored": [
                many(200),
                "ZRANGESTORE y z 0 -1",
                "OBJECT ENCODING y",
                "ZRANGESTORE y z 0 10",
                "OBJECT ENCODING y",
                "ZUNIONSTORE y 1 z",
                "OBJECT ENCODING y",
                f"ZADD w 1 {'m' * 65} 2 a",
                "ZRANGESTORE y w 0 -1",
                "OBJECT ENCODING y",
                "ZINTERSTORE y 1 w",
                "OBJECT ENCODING y",
                "ZRANGESTORE y w 1 1",
            ],
            "configured": [
                "CONFIG SET zset-max-listpack-entries 2",
                "ZADD z 1 a 2 b",
                *ENCODING,
                "ZADD z 3 c",
                *ENCODING,
                "CONFIG SET zset-max-ziplist-entries 128",
            ],
            "configured members": [
                "CONFIG SET zset-max-listpack-value 3",
                "ZADD z 1 123",
                *ENCODING,
                "ZADD z 1 1234",
                *ENCODING,
                "CONFIG SET zset-max-listpack-value 64",
            ],
            "copied": [
                *ZSET,
                "COPY z y",
                "OBJECT ENCODING y",
                "ZRANGE y 0 -1 WITHSCORES",
                "ZADD y 9 q",
                "ZCARD z",
            ],
            "a big one copied": [
                many(300),
                "COPY z y",
                "OBJECT ENCODING y",
                "ZREVRANGE y 0 -1",
                "ZRANK y m299",
            ],
            "renamed": [*ZSET, "EXPIRE z 1000", "RENAME z y", "ZRANGE y 0 -1", near("TTL y", 2), "EXISTS z"],
            "moved": [*ZSET, "MOVE z 1", "EXISTS z", "SELECT 1", *SHOW, "SELECT 0"],
            "digests": [
                *ZSET,
                "ZADD y 0.1 a inf b -inf c 1e100 d",
                "DEBUG DIGEST-VALUE z y none",
                "EXPIRE z 10000",
                "DEBUG DIGEST-VALUE z",
                many(300),
                "DEBUG DIGEST-VALUE z",
            ],
            "object": [*ZSET, "OBJECT REFCOUNT z", near("OBJECT IDLETIME z", 1)],
            "memory": [*ZSET, shape("MEMORY USAGE z"), shape("MEMORY USAGE z SAMPLES 0")],
            "debug object": [*ZSET, fields("DEBUG OBJECT z")],
        },
    )
)
BOOK.add(
    table(
        "sorted sets of a thousand",
        {
            "ranges": [
                many(1000),
                "ZRANGE z 0 -1 WITHSCORES",
                "ZREVRANGE z 0 -1",
                "ZRANGE z 400 620",
                "ZRANGEBYSCORE z 100 (300 LIMIT 20 150",
                "ZREVRANGEBYSCORE z (700 -inf LIMIT 20 550",
                "ZCOUNT z 17 (911",
                "ZRANK z m777",
                "ZREVRANK z m777",
                "ZREMRANGEBYRANK z 100 899",
                "ZREMRANGEBYSCORE z 10 20",
                *SHOW,
            ],
            "one score": [
                "ZADD z " + " ".join(f"0 m{number}" for number in range(1500)),
                "ZRANGEBYLEX z [m2 (m5 LIMIT 100 400",
                "ZREVRANGEBYLEX z + [m9",
                "ZLEXCOUNT z (m1 [m3",
                "ZRANK z m7",
                "ZRANGE z 700 720",
                "ZREMRANGEBYLEX z [m2 [m8",
                "ZRANGE z 0 -1",
            ],
            "changed": [
                many(1000),
                "ZADD z CH " + " ".join(f"{number * 7919 % 1000} m{number}" for number in range(1000)),
                "ZPOPMIN z 300",
                "ZPOPMAX z 300",
                "ZREM z " + " ".join(f"m{number}" for number in range(0, 1000, 3)),
                *SHOW,
            ],
        },
    )
)
BOOK.add(
    table(
        "sorted sets where other types are expected",
        {
            "strings": [*ZSET, "GET z", "APPEND z x", "INCR z", "GETSET z x", "STRLEN z", "MGET z z", *SHOW],
            "others": [*ZSET, "SADD z a", "LPUSH z a", "HSET z a 1", "SINTER z", "LRANGE z 0 1", *SHOW],
            "set replaces": [*ZSET, "SET z v", "GET z"],
            "a stored set replaces": [*ZSET, "SADD s a", "SUNIONSTORE z s", "TYPE z"],
        },
    )
)
