"""What Redis 7.2 to 8.0 have on sets, sorted sets and hashes beyond redis-server 7.0.15; see `cases_newer`.

A reply that is an array is written as "*" and its elements, with a blank before each.
"""

from __future__ import annotations

from tests.differential.cases_newer import Expected

FIELDS_MISSING = "-ERR Mandatory argument FIELDS is missing or not at the right position"
FIELDS_MISMATCH = "-ERR The `numfields` parameter must match the number of arguments"
BAD_NUMFIELDS = "-ERR Number of fields must be a positive integer"
NUMFIELDS_NOT_POSITIVE = "-ERR Parameter `numFields` should be greater than 0"
NOT_INTEGER = "-ERR value is not an integer or out of range"
NEGATIVE = "-ERR invalid expire time, must be >= 0"
WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value"
ONE_TIME = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
ONE_CONDITION = "-ERR Only one of FXX or FNX arguments can be specified"
LATE = 4102444800


def _arity(command: str) -> str:
    return f"-ERR wrong number of arguments for '{command}' command"


def _invalid(command: str) -> str:
    return f"-ERR invalid expire time in '{command}' command"


def _parsing(command: str, argument: str = "", bad_count: str = BAD_NUMFIELDS) -> Expected:
    """What is wrong with ``FIELDS numfields field...`` behind a command, its key and its argument."""
    head = f"{command} h {argument}".rstrip()
    return [
        ("HSET h a 1 b 2", ":2"),
        (f"{head} FIELD 1 a", FIELDS_MISSING),
        (f"{head} FIELDS 0 a", bad_count),
        (f"{head} FIELDS -1 a", bad_count),
        (f"{head} FIELDS x a", bad_count),
        (f"{head} FIELDS 9223372036854775808 a", bad_count),
        (f"{head} FIELDS 2 a", FIELDS_MISMATCH),
        (f"{head} FIELDS 1 a b", FIELDS_MISMATCH),
        (f"{head} FIELDS", _arity(command.lower())),
        (f"{head} fields 1 none", "* $" if command in ("HGETDEL", "HGETEX") else "* :-2"),
        ("SET x v", "+OK"),
        (f"{command} x {argument} FIELDS 0 a", WRONGTYPE),
        (
            f"{command} none {argument} FIELDS 2 a b",
            "* $ $" if command in ("HGETDEL", "HGETEX") else "* :-2 :-2",
        ),
        (f"{command} none {argument} FIELDS 0 a", bad_count),
    ]


NEWER_COLLECTIONS: dict[str, Expected] = {
    **{
        f"{command.lower()} with conditions": [
            ("HSET h a 1 b 2 c 3", ":3"),
            (f"{command} h {first} XX FIELDS 2 a none", "* :0 :-2"),
            (f"{command} h {first} GT FIELDS 1 a", "* :0"),
            (f"{command} h {first} NX FIELDS 1 a", "* :1"),
            (f"{command} h {second} NX FIELDS 2 a b", "* :0 :1"),
            (f"{command} h {first} LT FIELDS 3 a b c", "* :0 :1 :1"),
            (f"{command} h {second} GT FIELDS 2 a b", "* :1 :1"),
            (f"{command} h {first} XX FIELDS 1 c", "* :1"),
        ]
        for command, first, second in (
            ("HEXPIRE", "1000", "2000"),
            ("HPEXPIRE", "1000000", "2000000"),
            ("HEXPIREAT", "4102444800", "4102444900"),
            ("HPEXPIREAT", "4102444800000", "4102444900000"),
        )
    },
    "zrank withscore": [
        ("ZADD z 1 a 2.5 b inf c", ":3"),
        ("ZRANK z b WITHSCORE", "* :1 $2.5"),
        ("ZREVRANK z c withscore", "* :0 $inf"),
        ("ZRANK z a", ":0"),
        ("ZRANK z none WITHSCORE", "*-1"),
        ("ZRANK none a WITHSCORE", "*-1"),
        ("ZREVRANK z none", "$"),
        ("ZRANK z a BOGUS", "-ERR syntax error"),
        ("ZRANK z a WITHSCORE x", _arity("zrank")),
        ("ZREVRANK z a WITHSCORE x", _arity("zrevrank")),
        ("SET x v", "+OK"),
        ("ZRANK x a WITHSCORE", WRONGTYPE),
        ("ZRANK x a BOGUS", "-ERR syntax error"),
    ],
    "doubles have the fewest digits": [
        ("ZADD z 0.1 a 1e17 b 1e19 c 0.0000001 d 123456.7890123 e 3 f", ":6"),
        ("ZMSCORE z a b c d e f", "* $0.1 $100000000000000000 $1e+19 $1e-7 $1.234567890123e+5 $3"),
        ("ZINCRBY z 0.2 a", "$0.30000000000000004"),
    ],
    "sorted sets let go of a listpack for many at once": [
        ("ZADD z " + "1 m " * 129, ":1"),
        ("OBJECT ENCODING z", "$skiplist"),
    ],
    **{
        f"{command.lower()} arguments": _parsing(command, argument, NUMFIELDS_NOT_POSITIVE)
        for command, argument in (
            ("HEXPIRE", "1000"),
            ("HPEXPIRE", "1000000"),
            ("HEXPIREAT", "4102444800"),
            ("HPEXPIREAT", "4102444800000"),
        )
    },
    **{
        f"{command.lower()} arguments": _parsing(command)
        for command in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST", "HGETDEL", "HGETEX")
    },
    **{
        f"{command.lower()} times": [
            ("HSET h a 1", ":1"),
            (f"{command} h x FIELDS 1 a", NOT_INTEGER),
            (f"{command} h -1 FIELDS 1 a", NEGATIVE),
            (f"{command} h 9223372036854775807 FIELDS 1 a", _invalid(command.lower())),
            (f"{command} h 9223372036854775808 FIELDS 1 a", NOT_INTEGER),
            (f"{command} none x FIELDS 1 a", NOT_INTEGER),
            (f"{command} h 100 BOGUS FIELDS 1 a", FIELDS_MISSING),
            ("HTTL h FIELDS 1 a", "* :-1"),
        ]
        for command in ("HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT")
    },
    "the last deadline there is": [
        ("HSET h a 1", ":1"),
        ("HPEXPIREAT h 70368744177663 FIELDS 1 a", "* :1"),
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", _invalid("hpexpireat")),
        ("HEXPIREAT h 70368744177 FIELDS 1 a", "* :1"),
        ("HEXPIREAT h 70368744178 FIELDS 1 a", _invalid("hexpireat")),
        ("HPEXPIRE h 70368744177663 FIELDS 1 a", _invalid("hpexpire")),
        ("HPEXPIRETIME h FIELDS 1 a", "* :70368744177000"),
    ],
    "hexpireat and what tells of it": [
        ("HSET h a 1 b 2 c 3", ":3"),
        (f"HEXPIREAT h {LATE} FIELDS 3 a b none", "* :1 :1 :-2"),
        ("HEXPIRETIME h FIELDS 4 a b c none", f"* :{LATE} :{LATE} :-1 :-2"),
        ("HPEXPIRETIME h FIELDS 1 a", f"* :{LATE}000"),
        (f"HPEXPIREAT h {LATE}001 FIELDS 1 a", "* :1"),
        ("HEXPIRETIME h FIELDS 1 a", f"* :{LATE + 1}"),
        ("HPEXPIRETIME h FIELDS 1 a", f"* :{LATE}001"),
        ("HPERSIST h FIELDS 3 a c none", "* :1 :-1 :-2"),
        ("HEXPIRETIME h FIELDS 2 a b", f"* :-1 :{LATE}"),
        ("HGETALL h", "* $a $1 $b $2 $c $3"),
        ("OBJECT ENCODING h", "$listpackex"),
        ("TTL h", ":-1"),
    ],
    "conditions": [
        ("HSET h a 1 b 2", ":2"),
        (f"HEXPIREAT h {LATE} XX FIELDS 1 a", "* :0"),
        (f"HEXPIREAT h {LATE} GT FIELDS 1 a", "* :0"),
        (f"HEXPIREAT h {LATE} LT FIELDS 1 a", "* :1"),
        (f"HEXPIREAT h {LATE} NX FIELDS 2 a b", "* :0 :1"),
        (f"HEXPIREAT h {LATE} GT FIELDS 1 a", "* :0"),
        (f"HEXPIREAT h {LATE} LT FIELDS 1 a", "* :0"),
        (f"HEXPIREAT h {LATE + 5} GT FIELDS 1 a", "* :1"),
        (f"HEXPIREAT h {LATE + 4} gt FIELDS 1 a", "* :0"),
        (f"HEXPIREAT h {LATE + 4} lt FIELDS 1 a", "* :1"),
        (f"HEXPIREAT h {LATE + 9} xx FIELDS 1 a", "* :1"),
        ("HEXPIRETIME h FIELDS 2 a b", f"* :{LATE + 9} :{LATE}"),
        ("HEXPIREAT h 1 GT FIELDS 1 a", "* :0"),
        ("HEXPIREAT h 1 NX FIELDS 1 a", "* :0"),
        ("HEXPIREAT h 1 LT FIELDS 1 a", "* :2"),
        ("HGETALL h", "* $b $2"),
    ],
    "times in the past": [
        ("HSET h a 1 b 2 c 3", ":3"),
        ("HEXPIRE h 0 FIELDS 1 a", "* :2"),
        ("HPEXPIREAT h 1 FIELDS 3 b b none", "* :2 :-2 :-2"),
        ("HGETALL h", "* $c $3"),
        ("HEXPIREAT h 0 FIELDS 1 c", "* :2"),
        ("EXISTS h", ":0"),
        ("TYPE h", "+none"),
    ],
    "what sets a field takes its deadline away": [
        ("HSET h a 1 b 2 c 3", ":3"),
        (f"HEXPIREAT h {LATE} FIELDS 3 a b c", "* :1 :1 :1"),
        ("HSET h a 2", ":0"),
        ("HMSET h b 2", "+OK"),
        ("HSETNX h c 2", ":0"),
        ("HEXPIRETIME h FIELDS 3 a b c", f"* :-1 :-1 :{LATE}"),
    ],
    "numbers keep the deadline": [
        ("HSET h a 1 b 2", ":2"),
        (f"HEXPIREAT h {LATE} FIELDS 2 a b", "* :1 :1"),
        ("HINCRBY h a 1", ":2"),
        ("HINCRBYFLOAT h b 0.5", "$2.5"),
        ("HEXPIRETIME h FIELDS 2 a b", f"* :{LATE} :{LATE}"),
    ],
    "deadlines go with the hash": [
        ("HSET h a 1 b 2", ":2"),
        (f"HEXPIREAT h {LATE} FIELDS 1 a", "* :1"),
        ("COPY h g", ":1"),
        ("RENAME h i", "+OK"),
        ("HEXPIRETIME g FIELDS 2 a b", f"* :{LATE} :-1"),
        ("HEXPIRETIME i FIELDS 2 a b", f"* :{LATE} :-1"),
        ("HDEL i a", ":1"),
        ("HSET i a 1", ":1"),
        ("HEXPIRETIME i FIELDS 1 a", "* :-1"),
        ("DEL g", ":1"),
        ("HSET g a 1", ":1"),
        ("HEXPIRETIME g FIELDS 1 a", "* :-1"),
        ("OBJECT ENCODING g", "$listpack"),
    ],
    "hgetdel": [
        ("HSET h a 1 b 2 c 3", ":3"),
        ("HGETDEL h FIELDS 3 a none a", "* $1 $ $"),
        ("HGETALL h", "* $b $2 $c $3"),
        ("HGETDEL h fields 2 b c", "* $2 $3"),
        ("EXISTS h", ":0"),
        ("HGETDEL h FIELDS 1 a", "* $"),
    ],
    "hgetex": [
        ("HSET h a 1 b 2 c 3", ":3"),
        ("HGETEX h FIELDS 2 a none", "* $1 $"),
        (f"HGETEX h EXAT {LATE} FIELDS 2 a none", "* $1 $"),
        (f"HGETEX h pxat {LATE}005 FIELDS 1 b", "* $2"),
        ("HPEXPIRETIME h FIELDS 3 a b c", f"* :{LATE}000 :{LATE}005 :-1"),
        ("HGETEX h FIELDS 1 a", "* $1"),
        ("HGETEX h PERSIST FIELDS 2 a c", "* $1 $3"),
        ("HPEXPIRETIME h FIELDS 3 a b c", f"* :-1 :{LATE}005 :-1"),
        ("HGETEX h EX 0 FIELDS 1 a", "* $1"),
        ("HGETEX h EXAT 1 FIELDS 1 b", "* $2"),
        ("HGETALL h", "* $c $3"),
        ("HGETEX h PX 0 FIELDS 1 c", "* $3"),
        ("EXISTS h", ":0"),
    ],
    "hgetex times": [
        ("HSET h a 1", ":1"),
        ("HGETEX h EX x FIELDS 1 a", NOT_INTEGER),
        ("HGETEX h EX -1 FIELDS 1 a", NEGATIVE),
        ("HGETEX h PX 9223372036854775807 FIELDS 1 a", _invalid("hgetex")),
        ("HGETEX h EX 9223372036854775807 FIELDS 1 a", _invalid("hgetex")),
        ("HGETEX h EX 10 PERSIST FIELDS 1 a", FIELDS_MISSING),
        ("HGETEX h BOGUS FIELDS 1 a", FIELDS_MISSING),
        ("HGETEX h PERSIST FIELDS 0 a", BAD_NUMFIELDS),
    ],
    "hsetex": [
        ("HSETEX h FIELDS 2 a 1 b 2", ":1"),
        (f"HSETEX h EXAT {LATE} FIELDS 1 a 2", ":1"),
        (f"HSETEX h PXAT {LATE}005 FIELDS 1 c 3", ":1"),
        ("HPEXPIRETIME h FIELDS 3 a b c", f"* :{LATE}000 :-1 :{LATE}005"),
        ("HSETEX h KEEPTTL FIELDS 2 a 3 b 3", ":1"),
        ("HPEXPIRETIME h FIELDS 2 a b", f"* :{LATE}000 :-1"),
        ("HSETEX h FIELDS 1 a 4", ":1"),
        ("HGETALL h", "* $a $4 $b $3 $c $3"),
        ("HPEXPIRETIME h FIELDS 2 a c", f"* :-1 :{LATE}005"),
        ("HSETEX h FNX FIELDS 2 a 9 z 9", ":0"),
        ("HSETEX h FXX FIELDS 2 a 9 z 9", ":0"),
        ("HSETEX h FXX FIELDS 2 a 9 b 9", ":1"),
        ("HSETEX h FNX FIELDS 2 y 9 z 9", ":1"),
        ("HSETEX none FXX FIELDS 1 a 1", ":0"),
        ("EXISTS none", ":0"),
        ("HSETEX h fnx px 100000 fields 1 w 1", ":1"),
        ("HLEN h", ":6"),
        ("HSETEX h EX 0 FIELDS 2 a 1 new 1", ":1"),
        ("HKEYS h", "* $b $c $y $z $w"),
        ("HSETEX g PXAT 1 FIELDS 1 a 1", ":1"),
        ("EXISTS g", ":0"),
        ("SET x v", "+OK"),
        ("HSETEX x FIELDS 1 a 1", WRONGTYPE),
        ("HSETEX x BOGUS FIELDS 1 a 1", "-ERR unknown argument: BOGUS"),
    ],
    "hsetex arguments": [
        ("HSETEX h FIELDS 1 a", _arity("hsetex")),
        ("HSETEX h FIELDS 1 a 1 b 2", _arity("hsetex")),
        ("HSETEX h FIELDS 2 a 1", _arity("hsetex")),
        ("HSETEX h FIELDS 1 a 1 b", _arity("hsetex")),
        ("HSETEX h EX 10 FIELDS 1", _arity("hsetex")),
        ("HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"),
        ("HSETEX h FIELDS x a 1", "-ERR invalid number of fields"),
        ("HSETEX h FIELDS 2147483648 a 1", "-ERR invalid number of fields"),
        ("HSETEX h EX 10 PX 10 FIELDS 1 a 1", ONE_TIME),
        ("HSETEX h KEEPTTL EX 10 FIELDS 1 a 1", ONE_TIME),
        ("HSETEX h KEEPTTL KEEPTTL FIELDS 1 a 1", ONE_TIME),
        ("HSETEX h FNX FXX FIELDS 1 a 1", ONE_CONDITION),
        ("HSETEX h FNX FNX FIELDS 1 a 1", ONE_CONDITION),
        ("HSETEX h EX x FIELDS 1 a 1", NOT_INTEGER),
        ("HSETEX h EX -1 FIELDS 1 a 1", NEGATIVE),
        ("HSETEX h EX 9223372036854775807 FIELDS 1 a 1", _invalid("hsetex")),
        ("HSETEX h FNX FNX FNX EX", ONE_CONDITION),
        ("HSETEX h FNX KEEPTTL BOGUS a", "-ERR unknown argument: BOGUS"),
        ("EXISTS h", ":0"),
    ],
    "hscan novalues": [
        ("HSET h a 1 b 2", ":2"),
        ("HSCAN h 0 NOVALUES", "* $0 (* $a $b)"),
        ("HSCAN h 0 MATCH b novalues", "* $0 (* $b)"),
        ("HSCAN h 0", "* $0 (* $a $1 $b $2)"),
        ("SADD s 1", ":1"),
        ("SSCAN s 0 NOVALUES", "-ERR syntax error"),
    ],
    "encodings of small sets": [
        ("SADD s 1 2", ":2"),
        ("OBJECT ENCODING s", "$intset"),
        ("SADD s x", ":1"),
        ("OBJECT ENCODING s", "$listpack"),
        ("SREM s x", ":1"),
        ("OBJECT ENCODING s", "$listpack"),
        ("SADD s " + "v" * 65, ":1"),
        ("OBJECT ENCODING s", "$hashtable"),
        ("SADD t " + " ".join(f"m{number}" for number in range(128)), ":128"),
        ("OBJECT ENCODING t", "$listpack"),
        ("SADD t m0", ":0"),
        ("OBJECT ENCODING t", "$listpack"),
        ("SADD t m128", ":1"),
        ("OBJECT ENCODING t", "$hashtable"),
        ("SADD u a b", ":2"),
        ("SADD v b c", ":2"),
        ("SINTERSTORE w u v", ":1"),
        ("OBJECT ENCODING w", "$listpack"),
        ("SADD u 1", ":1"),
        ("SADD v 1", ":1"),
        ("SREM v b", ":1"),
        ("SINTERSTORE w u v", ":1"),
        ("OBJECT ENCODING w", "$intset"),
        ("CONFIG SET set-max-listpack-entries 2", "+OK"),
        ("SADD y a b", ":2"),
        ("OBJECT ENCODING y", "$listpack"),
        ("SADD y c", ":1"),
        ("OBJECT ENCODING y", "$hashtable"),
        ("CONFIG SET set-max-listpack-entries 128", "+OK"),
    ],
}
