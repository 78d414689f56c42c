"""Cases of the commands on several sorted sets: unions, intersections, differences, ZMPOP, what waits."""

from __future__ import annotations

from tests.differential.case import (
    Book,
    Line,
    blocked,
    doubles,
    kinds,
    near,
    on,
    receive,
    send,
    singles,
    table,
    until,
)

BOOK = Book()

OTHER = ["SET x v"]
SETS = [
    "ZADD a 1 one 2 two 3 three",
    "ZADD b 10 two 20 three 30 four",
    "ZADD c 100 three 200 four 300 five 400 six",
    "SADD s two three seven",
]
SHOW: list[Line] = [doubles("ZRANGE r 0 -1 WITHSCORES"), "EXISTS r"]

_SOURCES = [
    "1 a",
    "2 a b",
    "3 a b c",
    "3 c b a",
    "2 a a",
    "2 a s",
    "2 s a",
    "1 s",
    "2 a no",
    "2 no a",
    "1 no",
    "3 b s c",
]
_WEIGHTS = {1: "WEIGHTS 2", 2: "WEIGHTS 2 -1", 3: "WEIGHTS 0.5 inf 0"}


def algebra(sources: str, options: str) -> list[Line]:
    """Every operation on these sources."""
    return [
        line
        for name in ("UNION", "INTER")
        for line in (
            f"Z{name} {sources} {options}",
            doubles(f"Z{name} {sources} {options} WITHSCORES"),
            f"Z{name}STORE r {sources} {options}",
            *SHOW,
        )
    ]


BOOK.add(
    table(
        "sorted set algebra",
        {
            f"{sources} {options}": algebra(sources, options.format(w=_WEIGHTS[int(sources[0])]))
            for sources in _SOURCES
            for options in ("", "{w}", "AGGREGATE MIN", "{w} AGGREGATE MAX", "aggregate sum {w}")
        },
        setup=SETS,
    )
)
BOOK.add(
    table(
        "sorted set differences",
        {
            sources: [
                f"ZDIFF {sources}",
                f"ZDIFF {sources} WITHSCORES",
                f"ZDIFFSTORE r {sources}",
                *SHOW,
                f"ZINTERCARD {sources}",
                f"ZINTERCARD {sources} LIMIT 1",
                f"ZINTERCARD {sources} LIMIT 0",
                f"ZINTERCARD {sources} LIMIT 1 LIMIT 2",
            ]
            for sources in [*_SOURCES, "3 c a b", "3 a s no"]
        },
        setup=SETS,
    )
)
BOOK.add(
    table(
        "sorted set algebra, numbers",
        {
            "infinities": ["ZADD a inf m", "ZADD b -inf m", *algebra("2 a b", "")],
            "infinities, least": ["ZADD a inf m", "ZADD b -inf m", *algebra("2 a b", "AGGREGATE MIN")],
            "infinity times nothing": ["ZADD a inf m 1 n", *algebra("1 a", "WEIGHTS 0")],
            "infinities times nothing": [
                "ZADD a inf m 1 n",
                "ZADD b -inf m 2 n",
                *algebra("2 a b", "WEIGHTS 0 0"),
                *algebra("2 a b", "WEIGHTS 0 1 AGGREGATE MIN"),
                *algebra("2 b a", "WEIGHTS 1 0 AGGREGATE MAX"),
            ],
            "the order of sums": [
                "ZADD a 0.1 m 1 x 1 y",
                "ZADD b 0.2 m 1 z",
                "ZADD c 0.3 m",
                "ZADD d 1e16 m 1 x 1 y 1 z",
                "ZADD e 1e-9 m 5 p 5 q 5 r 5 s",
                *algebra("5 a b c d e", ""),
                *algebra("5 e d c b a", "WEIGHTS 3 1 4 1 5"),
            ],
            "signs of zero": [
                "ZADD a -0 m",
                "ZADD b 0 m",
                *algebra("2 a b", ""),
                *algebra("1 a", "WEIGHTS 2"),
            ],
            "ties": ["ZADD a 1 b 1 a 1 c", "ZADD b 1 d 1 b", *algebra("2 a b", "AGGREGATE MAX")],
            "intsets": ["SADD s 1 2 3 -5", "ZADD a 2 2 3 3", *algebra("2 s a", ""), "ZDIFF 2 s a WITHSCORES"],
        },
    )
)
BOOK.add(
    singles(
        "sorted set algebra, what is wrong",
        [
            *[
                f"{command} {rest}"
                for command in (
                    "ZUNION",
                    "ZINTER",
                    "ZDIFF",
                    "ZINTERCARD",
                    "ZUNIONSTORE r",
                    "ZINTERSTORE r",
                    "ZDIFFSTORE r",
                )
                for rest in (
                    *(
                        "0 a",
                        "-1 a",
                        "x a",
                        "3 a b",
                        "1.5 a",
                        "2 a",
                        "1 a BOGUS",
                        "1 a WEIGHTS",
                        "1 a WEIGHTS x",
                    ),
                    *(
                        "1 a WEIGHTS 1 2",
                        "2 a b WEIGHTS 1",
                        "1 a AGGREGATE",
                        "1 a AGGREGATE AVG",
                        "1 a WEIGHTS nan",
                    ),
                    *("1 a WITHSCORES WITHSCORES", "1 x", "2 a x", "2 a x BOGUS", "1 a LIMIT 1", "1 a LIMIT"),
                    *("1 a LIMIT -1", "1 a LIMIT x", "1 a WEIGHTS 1 WEIGHTS 5", "1 x WEIGHTS x", ""),
                    "1 a AGGREGATE MIN AGGREGATE MAX",
                )
            ],
            "ZUNION",
            "ZUNIONSTORE r",
            "COMMAND GETKEYS ZUNIONSTORE r 2 a b WEIGHTS 1 2",
            "COMMAND GETKEYS ZUNION 2 a b",
            "COMMAND GETKEYS ZINTERCARD 2 a b LIMIT 1",
            "COMMAND GETKEYS ZDIFF 5 a b",
            "COMMAND GETKEYS ZMPOP 2 a b MIN",
            "COMMAND GETKEYS BZPOPMIN a b 0",
            "COMMAND GETKEYS BZMPOP 0 2 a b MAX",
        ],
        setup=[*OTHER, *SETS],
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "sorted set algebra, destinations",
        {
            "over a source": [*SETS, "ZUNIONSTORE a 2 a b", "ZRANGE a 0 -1 WITHSCORES"],
            "over another type": [
                *OTHER,
                *SETS,
                "ZINTERSTORE x 2 a b",
                "TYPE x",
                "ZDIFFSTORE s 1 s",
                "TYPE s",
            ],
            "over itself": [*OTHER, "ZADD x2 1 a", "ZUNIONSTORE x 1 x", "ZUNIONSTORE x 1 x2", "TYPE x"],
            "nothing over something": [
                *OTHER,
                *SETS,
                "ZINTERSTORE x 2 a no",
                "EXISTS x",
                "ZDIFFSTORE a 2 a a",
                "EXISTS a",
            ],
            "the ttl goes": [*SETS, "ZADD r 1 q", "EXPIRE r 1000", "ZUNIONSTORE r 1 a", "TTL r", *SHOW],
            "expired sources": [*SETS, "PEXPIREAT a 1", "ZUNIONSTORE r 2 a b", *SHOW],
        },
    )
)
BOOK.add(
    table(
        "zmpop",
        {
            "min": [*SETS, "ZMPOP 1 a MIN", "ZMPOP 2 no a MIN COUNT 2", "EXISTS a", "ZMPOP 1 a MIN"],
            "max": [*SETS, "ZMPOP 1 a max", "ZMPOP 2 no a MAX count 5", "EXISTS a", "ZMPOP 2 a no MAX"],
            "several": [*SETS, *["ZMPOP 3 a b c MIN COUNT 2"] * 6],
            "fractions": ["ZADD a 0.1 m inf n", doubles("ZMPOP 1 a MIN COUNT 2")],
            "wrong type first": [*OTHER, *SETS, "ZMPOP 2 x a MIN", "ZMPOP 2 no x MIN", "ZMPOP 1 s MIN"],
            "wrong type later": [*OTHER, *SETS, "ZMPOP 2 a x MIN", "ZMPOP 2 no a MAX"],
            "ttl": [*SETS, "EXPIRE a 1000", "ZMPOP 1 a MIN", near("TTL a", 2)],
        },
    )
)
_BAD_POPS = [
    *("1 a", "0 a MIN", "x a MIN", "-1 a MIN", "2 a MIN", "1 a UP", "1 a MIN COUNT", "1 a MIN COUNT 0"),
    *("1 a MIN COUNT x", "1 a MIN COUNT 1 COUNT 1", "1 a MIN BOGUS 1", "1 a MIN MAX", "1 a COUNT 1", "1"),
]
BOOK.add(
    singles(
        "zmpop, what is wrong",
        [line for rest in _BAD_POPS for line in (f"ZMPOP {rest}", f"BZMPOP 0 {rest}")]
        + ["ZMPOP", "BZMPOP", "BZMPOP 0", "BZMPOP x 0 a MIN", "BZMPOP x 1 a UP", "BZMPOP x 1 a MIN COUNT 0"],
        setup=SETS,
    )
)

# Waiting.

BOOK.add(
    table(
        "blocking for sorted sets, nothing to wait for",
        {
            "bzpopmin": [
                *SETS,
                "BZPOPMIN a 0",
                "BZPOPMIN a 1",
                "BZPOPMIN a 0.5",
                "EXISTS a",
                "BZPOPMIN no b 0",
            ],
            "bzpopmax": [
                *SETS,
                "BZPOPMAX a 0",
                "BZPOPMAX a 1",
                "BZPOPMAX a b 0",
                "EXISTS a",
                "BZPOPMAX a b 0",
            ],
            "bzmpop": [
                *SETS,
                "BZMPOP 0 2 no a MIN",
                "BZMPOP 0 1 a MAX COUNT 5",
                "BZMPOP 1 3 a b c MIN",
                "EXISTS a",
            ],
            "fractions": ["ZADD a 0.1 m inf n", doubles("BZPOPMIN a 0"), "BZPOPMAX a 0"],
            "a key twice": [*SETS, "BZPOPMIN a a 0", "BZMPOP 0 2 a a MAX"],
            "wrong type first": [*OTHER, *SETS, "BZPOPMIN x a 0", "BZPOPMAX no x a 0", "BZMPOP 0 1 x MIN"],
            "wrong type later": [*OTHER, *SETS, "BZPOPMIN a x 0", "BZPOPMIN no b x 0", "BZPOPMIN s 0"],
        },
    )
)
_TIMEOUTS = ["-1", "-0.1", "x", '""', "1.5.5", '" 1"', "nan", "1e-5000"]
_TOO_LONG = ["1e16", "inf"]
_WAITING = ("BZPOPMIN a {t}", "BZPOPMAX no a {t}", "BZMPOP {t} 1 a MIN")
BOOK.add(
    singles(
        "blocking for sorted sets, bad time-outs",
        [
            *[line.format(t=timeout) for line in _WAITING for timeout in _TIMEOUTS],
            *[kinds(line.format(t=timeout)) for line in _WAITING for timeout in _TOO_LONG],
            *("BZPOPMIN", "BZPOPMIN a", "BZPOPMAX", "BZPOPMAX a"),
        ],
        setup=SETS,
        probe=["ZCARD a"],
    )
)
BOOK.add(
    table(
        "blocking for sorted sets, time is up",
        {
            "bzpopmin": ["BZPOPMIN a 0.01", "BZPOPMIN a b c 0.01", "BZPOPMAX a 0.001"],
            "bzmpop": ["BZMPOP 0.01 2 a b MIN", "BZMPOP 0.01 1 a MAX COUNT 5"],
            "then as before": ["BZPOPMIN a 0.01", *SETS, "BZPOPMIN a 0.01", "ZCARD a"],
        },
        multi=False,
    )
)
BOOK.add(
    table(
        "blocking for sorted sets, in a transaction",
        {
            "nothing there": ["MULTI", "BZPOPMIN a 0", "BZPOPMAX a b 0", "BZMPOP 0 1 a MIN", "EXEC"],
            "something there": [
                *SETS,
                "MULTI",
                "BZPOPMIN a 0",
                "BZPOPMAX no a 0",
                "BZMPOP 0 2 a b MIN COUNT 3",
                "EXEC",
            ],
            "errors": [*OTHER, "MULTI", "BZPOPMIN x 0", "BZPOPMIN a y", "BZMPOP 0 1 a UP", "EXEC"],
        },
    )
)
# What wakes a client that waits for the sorted sets a and b.
_WAKERS = {
    "zadd": ["ZADD a 1 m 2 n"],
    "zincrby": ["ZINCRBY b 5 m"],
    "zadd incr": ["ZADD a INCR 5 m"],
    "zrangestore": ["ZADD c 1 m 2 n 3 o", "ZRANGESTORE a c 1 2"],
    "zunionstore": ["ZADD c 1 m 2 n 3 o", "SADD s m p", "ZUNIONSTORE b 2 c s"],
    "zinterstore": ["ZADD c 1 m 2 n 3 o", "ZINTERSTORE b 2 c c"],
    "zdiffstore": ["ZADD c 1 m 2 n 3 o", "ZDIFFSTORE a 2 c no"],
    "rename": ["ZADD c 1 m 2 n", "RENAME c a"],
    "copy": ["ZADD c 1 m 2 n", "COPY c a"],
    "move": ["SELECT 1", "ZADD a 1 m 2 n", "MOVE a 0", "SELECT 0"],
    "swapdb": ["SELECT 1", "ZADD a 1 m 2 n", "SELECT 0", "SWAPDB 0 1"],
    "exec": ["MULTI", "ZADD a 1 m 2 n", "ZADD a 0 o", "EXEC"],
    "after another type": ["SET a v", "LPUSH b x", "DEL a", "ZADD a 1 m 2 n"],
    "after an exec that took it again": ["MULTI", "ZADD a 1 m", "ZPOPMIN a", "EXEC", "ZADD b 1 n"],
    "added and cut": ["MULTI", "ZADD a 1 m 2 n 3 o", "ZREMRANGEBYRANK a 0 0", "EXEC"],
}
_WAITS = {
    "bzpopmin": "BZPOPMIN a b 0",
    "bzpopmax": "BZPOPMAX a b 0",
    "bzmpop": "BZMPOP 0 2 a b MAX COUNT 2",
}
BOOK.add(
    table(
        "blocking for sorted sets, woken",
        {
            f"{command} by {waker}": [
                on(1, send(line)),
                blocked(1),
                *script,
                receive(1),
                *[f"ZRANGE {key} 0 -1 WITHSCORES" for key in "abc"],
                on(1, "PING"),
            ]
            for command, line in _WAITS.items()
            for waker, script in _WAKERS.items()
        },
    )
)
BOOK.add(
    table(
        "blocking for sorted sets, in line",
        {
            "first come, first served": [
                on(1, send("BZPOPMIN a 0")),
                blocked(1),
                on(2, send("BZPOPMAX a 0")),
                blocked(2),
                on(3, send("BZMPOP 0 1 a MIN COUNT 2")),
                blocked(3),
                "ZADD a 1 m 2 n 3 o 4 p 5 q",
                receive(1),
                receive(2),
                receive(3),
                "ZRANGE a 0 -1 WITHSCORES",
            ],
            "beside somebody who waits for a list": [
                on(1, send("BLPOP a 0")),
                blocked(1),
                on(2, send("BZPOPMIN a 0")),
                blocked(2),
                "ZADD a 1 m",
                receive(2),
                "RPUSH a x",
                receive(1),
                "EXISTS a",
            ],
            "unblocked": [
                on(1, send("BZPOPMIN a 0")),
                blocked(1),
                "CLIENT UNBLOCK {id1}",
                receive(1),
                on(1, send("BZMPOP 0 1 a MIN")),
                blocked(1),
                "CLIENT UNBLOCK {id1} ERROR",
                receive(1),
                until("ZADD a 1 m", ":0"),
                "ZCARD a",
            ],
        },
    )
)
