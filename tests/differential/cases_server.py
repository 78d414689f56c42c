"""Cases of the server commands: CONFIG, COMMAND, INFO, SLOWLOG, LATENCY, MEMORY, DEBUG, MONITOR, LOLWUT."""

from __future__ import annotations

from tests.differential.case import (
    Book,
    anything,
    fields,
    kinds,
    on,
    receive,
    shape,
    singles,
    table,
    unordered,
)

BOOK = Book()

BOOK.add(
    singles(
        "config get",
        [
            "CONFIG",
            "CONFIG GET",
            "CONFIG GET maxmemory-samples",
            "CONFIG GET MAXMEMORY-SAMPLES",
            "CONFIG GET nosuch",
            "CONFIG GET nosuch maxmemory-samples",
            "CONFIG GET maxmemory-samples maxmemory-samples",
            unordered("CONFIG GET maxmemory maxmemory-policy"),
            unordered("CONFIG GET latency-*"),
            unordered("CONFIG GET latency-* latency-tracking"),
            unordered("CONFIG GET maxmemory-[ps]*"),
            "CONFIG GET appendonly",
            "CONFIG GET save",
            "CONFIG GET notify-keyspace-events",
            "CONFIG GET databases",
            "CONFIG GET timeout",
            "CONFIG GET tcp-keepalive",
            "CONFIG GET lfu-log-factor",
            "CONFIG GET client-output-buffer-limit",
            "CONFIG GET client-query-buffer-limit",
            "CONFIG GET proto-max-bulk-len",
            "CONFIG GET requirepass",
            "CONFIG GET latency-monitor-threshold",
            "CONFIG GET slowlog-log-slower-than",
            kinds("CONFIG HELP"),
            "CONFIG HELP x",
            "CONFIG NOSUCH",
            "CONFIG RESETSTAT",
            "CONFIG RESETSTAT x",
            "CONFIG REWRITE",
            "CONFIG REWRITE x",
        ],
    )
)


def _settings(*values: str) -> list[str]:
    return [f"CONFIG SET {value}" for value in values]


BOOK.add(
    table(
        "config set",
        {
            value: [f"CONFIG SET {value}", f"CONFIG GET {value.split()[0]}", *_settings(*restore)]
            for value, *restore in (
                ("maxmemory-samples 7", "maxmemory-samples 5"),
                ("maxmemory-samples 0",),
                ("maxmemory-samples abc",),
                ("maxmemory-samples 65",),
                ("maxmemory-samples -1",),
                ("maxmemory 100mb", "maxmemory 0"),
                ("maxmemory 1gb", "maxmemory 0"),
                ("maxmemory 1g", "maxmemory 0"),
                ("maxmemory 100k", "maxmemory 0"),
                ("maxmemory 100kb", "maxmemory 0"),
                ("maxmemory 1073741824", "maxmemory 0"),
                ("maxmemory 1xb", "maxmemory 0"),
                ("maxmemory -1", "maxmemory 0"),
                ("maxmemory 1.5gb", "maxmemory 0"),
                ("maxmemory-policy allkeys-lru", "maxmemory-policy noeviction"),
                ("maxmemory-policy ALLKEYS-LFU", "maxmemory-policy noeviction"),
                ("maxmemory-policy bogus",),
                ("notify-keyspace-events KEA", 'notify-keyspace-events ""'),
                ("notify-keyspace-events AKE", 'notify-keyspace-events ""'),
                ("notify-keyspace-events Kg", 'notify-keyspace-events ""'),
                ("notify-keyspace-events A", 'notify-keyspace-events ""'),
                ("notify-keyspace-events KEg$lshzxetdm", 'notify-keyspace-events ""'),
                ("notify-keyspace-events Kq", 'notify-keyspace-events ""'),
                ('notify-keyspace-events ""',),
                ("timeout 100", "timeout 0"),
                ("timeout -1", "timeout 0"),
                ("tcp-keepalive 10", "tcp-keepalive 300"),
                ("slowlog-max-len 10", "slowlog-max-len 128"),
                ("slowlog-max-len -1",),
                ("slowlog-log-slower-than -1", "slowlog-log-slower-than 10000"),
                ("slowlog-log-slower-than 9223372036854775807", "slowlog-log-slower-than 10000"),
                ("slowlog-log-slower-than 9223372036854775808",),
                ("slowlog-log-slower-than -2",),
                ("latency-monitor-threshold 100", "latency-monitor-threshold 0"),
                ("latency-tracking no", "latency-tracking yes"),
                ("latency-tracking maybe",),
                (
                    'latency-tracking-info-percentiles "50 90"',
                    'latency-tracking-info-percentiles "50 99 99.9"',
                ),
                ("latency-tracking-info-percentiles 101",),
                ("lazyfree-lazy-user-del yes", "lazyfree-lazy-user-del no"),
                ("appendonly bogus",),
                ("hz 20", "hz 10"),
                ("hz 0", "hz 10"),
                ("hz 1000", "hz 10"),
                ("client-query-buffer-limit 2mb", "client-query-buffer-limit 1gb"),
                ("proto-max-bulk-len 2mb", "proto-max-bulk-len 512mb"),
                ("proto-max-bulk-len 10",),
                (
                    'client-output-buffer-limit "normal 0 0 0"',
                    'client-output-buffer-limit "pubsub 32mb 8mb 60"',
                ),
                (
                    'client-output-buffer-limit "pubsub 1mb 1mb 10"',
                    'client-output-buffer-limit "pubsub 32mb 8mb 60"',
                ),
                ('client-output-buffer-limit "bogus 1 1 1"',),
                ('client-output-buffer-limit "normal 1 1"',),
                ('client-output-buffer-limit "normal a 1 1"',),
                ("databases 32",),
                ("nosuch 1",),
                ("daemonize yes",),
                ("lfu-log-factor 5", "lfu-log-factor 10"),
                ("lfu-decay-time 5", "lfu-decay-time 1"),
                ("loglevel debug", "loglevel notice"),
                ("loglevel bogus",),
            )
        },
    )
)
BOOK.add(
    table(
        "config set of several",
        {
            "both": [
                "CONFIG SET maxmemory-samples 7 slowlog-max-len 99",
                unordered("CONFIG GET maxmemory-samples slowlog-max-len"),
                "CONFIG SET maxmemory-samples 5 slowlog-max-len 128",
            ],
            "one is wrong": ["CONFIG SET maxmemory-samples 7 hz abc", "CONFIG GET maxmemory-samples"],
            "one is unknown": ["CONFIG SET maxmemory-samples 7 nosuch abc", "CONFIG GET maxmemory-samples"],
            "one cannot be set": [
                "CONFIG SET maxmemory-samples 7 databases 3",
                "CONFIG GET maxmemory-samples",
            ],
            "twice the same": [
                "CONFIG SET maxmemory-samples 7 maxmemory-samples 8",
                "CONFIG GET maxmemory-samples",
            ],
            "arity": ["CONFIG SET", "CONFIG SET maxmemory-samples", "CONFIG SET maxmemory-samples 5 hz"],
            "another default": ["CONFIG SET maxclients 0", "CONFIG SET maxclients abc"],
            "case": [
                "CONFIG SET MaxMemory-Samples 6",
                "CONFIG GET maxmemory-samples",
                "CONFIG SET maxmemory-samples 5",
            ],
        },
    )
)
BOOK.add(
    singles(
        "command",
        [
            "COMMAND NOSUCH",
            "COMMAND COUNT x",
            kinds("COMMAND COUNT"),
            "COMMAND INFO nosuch",
            "COMMAND DOCS nosuch",
            kinds("COMMAND HELP"),
            "COMMAND HELP x",
            "COMMAND GETKEYS",
            "COMMAND GETKEYS GET k",
            "COMMAND GETKEYS get k",
            "COMMAND GETKEYS nosuch k",
            "COMMAND GETKEYS GET a b",
            "COMMAND GETKEYS PING x",
            "COMMAND GETKEYS FLUSHALL SYNC",
            "COMMAND GETKEYSANDFLAGS nosuch x",
            "COMMAND GETKEYS MSET a 1 b 2 c 3",
            "COMMAND GETKEYS MSET a 1 b",
            "COMMAND GETKEYS MGET a b c",
            "COMMAND GETKEYS DEL a b",
            "COMMAND GETKEYS COPY a b",
            "COMMAND GETKEYS RENAME a b",
            "COMMAND GETKEYS LCS a b IDX",
            "COMMAND GETKEYS SET k v NX GET",
            "COMMAND GETKEYS WATCH a b",
            "COMMAND GETKEYS OBJECT ENCODING k",
            "COMMAND GETKEYS MEMORY USAGE k",
            "COMMAND GETKEYS SCAN 0",
            "COMMAND GETKEYSANDFLAGS",
            "COMMAND GETKEYSANDFLAGS GET k",
            "COMMAND GETKEYSANDFLAGS SET k v",
            "COMMAND GETKEYSANDFLAGS SET k v GET",
            "COMMAND GETKEYSANDFLAGS SET k v NX",
            "COMMAND GETKEYSANDFLAGS MSET a 1 b 2",
            "COMMAND GETKEYSANDFLAGS COPY a b",
            "COMMAND GETKEYSANDFLAGS RENAME a b",
            "COMMAND GETKEYSANDFLAGS DEL a b",
            "COMMAND GETKEYSANDFLAGS EXPIRE a 1",
            "COMMAND GETKEYSANDFLAGS INCR a",
            "COMMAND GETKEYSANDFLAGS GETDEL a",
            "COMMAND GETKEYSANDFLAGS GETEX a",
            "COMMAND GETKEYSANDFLAGS TTL a",
            "COMMAND GETKEYSANDFLAGS TYPE a",
            "COMMAND LIST FILTERBY",
            "COMMAND LIST FILTERBY PATTERN",
            "COMMAND LIST FILTERBY BOGUS x",
            "COMMAND LIST FILTERBY PATTERN nosuch*",
            unordered("COMMAND LIST FILTERBY PATTERN setn*"),
            unordered("COMMAND LIST FILTERBY PATTERN SETN*"),
            unordered("COMMAND LIST FILTERBY PATTERN *subst*"),
            unordered("COMMAND LIST FILTERBY ACLCAT transaction"),
            "COMMAND LIST FILTERBY ACLCAT nosuch",
            unordered("COMMAND LIST FILTERBY MODULE nosuch"),
            unordered("COMMAND LIST filterby aclcat TRANSACTION"),
            "COMMAND LIST BOGUS",
            "COMMAND LIST FILTERBY PATTERN a b",
        ],
    )
)
BOOK.add(
    singles(
        "time lastsave lolwut",
        [
            shape("TIME"),
            "TIME x",
            kinds("LASTSAVE"),
            "LASTSAVE x",
            kinds("LOLWUT"),
            kinds("LOLWUT VERSION 5"),
            kinds("LOLWUT VERSION 5 40 40 40"),
            kinds("LOLWUT VERSION 6"),
            kinds("LOLWUT VERSION 99"),
            kinds("LOLWUT VERSION abc"),
            kinds("LOLWUT VERSION"),
            kinds("LOLWUT 1 2 3"),
        ],
    )
)
BOOK.add(
    table(
        "slowlog",
        {
            "arity": ["SLOWLOG", "SLOWLOG NOSUCH", "SLOWLOG LEN x", "SLOWLOG RESET x", "SLOWLOG GET 1 2"],
            "counts": [
                "SLOWLOG RESET",
                "SLOWLOG GET abc",
                "SLOWLOG GET -2",
                "SLOWLOG GET -1",
                "SLOWLOG GET 0",
            ],
            "help": [kinds("SLOWLOG HELP"), "SLOWLOG HELP x"],
            "nothing is slow": [
                "CONFIG SET slowlog-log-slower-than -1",
                "SLOWLOG RESET",
                "SET k v",
                "SLOWLOG LEN",
                "SLOWLOG GET",
                "CONFIG SET slowlog-log-slower-than 10000",
            ],
            "everything is slow": [
                "CONFIG SET slowlog-log-slower-than 0",
                "SLOWLOG RESET",
                "SET k v",
                "GET k",
                "SLOWLOG LEN",
                shape("SLOWLOG GET 2"),
                shape("SLOWLOG GET"),
                "CONFIG SET slowlog-log-slower-than 10000",
                "SLOWLOG RESET",
                "SLOWLOG LEN",
            ],
            "long arguments are cut": [
                "CONFIG SET slowlog-log-slower-than 0",
                "SLOWLOG RESET",
                "SET k " + "x" * 200,
                "MGET " + " ".join(f"key:{i}" for i in range(50)),
                shape("SLOWLOG GET 2"),
                "CONFIG SET slowlog-log-slower-than 10000",
                "SLOWLOG RESET",
            ],
            "max-len": [
                "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2",
                *["PING"] * 5,
                "SLOWLOG LEN",
                "CONFIG SET slowlog-log-slower-than 10000 slowlog-max-len 128",
                "SLOWLOG RESET",
            ],
        },
    )
)
BOOK.add(
    singles(
        "latency",
        [
            "LATENCY",
            "LATENCY NOSUCH",
            "LATENCY LATEST",
            "LATENCY LATEST x",
            "LATENCY HISTORY",
            "LATENCY HISTORY nosuch",
            "LATENCY HISTORY command",
            "LATENCY GRAPH",
            "LATENCY GRAPH nosuch",
            "LATENCY RESET",
            "LATENCY RESET nosuch",
            "LATENCY RESET command fork",
            kinds("LATENCY DOCTOR"),
            "LATENCY DOCTOR x",
            kinds("LATENCY HELP"),
            "LATENCY HELP x",
            "LATENCY HISTOGRAM nosuch",
        ],
        setup=["LATENCY RESET"],
    )
)
BOOK.add(
    table(
        "latency events",
        {
            "of a slow command": [
                "CONFIG SET latency-monitor-threshold 50",
                # On a busy machine CONFIG SET itself may have been slow enough to count.
                anything("LATENCY RESET"),
                "DEBUG SLEEP 0.06",
                shape("LATENCY LATEST"),
                shape("LATENCY HISTORY command"),
                kinds("LATENCY GRAPH command"),
                kinds("LATENCY DOCTOR"),
                "LATENCY RESET command",
                "LATENCY LATEST",
                "CONFIG SET latency-monitor-threshold 0",
            ],
            "histogram": ["CONFIG RESETSTAT", "SET k v", "GET k", shape("LATENCY HISTOGRAM set")],
        },
    )
)
BOOK.add(
    singles(
        "memory",
        [
            "MEMORY",
            "MEMORY NOSUCH",
            "MEMORY USAGE",
            "MEMORY USAGE nokey",
            "MEMORY PURGE",
            "MEMORY PURGE x",
            kinds("MEMORY DOCTOR"),
            "MEMORY DOCTOR x",
            kinds("MEMORY MALLOC-STATS"),
            kinds("MEMORY STATS"),
            "MEMORY STATS x",
            kinds("MEMORY HELP"),
            "MEMORY HELP x",
        ],
    )
)
BOOK.add(
    table(
        "info",
        {
            "default": [fields("INFO")],
            "of a section": [fields("INFO server"), fields("INFO SERVER"), fields("INFO memory")],
            "of sections": [fields("INFO server clients"), fields("INFO keyspace cpu")],
            "all": [fields("INFO all")],
            "everything": [fields("INFO everything")],
            "nosuch": ["INFO nosuch"],
            "keyspace": ["INFO keyspace", "SET k v", "SELECT 1", "MSET a 1 b 2", "INFO keyspace"],
            "errorstats": [
                "CONFIG RESETSTAT",
                "NOSUCH",
                "GET",
                "INCR k x",
                "INFO errorstats",
                "CONFIG RESETSTAT",
            ],
            "errorstats by code": [
                "CONFIG RESETSTAT",
                "EXEC",
                "RPUSH l a",
                "GET l",
                "AUTH nobody x",
                "MULTI",
                "NOSUCH",
                "EXEC",
                "INFO errorstats",
                "CONFIG RESETSTAT",
            ],
            "hits and misses": [
                "CONFIG RESETSTAT",
                "SET k v",
                "GET k",
                "GET nokey",
                "EXISTS k nokey",
                "MGET k nokey",
                fields("INFO stats"),
            ],
        },
    )
)
BOOK.add(
    table(
        "debug",
        {
            "sleep": ["DEBUG SLEEP 0", "DEBUG SLEEP 0.001"],
            "object": ["SET k v", kinds("DEBUG OBJECT k"), "DEBUG OBJECT nokey"],
            "populate": ["DEBUG POPULATE 10", "DBSIZE", "GET key:3", "STRLEN key:9"],
            "populate with a prefix": ["DEBUG POPULATE 5 pre", "GET pre:0", unordered("KEYS *")],
            "populate with a size": ["DEBUG POPULATE 3 pre 100", "STRLEN pre:1", "GET pre:1"],
            "populate with a small size": ["DEBUG POPULATE 3 pre 3", "GET pre:1"],
            "populate keeps what is there": ["SET key:1 mine", "DEBUG POPULATE 3", "GET key:1"],
            "populate errors": ["DEBUG POPULATE abc"],
            "set-active-expire": ["DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1"],
            "quicklist-packed-threshold": [
                "DEBUG QUICKLIST-PACKED-THRESHOLD 1k",
                "DEBUG QUICKLIST-PACKED-THRESHOLD 0",
            ],
            "log": ["DEBUG LOG hello"],
            "errors": ["DEBUG", "DEBUG NOSUCH", "DEBUG SLEEP"],
            "protocol": [
                f"DEBUG PROTOCOL {name}" for name in ("string", "integer", "double", "null", "array")
            ],
            "protocol of aggregates": [
                f"DEBUG PROTOCOL {name}" for name in ("set", "map", "true", "false", "verbatim", "bignum")
            ],
            "change-repl-id": ["DEBUG CHANGE-REPL-ID"],
            "stringmatch-len": ["DEBUG STRINGMATCH-LEN 10 a*"],
        },
    )
)
BOOK.add(
    table(
        "shutdown errors",
        {
            "options": [
                "SHUTDOWN BOGUS",
                "SHUTDOWN SAVE NOSAVE",
                "SHUTDOWN ABORT",
                "SHUTDOWN ABORT NOW",
                "PING",
            ],
            "more options": ["SHUTDOWN NOSAVE BOGUS", "SHUTDOWN NOSAVE ABORT", "SHUTDOWN NOW x", "PING"],
        },
    )
)
BOOK.add(
    table(
        "monitor",
        {
            "arity": ["MONITOR x"],
            "shows others": [
                on(1, "MONITOR"),
                "SET k v",
                receive(1, kinds("PING").tolerance),
                "GET k",
                receive(1, kinds("PING").tolerance),
            ],
            "reset leaves it": [on(1, "MONITOR"), on(1, "RESET"), "SET k v", on(1, "PING")],
        },
        protocols=(2,),
    )
)
BOOK.add(
    table(
        "flush and time",
        {
            "swapdb and dbsize": ["SET a 1", "SWAPDB 0 1", "DBSIZE", "SELECT 1", "DBSIZE"],
            "lastsave is there": [anything("LASTSAVE"), kinds("LASTSAVE")],
        },
    )
)

BOOK.add(
    singles(
        "replication and modules",
        [
            "REPLICAOF NO ONE",
            "replicaof no one",
            "SLAVEOF NO ONE",
            "REPLICAOF NO TWO",
            "REPLICAOF host x",
            "REPLICAOF host -1",
            "REPLICAOF host 65536",
            "REPLICAOF 1 2 3",
            "REPLICAOF",
            "ROLE",
            "ROLE x",
            "FAILOVER",
            "FAILOVER ABORT",
            "FAILOVER TO h 1",
            "FAILOVER TIMEOUT 5",
            "FAILOVER TIMEOUT 0",
            "FAILOVER TIMEOUT x",
            "FAILOVER TO h",
            "FAILOVER TO h x",
            "FAILOVER TO h 1 FORCE",
            "FAILOVER TO h 1 TIMEOUT 5 FORCE",
            "FAILOVER FORCE",
            "FAILOVER ABORT TIMEOUT 5",
            "FAILOVER BOGUS",
            "REPLCONF",
            "REPLCONF x",
            "REPLCONF listening-port 5",
            "REPLCONF LISTENING-PORT x",
            "REPLCONF ip-address 1.2.3.4",
            "REPLCONF capa eof capa psync2",
            "REPLCONF rdb-only 1",
            "REPLCONF rdb-only x",
            "REPLCONF rdb-filter-only functions",
            "REPLCONF rdb-filter-only bogus",
            "REPLCONF bogus 1",
            "PSYNC",
            "PSYNC a",
            "SYNC x",
            fields("INFO replication"),
            "MODULE",
            "MODULE LIST",
            "MODULE LIST x",
            "MODULE LOAD",
            "MODULE LOAD /x",
            "MODULE LOADEX /x",
            "MODULE UNLOAD",
            "MODULE UNLOAD x",
            "MODULE BOGUS",
        ],
        multi=False,
    )
)

BOOK.add(
    table(
        "debug for tests of Redis",
        {
            "listpack": [
                "ZADD z 1 a",
                "DEBUG LISTPACK z",
                "DEBUG LISTPACK none",
                "SET s v",
                "DEBUG LISTPACK s",
            ],
            "quicklist": ["DEBUG QUICKLIST none", "SET s v", "DEBUG QUICKLIST s"],
            "accepted": [
                "DEBUG PAUSE-CRON 0",
                "DEBUG REPLICATE replica set a b",
                "DEBUG REPLYBUFFER RESIZING 1",
                "DEBUG QUICKLIST-PACKED-THRESHOLD 200b",
                "DEBUG QUICKLIST-PACKED-THRESHOLD 0",
                "DEBUG SET-ACTIVE-EXPIRE 1",
                "DEBUG CHANGE-REPL-ID",
            ],
            "hash tables": [kinds("DEBUG HTSTATS 0"), "DEBUG HTSTATS x", "DEBUG HTSTATS 99"],
        },
    )
)
