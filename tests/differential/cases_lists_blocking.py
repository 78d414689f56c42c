"""Cases of the list commands that wait: at once, in line, woken by every kind of write, time-outs, MULTI."""

from __future__ import annotations

from tests.differential.case import Book, blocked, kinds, on, receive, send, singles, table, until

BOOK = Book()

OTHER = ["SET s v"]
LIST = ["RPUSH l a b c d e"]
SHOW = ["LRANGE l 0 -1", "EXISTS l"]
BOTH = ["LRANGE l 0 -1", "LRANGE m 0 -1", "EXISTS l m"]

BOOK.add(
    table(
        "blocking, nothing to wait for",
        {
            "blpop": [*LIST, "BLPOP l 0", "BLPOP l 1", *SHOW],
            "brpop": [*LIST, "BRPOP l 0", "BRPOP l 0.5", *SHOW],
            "the last element": ["RPUSH l a", "BLPOP l 0", *SHOW, "RPUSH l b", "BRPOP l 0", *SHOW],
            "first key with a list": [*LIST, "RPUSH m x", "BLPOP no m l 0", "BLPOP no m l 0", *BOTH],
            "a key twice": ["RPUSH l a b", "BLPOP l l 0", "BRPOP l l 0", *SHOW],
            "wrong type first": [*OTHER, *LIST, "BLPOP s l 0", "BRPOP no s l 0", *SHOW],
            "wrong type later": [*OTHER, *LIST, "BLPOP l s 0", "BLPOP no l s 0", *SHOW],
            "wrong type alone": [*OTHER, "BLPOP s 0", "BLMOVE s l LEFT LEFT 0", "BLMPOP 0 1 s LEFT"],
            "blmpop": [*LIST, "BLMPOP 0 2 no l LEFT", "BLMPOP 0 1 l RIGHT COUNT 2", *SHOW],
            "blmpop all": [*LIST, "BLMPOP 0 1 l LEFT COUNT 100", *SHOW],
            "blmove": [*LIST, "BLMOVE l m LEFT RIGHT 0", "BLMOVE l m RIGHT RIGHT 0", *BOTH],
            "blmove within one": [*LIST, "BLMOVE l l LEFT RIGHT 0", *SHOW],
            "blmove to another type": [*LIST, *OTHER, "BLMOVE l s LEFT LEFT 0", *SHOW],
            "brpoplpush": [*LIST, "BRPOPLPUSH l m 0", "BRPOPLPUSH l l 0", *BOTH],
            "brpoplpush to another type": [*LIST, *OTHER, "BRPOPLPUSH l s 0", *SHOW],
        },
    )
)
_TIMEOUTS = ["-1", "-0.1", "x", '""', "1.5.5", '" 1"', "nan", "1e-5000", "-inf", "-1e16"]
# Redis 7.0 calls them negative; later ones say that they are out of range.
_TOO_LONG = ["1e16", "1e400", "9223372036854775807", "inf"]
_WAITING = ("BLPOP l {t}", "BRPOPLPUSH l m {t}", "BLMOVE l m LEFT LEFT {t}", "BLMPOP {t} 1 l LEFT")
BOOK.add(
    singles(
        "blocking, bad time-outs",
        [
            *[line.format(t=timeout) for line in _WAITING for timeout in _TIMEOUTS],
            *[kinds(line.format(t=timeout)) for line in _WAITING for timeout in _TOO_LONG],
        ],
        setup=LIST,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "blocking, good time-outs",
        {
            "forms": [*LIST, "BLPOP l 1e2", "BLPOP l .5", "BLPOP l 0x10", "BLPOP l 0.0", "BLPOP l +1", *SHOW],
            "large": [*LIST, "BLPOP l 1e15", "BLPOP l 9221580000000000", *SHOW],
        },
    )
)
BOOK.add(
    singles(
        "blocking, syntax",
        [
            "BLPOP",
            "BLPOP l",
            "BRPOP l",
            "BLMOVE l m LEFT LEFT",
            "BLMOVE l m LEFT LEFT 0 0",
            "BLMOVE l m UP LEFT 0",
            "BLMOVE l m LEFT DOWN 0",
            "BLMOVE l m UP DOWN x",
            "BRPOPLPUSH l m",
            "BRPOPLPUSH l m 0 0",
            "BLMPOP 0 1 l",
            "BLMPOP 0 1",
            "BLMPOP 0 0 l LEFT",
            "BLMPOP 0 x l LEFT",
            "BLMPOP x 0 l LEFT",
            "BLMPOP 0 2 l LEFT",
            "BLMPOP 0 1 l UP",
            "BLMPOP 0 1 l LEFT COUNT 0",
            "BLMPOP 0 1 l LEFT COUNT",
            "BLMPOP 0 1 l LEFT COUNT 1 COUNT 1",
            "BLMPOP 0 1 l LEFT BOGUS 1",
            "COMMAND GETKEYS BLPOP a b 0",
            "COMMAND GETKEYS BLMOVE a b LEFT LEFT 0",
            "COMMAND GETKEYS BLMPOP 0 2 a b LEFT",
        ],
        setup=LIST,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "blocking, time is up",
        {
            "blpop": ["BLPOP l 0.01", "BLPOP l m n 0.01", "BRPOP l 0.001"],
            "blmpop": ["BLMPOP 0.01 2 l m LEFT", "BLMPOP 0.01 1 l RIGHT COUNT 5"],
            "blmove": ["BLMOVE l m LEFT LEFT 0.01"],
            "brpoplpush": ["BRPOPLPUSH l m 0.01"],
            "blmove from nothing to another type": [*OTHER, "BLMOVE l s LEFT LEFT 0.01"],
            "then as before": ["BLPOP l 0.01", *LIST, "BLPOP l 0.01", *SHOW],
        },
        multi=False,
    )
)
BOOK.add(
    table(
        "blocking, in a transaction",
        {
            "nothing there": [
                "MULTI",
                "BLPOP l 0",
                "BRPOP l m 0",
                "BLMOVE l m LEFT LEFT 0",
                "BRPOPLPUSH l m 0",
                "BLMPOP 0 1 l LEFT",
                "EXEC",
            ],
            "something there": [
                *LIST,
                "MULTI",
                "BLPOP l 0",
                "BRPOP m l 0",
                "BLMOVE l m LEFT LEFT 0",
                "BRPOPLPUSH l m 0",
                "BLMPOP 0 2 no l LEFT COUNT 3",
                "EXEC",
                *BOTH,
            ],
            "errors": [*OTHER, "MULTI", "BLPOP s 0", "BLPOP l x", "BLMOVE l m UP LEFT 0", "EXEC"],
        },
    )
)
# What wakes a client that waits for the lists l and m, and what is then there.
_WAKERS = {
    "rpush": ["RPUSH l a b"],
    "lpush": ["LPUSH l a b c"],
    "to the second key": ["RPUSH m a b"],
    "lmove": ["RPUSH x a b", "LMOVE x l LEFT LEFT"],
    "rpoplpush": ["RPUSH x a b", "RPOPLPUSH x m"],
    "rename": ["RPUSH x a b", "RENAME x l"],
    "renamenx": ["RPUSH x a b", "RENAMENX x l"],
    "copy": ["RPUSH x a b", "COPY x l"],
    "move": ["SELECT 1", "RPUSH l a b", "MOVE l 0", "SELECT 0"],
    "swapdb": ["SELECT 1", "RPUSH l a b", "SELECT 0", "SWAPDB 0 1"],
    "sort store": ["RPUSH x b a", "SORT x ALPHA STORE l"],
    "a script": ["EVAL \"return redis.call('RPUSH', KEYS[1], 'a', 'b')\" 1 l"],
    "a script that takes one back": [
        "EVAL \"redis.call('RPUSH', KEYS[1], 'a', 'b') return redis.call('LPOP', KEYS[1])\" 1 l"
    ],
    "exec": ["MULTI", "RPUSH l a b", "RPUSH l c", "EXEC"],
    "after another type": ["SET l v", "DEL l", "RPUSH l a b"],
    "after an exec that took it again": ["MULTI", "RPUSH l a", "LPOP l", "EXEC", "RPUSH l b"],
    "after a rename away": ["MULTI", "RPUSH l a", "RENAME l x", "EXEC", "RPUSH l b"],
    "pushed and trimmed": ["MULTI", "RPUSH l a b c", "LTRIM l 1 1", "EXEC"],
    "instead of another type": ["SET l v", "MULTI", "DEL l", "RPUSH l a b", "EXEC"],
}
_WAITS = {
    "blpop": "BLPOP l m 0",
    "brpop": "BRPOP l m 0",
    "blmpop": "BLMPOP 0 2 l m LEFT COUNT 2",
}
BOOK.add(
    table(
        "blocking, woken",
        {
            f"{command} by {waker}": [
                on(1, send(line)),
                blocked(1),
                *script,
                receive(1),
                *BOTH,
                on(1, "PING"),
            ]
            for command, line in _WAITS.items()
            for waker, script in _WAKERS.items()
        },
    )
)
_MOVES = [
    "BLMOVE l t LEFT RIGHT 0",
    "BLMOVE l {l}t RIGHT LEFT 0",
    "BRPOPLPUSH l t 0",
    "BLMOVE l l LEFT RIGHT 0",
]
BOOK.add(
    table(
        "blocking, moved",
        {
            f"{line} by {waker}": [
                on(1, send(line)),
                blocked(1),
                *script,
                receive(1),
                *BOTH,
                "LRANGE t 0 -1",
                "LRANGE {l}t 0 -1",
            ]
            for line in _MOVES
            for waker, script in _WAKERS.items()
            if not any("m a b" in each or " x m" in each for each in script)
        },
    )
)
BOOK.add(
    table(
        "blocking, in line",
        {
            "first come, first served": [
                *[step for n in (1, 2, 3) for step in (on(n, send("BLPOP l 0")), blocked(n))],
                "RPUSH l a b",
                receive(1),
                receive(2),
                "RPUSH l c d",
                receive(3),
                *SHOW,
            ],
            "over several keys": [
                on(1, send("BLPOP m l 0")),
                blocked(1),
                on(2, send("BRPOP l 0")),
                blocked(2),
                on(3, send("BLPOP l m 0")),
                blocked(3),
                "RPUSH l a b",
                receive(1),
                receive(2),
                "RPUSH m c",
                receive(3),
                *BOTH,
            ],
            "counts": [
                on(1, send("BLMPOP 0 1 l LEFT COUNT 2")),
                blocked(1),
                on(2, send("BLMPOP 0 1 l RIGHT COUNT 2")),
                blocked(2),
                "RPUSH l a b c",
                receive(1),
                receive(2),
                *SHOW,
            ],
            "one key twice": [on(1, send("BLPOP l l 0")), blocked(1), "RPUSH l a b", receive(1), *SHOW],
            "a chain of moves": [
                on(1, send("BLMOVE l m LEFT LEFT 0")),
                blocked(1),
                on(2, send("BLMOVE m n LEFT LEFT 0")),
                blocked(2),
                on(3, send("BLPOP n 0")),
                blocked(3),
                "RPUSH l a",
                receive(1),
                receive(2),
                receive(3),
                "EXISTS l m n",
            ],
            "a move to another type": [
                *OTHER,
                on(1, send("BLMOVE l s LEFT LEFT 0")),
                blocked(1),
                on(2, send("BLPOP l 0")),
                blocked(2),
                "RPUSH l a b",
                receive(1),
                receive(2),
                *SHOW,
                "GET s",
            ],
            "another type wakes nobody": [
                on(1, send("BLPOP l 0")),
                blocked(1),
                "SET l v",
                "APPEND l w",
                "DEL l",
                "RPUSH l a",
                receive(1),
                *SHOW,
            ],
            "in its own database": [
                on(1, "SELECT 1"),
                on(1, send("BLPOP l 0")),
                blocked(1),
                "RPUSH l a",
                "SELECT 1",
                "RPUSH l b",
                receive(1),
                *SHOW,
                "SELECT 0",
                *SHOW,
            ],
            "commands behind it wait": [
                on(1, send("BLPOP l 0")),
                on(1, send("RPUSH m x")),
                blocked(1),
                "EXISTS m",
                "RPUSH l a",
                receive(1),
                receive(1),
                *BOTH,
            ],
            "time is up for one of two": [
                on(1, send("BLPOP l 0.02")),
                on(2, send("BLPOP l 0")),
                blocked(2),
                receive(1),
                "RPUSH l a",
                receive(2),
                *SHOW,
            ],
            "unblocked": [
                on(1, send("BLPOP l 0")),
                blocked(1),
                on(2, send("BLMOVE l m LEFT LEFT 0")),
                blocked(2),
                until("CLIENT UNBLOCK {id1} ERROR", ":1"),
                receive(1),
                "RPUSH l a",
                receive(2),
                *BOTH,
                "CLIENT UNBLOCK {id1}",
                "CLIENT UNBLOCK {id2}",
            ],
            "unblocked as by a time-out": [
                on(1, send("BLMOVE l m LEFT LEFT 0")),
                on(2, send("BLMPOP 0 1 l LEFT")),
                on(3, send("BRPOPLPUSH l m 0")),
                *[blocked(n) for n in (1, 2, 3)],
                *[until(f"CLIENT UNBLOCK {{id{n}}}", ":1") for n in (1, 2, 3)],
                *[receive(n) for n in (1, 2, 3)],
            ],
        },
    )
)
