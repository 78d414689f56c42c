"""What Redis 7.2 to 8.2 have on streams beyond redis-server 7.0.15; see `cases_newer`.

A reply that is an array is written as "*" and its elements, with a blank before each; one in another in
brackets, and the null array as it is.
"""

from __future__ import annotations

from tests.differential.cases_newer import Expected

STREAM: Expected = [(f"XADD x {number} f v", f"${number}-0") for number in range(1, 5)]
READ: Expected = [
    *STREAM,
    ("XGROUP CREATE x g 0", "+OK"),
    ("XGROUP CREATE x h 0", "+OK"),
    ("XREADGROUP GROUP g c COUNT 1 STREAMS x >", "* ( * $x ( * ( * $1-0 ( * $f $v ) ) ) )"),
    ("XREADGROUP GROUP h c COUNT 1 STREAMS x >", "* ( * $x ( * ( * $1-0 ( * $f $v ) ) ) )"),
]
SYNTAX = "-ERR syntax error"
NOT_POSITIVE = "-ERR Number of IDs must be a positive integer"
MISMATCH = "-ERR The `numids` parameter must match the number of arguments"
BAD_ID = "-ERR Invalid stream ID specified as stream command argument"
WRONGTYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value"
FRAGMENTED = "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"


def _wrong(head: str) -> Expected:
    """What is wrong with ``IDS numids id...`` behind a command and what it names."""
    return [
        (f"{head} IDS 0 1", NOT_POSITIVE),
        (f"{head} IDS -1 1", NOT_POSITIVE),
        (f"{head} IDS x 1", NOT_POSITIVE),
        (f"{head} IDS 2 1", MISMATCH),
        (f"{head} IDS 1 bogus", BAD_ID),
        (f"{head} IDS 1 1 2", SYNTAX),
        (f"{head} BOGUS IDS 1 1", SYNTAX),
        (f"{head} KEEPREF 1 1", SYNTAX),
        (f"{head} DELREF ACKED KEEPREF", SYNTAX),
    ]


NEWER_STREAMS: dict[str, Expected] = {
    "xdelex": [
        ("XDELEX x IDS 1 1", "* :-1"),
        *READ,
        *_wrong("XDELEX x"),
        ("XLEN x", ":4"),
        ("XDELEX x IDS 3 1 9 1", "* :1 :-1 :-1"),
        ("XPENDING x g", "* :1 $1-0 $1-0 ( * ( * $c $1 ) )"),
        ("xdelex x keepref ids 1 2-0", "* :1"),
        ("XLEN x", ":2"),
        ("SET s v", "+OK"),
        ("XDELEX s IDS 1 1", WRONGTYPE),
    ],
    "xdelex delref": [
        *READ,
        ("XDELEX x DELREF IDS 2 1 2", "* :1 :1"),
        ("XPENDING x g", "* :0 $ $ *-1"),
        ("XPENDING x h - + 10", "*"),
        ("XDELEX x IDS 1 3 DELREF", "* :1"),
    ],
    "xdelex acked": [
        *READ,
        ("XDELEX x ACKED IDS 3 1 2 9", "* :2 :2 :-1"),
        ("XACK x g 1", ":1"),
        ("XDELEX x ACKED IDS 1 1", "* :2"),
        ("XACK x h 1", ":1"),
        ("XDELEX x ACKED IDS 2 1 2", "* :1 :2"),
        ("XGROUP DESTROY x g", ":1"),
        ("XGROUP DESTROY x h", ":1"),
        ("XDELEX x ACKED IDS 1 2", "* :1"),
    ],
    "xackdel": [
        ("XACKDEL x g IDS 2 1 2", "* :-1 :-1"),
        *READ,
        *_wrong("XACKDEL x g"),
        ("XACKDEL x none IDS 1 1", "* :-1"),
        ("XACKDEL x g IDS 3 1 2 1", "* :1 :-1 :-1"),
        ("XLEN x", ":3"),
        ("XPENDING x g", "* :0 $ $ *-1"),
        ("XPENDING x h", "* :1 $1-0 $1-0 ( * ( * $c $1 ) )"),
        ("SET s v", "+OK"),
        ("XACKDEL s g IDS 1 1", WRONGTYPE),
    ],
    "xackdel delref": [
        *READ,
        ("XACKDEL x g DELREF IDS 1 1", "* :1"),
        ("XPENDING x h", "* :0 $ $ *-1"),
    ],
    "xackdel acked": [
        *READ,
        ("XACKDEL x g ACKED IDS 1 1", "* :2"),
        ("XLEN x", ":4"),
        ("XACKDEL x h ACKED IDS 1 1", "* :1"),
        ("XLEN x", ":3"),
    ],
    "xtrim delref": [
        *READ,
        ("XTRIM x MAXLEN = 2 DELREF", ":2"),
        ("XPENDING x g", "* :0 $ $ *-1"),
        ("XPENDING x h", "* :0 $ $ *-1"),
        ("XLEN x", ":2"),
    ],
    "xtrim keepref": [
        *READ,
        ("XTRIM x KEEPREF MINID 3", ":2"),
        ("XPENDING x g", "* :1 $1-0 $1-0 ( * ( * $c $1 ) )"),
    ],
    "xtrim acked": [
        *READ,
        ("XTRIM x MAXLEN 1 ACKED", ":0"),
        ("XACK x g 1", ":1"),
        ("XTRIM x MAXLEN 1 ACKED", ":0"),
        ("XACK x h 1", ":1"),
        ("XTRIM x MAXLEN 1 ACKED", ":1"),
        ("XLEN x", ":3"),
        (
            "XREADGROUP GROUP g c COUNT 2 STREAMS x >",
            "* ( * $x ( * ( * $2-0 ( * $f $v ) ) ( * $3-0 ( * $f $v ) ) ) )",
        ),
        (
            "XREADGROUP GROUP h c COUNT 2 STREAMS x >",
            "* ( * $x ( * ( * $2-0 ( * $f $v ) ) ( * $3-0 ( * $f $v ) ) ) )",
        ),
        ("XACK x g 2 3", ":2"),
        ("XACK x h 3", ":1"),
        ("XTRIM x MINID 9 acked", ":1"),
        ("XRANGE x - +", "* ( * $2-0 ( * $f $v ) ) ( * $4-0 ( * $f $v ) )"),
        ("XTRIM x MAXLEN ~ 0 ACKED", ":0"),
    ],
    "xtrim without groups": [
        *STREAM,
        ("XTRIM x MAXLEN 2 ACKED", ":2"),
        ("XTRIM x MAXLEN 1 DELREF", ":1"),
        ("XTRIM x MAXLEN 1 DELREF ACKED", SYNTAX),
        ("XTRIM x ACKED", "-ERR wrong number of arguments for 'xtrim' command"),
        ("XTRIM x ACKED KEEPREF", SYNTAX),
    ],
    "xadd with references": [
        *READ,
        ("XADD x DELREF MAXLEN 3 5 f v", "$5-0"),
        ("XPENDING x g", "* :0 $ $ *-1"),
        ("XADD x NOMKSTREAM ACKED MAXLEN 3 6 f v", "$6-0"),
        ("XLEN x", ":4"),
        ("XADD x MAXLEN 3 KEEPREF 7 f v", "$7-0"),
        ("XLEN x", ":3"),
        ("XADD x KEEPREF 8 f v", "$8-0"),
        ("XADD x KEEPREF ACKED 9 f v", BAD_ID),
    ],
    "xreadgroup claim": [
        *READ,
        (
            "XREADGROUP GROUP g d COUNT 1 CLAIM 100000 STREAMS x >",
            "* ( * $x ( * ( * $2-0 ( * $f $v ) :0 :0 ) ) )",
        ),
        ("XPENDING x g", "* :2 $1-0 $2-0 ( * ( * $c $1 ) ( * $d $1 ) )"),
        (
            "XREADGROUP GROUP g d CLAIM 100000 COUNT 1 STREAMS x >",
            "* ( * $x ( * ( * $3-0 ( * $f $v ) :0 :0 ) ) )",
        ),
        (
            "XREADGROUP GROUP g d CLAIM 100000 STREAMS x 0-1",
            "* ( * $x ( * ( * $2-0 ( * $f $v ) ) ( * $3-0 ( * $f $v ) ) ) )",
        ),
        (
            "XREADGROUP GROUP g d NOACK CLAIM 100000 STREAMS x >",
            "* ( * $x ( * ( * $4-0 ( * $f $v ) :0 :0 ) ) )",
        ),
        ("XREADGROUP GROUP g d NOACK CLAIM 100000 STREAMS x >", "*-1"),
        ("XREADGROUP GROUP g d CLAIM -1 STREAMS x >", "-ERR min-idle-time must be a positive integer"),
        ("XREADGROUP GROUP g d CLAIM x STREAMS x >", "-ERR min-idle-time is not an integer"),
        (
            "XREAD CLAIM 0 STREAMS x 0",
            "-ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
        ),
    ],
    "a consumer is made by whoever asks in its name": [
        *STREAM,
        ("XGROUP CREATE x g $", "+OK"),
        ("XREADGROUP GROUP g one STREAMS x >", "*-1"),
        ("XCLAIM x g two 0 1", "*"),
        ("XAUTOCLAIM x g three 0 0", "* $0-0 ( * ) ( * )"),
        ("XGROUP CREATECONSUMER x g one", ":0"),
        ("XGROUP CREATECONSUMER x g two", ":0"),
        ("XGROUP CREATECONSUMER x g three", ":0"),
    ],
    "xread of the last entry": [
        ("XREAD STREAMS x +", "*-1"),
        *STREAM,
        ("XREAD STREAMS x +", "* ( * $x ( * ( * $4-0 ( * $f $v ) ) ) )"),
        ("XREAD COUNT 5 STREAMS x y + 0", "* ( * $x ( * ( * $4-0 ( * $f $v ) ) ) )"),
    ],
    "xsetid below what was deleted": [
        *STREAM,
        ("XDEL x 4", ":1"),
        ("XSETID x 3", FRAGMENTED),
        ("XSETID x 4", "+OK"),
    ],
}
