"""Cases of SORT and SORT_RO: every option, weights and results under other keys, all types, errors."""

from __future__ import annotations

from tests.differential.case import Book, shape, singles, table, unordered

BOOK = Book()

NUMBERS = ["RPUSH l 3 1 2 10 -5 1.5"]
WORDS = ["RPUSH l banana apple cherry date"]
WEIGHTS = [
    "RPUSH l 1 2 3",
    "MSET w_1 30 w_2 10 w_3 20",
    "HSET o_1 weight 2 name one",
    "HSET o_2 weight 3 name two",
    "HSET o_3 weight 1",
    "MSET n_1 uno n_3 tres",
]

BOOK.add(
    table(
        "sort",
        {
            "numbers": [*NUMBERS, "SORT l", "SORT l ASC", "SORT l DESC", "SORT l desc asc", "SORT_RO l DESC"],
            "a part without storing": [
                *NUMBERS,
                "SORT_RO l ASC LIMIT 1 2",
                "SORT_RO l LIMIT 0 2 DESC",
                "SORT_RO l LIMIT 1",
            ],
            "words": [*WORDS, "SORT l", "SORT l ALPHA", "SORT l ALPHA DESC", "SORT_RO l alpha"],
            "limits": [
                *NUMBERS,
                "SORT l LIMIT 0 2",
                "SORT l LIMIT 1 2",
                "SORT l LIMIT 4 10",
                "SORT l LIMIT 0 0",
                "SORT l LIMIT 10 2",
                "SORT l LIMIT -1 2",
                "SORT l LIMIT 0 -1",
                "SORT l LIMIT 2 -1 DESC",
                "SORT l LIMIT 0 1 LIMIT 1 2",
            ],
            "bad limits": [
                *NUMBERS,
                "SORT l LIMIT a 1",
                "SORT l LIMIT 1 b",
                "SORT l LIMIT 1",
                "SORT l LIMIT",
            ],
            "syntax": [
                *NUMBERS,
                "SORT l NOSUCH",
                "SORT l BY",
                "SORT l GET",
                "SORT l STORE",
                "SORT l ASC DESC X",
            ],
            "no key": ["SORT nokey", "SORT nokey STORE d", "EXISTS d", "SORT_RO nokey"],
            "wrong type": ["SET s v", "SORT s", "SORT s STORE d", "HSET h a 1", "SORT_RO h"],
            "sets": ["SADD s 3 1 2", "SORT s", "SORT s DESC LIMIT 0 2", unordered("SORT s BY nosort")],
            "sets stored": ["SADD s 3 1 2 b", "SORT s BY nosort STORE d", "LRANGE d 0 -1"],
            "sorted sets": [
                "ZADD z 3 a 2 b 1 c",
                "SORT z ALPHA",
                "SORT z BY nosort",
                "SORT z BY nosort DESC",
            ],
            "lists as they are": [
                "RPUSH l a b c d",
                "SORT l BY nosort",
                "SORT l BY nosort DESC",
                "SORT l BY nosort DESC LIMIT 1 2",
                "SORT l BY nosort DESC LIMIT -1 2 STORE d",
                "LRANGE d 0 -1",
            ],
            "sets stored backwards": [
                "SADD s 3 1 2 b",
                "SORT s BY nosort DESC STORE d",
                "LRANGE d 0 -1",
                "SADD numbers 30 4 200",
                "SORT numbers BY nosort",
                "SORT numbers BY nosort DESC LIMIT 0 2",
                "SORT numbers BY w_* ALPHA DESC",
            ],
            "by words that are equal": [
                "RPUSH l b a d c",
                "SORT l BY w_* ALPHA",
                "SORT l BY w_* ALPHA DESC",
                "SORT l BY w_* ALPHA LIMIT 1 2",
                "SORT l BY w_* ALPHA DESC LIMIT -1 1",
                "MSET w_a same w_c same",
                "SORT l BY w_* ALPHA",
                "SORT l BY w_* ALPHA DESC",
                "SORT l BY w_* ALPHA DESC STORE d",
                "LRANGE d 0 -1",
            ],
            "what C reads as numbers": [
                'RPUSH l 3 1 "" " 2" "\t0x10" 1e1 .5 +4 -inf "7\x00x"',
                "SORT l",
                "SORT l DESC",
                'RPUSH m 1 " "',
                "SORT m",
                'RPUSH n 1 "2 "',
                "SORT n",
            ],
            "sorted sets with limits": [
                "ZADD z 3 a 2 b 1 c",
                "SORT z BY nosort LIMIT 1 1",
                "SORT z BY nosort DESC LIMIT 0 2",
                "SORT z BY nosort LIMIT 5 1",
            ],
            "by": [*WEIGHTS, "SORT l BY w_*", "SORT l BY w_* DESC", "SORT l BY w_* LIMIT 0 1"],
            "by a field": [*WEIGHTS, "SORT l BY o_*->weight", "SORT l BY o_*->nosuch", "SORT l BY o_*->"],
            "by what is not there": [*WEIGHTS, "SORT l BY x_*", "SORT l BY x_* DESC", "SORT l BY nosort"],
            "by words": [
                *WEIGHTS,
                "MSET a_1 c a_2 a a_3 b",
                "SORT l BY a_* ALPHA",
                "SORT l BY a_* ALPHA DESC",
                "SORT l BY a_*",
            ],
            "by another type": [*WEIGHTS, "RPUSH t_1 x", "SORT l BY t_*", "SORT l BY w_*->field"],
            "get": [*WEIGHTS, "SORT l GET n_*", "SORT l GET # GET n_*", "SORT l GET o_*->name GET # DESC"],
            "get nothing": [*WEIGHTS, "SORT l GET nostar", "SORT l GET x_*", "SORT l GET n_*->field"],
            "by and get": [*WEIGHTS, "SORT l BY w_* GET # GET w_*", "SORT l BY nosort GET n_*"],
            "get with limit": [*WEIGHTS, "SORT l BY w_* GET n_* LIMIT 1 1"],
            "store": [
                *NUMBERS,
                "SORT l STORE d",
                "LRANGE d 0 -1",
                "TYPE d",
                "SORT l LIMIT 0 2 STORE d",
                "LLEN d",
            ],
            "store over another type": [*NUMBERS, "SET d v", "SORT l STORE d", "LRANGE d 0 -1"],
            "store over itself": [*NUMBERS, "SORT l STORE l", "LRANGE l 0 -1"],
            "store nothing": ["RPUSH d a", "SORT nokey STORE d", "EXISTS d"],
            "store keeps no deadline": [*NUMBERS, "SET d v EX 100", "SORT l STORE d", "TTL d"],
            "store what get finds": [*WEIGHTS, "SORT l GET n_* STORE d", "LRANGE d 0 -1"],
            "store twice": [*NUMBERS, "SORT l STORE d STORE e", "EXISTS d", "LLEN e"],
            "store read only": [*NUMBERS, "SORT_RO l STORE d"],
            "scores": [
                "RPUSH l 1 a",
                "SORT l",
                "RPUSH m 1 nan",
                "SORT m",
                "RPUSH n 1 inf -inf 0x10",
                "SORT n",
            ],
            "equal scores": [
                "RPUSH l b a c",
                "MSET w_a 1 w_b 1 w_c 0",
                "SORT l BY w_*",
                "SORT l BY w_* DESC",
            ],
            "stars in the middle": [
                "RPUSH l 1 2",
                "MSET a1b 2 a2b 1 x1*y p",
                "SORT l BY a*b",
                "SORT l GET x*\\*y",
            ],
            "fields": ["RPUSH l 1", "HSET h-1 f-> v", "SORT l GET h-*->f->", "SET k1-> v", "SORT l GET k*->"],
            "keys": ["COMMAND GETKEYS SORT l BY w_* STORE d", "COMMAND GETKEYS SORT_RO l LIMIT 0 1"],
            "in a script": [
                "SADD s b c a",
                "EVAL \"return redis.call('SORT', KEYS[1], 'BY', 'nosort')\" 1 s",
            ],
        },
    )
)
BOOK.add(singles("sort arity", ["SORT", "SORT_RO", shape("SORT nokey ASC")]))
