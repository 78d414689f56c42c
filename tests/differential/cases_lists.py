"""Cases of the list commands: ends, ranges, counts, arity, types, order of checks, events' effects on TTL."""

from __future__ import annotations

from tests.differential.case import Book, args, near, singles, table, unordered

BOOK = Book()

# A key of every other kind that can be there.
OTHER = ["SET s v"]
LIST = ["RPUSH l a b c d e"]
SHOW = ["LRANGE l 0 -1", "LLEN l", "EXISTS l"]

# Texts that are no 64-bit integers, or are at the edges of them.
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

EDGES = [*INTEGERS[:3], "9223372036854775806"]

BOOK.add(
    table(
        "push",
        {
            "left": ["LPUSH l a", "LPUSH l b", *SHOW],
            "right": ["RPUSH l a", "RPUSH l b", *SHOW],
            "several left": ["LPUSH l a b c", "LPUSH l d e", *SHOW],
            "several right": ["RPUSH l a b c", "RPUSH l d e", *SHOW],
            "empty elements": ['RPUSH l "" ""', *SHOW, "LPOP l", *SHOW],
            "binary elements": [args(b"RPUSH", b"l", b"\x00\r\n\xff", bytes(range(256))), *SHOW],
            "numbers stay as written": ["RPUSH l 1 -1 1.0 007 1e3 9223372036854775808", *SHOW],
            "long elements": [args(b"RPUSH", b"l", b"x" * 20_000, b"y" * 9000), *SHOW],
            "wrong type": [*OTHER, "LPUSH s a", "RPUSH s a", "LPUSHX s a", "RPUSHX s a", "GET s"],
            "keeps the ttl": ["RPUSH l a", "EXPIRE l 1000", "RPUSH l b", "LPUSH l c", near("TTL l", 2)],
            "over an expired key": ["RPUSH l a", "PEXPIREAT l 1", "RPUSH l b", *SHOW, "TTL l"],
            "x without a key": ["LPUSHX l a", "RPUSHX l a b", *SHOW],
            "x with a list": ["RPUSH l a", "LPUSHX l b", "RPUSHX l c", "LPUSHX l d e", "RPUSHX l f g", *SHOW],
            "type": ["RPUSH l a", "TYPE l"],
            "arity": ["LPUSH", "LPUSH l", "RPUSH l", "LPUSHX l", "RPUSHX l", "RPUSH"],
        },
    )
)
BOOK.add(
    table(
        "pop",
        {
            "left": [*LIST, "LPOP l", "LPOP l", *SHOW],
            "right": [*LIST, "RPOP l", "RPOP l", *SHOW],
            "to the end left": ["RPUSH l a b", "LPOP l", "LPOP l", "LPOP l", *SHOW, "TYPE l"],
            "to the end right": ["RPUSH l a b", "RPOP l", "RPOP l", "RPOP l", *SHOW, "TYPE l"],
            "no key": ["LPOP l", "RPOP l", "LPOP l 1", "RPOP l 1", "LPOP l 0", "RPOP l 0"],
            "count": [*LIST, "LPOP l 2", "RPOP l 2", *SHOW],
            "count of all": [*LIST, "LPOP l 5", *SHOW],
            "count of all right": [*LIST, "RPOP l 5", *SHOW],
            "count beyond": [*LIST, "RPOP l 100", *SHOW],
            "count beyond left": [*LIST, "LPOP l 9223372036854775807", *SHOW],
            "count zero": [*LIST, "LPOP l 0", "RPOP l 0", *SHOW],
            "count one": [*LIST, "LPOP l 1", "RPOP l 1", *SHOW],
            "negative count": [*LIST, "LPOP l -1", "RPOP l -1", "LPOP l -9223372036854775808", *SHOW],
            "wrong type": [*OTHER, "LPOP s", "RPOP s", "LPOP s 1", "RPOP s 0", "LPOP s -1", "RPOP s x"],
            "count before the key": ["LPOP l -1", "LPOP l x", "RPOP l -1", "RPOP l x"],
            "arity": ["LPOP", "RPOP", "LPOP l 1 2", "RPOP l 1 2", *LIST, "LPOP l 1 2", "RPOP l x y z"],
            "takes the ttl with it": ["RPUSH l a", "EXPIRE l 1000", "LPOP l", "RPUSH l b", "TTL l"],
            "keeps the ttl": [*LIST, "EXPIRE l 1000", "LPOP l", "RPOP l 2", near("TTL l", 2)],
        },
    )
)
BOOK.add(singles("pop count", [f"LPOP l {number}" for number in INTEGERS], setup=LIST, probe=SHOW))
BOOK.add(
    table(
        "llen, lindex",
        {
            "llen": ["LLEN l", *LIST, "LLEN l"],
            "llen wrong type": [*OTHER, "LLEN s"],
            "llen arity": ["LLEN", "LLEN l m"],
            "lindex": [*LIST, *[f"LINDEX l {at}" for at in (0, 1, 4, 5, -1, -5, -6, 100, -100)]],
            "lindex without a key": ["LINDEX l 0", "LINDEX l x"],
            "lindex wrong type": [*OTHER, "LINDEX s 0", "LINDEX s x"],
            "lindex arity": ["LINDEX l", "LINDEX l 0 0", "LINDEX"],
        },
    )
)
BOOK.add(singles("lindex", [f"LINDEX l {number}" for number in INTEGERS], setup=LIST))
BOOK.add(
    singles(
        "lrange",
        [
            f"LRANGE l {start} {stop}"
            for start in ("0", "1", "4", "5", "100", "-1", "-3", "-5", "-6", "-100")
            for stop in ("0", "2", "4", "5", "100", "-1", "-2", "-5", "-6", "-100")
        ],
        setup=LIST,
    )
)
BOOK.add(
    table(
        "lrange",
        {
            "no key": ["LRANGE l 0 -1", "LRANGE l x y"],
            "wrong type": [*OTHER, "LRANGE s 0 -1", "LRANGE s x 0", "LRANGE s 0 x"],
            "arity": ["LRANGE l 0", "LRANGE l 0 1 2", "LRANGE"],
            **{f"start {n}": [*LIST, f"LRANGE l {n} -1", f"LRANGE l 0 {n}"] for n in INTEGERS},
            "edges": [*LIST, *(f"LRANGE l {one} {other}" for one in EDGES for other in EDGES)],
        },
    )
)
BOOK.add(
    singles(
        "ltrim",
        [
            f"LTRIM l {start} {stop}"
            for start in ("0", "1", "4", "5", "-1", "-3", "-100")
            for stop in ("0", "2", "4", "100", "-1", "-2", "-6", "-100")
        ]
        + [f"LTRIM l {start} {stop}" for start in EDGES for stop in EDGES],
        setup=LIST,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "ltrim",
        {
            "no key": ["LTRIM l 0 -1", "LTRIM l x 0", "LTRIM l 0 x"],
            "wrong type": [*OTHER, "LTRIM s 0 -1", "LTRIM s x 0"],
            "arity": ["LTRIM l 0", "LTRIM l 0 1 2", "LTRIM"],
            "keeps the ttl": [*LIST, "EXPIRE l 1000", "LTRIM l 1 2", near("TTL l", 2)],
            **{f"bound {n}": [*LIST, f"LTRIM l {n} -1", f"LTRIM l 0 {n}", *SHOW] for n in INTEGERS},
        },
    )
)
BOOK.add(
    table(
        "lset",
        {
            "from the left": [*LIST, "LSET l 0 x", "LSET l 2 y", "LSET l 4 z", *SHOW],
            "from the right": [*LIST, "LSET l -1 x", "LSET l -5 y", *SHOW],
            "out of range": [*LIST, "LSET l 5 x", "LSET l -6 x", "LSET l 9223372036854775807 x", *SHOW],
            "no key": ["LSET l 0 x", "LSET l y x", *SHOW],
            "wrong type": [*OTHER, "LSET s 0 x", "LSET s y x"],
            "not an integer": [*LIST, "LSET l x y", "LSET l 1.0 y", *SHOW],
            "keeps the ttl": [*LIST, "EXPIRE l 1000", "LSET l 0 x", near("TTL l", 2)],
            "a longer element": ["RPUSH l a b", args(b"LSET", b"l", b"1", b"x" * 10_000), *SHOW],
            "arity": ["LSET l 0", "LSET l 0 1 2", "LSET"],
        },
    )
)
BOOK.add(
    table(
        "linsert",
        {
            "before": [*LIST, "LINSERT l BEFORE c x", *SHOW],
            "after": [*LIST, "LINSERT l AFTER c x", *SHOW],
            "before the first": [*LIST, "LINSERT l before a x", *SHOW],
            "after the last": [*LIST, "LINSERT l after e x", *SHOW],
            "the first of several": ["RPUSH l a b a b", "LINSERT l AFTER b x", "LINSERT l BEFORE a y", *SHOW],
            "no such pivot": [*LIST, "LINSERT l BEFORE x y", *SHOW],
            "no key": ["LINSERT l BEFORE a b", *SHOW],
            "wrong type": [*OTHER, "LINSERT s BEFORE a b", "LINSERT s BESIDE a b"],
            "bad word": [*LIST, "LINSERT l BESIDE a b", "LINSERT nokey BESIDE a b", *SHOW],
            "arity": ["LINSERT l BEFORE a", "LINSERT l BEFORE a b c", "LINSERT"],
            "number as pivot": ["RPUSH l 1 2 3", "LINSERT l AFTER 2 x", "LINSERT l AFTER 02 y", *SHOW],
            "keeps the ttl": [*LIST, "EXPIRE l 1000", "LINSERT l AFTER a x", near("TTL l", 2)],
        },
    )
)
_REPEATED = ["RPUSH l a b a c a b a"]
BOOK.add(
    singles(
        "lrem",
        [
            f"LREM l {count} {element}"
            for count in ("0", "1", "2", "4", "100", "-1", "-2", "-4", "-100", *INTEGERS)
            for element in ("a", "b", "x")
        ],
        setup=_REPEATED,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "lrem",
        {
            "the last element": ["RPUSH l a a a", "LREM l 0 a", *SHOW],
            "no key": ["LREM l 0 a", "LREM l x a"],
            "wrong type": [*OTHER, "LREM s 0 a", "LREM s x a"],
            "keeps the ttl": [*_REPEATED, "EXPIRE l 1000", "LREM l 1 a", near("TTL l", 2)],
            "arity": ["LREM l 0", "LREM l 0 a b", "LREM"],
            "numbers compare as text": ["RPUSH l 1 01 1.0 1", "LREM l 0 1", *SHOW],
        },
    )
)
BOOK.add(
    singles(
        "lpos",
        [
            "LPOS l a",
            "LPOS l c",
            "LPOS l x",
            "LPOS l x COUNT 0",
            *[f"LPOS l a RANK {rank}" for rank in ("1", "2", "4", "5", "-1", "-2", "-4", "-5", "0")],
            *[f"LPOS l a COUNT {count}" for count in ("0", "1", "2", "4", "100", "-1")],
            *[f"LPOS l a MAXLEN {length}" for length in ("0", "1", "2", "100", "-1")],
            *[f"LPOS l c MAXLEN {length}" for length in ("1", "3", "4", "7")],
            *[
                f"LPOS l a RANK {rank} COUNT {count}"
                for rank in ("2", "-2", "5")
                for count in ("0", "1", "2")
            ],
            *[f"LPOS l c RANK -1 MAXLEN {length}" for length in ("1", "3", "4")],
            "LPOS l a COUNT 0 RANK -1 MAXLEN 3",
            "LPOS l a MAXLEN 3 COUNT 0 RANK 2",
            "LPOS l a rank 2 count 2 maxlen 6",
            "LPOS l a COUNT 1 COUNT 0",
            "LPOS l a RANK 1 RANK 2",
            "LPOS l a RANK",
            "LPOS l a COUNT",
            "LPOS l a MAXLEN",
            "LPOS l a BOGUS",
            "LPOS l a BOGUS 1",
            "LPOS l a COUNT 1 BOGUS",
            "LPOS l",
            "LPOS",
            # Redis 7.0 counts backwards past the smallest rank and comes out at its first match.
            *[f"LPOS l a RANK {number}" for number in INTEGERS if number != SMALLEST],
            *[f"LPOS l a {word} {number}" for word in ("COUNT", "MAXLEN") for number in INTEGERS],
        ],
        setup=_REPEATED,
    )
)
BOOK.add(
    table(
        "lpos",
        {
            "no key": [
                "LPOS l a",
                "LPOS l a COUNT 0",
                "LPOS l a COUNT 2",
                "LPOS l a RANK 0",
                "LPOS l a COUNT -1",
            ],
            "wrong type": [*OTHER, "LPOS s a", "LPOS s a RANK 0", "LPOS s a COUNT 1"],
        },
    )
)
_ENDS = [f"{one} {two}" for one in ("LEFT", "RIGHT") for two in ("LEFT", "RIGHT")]
_BOTH = ["LRANGE l 0 -1", "LRANGE m 0 -1", "EXISTS l m"]
BOOK.add(
    table(
        "lmove",
        {
            **{f"{ends}": [*LIST, "RPUSH m x y", f"LMOVE l m {ends}", *_BOTH] for ends in _ENDS},
            **{f"{ends} to a new key": [*LIST, f"LMOVE l m {ends}", *_BOTH] for ends in _ENDS},
            **{f"{ends} within one": [*LIST, f"LMOVE l l {ends}", *SHOW] for ends in _ENDS},
            **{f"{ends} within one of one": ["RPUSH l a", f"LMOVE l l {ends}", *SHOW] for ends in _ENDS},
            "the last element": ["RPUSH l a", "LMOVE l m LEFT LEFT", *_BOTH, "LMOVE m l LEFT LEFT", *_BOTH],
            "no source": ["LMOVE l m LEFT LEFT", "RPUSH m a", "LMOVE l m LEFT RIGHT", *_BOTH],
            "no source, target of another type": [*OTHER, "LMOVE l s LEFT LEFT"],
            "source of another type": [*OTHER, "LMOVE s l LEFT LEFT", "LMOVE s s LEFT LEFT", "EXISTS l"],
            "target of another type": [*OTHER, *LIST, "LMOVE l s LEFT LEFT", *SHOW],
            "words in any case": [*LIST, "LMOVE l m left Right", *_BOTH],
            "bad words": [*LIST, "LMOVE l m UP LEFT", "LMOVE l m LEFT DOWN", "LMOVE nokey m UP DOWN", *_BOTH],
            "keeps the ttl": [
                *LIST,
                "RPUSH m x",
                "EXPIRE l 1000",
                "EXPIRE m 2000",
                "LMOVE l m LEFT LEFT",
                near("TTL l", 2),
                near("TTL m", 2),
            ],
            "within one keeps the ttl": [
                "RPUSH l a",
                "EXPIRE l 1000",
                "LMOVE l l LEFT LEFT",
                near("TTL l", 2),
            ],
            "arity": [
                "LMOVE l m LEFT",
                "LMOVE l m LEFT LEFT LEFT",
                "LMOVE",
                "RPOPLPUSH l",
                "RPOPLPUSH l m n",
            ],
            "rpoplpush": [*LIST, "RPOPLPUSH l m", "RPOPLPUSH l m", *_BOTH],
            "rpoplpush within one": [*LIST, "RPOPLPUSH l l", "RPOPLPUSH l l", *SHOW],
            "rpoplpush without a source": ["RPOPLPUSH l m", *_BOTH],
            "rpoplpush wrong types": [*OTHER, *LIST, "RPOPLPUSH s l", "RPOPLPUSH l s", *SHOW],
            "rpoplpush the last element": ["RPUSH l a", "RPOPLPUSH l m", *_BOTH],
            "all of them": [*LIST, *["RPOPLPUSH l m"] * 6, *_BOTH],
        },
    )
)
BOOK.add(
    table(
        "lmpop",
        {
            "one key": [*LIST, "LMPOP 1 l LEFT", "LMPOP 1 l RIGHT", *SHOW],
            "count": [*LIST, "LMPOP 1 l LEFT COUNT 2", "LMPOP 1 l RIGHT COUNT 2", *SHOW],
            "count beyond": [*LIST, "LMPOP 1 l LEFT COUNT 100", *SHOW],
            "count beyond right": [*LIST, "LMPOP 1 l RIGHT COUNT 100", *SHOW],
            "first that has a list": [*LIST, "RPUSH m x y", "LMPOP 4 no k m l LEFT", *_BOTH],
            "in the order given": [*LIST, "RPUSH m x", *["LMPOP 2 m l RIGHT COUNT 3"] * 4, *_BOTH],
            "a key twice": ["RPUSH l a", "LMPOP 2 l l LEFT", "LMPOP 2 l l LEFT"],
            "no list": ["LMPOP 1 l LEFT", "LMPOP 3 l m n RIGHT COUNT 2"],
            "wrong type first": [*OTHER, *LIST, "LMPOP 2 s l LEFT", *SHOW],
            "wrong type later": [*OTHER, *LIST, "LMPOP 2 l s LEFT", *SHOW],
            "wrong type after nothing": [*OTHER, "LMPOP 3 l m s LEFT"],
            "keeps the ttl": [*LIST, "EXPIRE l 1000", "LMPOP 1 l LEFT COUNT 2", near("TTL l", 2)],
            "words in any case": [*LIST, "lmpop 1 l left count 2", *SHOW],
        },
    )
)
BOOK.add(
    singles(
        "lmpop syntax",
        [
            "LMPOP",
            "LMPOP 1",
            "LMPOP 1 l",
            "LMPOP 0 l LEFT",
            "LMPOP -1 l LEFT",
            "LMPOP x l LEFT",
            "LMPOP 1.0 l LEFT",
            "LMPOP 9223372036854775807 l LEFT",
            "LMPOP 9223372036854775808 l LEFT",
            "LMPOP 2 l LEFT",
            "LMPOP 2 l m LEFT",
            "LMPOP 1 l m LEFT",
            "LMPOP 1 l UP",
            "LMPOP 1 l LEFT COUNT",
            "LMPOP 1 l LEFT COUNT 0",
            "LMPOP 1 l LEFT COUNT -1",
            "LMPOP 1 l LEFT COUNT x",
            "LMPOP 1 l LEFT COUNT 1 COUNT 1",
            "LMPOP 1 l LEFT COUNT 1 2",
            "LMPOP 1 l LEFT BOGUS 1",
            "LMPOP 1 l LEFT COUNT 1 BOGUS",
            "LMPOP 1 l LEFT RIGHT",
            "LMPOP 3 l LEFT COUNT 1",
        ],
        setup=LIST,
        probe=SHOW,
    )
)
BOOK.add(
    table(
        "lists as any key",
        {
            "rename": [*LIST, "RENAME l m", *_BOTH, "RENAME m l", *_BOTH],
            "rename over a string": [*OTHER, *LIST, "RENAME l s", "LRANGE s 0 -1", "TYPE s"],
            "renamenx": [*LIST, *OTHER, "RENAMENX l s", "RENAMENX l m", *_BOTH],
            "copy": [*LIST, "COPY l m", "RPUSH m x", "LPOP l", *_BOTH],
            "copy replace": [*LIST, *OTHER, "COPY l s", "COPY l s REPLACE", "LRANGE s 0 -1"],
            "copy to another database": [*LIST, "COPY l l DB 1", "LPOP l", "SELECT 1", *SHOW, "SELECT 0"],
            "move": [*LIST, "MOVE l 1", *SHOW, "SELECT 1", *SHOW, "SELECT 0"],
            "del": [*LIST, "DEL l", *SHOW],
            "unlink": [*LIST, "UNLINK l", *SHOW],
            "set over a list": [*LIST, "SET l v", "GET l", "TYPE l"],
            "scan": [*LIST, *OTHER, unordered("SCAN 0 COUNT 1000 TYPE list"), "SCAN 0 COUNT 1000 TYPE hash"],
            "strings' commands": [
                *LIST,
                "GET l",
                "APPEND l x",
                "INCR l",
                "STRLEN l",
                "GETRANGE l 0 -1",
                "SETRANGE l 0 x",
                "GETDEL l",
                "GETEX l",
                "GETSET l x",
                "LCS l l",
                "MGET l l",
                *SHOW,
            ],
            "persist": [*LIST, "EXPIRE l 1000", "PERSIST l", "TTL l", *SHOW],
            "expired": [*LIST, "PEXPIREAT l 1", *SHOW, "LPOP l", "TYPE l"],
            "refcount": [*LIST, "OBJECT REFCOUNT l", "OBJECT IDLETIME l"],
        },
    )
)
BOOK.add(
    table(
        "digest of lists",
        {
            "value": [*LIST, "DEBUG DIGEST-VALUE l"],
            "all": [*LIST, "RPUSH m 1 2 3", "DEBUG DIGEST"],
            "order counts": ["RPUSH l a b", "RPUSH m b a", "DEBUG DIGEST-VALUE l m"],
            "with a ttl": [*LIST, "EXPIRE l 1000", "DEBUG DIGEST-VALUE l"],
            "copied": [*LIST, "COPY l m", "DEBUG DIGEST-VALUE l m"],
        },
    )
)
BOOK.add(
    table(
        "keys of list commands",
        {
            name: [f"COMMAND GETKEYS {name}"]
            for name in (
                "LPUSH k a b",
                "LMOVE a b LEFT LEFT",
                "RPOPLPUSH a b",
                "LMPOP 2 a b LEFT",
                "LMPOP 0 a LEFT",
                "LMPOP x a LEFT",
                "LMPOP 5 a LEFT",
                "LMPOP 1 a",
                "LRANGE k 0 1",
            )
        },
    )
)
# Longer than the lists that stand in a plain Python list, on both sides of where they change.
_MANY = " ".join(f"e{number}" for number in range(300))
BOOK.add(
    table(
        "long lists",
        {
            "push left": [f"LPUSH l {_MANY}", *SHOW, "LINDEX l 150", "LINDEX l -150"],
            "push right": [f"RPUSH l {_MANY}", *SHOW, "LINDEX l 150", "LINDEX l -150"],
            "one by one": [*[f"RPUSH l {number}" for number in range(140)], *SHOW],
            "one by one left": [*[f"LPUSH l {number}" for number in range(140)], *SHOW],
            "ranges": [
                f"RPUSH l {_MANY}",
                *[f"LRANGE l {a} {b}" for a in (0, 10, 100, -50) for b in (20, 150, 299, -1, -20)],
            ],
            "pops": [
                f"RPUSH l {_MANY}",
                "LPOP l 100",
                "RPOP l 100",
                "LPOP l",
                "RPOP l",
                *SHOW,
                "LPOP l 200",
                *SHOW,
            ],
            "trim": [f"RPUSH l {_MANY}", "LTRIM l 100 -100", *SHOW, "LTRIM l 1 0", *SHOW],
            "set, insert, remove": [
                f"RPUSH l {_MANY}",
                "LSET l 150 x",
                "LSET l -2 x",
                "LINSERT l BEFORE x y",
                "LINSERT l AFTER e10 x",
                "LREM l -2 x",
                "LPOS l x",
                "LPOS l y RANK -1",
                *SHOW,
            ],
            "move": [f"RPUSH l {_MANY}", "LMOVE l l LEFT RIGHT", "LMOVE l m RIGHT LEFT", *_BOTH],
            "insert over the edge": [
                *[f"RPUSH l {n}" for n in range(128)],
                "LINSERT l AFTER 127 x",
                "LPOP l",
                *SHOW,
            ],
        },
    )
)
