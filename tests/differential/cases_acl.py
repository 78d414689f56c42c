"""Cases of ACL: rules and what they allow, users, logins, refusals, the log.

What a user may run is written by Redis 7.0 as the shortest list that it finds, by later ones and here as the
rules were given; so `listed` and `shown` leave those words out, and `ALLOWED` asks with ACL DRYRUN instead.
"""

from __future__ import annotations

from dataclasses import replace

from tests.differential import compare
from tests.differential.case import (
    Book,
    Line,
    Step,
    args,
    blocked,
    closed,
    masked,
    on,
    receive,
    send,
    shape,
    singles,
    step,
    table,
    unordered,
)
from tests.resp import Reply

BOOK = Book()

SUM = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
"""SHA-256 of "password"."""

SETUP = [
    "ACL SETUSER default reset on nopass ~* &* +@all",
    Step((b"ACL", b"DELUSER", b"u", b"w", b"x"), compare.anything),
    "ACL LOG RESET",
]


SANITIZES = b"sanitize-payload"
"""A flag that Redis 7.0 shows only when it was given, and later ones of every new user."""


def _without_commands(reply: Reply) -> Reply:
    """A reply of GETUSER whose `commands`, at every depth, are left out, and the newer flag as well."""
    if reply.kind == "~":
        return Reply("~", tuple(sorted(m.value for m in reply.value if m.value != SANITIZES)))
    if reply.kind == "%":
        return Reply(
            "%",
            tuple((key, _without_commands(value)) for key, value in reply.value if key.value != b"commands"),
        )
    if reply.kind != "*" or reply.value is None:
        return reply
    kept, skip = [], False
    for member in reply.value:
        if not skip and member.value != SANITIZES:
            kept.append(_without_commands(member))
        skip = not skip and member.value == b"commands"
    return Reply("*", tuple(kept))


def _lines(reply: Reply) -> Reply | list[list[bytes]]:
    """The lines of ACL LIST as words, without what is said of commands."""
    if reply.kind != "*":
        return reply
    return [
        [word for word in line.value.split() if word.strip(b"(")[:1] not in b"+-" and word != SANITIZES]
        for line in reply.value
    ]


def shown(line: Line) -> Step:
    """ACL GETUSER but for the commands."""
    return replace(step(line), tolerance=lambda e, a: _without_commands(e) == _without_commands(a))


def listed(line: Line) -> Step:
    """ACL LIST but for the commands."""
    return replace(step(line), tolerance=lambda e, a: _lines(e) == _lines(a))


def ones(*lines: Line) -> list[Line]:
    """By the user."""
    return [on(1, line) for line in lines]


def _entries(reply: Reply) -> list[dict[bytes, Reply]]:
    found = []
    for entry in reply.value:
        pairs = entry.value if entry.kind == "%" else zip(entry.value[::2], entry.value[1::2], strict=True)
        found.append({key.value: value for key, value in pairs})
    return found


_COMPARED = (b"count", b"reason", b"context", b"object", b"username")
_NEWER = {b"entry-id", b"timestamp-created", b"timestamp-last-updated"}
"""Fields since Redis 7.2."""


def _same_log(expected: Reply, actual: Reply) -> bool:
    """Entries of ACL LOG: the same refusals in the same order; ages and client's figures are free."""
    if expected.kind != "*" or actual.kind != "*":
        return expected == actual
    wanted, given = _entries(expected), _entries(actual)
    return (
        [[entry[name] for name in _COMPARED] for entry in wanted]
        == [[entry[name] for name in _COMPARED] for entry in given]
        and all(set(one) <= set(other) <= set(one) | _NEWER for one, other in zip(wanted, given, strict=True))
        and all(
            one[b"age-seconds"].kind == other[b"age-seconds"].kind
            for one, other in zip(wanted, given, strict=True)
        )
    )


def logged(line: Line = "ACL LOG") -> Step:
    """ACL LOG."""
    return replace(step(line), tolerance=_same_log)


ALLOWED: list[Line] = [
    f"ACL DRYRUN u {command}"
    for command in [
        "GET k",
        "GET a:1",
        "SET k v",
        "SET a:1 v",
        "SET a:1 v GET",
        "GETDEL a:1",
        "INCR a:1",
        "EXISTS b:1",
        "DEL b:1 a:1",
        "MGET a:1 b:1 c:1",
        "COPY a:1 b:1",
        "COPY b:1 a:1",
        "RENAME a:1 b:1",
        "LPUSH b:1 x",
        "LRANGE b:1 0 -1",
        "SORT a:1",
        "SORT a:1 STORE b:1",
        "SUNIONSTORE b:1 a:1",
        "BITFIELD a:1 GET u8 0",
        "BITFIELD a:1 SET u8 0 1",
        "EVAL return 1 a:1",
        "EVAL code 1 a:1",
        "PUBLISH c m",
        "PUBLISH c:1 m",
        "SUBSCRIBE c:1 d",
        "PSUBSCRIBE c:*",
        "PSUBSCRIBE c:1",
        "SPUBLISH c:1 m",
        "UNSUBSCRIBE x",
        "CONFIG GET x",
        "CONFIG SET x y",
        "CONFIG RESETSTAT",
        "CLIENT ID",
        "ACL WHOAMI",
        "ACL LIST",
        "PING",
        "AUTH u p",
        "HELLO",
        "MULTI",
        "SELECT 0",
        "SELECT 1",
        "KEYS *",
        "FLUSHALL",
        "OBJECT ENCODING a:1",
        "SCAN 0",
        "DEBUG OBJECT a:1",
        "SWAPDB 0 1",
    ]
]

RULES = [
    "",
    "on",
    "OFF",
    "nopass",
    "nopass resetpass",
    ">password",
    ">password >other",
    ">password <password",
    ">password <other",
    f"#{SUM}",
    f"#{SUM} >password",
    f"#{SUM} !{SUM}",
    f"!{SUM}",
    f"#{SUM.upper()}",
    "#abc",
    "!abc",
    ">",
    "<",
    "#",
    ">a nopass",
    "nopass >a",
    "on nopass reset",
    "sanitize-payload",
    "skip-sanitize-payload",
    "skip-sanitize-payload sanitize-payload",
    "~* +@all &*",
    "allkeys allcommands allchannels",
    "ALLKEYS AllCommands",
    "+@all -@all",
    "+@all nocommands",
    "+get ~*",
    "+GET ~a:*",
    "+get +set ~a:* ~b:*",
    "+get +set ~a:* ~a:*",
    "+@all %R~a:* %W~b:*",
    "+@all %RW~a:* %r~b:*",
    "+@all %WR~a:*",
    "+@all %R~a:* %W~a:*",
    "+@all %R~*",
    "+@all %W~*",
    "+@all %RW~*",
    "+@all %~a:*",
    "+@all %RWR~a:*",
    "+@all %X~a:*",
    "+@all %Ra:*",
    "%",
    "~* ~a",
    "~* %R~a",
    "~a ~* ~*",
    "~a allkeys resetkeys",
    "~a resetkeys ~b",
    "~",
    "~\\*",
    "~[ab]:? +@all",
    "&c:* +@all",
    "&c:* &d +@all",
    "&c:* &* +@all",
    "&* &c",
    "&* resetchannels &c:1 +@all",
    "allchannels &c",
    "allchannels &*",
    "&",
    "+@all -config ~* &*",
    "+@all -config|get ~* &*",
    "-config +config|get ~*",
    "+config|get",
    "+config|get +config|set -config|get",
    "+config -config|set",
    "+config|nothing",
    "+config|",
    "-config|nothing",
    "+config|get|x",
    "+nothing",
    "-nothing",
    "+nothing|get",
    "+@nothing",
    "-@nothing",
    "+",
    "-",
    "+@",
    "+|",
    "+@read ~*",
    "+@read -get ~*",
    "+@READ ~*",
    "+@all -@write ~* &*",
    "+@all -@dangerous ~* &*",
    "+@all -@admin -@dangerous +acl|list ~*",
    "+@string -@write ~*",
    "+@all -@all +@connection",
    "+@pubsub &c:*",
    "+@keyspace +@scripting ~a:*",
    "+select|0",
    "+select|0 +select|1",
    "+select|0 -select",
    "+select|0 +select",
    "+select +select|0",
    "+select|0 -select|0",
    "+select|0 +@all",
    "+select|0 -@all",
    "+select|0|1",
    "+get|a:1 ~*",
    "+debug|object ~*",
    "+client|id",
    "+client -client|id",
    "-debug|object",
    "(+get ~a:*)",
    "( +get ~a:* )",
    "(+get ~a:*) (+set ~b:*)",
    "+get ~b:* (+set ~a:*)",
    "(+get ~a:*) clearselectors",
    "(+get ~a:*) CLEARSELECTORS (+set ~a:*)",
    "(+@all ~* &*)",
    "(+@all %R~a:* %W~b:*)",
    "(&c:* +publish)",
    "(%R~a:* +@all) (%W~b:* +@all)",
    "()",
    "(on)",
    "(>pass)",
    "(nopass)",
    "(reset)",
    "(+nothing)",
    "((+get))",
    "(+get ~a:*",
    "+get ~a:*)",
    "(+get",
    "(",
    ")",
    "(~* ~a)",
    "reset",
    "on >a ~* &* +@all (+get) reset",
    "unknown",
    "on off nonsense",
    "+get nonsense",
    "''",
]


def _rule_case(rules: str) -> list[Line]:
    return [f"ACL SETUSER u {rules}", listed("ACL LIST"), shown("ACL GETUSER u"), *ALLOWED]


BOOK.add(
    table(
        "acl rules",
        {f"{number} {rules}": _rule_case(rules) for number, rules in enumerate(RULES)},
        setup=SETUP,
    )
)
BOOK.add(
    table(
        "acl users",
        {
            "default": [listed("ACL LIST"), "ACL USERS", shown("ACL GETUSER default"), "ACL WHOAMI"],
            "order": ["ACL SETUSER w", "ACL SETUSER u", "ACL SETUSER x", "ACL USERS", listed("ACL LIST")],
            "none": ["ACL GETUSER u", "ACL GETUSER ''", "ACL DELUSER u"],
            "changed": [
                "ACL SETUSER u on >a +get ~a",
                "ACL SETUSER u +set ~b",
                "ACL SETUSER u -get",
                shown("ACL GETUSER u"),
                *ALLOWED,
            ],
            "error changes nothing": [
                "ACL SETUSER u on >a +get ~a",
                "ACL SETUSER u off +set bad ~b",
                shown("ACL GETUSER u"),
                "ACL SETUSER w bad",
                "ACL GETUSER w",
            ],
            "names": [
                "ACL SETUSER 'u v'",
                'ACL SETUSER "u\\x00v"',
                "ACL SETUSER '' on",
                "ACL USERS",
                "ACL DELUSER ''",
                'ACL SETUSER "u\\nv"',
                'ACL DELUSER "u\\nv"',
                'ACL SETUSER "\\xff"',
                'ACL DELUSER "\\xff"',
                "ACL SETUSER U",
                "ACL GETUSER u",
                "ACL DELUSER U",
            ],
            "rules with blanks": [
                args(b"ACL", b"SETUSER", b"u", b"~a b"),
                args(b"ACL", b"SETUSER", b"u", b"~a\0b"),
                args(b"ACL", b"SETUSER", b"u", b"&a b"),
                args(b"ACL", b"SETUSER", b"u", b">a b"),
                args(b"ACL", b"SETUSER", b"u", b"+get "),
                args(b"ACL", b"SETUSER", b"u", b"on off"),
                args(b"ACL", b"SETUSER", b"u", b"(+get ~a:*)", b"(+set", b"~b:*)"),
                args(b"ACL", b"SETUSER", b"u", b"(+get", b"~c:*", b")"),
                args(b"ACL", b"SETUSER", b"u", b"(+get  ~d:*)"),
                args(b"ACL", b"SETUSER", b"u", b""),
                shown("ACL GETUSER u"),
            ],
            "deluser": [
                "ACL DELUSER default",
                "ACL SETUSER u",
                "ACL DELUSER u default",
                shown("ACL GETUSER u"),
                "ACL SETUSER w",
                "ACL DELUSER u u w x",
                "ACL USERS",
                "ACL DELUSER",
            ],
            "arity": [
                "ACL",
                "ACL SETUSER",
                "ACL GETUSER",
                "ACL GETUSER a b",
                "ACL LIST x",
                "ACL USERS x",
                "ACL WHOAMI x",
                "ACL LOAD x",
                "ACL SAVE x",
                "ACL DRYRUN",
                "ACL DRYRUN u",
                "ACL GENPASS 1 2",
                "ACL CAT a b",
                "ACL LOG a b",
                "ACL NOTHING",
                "ACL SETUSERS a",
            ],
            "cat": [
                unordered("ACL CAT"),
                "ACL CAT nothing",
                "ACL CAT @read",
                "ACL CAT all",
                "ACL CAT ''",
            ],
            "genpass": [
                shape("ACL GENPASS"),
                shape("ACL GENPASS 5"),
                "ACL GENPASS 0",
                "ACL GENPASS -1",
                "ACL GENPASS 4097",
                "ACL GENPASS x",
                "ACL GENPASS ''",
            ],
            "no file": ["ACL LOAD", "ACL SAVE"],
            "whoami": [
                "ACL SETUSER u on nopass +acl|whoami +@connection",
                on(1, "ACL WHOAMI"),
                on(1, "AUTH u any"),
                on(1, "ACL WHOAMI"),
                on(1, "RESET"),
                on(1, "ACL WHOAMI"),
            ],
        },
        setup=SETUP,
    )
)
BOOK.add(
    singles(
        "acl dryrun errors",
        [
            "ACL DRYRUN nobody GET k",
            "ACL DRYRUN default nothing",
            "ACL DRYRUN default nothing k",
            "ACL DRYRUN default GET",
            "ACL DRYRUN default GET a b",
            "ACL DRYRUN default config",
            "ACL DRYRUN default CONFIG nothing",
            "ACL DRYRUN default CONFIG GET",
            "ACL DRYRUN default config|get x",
            "ACL DRYRUN default EVAL x 2 a",
            "ACL DRYRUN default GET k",
            "ACL DRYRUN default ACL DRYRUN default GET k",
            "ACL DRYRUN u EVAL x 2 a",
            "ACL DRYRUN u CONFIG nothing",
            "ACL DRYRUN u ZUNIONSTORE d x a",
        ],
        setup=[*SETUP, "ACL SETUSER u +get +eval +zunionstore +config|get ~a"],
    )
)

LOGIN = [*SETUP, "ACL SETUSER u on >p ~a:* %R~r:* %W~w:* &c:* +@all -@dangerous", on(1, "AUTH u p")]


BOOK.add(
    table(
        "acl auth",
        {
            "right": [on(1, "AUTH u p"), on(1, "ACL WHOAMI")],
            "wrong": [on(1, "AUTH u q"), on(1, "AUTH u ''"), on(1, "AUTH nobody p"), on(1, "ACL WHOAMI")],
            "one word": [on(1, "AUTH p"), on(1, "AUTH"), on(1, "AUTH a b c")],
            "off": ["ACL SETUSER u off", on(1, "AUTH u p")],
            "switched off while logged in": [
                on(1, "AUTH u p"),
                "ACL SETUSER u off",
                on(1, "ACL WHOAMI"),
                on(1, "GET a"),
                on(1, "AUTH u p"),
                on(1, "ACL WHOAMI"),
            ],
            "no password": ["ACL SETUSER u nopass", on(1, "AUTH u anything"), on(1, "ACL WHOAMI")],
            "two passwords": ["ACL SETUSER u >q", on(1, "AUTH u q"), on(1, "AUTH u p")],
            "hello": [
                shape(on(1, "HELLO 3 AUTH u p")),
                on(1, "ACL WHOAMI"),
                on(1, "HELLO 3 AUTH u q"),
                on(1, "ACL WHOAMI"),
                on(1, "HELLO 2 AUTH nobody q"),
            ],
            "default with a password": [
                *ones("PING", "AUTH secret"),
                on(2, "PING"),
                "ACL SETUSER default resetpass >secret",
                on(1, "PING"),
                on(1, "AUTH secret"),
                on(1, "AUTH other"),
                on(1, "AUTH default secret"),
                on(1, "AUTH u p"),
                on(1, "PING"),
                masked(on(1, "HELLO"), "version", "id"),
                on(1, "AUTH default secret"),
                "ACL SETUSER default nopass",
            ],
            "default switched off": [
                on(1, "PING"),
                "ACL SETUSER default off",
                on(1, "PING"),
                on(1, "AUTH whatever"),
                on(1, "AUTH u p"),
                "ACL SETUSER default on",
            ],
            "deleted": [
                on(1, "AUTH u p"),
                on(1, "ACL WHOAMI"),
                "ACL DELUSER u",
                closed(1),
            ],
            "deletes itself": [on(1, "AUTH u p"), send(on(1, "ACL DELUSER u")), receive(1), closed(1)],
            "deleted and made again": [
                on(1, "AUTH u p"),
                "ACL DELUSER u",
                "ACL SETUSER u on nopass",
                closed(1),
            ],
            "deleted while blocked": [
                on(1, "AUTH u p"),
                send(on(1, "BLPOP l 0")),
                blocked(1),
                "ACL DELUSER u",
                closed(1),
            ],
            "rights taken while blocked": [
                on(1, "AUTH u p"),
                send(on(1, "BLPOP l 0")),
                blocked(1),
                "ACL SETUSER u -@all resetkeys",
                "RPUSH l x",
                receive(1),
                on(1, "LPOP l"),
            ],
            "in multi": [
                on(1, "MULTI"),
                on(1, "AUTH u p"),
                on(1, "ACL WHOAMI"),
                on(1, "EXEC"),
            ],
        },
        setup=[*SETUP, "ACL SETUSER u on >p ~* &* +@all"],
    )
)
BOOK.add(
    table(
        "acl refusals",
        {
            "commands": ones(
                "FLUSHALL",
                "CONFIG GET x",
                "CONFIG RESETSTAT",
                "KEYS *",
                "ACL LIST",
                "ACL WHOAMI",
                "CLIENT KILL ID 1",
                "CLIENT NO-EVICT on",
                "NOTHING a",
                "CONFIG NOTHING",
                "GET",
                "CONFIG GET",
            ),
            "keys": ones(
                "GET a:1",
                "GET b:1",
                "SET a:1 v",
                "SET b:1 v",
                "GET r:1",
                "SET r:1 v",
                "SET w:1 v",
                "GET w:1",
                "SET w:1 v GET",
                "SET a:1 v GET",
                "GETDEL w:1",
                "GETDEL r:1",
                "GETSET w:1 x",
                "GETEX r:1",
                "INCR w:1",
                "APPEND w:1 x",
                "STRLEN w:1",
                "EXISTS w:1",
                "EXISTS r:1",
                "EXISTS b:1",
                "TYPE w:1",
                "TTL w:1",
                "EXPIRE w:1 100",
                "EXPIRE r:1 100",
                "PERSIST w:1",
                "DEL w:1",
                "DEL r:1",
                "UNLINK w:1",
                "TOUCH r:1",
                "OBJECT ENCODING r:1",
                "OBJECT ENCODING b:1",
                "MGET a:1 r:1",
                "MGET a:1 b:1",
                "MSET a:1 x w:1 y",
                "MSET a:1 x r:1 y",
                "MSETNX w:1 x b:1 y",
                "RENAME a:1 w:1",
                "RENAME r:1 w:1",
                "RENAME w:1 a:1",
                "RENAME a:1 r:1",
                "COPY r:1 w:1",
                "COPY w:1 r:1",
                "COPY a:1 a:2",
                "BITOP NOT w:1 r:1",
                "BITOP NOT r:1 r:1",
                "BITFIELD r:1 GET u8 0",
                "BITFIELD w:1 SET u8 0 1",
                "BITFIELD a:1 SET u8 0 1",
                "BITFIELD_RO r:1 GET u8 0",
            ),
            "keys of collections": ones(
                "LPUSH w:l a b",
                "LPUSH r:l a",
                "LRANGE r:l 0 -1",
                "LRANGE w:l 0 -1",
                "LLEN w:l",
                "LPOP w:l",
                "LPOP r:l",
                "LMOVE a:l w:l LEFT LEFT",
                "LMOVE r:l w:l LEFT LEFT",
                "RPOPLPUSH a:l r:l",
                "LMPOP 1 a:l LEFT",
                "LMPOP 2 a:l r:l LEFT",
                "LINSERT w:l BEFORE a b",
                "LPOS r:l a",
                "SADD w:s a",
                "SMEMBERS w:s",
                "SISMEMBER w:s a",
                "SCARD w:s",
                "SMOVE a:s w:s m",
                "SMOVE w:s a:s m",
                "SMOVE r:s a:s m",
                "SPOP w:s",
                "SPOP a:s",
                "SINTERSTORE w:s r:s a:s",
                "SINTERSTORE r:s a:s",
                "SUNION r:s w:s",
                "SINTERCARD 2 r:s a:s",
                "SINTERCARD 2 r:s b:s",
                "ZADD w:z 1 a",
                "ZADD r:z 1 a",
                "ZINCRBY w:z 1 a",
                "ZINCRBY a:z 1 a",
                "ZRANGESTORE w:z r:z 0 -1",
                "ZRANGESTORE r:z r:z 0 -1",
                "ZUNIONSTORE w:z 2 a:z r:z",
                "ZUNIONSTORE w:z 2 a:z b:z",
                "ZPOPMIN w:z",
                "ZPOPMIN a:z",
                "ZMPOP 1 w:z MIN",
                "HSET w:h f v",
                "HINCRBY w:h f 1",
                "HGET w:h f",
                "HGETALL r:h",
                "HDEL w:h f",
                "XLEN w:x",
                "XRANGE r:x - +",
                "XREAD STREAMS r:x 0",
                "XREAD STREAMS w:x 0",
                "XREAD STREAMS r:x b:x 0 0",
                "XGROUP CREATE w:x g $ MKSTREAM",
                "XREADGROUP GROUP g c STREAMS r:x >",
                "XACK w:x g 1-1",
                "XDEL w:x 1-1",
                "XTRIM w:x MAXLEN 1",
                "PFADD w:p a",
                "PFCOUNT r:p",
                "PFMERGE a:p r:p",
                "PFMERGE w:p r:p",
                "GEOADD w:g 1 1 a",
                "GEOSEARCHSTORE w:g r:g FROMLONLAT 1 1 BYRADIUS 1 m",
                "GEORADIUS r:g 1 1 1 m",
                "GEORADIUS r:g 1 1 1 m STORE a:g",
                "GEORADIUS_RO r:g 1 1 1 m",
            ),
            "sort": ones(
                "SORT a:1",
                "SORT r:1",
                "SORT w:1",
                "SORT r:1 STORE w:1",
                "SORT r:1 STORE r:2",
                "SORT a:1 BY a:*",
                "SORT a:1 GET a:*",
                "SORT a:1 BY nosort",
                "SORT a:1 GET #",
                "SORT_RO r:1",
                "SORT_RO r:1 BY r:*",
                "SORT_RO w:1",
            ),
            "sort for who may read all": [
                "ACL SETUSER u reset on >p %R~* +@all",
                *ones("SORT a BY w_*", "SORT a GET w_*", "SORT a STORE b", "SORT_RO a BY x* GET y*"),
                "ACL SETUSER u reset on >p +@all ~*",
                *ones("SORT a BY w_* GET x", "SORT a STORE b"),
                "ACL SETUSER u reset on >p +@all %R~a (%R~* +sort)",
                *ones("SORT a BY w_* GET x", "SORT_RO a BY w_*"),
                "ACL SETUSER u reset on >p +@all %R~a (+sort)",
                *ones("SORT a BY w_* GET x"),
            ],
            "sort in multi and scripts": [
                "ACL SETUSER u reset on >p +@all ~a",
                *ones("MULTI", "SORT a BY w_*", "SORT a GET #", "SORT a", "EXEC"),
                *ones("EVAL \"return redis.pcall('SORT', KEYS[1], 'BY', 'w_*')\" 1 a"),
                "ACL SETUSER u %R~*",
                *ones("MULTI", "SORT a BY w_*", "SORT a GET #", "SORT a", "EXEC"),
                *ones("EVAL \"return redis.pcall('SORT', KEYS[1], 'BY', 'w_*')\" 1 a"),
            ],
            "bitfield": [
                *ones("MULTI", "BITFIELD r:1 GET u8 0", "BITFIELD r:1 OVERFLOW FAIL GET u8 0", "EXEC"),
                *ones("BITFIELD r:1 GET u8 0 SET u8 0 1", "BITFIELD r:1 OVERFLOW SAT INCRBY u8 0 1"),
                *ones("BITFIELD r:1", "BITFIELD w:1", "BITFIELD r:1 NOTHING"),
            ],
            "keys that are not there": ones(
                "EVAL x 2 a", "EVAL 'return 1' 0", "ZUNIONSTORE d x a", "LMPOP 0 a"
            ),
            "channels": [
                *ones(
                    "PUBLISH c:1 m",
                    "PUBLISH d m",
                    "SPUBLISH d m",
                    "SPUBLISH c:1 m",
                    "SUBSCRIBE d",
                    "SUBSCRIBE c:1 d",
                    "SSUBSCRIBE d",
                    "PSUBSCRIBE c:1",
                    "PSUBSCRIBE *",
                    "PUBSUB CHANNELS",
                    "UNSUBSCRIBE d",
                    "PUNSUBSCRIBE d",
                    "PSUBSCRIBE c:*",
                ),
            ],
            "channel taken away": [
                on(1, "SUBSCRIBE c:1"),
                "ACL SETUSER u &d",
                "ACL SETUSER u resetchannels &c:1",
                "ACL SETUSER u resetchannels &d",
                closed(1),
            ],
            "pattern taken away": [
                on(1, "PSUBSCRIBE c:*"),
                "ACL SETUSER u &d",
                "ACL SETUSER u resetchannels &c:1",
                closed(1),
            ],
            "channels of two selectors": [
                "ACL SETUSER u resetchannels &c:1 (&d +@all)",
                *ones("SUBSCRIBE c:1 d", "SUBSCRIBE c:1", "SUBSCRIBE d"),
                "ACL SETUSER u clearselectors",
                closed(1),
            ],
            "selectors": [
                "ACL SETUSER u reset on >p +get ~a (+set ~b) (+get +set +del ~c %R~d)",
                *ones("GET a", "SET a x", "SET b x", "GET b", "SET c x", "GET c", "GET d", "SET d x"),
                *ones("MGET a b", "DEL c", "DEL c d", "FLUSHALL", "GET e"),
            ],
            "selector that came furthest": [
                "ACL SETUSER u reset on >p +publish &c (+get ~a)",
                *ones("PUBLISH d m", "GET b", "SET b x", "PUBLISH c m"),
                logged(),
                "ACL LOG RESET",
            ],
            "first arguments": [
                "ACL SETUSER u reset on >p ~* +select|0 +get|x +set|1",
                *ones("SELECT 0", "SELECT 1", "GET x", "GET X", "GET y", "SET 1 2", "SET 2 2", "SELECT"),
            ],
            "subcommands": [
                "ACL SETUSER u reset on >p ~* +config|get -client +client|id|x +object",
                "ACL SETUSER u +config|get +client|getname +object -object|freq",
                *ones(
                    "CONFIG GET nothing",
                    "CONFIG SET a b",
                    "CONFIG",
                    "CLIENT GETNAME",
                    shape("CLIENT ID"),
                    "OBJECT ENCODING a",
                    "OBJECT FREQ a",
                    "CONFIG NOTHING",
                ),
            ],
            "always allowed": [
                "ACL SETUSER u reset on >p",
                *ones("AUTH u p", "AUTH u q", "PING", "ACL WHOAMI", "RESET", "PING"),
            ],
            "hello without rights": ["ACL SETUSER u reset on >p", shape(on(1, "HELLO")), on(1, "RESET")],
            "multi": [
                *ones("MULTI", "SET a:1 x", "GET b:1", "SET a:2 y", "EXEC"),
                *ones("GET a:1", "MULTI", "FLUSHALL", "GET a:1", "EXEC", "MULTI", "GET a:1", "EXEC"),
            ],
            "rights lost in multi": [
                *ones("MULTI", "SET a:1 x", "GET a:1", "INCR a:2"),
                "ACL SETUSER u -get",
                on(1, "EXEC"),
                "GET a:1",
                *ones("MULTI", "SET a:1 y", "SET w:2 z"),
                "ACL SETUSER u resetkeys ~a:*",
                on(1, "EXEC"),
            ],
            "no right to multi": [
                "ACL SETUSER u -multi -exec",
                *ones("MULTI", "SET a:1 x", "EXEC"),
                "ACL SETUSER u +multi",
                *ones("MULTI", "SET a:1 x", "EXEC", "DISCARD"),
            ],
            "watch": ones("WATCH a:1", "WATCH b:1", "WATCH w:1", "UNWATCH", "WATCH a:1 b:1"),
            "scripts": ones(
                "EVAL \"return redis.call('SET', KEYS[1], 'x')\" 1 a:1",
                "EVAL \"return redis.call('SET', KEYS[1], 'x')\" 1 b:1",
                "EVAL \"return redis.call('SET', KEYS[1], 'x')\" 1 r:1",
                "EVAL \"return redis.call('SET', ARGV[1], 'x')\" 0 a:2",
                "EVAL \"return redis.pcall('SET', ARGV[1], 'x')\" 0 b:2",
                "EVAL \"return redis.call('SET', ARGV[1], 'x')\" 0 b:2",
                "EVAL \"return redis.pcall('FLUSHALL')\" 0",
                "EVAL \"return redis.call('FLUSHALL')\" 0",
                "EVAL \"return redis.pcall('PUBLISH', 'd', 'm')\" 0",
                "EVAL \"return redis.pcall('PUBLISH', 'c:1', 'm')\" 0",
                "EVAL \"return redis.acl_check_cmd('SET', 'a:1', 'x')\" 0",
                "EVAL \"return redis.acl_check_cmd('SET', 'b:1', 'x')\" 0",
                "EVAL \"return redis.acl_check_cmd('FLUSHALL')\" 0",
                "EVAL \"return redis.acl_check_cmd('PUBLISH', 'd', 'm')\" 0",
                "EVAL \"return redis.acl_check_cmd('NOTHING')\" 0",
                'EVAL "return redis.acl_check_cmd()" 0',
                "EVAL \"return redis.acl_check_cmd('GET')\" 0",
                "EVAL \"return redis.pcall('SORT', 'a:1', 'BY', 'x*')\" 0",
            ),
            "scripts, keys read": ones(
                "EVAL_RO \"return redis.call('GET', KEYS[1])\" 1 r:1",
                "EVAL_RO \"return redis.call('GET', KEYS[1])\" 1 w:1",
                "EVAL \"return redis.pcall('GET', KEYS[1])\" 1 w:1",
                'EVAL "return 1" 1 r:1',
                'EVAL "return 1" 1 w:1',
                'EVAL "return 1" 1 b:1',
            ),
            "monitor and shutdown": ones("MONITOR", "SHUTDOWN", "DEBUG SLEEP 0"),
            "blocking": ones(
                "BLPOP b:1 0.01", "BLPOP r:1 0.01", "BLMOVE a:1 r:1 LEFT LEFT 0.01", "BLPOP a:1 b:1 1"
            ),
            "commands that tell of keys": ones("RANDOMKEY", "SCAN 0", "DBSIZE", "COMMAND GETKEYS GET b:1"),
            "memory and dump": ones("MEMORY USAGE b:1", "MEMORY USAGE a:1", "DUMP a:1", "DUMP b:1"),
        },
        setup=LOGIN,
    )
)


BOOK.add(
    table(
        "acl log",
        {
            "empty": [logged(), "ACL LOG RESET", logged()],
            "each reason": [
                *ones("FLUSHALL", "GET b:1", "PUBLISH d x", "AUTH u q", "AUTH nobody q"),
                logged(),
                "ACL LOG RESET",
                logged(),
            ],
            "counts": [
                *ones("FLUSHALL", "FLUSHALL", "GET b:1", "FLUSHALL", "GET b:2", "GET b:1"),
                logged(),
                logged("ACL LOG 1"),
                logged("ACL LOG 0"),
                logged("ACL LOG 100"),
                "ACL LOG -1",
                "ACL LOG x",
                "ACL LOG RESET x",
                "ACL LOG reset",
            ],
            "more than ten": [*ones(*[f"GET b:{n}" for n in range(12)]), logged(), logged("ACL LOG 12")],
            "contexts": [
                *ones("MULTI", "GET b:1", "FLUSHALL", "DISCARD"),
                *ones(
                    "EVAL \"return redis.pcall('GET', 'b:2')\" 0",
                    "EVAL \"return redis.pcall('KEYS', '*')\" 0",
                ),
                *ones("EVAL \"return redis.acl_check_cmd('GET', 'b:3')\" 0"),
                logged(),
            ],
            "in exec": [
                *ones("MULTI", "GET a:1", "SET a:1 x"),
                "ACL SETUSER u -get",
                on(1, "EXEC"),
                logged(),
            ],
            "subcommands": [*ones("CONFIG GET x", "ACL LIST", "CLIENT KILL ID 1"), logged()],
            "several keys": [*ones("MGET a:1 b:1 b:2", "MGET a:1 b:2 b:1", "SUBSCRIBE c:1 d e"), logged()],
            "dryrun is not logged": ["ACL DRYRUN u FLUSHALL", logged()],
            "default's password": [
                on(2, "PING"),
                "ACL SETUSER default resetpass >secret",
                on(2, "AUTH wrong"),
                on(2, "AUTH default wrong"),
                on(2, "GET x"),
                "ACL SETUSER default nopass",
                logged(),
            ],
            "hello": [on(2, "HELLO 3 AUTH u q"), logged()],
            "sort": [*ones("SORT a:1 BY x*"), logged()],
        },
        setup=LOGIN,
    )
)
BOOK.add(
    table(
        "acl getuser",
        {
            "pattern both ways": [
                "ACL SETUSER u %R~a %W~a ~b %RW~c",
                shown("ACL GETUSER u"),
                listed("ACL LIST"),
            ],
            "selectors": [
                "ACL SETUSER u ~a &b (+get ~c &d) (%R~e)",
                shown("ACL GETUSER u"),
                listed("ACL LIST"),
            ],
            "default-pubsub": [
                "CONFIG SET acl-pubsub-default allchannels",
                "ACL SETUSER u",
                shown("ACL GETUSER u"),
                "ACL SETUSER u reset",
                shown("ACL GETUSER u"),
                "ACL SETUSER w (+publish)",
                shown("ACL GETUSER w"),
                "CONFIG SET acl-pubsub-default resetchannels",
                "ACL SETUSER u reset",
                shown("ACL GETUSER u"),
            ],
        },
        setup=SETUP,
    )
)
