"""Conversations that a real memcached and nogil-df must answer alike; line ends are added."""

from __future__ import annotations

LONG = "k" * 251
LONGEST = "k" * 250

CASES: dict[str, list[str]] = {
    "set and get": ["set a 5 0 3", "abc", "get a", "get a b", "gat 10 a", "get  a  ", "get"],
    "several keys": [
        *["set k1 1 0 1", "1", "set k2 2 0 1", "2", "set k3 3 0 0", "", "get k1 k2 none k3 k1"],
        *["delete k2", "get k1 k2 k3"],
    ],
    "flags": ["set x 4294967295 0 1", "a", "get x", "set x -1 0 1", "set x a 0 1", "get x"],
    "lengths": ["set x 0 0 -1", "set x 0 0 a", "set x 0 0 2", "abcd", "set x 0 0 3", "ab", "", "get x"],
    "words": [
        "set a 0 0",
        "set a 0 0 1 foo",
        "a",
        "set a 0 0 1 noreply foo",
        "set  a  0  0  1 ",
        "b",
        "get a",
    ],
    "names": ["GET a", "Set a 0 0 1", "", "foo", "getx a", "g", "touchy", "\0"],
    # First: an error of get takes the replies before it away that have not been sent yet.
    "long keys": [
        *[f"get {LONG}", f"set {LONG} 0 0 1", "xy", f"delete {LONG}", f"incr {LONG} 1", f"touch {LONG} 1"],
        *[f"set {LONGEST} 0 0 1", "a", f"get {LONGEST}", f"mg {LONG} v", f"ms {LONG} 1", "xy", f"md {LONG}"],
        *[f"ma {LONG}", f"me {LONG}", f"delete {LONGEST}"],
    ],
    "add and replace": [
        *["add a 1 0 1", "x", "add a 2 0 1", "y", "get a", "replace a 3 0 1", "z", "get a"],
        *["replace b 0 0 1", "z", "get b"],
    ],
    "append and prepend": [
        *["append a 0 0 1", "x", "prepend a 0 0 1", "x", "set a 7 0 1", "m", "append a 9 0 2", "no"],
        *["prepend a 9 0 2", "ab", "get a", "append a 0 0 1 noreply", "!", "get a"],
    ],
    "cas": [
        *["cas a 0 0 1 5", "z", "set a 0 0 1", "a", "cas a 0 0 1 999999999999", "z", "cas a 0 0 1 abc"],
        *["cas a 0 0 1", "get a"],
    ],
    "noreply": [
        *["set a 0 0 1 noreply", "5", "incr a 1 noreply", "get a", "decr a 2 noreply", "get a"],
        *["touch a 0 noreply", "add a 0 0 1 noreply", "9", "delete a noreply", "get a", "touch a 1 noreply"],
        *["delete a noreply", "incr a 1 noreply", "flush_all noreply", "verbosity 0 noreply"],
        *["set a 0 0 1 noreply", "xyz", "replace b 0 0 1 noreply", "1", "append b 0 0 1 noreply", "1"],
    ],
    "incr and decr": [
        *["incr n 1", "set n 9 0 2", "10", "incr n 5", "get n", "decr n 3", "decr n 0", "get n"],
        *["incr n 18446744073709551610", "incr n 10", "incr n -1", "incr n 18446744073709551616", "incr n x"],
        *["incr n", "incr n 1 2 3", "set n 0 0 3", "abc", "incr n 1", "set n 0 0 20", "18446744073709551615"],
        *["incr n 1", "set n 0 0 2", "-1", "incr n 1"],
    ],
    "delete": [
        *["delete x", "set x 0 0 1", "a", "delete x 0", "delete x 5", "delete x 0 noreply", "delete"],
        *["delete x y z w", "delete x noreply 0"],
    ],
    "touch and gat": [
        *[
            "touch x 10",
            "set x 0 0 1",
            "a",
            "touch x abc",
            "touch x 10",
            "touch x 0 foo",
            "touch x",
            "gat 10 x",
        ],
        *["gat abc x", "gat 10 x none", "gat 10", "gat", "gat 0 none", "gat -1 x", "get x"],
    ],
    "times": [
        *["set e 0 -1 1", "x", "get e", "set e 0 1 1", "x", "get e", "touch e -1", "get e"],
        *["set e 0 2592001 1", "x", "get e", "set e 0 2592000 1", "x", "get e", "mg e t"],
        *["set e 0 abc 1"],
    ],
    "flush": [
        *["set a 0 0 1", "x", "flush_all 0", "get a", "flush_all abc", "flush_all 1 2 3", "flush_all -1"],
        *["flush_all", "flush_all 1000", "set a 0 0 1", "x", "get a"],
    ],
    "server": [
        *["verbosity", "verbosity abc", "verbosity foo bar", "verbosity 1", "shutdown", "shutdown graceful"],
        *["stats sizes", "stats foo", "stats cachedump", "stats cachedump a b", "stats cachedump 99 1", "mn"],
        *["cache_memlimit 64", "cache_memlimit 1", "cache_memlimit", "cache_memlimit abc"],
        *["lru_crawler", "lru_crawler foo", "lru_crawler crawl all", "stats reset"],
    ],
    "mg": [
        *["set a 5 0 3", "abc", "mg a", "mg a v", "mg a s v t f k O123 q", "mg none v Oabc k", "mg none q"],
        *[
            "mg a v v",
            "mg a y",
            "mg a O1234567890123456789012345678901234567890",
            "mg",
            "mg a T-1 v",
            "mg a v",
        ],
    ],
    "mg makes and recaches": [
        *["mg v N30 v t", "mg v v", "mg v N30 v", "mg v R60 v t", "mg n N0 k O1 v t s f", "mg n N0 k q"],
        *["set r 0 30 1", "x", "mg r R10", "mg r R60", "mg r R60", "mg r Tabc", "mg r N", "mg r T60 t"],
    ],
    "ms": [
        *[
            "ms b 2 T90 F7 k Oxx",
            "hi",
            "mg b t f s v",
            "ms b 2 C1",
            "hi",
            "ms none 2 C1",
            "hi",
            "ms b 2 ME",
            "hi",
        ],
        *["ms b 2 MR q", "ho", "ms b 2 MA", "XX", "ms b 2 MP", "YY", "mg b v", "ms b 2 MX", "hi", "ms b S2"],
        *[
            "ms b 2 T",
            "hi",
            "ms b abc",
            "ms b -1",
            "ms b",
            "ms",
            "ms b 1 M",
            "1",
            "ms b 1 F-1",
            "1",
            "ms b 1 I",
        ],
        *["1", "ms b 2", "1", "", "ms b 1 C0", "1", "ms none 1 MR", "1", "ms none 1 MA", "1", "mg none v"],
        *["ms b 1 Q1", "1", "ms b 1 T1 T1", "1", "ms b 1 T-1", "x", "mg b v"],
    ],
    "md": [
        *["md b", "md b k Oz q", "ms b 1", "x", "md b C999999999", "md b y", "md b q", "md b", "md"],
        *[
            "ms b 2",
            "hi",
            "md b I T30",
            "mg b v t",
            "mg b v",
            "ms b 1 C1 I",
            "z",
            "mg b v",
            "ms b 1",
            "w",
            "mg b v",
        ],
    ],
    "ma": [
        *[
            "ma c",
            "ma c N0 J13 v",
            "ma c v",
            "ma c D5 v t k O9",
            "ma c MD D100 v",
            "ma c MX",
            "ma c J",
            "ma c q",
        ],
        *["ma none q", "ma none k Oq", "set s 0 0 3", "abc", "ma s", "ma s C9", "ma c M+ D2 v", "ma c M- v"],
        *["ma c T90 t", "ma c y", "ma"],
    ],
    "binary keys": [
        *["mg Zm9v b v k", "ms Zm9v 1 b k", "a", "mg Zm9v b v k", "get foo", "mg Zm9 b v", "md Zm9v b k"],
        *["ma Zm9v b k N0 v", "ms Zm9 1 b", "x", "me Zm9 b"],
    ],
    "me": ["me none", "me", "set a 0 0 1", "x"],
}
