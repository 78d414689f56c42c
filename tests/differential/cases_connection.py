"""Cases of the connection commands: HELLO, AUTH, PING, ECHO, RESET, QUIT, CLIENT and its subcommands."""

from __future__ import annotations

from tests.differential.case import (
    Book,
    Line,
    Step,
    closed,
    closes,
    fields,
    kinds,
    masked,
    on,
    receive,
    send,
    shape,
    silent,
    singles,
    table,
    until,
)

BOOK = Book()

BOOK.add(
    singles(
        "ping echo",
        [
            "PING",
            "PING hello",
            "PING a b",
            'PING ""',
            r'PING "\r\n"',
            "ping",
            "ECHO x",
            'ECHO ""',
            "ECHO",
            "ECHO a b",
            r'ECHO "\x00\xff\r\n"',
            "ECHO 1",
            "ECHO " + "x" * 70_000,
        ],
    )
)


def hello(line: str, client: int = 0) -> Step:
    """A HELLO whose reply holds a version and a client id."""
    return on(client, masked(line, "version", "id"))


BOOK.add(
    table(
        "hello",
        {
            "without arguments": [hello("HELLO"), "PING"],
            "2": [hello("HELLO 2"), "GET nokey"],
            "3": [hello("HELLO 3"), "GET nokey", "CONFIG GET maxmemory-samples"],
            "3 and back": [hello("HELLO 3"), "GET nokey", hello("HELLO 2"), "GET nokey"],
            "without arguments keeps the protocol": [hello("HELLO 3"), hello("HELLO"), "GET nokey"],
            "setname": [hello("HELLO 3 SETNAME me"), "CLIENT GETNAME"],
            "setname of nothing": [
                hello("HELLO 3 SETNAME me"),
                hello('HELLO 3 SETNAME ""'),
                "CLIENT GETNAME",
            ],
            "auth": [hello("HELLO 3 AUTH default secret"), "PING"],
            "auth and setname": [hello("HELLO 3 AUTH default x SETNAME me"), "CLIENT GETNAME"],
            "setname and auth": [hello("HELLO 2 SETNAME me AUTH default x"), "CLIENT GETNAME"],
            "lower case": [hello("hello 3 setname me"), "CLIENT GETNAME"],
            "wrong user": ["HELLO 3 AUTH nobody secret", "GET nokey"],
        },
    )
)
BOOK.add(
    singles(
        "hello errors",
        [
            "HELLO 1",
            "HELLO 4",
            "HELLO 0",
            "HELLO -1",
            "HELLO abc",
            'HELLO ""',
            "HELLO 2.0",
            "HELLO 99999999999999999999",
            "HELLO 3 AUTH",
            "HELLO 3 AUTH default",
            "HELLO 3 SETNAME",
            "HELLO 3 BOGUS",
            "HELLO 3 BOGUS x",
            'HELLO 3 SETNAME "a b"',
            r'HELLO 3 SETNAME "a\nb"',
            "HELLO SETNAME x",
            "HELLO AUTH default x",
            "HELLO 3 SETNAME ok BOGUS",
            'HELLO 3 AUTH default x SETNAME "a b"',
        ],
        probe=["GET nokey", "CLIENT GETNAME"],
    )
)
BOOK.add(
    singles(
        "auth",
        [
            "AUTH",
            "AUTH secret",
            "AUTH default secret",
            "AUTH nobody secret",
            "AUTH a b c",
            'AUTH ""',
            'AUTH default ""',
        ],
        probe=["PING"],
    )
)
_PASSWORD = ["CONFIG SET requirepass secret"]
_NO_PASSWORD: list[Line] = ['CONFIG SET requirepass ""']
BOOK.add(
    table(
        "requirepass",
        {
            name: [*_PASSWORD, *script, *_NO_PASSWORD]
            for name, script in {
                "commands are refused": [
                    on(1, line)
                    for line in (
                        "PING",
                        "GET k",
                        "SELECT 1",
                        "NOSUCH",
                        "GET",
                        "MULTI",
                        "EXEC",
                        "CLIENT ID",
                        "COMMAND COUNT",
                    )
                ],
                "auth opens": [on(1, "AUTH wrong"), on(1, "GET k"), on(1, "AUTH secret"), on(1, "GET k")],
                "auth with the user": [
                    on(1, "AUTH default wrong"),
                    on(1, "AUTH default secret"),
                    on(1, "GET k"),
                ],
                "auth by hello": [
                    on(1, "HELLO 2 AUTH default wrong"),
                    hello("HELLO 2 AUTH default secret", 1),
                    on(1, "GET k"),
                ],
                "hello without auth": [
                    on(1, "HELLO 3"),
                    on(1, "HELLO"),
                    on(1, "HELLO 9"),
                    on(1, "HELLO 2 SETNAME x"),
                ],
                "hello with a password and a bad name": [
                    on(1, 'HELLO 2 AUTH default secret SETNAME "a b"'),
                    on(1, "GET k"),
                ],
                "quit without auth": [on(1, closes("QUIT"))],
                "reset without auth": [on(1, "RESET"), on(1, "GET k")],
                "reset takes the login away": [
                    on(1, "AUTH secret"),
                    on(1, "GET k"),
                    on(1, "RESET"),
                    on(1, "GET k"),
                    on(1, "AUTH secret"),
                    on(1, "GET k"),
                ],
                "a wrong password keeps the login": [
                    on(1, "AUTH secret"),
                    on(1, "AUTH wrong"),
                    on(1, "GET k"),
                ],
                "who set it stays": ["GET k", "PING"],
                "empty password": [on(1, 'AUTH ""'), on(1, 'AUTH default ""')],
                "config get shows it": ["CONFIG GET requirepass"],
            }.items()
        },
        protocols=(2,),
    )
)
BOOK.add(
    table(
        "quit and reset",
        {
            "quit": [closes("QUIT")],
            "quit with arguments": [closes("QUIT now please")],
            "quit after work": ["SET k v", closes("QUIT"), on(1, "GET k")],
            "reset": ["RESET", "PING"],
            "reset arity": ["RESET x"],
            "reset goes to database 0": ["SELECT 3", "RESET", "SET k v", on(1, "GET k")],
            "reset drops the name": ["CLIENT SETNAME me", "RESET", "CLIENT GETNAME"],
            "reset goes to RESP2": ["RESET", "GET nokey", "CONFIG GET maxmemory-samples"],
            "reset ends multi": ["MULTI", "SET k v", "RESET", "GET k", "EXEC"],
            "reset ends reply skip": [silent("CLIENT REPLY SKIP"), silent("RESET"), "PING"],
            "reset keeps no-evict": ["CLIENT NO-EVICT on", "RESET", "PING"],
        },
    )
)
BOOK.add(
    table(
        "reset from subscriptions",
        {"leaves them": ["SUBSCRIBE ch", "RESET", "GET k", on(1, "PUBLISH ch x"), "PING"]},
    )
)
BOOK.add(
    singles(
        "client names",
        [
            "CLIENT SETNAME me",
            'CLIENT SETNAME ""',
            'CLIENT SETNAME "a b"',
            r'CLIENT SETNAME "a\nb"',
            r'CLIENT SETNAME "\x00"',
            r'CLIENT SETNAME "\x7f"',
            r'CLIENT SETNAME "\xff"',
            "CLIENT SETNAME !~",
            "CLIENT SETNAME ñ",
            "CLIENT SETNAME",
            "CLIENT SETNAME a b",
            "CLIENT GETNAME x",
            "client setname me",
            "CLIENT SETNAME " + "n" * 1000,
        ],
        setup=["CLIENT GETNAME"],
        probe=["CLIENT GETNAME"],
    )
)
BOOK.add(
    singles(
        "client",
        [
            "CLIENT",
            shape("CLIENT ID"),
            "CLIENT ID x",
            fields("CLIENT INFO"),
            "CLIENT INFO x",
            fields("CLIENT LIST"),
            fields("CLIENT LIST TYPE normal"),
            "CLIENT LIST TYPE master",
            "CLIENT LIST TYPE replica",
            "CLIENT LIST TYPE slave",
            "CLIENT LIST TYPE pubsub",
            "CLIENT LIST TYPE bogus",
            "CLIENT LIST TYPE",
            "CLIENT LIST TYPE normal x",
            "CLIENT LIST BOGUS",
            "CLIENT LIST ID",
            fields("CLIENT LIST ID {id0}"),
            "CLIENT LIST ID 999999",
            fields("CLIENT LIST ID 999999 {id0}"),
            "CLIENT LIST ID abc",
            "CLIENT LIST ID 0",
            "CLIENT LIST ID -1",
            "CLIENT NO-EVICT on",
            "CLIENT NO-EVICT OFF",
            "CLIENT NO-EVICT maybe",
            "CLIENT NO-EVICT",
            "CLIENT NO-EVICT on off",
            "CLIENT GETREDIR",
            "CLIENT REPLY",
            "CLIENT REPLY on",
            "CLIENT REPLY bogus",
            "CLIENT REPLY on off",
            "CLIENT UNPAUSE",
            "CLIENT UNPAUSE x",
            "CLIENT PAUSE",
            "CLIENT PAUSE 0",
            "CLIENT PAUSE abc",
            "CLIENT PAUSE -1",
            "CLIENT PAUSE 1.5",
            "CLIENT PAUSE 0 BOGUS",
            "CLIENT PAUSE 0 all",
            "CLIENT PAUSE 0 WRITE",
            "CLIENT PAUSE 0 WRITE x",
            "CLIENT PAUSE 9223372036854775808",
            "CLIENT UNBLOCK",
            "CLIENT UNBLOCK 999999",
            "CLIENT UNBLOCK {id0}",
            "CLIENT UNBLOCK abc",
            "CLIENT UNBLOCK 999999 TIMEOUT",
            "CLIENT UNBLOCK 999999 ERROR",
            "CLIENT UNBLOCK 999999 BOGUS",
            "CLIENT UNBLOCK abc BOGUS",
            "CLIENT UNBLOCK 1 TIMEOUT x",
            "CLIENT NOSUCH",
        ],
        probe=["CLIENT UNPAUSE", "PING"],
    )
)
BOOK.add(singles("client tracking", ["CLIENT TRACKINGINFO"], needs={"tracking"}))
BOOK.add(
    table(
        "client reply",
        {
            "off": [
                silent("CLIENT REPLY OFF"),
                silent("SET k v"),
                silent("PING"),
                "CLIENT REPLY ON",
                "GET k",
            ],
            "skip": [silent("CLIENT REPLY SKIP"), silent("SET k v"), "GET k", "PING"],
            "skip twice": [
                silent("CLIENT REPLY SKIP"),
                silent("CLIENT REPLY SKIP"),
                silent("PING"),
                "ECHO here",
            ],
            "skip then error": [silent("CLIENT REPLY SKIP"), silent("NOSUCH"), "PING"],
            "off then error": [
                silent("CLIENT REPLY OFF"),
                silent("NOSUCH"),
                silent("GET"),
                "CLIENT REPLY ON",
            ],
            "on within off": [silent("CLIENT REPLY OFF"), "CLIENT REPLY ON", "PING"],
            "skip then on": [silent("CLIENT REPLY SKIP"), "CLIENT REPLY ON", "PING"],
            "off does not stop multi": [
                silent("CLIENT REPLY OFF"),
                silent("MULTI"),
                silent("SET k v"),
                silent("EXEC"),
                "CLIENT REPLY ON",
                "GET k",
            ],
            "bogus while off": [silent("CLIENT REPLY OFF"), silent("CLIENT REPLY BOGUS"), "CLIENT REPLY ON"],
        },
    )
)
BOOK.add(
    singles(
        "client kill",
        [
            "CLIENT KILL",
            "CLIENT KILL 127.0.0.1:1",
            "CLIENT KILL bogus",
            "CLIENT KILL ID 999999",
            "CLIENT KILL ID abc",
            "CLIENT KILL ID 0",
            "CLIENT KILL ID -1",
            "CLIENT KILL ID",
            "CLIENT KILL ID 999999 ADDR",
            "CLIENT KILL ADDR 127.0.0.1:1",
            "CLIENT KILL LADDR 127.0.0.1:1",
            "CLIENT KILL ADDR bogus",
            "CLIENT KILL TYPE bogus",
            "CLIENT KILL TYPE pubsub",
            "CLIENT KILL TYPE master",
            "CLIENT KILL TYPE replica",
            "CLIENT KILL TYPE slave",
            "CLIENT KILL USER nobody",
            "CLIENT KILL SKIPME maybe",
            "CLIENT KILL BOGUS x",
            "CLIENT KILL BOGUS x y",
            "CLIENT KILL ID {id1} SKIPME bogus",
            "CLIENT KILL ID {id1}",
            "CLIENT KILL ID {id1} ADDR 127.0.0.1:1",
            "CLIENT KILL ID {id1} ADDR {addr1}",
            "CLIENT KILL ADDR {addr1}",
            "CLIENT KILL ADDR {addr1} TYPE normal",
            "CLIENT KILL ADDR {addr1} TYPE pubsub",
            "CLIENT KILL ADDR {addr1} USER default",
            "CLIENT KILL ADDR {addr1} LADDR {laddr1}",
            "CLIENT KILL ADDR {addr1} LADDR 1.2.3.4:5",
            "CLIENT KILL {addr1}",
            "CLIENT KILL ID {id0}",
            "CLIENT KILL ID {id0} SKIPME yes",
            "client kill id {id1} skipme yes type normal",
        ],
        setup=[on(1, "PING")],
        probe=["PING"],
        multi=False,
    )
)
BOOK.add(
    table(
        "client kill closes",
        {
            "by id": [on(1, "PING"), "CLIENT KILL ID {id1}", closed(1), "PING"],
            "by addr": [on(1, "PING"), "CLIENT KILL ADDR {addr1}", closed(1), "PING"],
            "by the old form": [on(1, "PING"), "CLIENT KILL {addr1}", closed(1), "PING"],
            "others by type": [
                on(1, "PING"),
                on(2, "PING"),
                kinds("CLIENT KILL TYPE normal"),
                closed(1),
                closed(2),
                "PING",
            ],
            "others by laddr": [on(1, "PING"), kinds("CLIENT KILL LADDR {laddr1}"), closed(1), "PING"],
            "others by user": [on(1, "PING"), kinds("CLIENT KILL USER default"), closed(1), "PING"],
            "skipme yes is no filter of its own": [
                on(1, "PING"),
                kinds("CLIENT KILL SKIPME yes"),
                closed(1),
                "PING",
            ],
            "itself": [closes("CLIENT KILL ID {id0} SKIPME no"), on(1, "PING")],
            "itself by addr": [closes("CLIENT KILL ADDR {addr0} SKIPME no"), on(1, "PING")],
            "itself by the old form": [closes("CLIENT KILL {addr0}"), on(1, "PING")],
            "its transaction is gone": [
                on(1, "MULTI"),
                on(1, "SET k v"),
                "CLIENT KILL ID {id1}",
                closed(1),
                "GET k",
            ],
        },
    )
)
BOOK.add(
    table(
        "client pause",
        {
            "all holds others": [
                on(1, "PING"),
                "CLIENT PAUSE 30",
                on(1, send("SET k v")),
                on(2, send("GET nokey")),
                receive(1),
                receive(2),
                "GET k",
            ],
            "write lets reads through": [
                on(1, "PING"),
                "CLIENT PAUSE 100000 WRITE",
                on(1, "GET k"),
                on(1, "MGET a b"),
                on(1, send("SET k v")),
                "GET k",
                "CLIENT UNPAUSE",
                receive(1),
                "GET k",
            ],
            "write lets an exec of reads through": [
                "CLIENT PAUSE 100000 WRITE",
                on(1, "MULTI"),
                on(1, "GET k"),
                on(1, "EXEC"),
                "CLIENT UNPAUSE",
            ],
            "write holds the queueing of a write": [
                "CLIENT PAUSE 100000 WRITE",
                on(1, "MULTI"),
                on(1, send("SET k v")),
                "EXISTS k",
                "CLIENT UNPAUSE",
                receive(1),
                on(1, "EXEC"),
                "GET k",
            ],
            "write holds exec of writes": [
                on(1, "MULTI"),
                on(1, "SET k v"),
                "CLIENT PAUSE 100000 WRITE",
                on(1, send("EXEC")),
                "EXISTS k",
                "CLIENT UNPAUSE",
                receive(1),
                "GET k",
            ],
            "runs out": ["CLIENT PAUSE 30", on(1, "SET k v"), on(1, "GET k")],
            "of write runs out": ["CLIENT PAUSE 30 WRITE", on(1, "SET k v"), on(1, "GET k")],
            "keys don't expire for good": [
                "SET k v PX 1",
                "CLIENT PAUSE 100000 WRITE",
                "DEBUG SLEEP 0.005",
                "GET k",
                "CLIENT UNPAUSE",
                until("DBSIZE", ":0"),
            ],
            "pipeline behind it": [
                "CLIENT PAUSE 100000 WRITE",
                on(1, send("SET k 1")),
                on(1, send("INCR k")),
                on(1, send("GET k")),
                "GET k",
                "CLIENT UNPAUSE",
                receive(1),
                receive(1),
                receive(1),
            ],
        },
    )
)
BOOK.add(
    table(
        "client unblock",
        {
            "as by a timeout": [
                on(1, send("BLPOP nolist 0")),
                until("CLIENT UNBLOCK {id1}", ":1"),
                receive(1),
                on(1, "PING"),
            ],
            "with an error": [
                on(1, send("BLPOP nolist 0")),
                until("CLIENT UNBLOCK {id1} ERROR", ":1"),
                receive(1),
                on(1, "PING"),
            ],
        },
        needs={"list"},
    )
)
BOOK.add(
    table(
        "pubsub asks",
        {
            "who listens to what": [
                "PUBSUB NUMSUB",
                "PUBSUB NUMSUB a b",
                "PUBSUB SHARDNUMSUB",
                "PUBSUB SHARDNUMSUB a b",
                "PUBSUB SHARDCHANNELS",
                "PUBSUB NUMPAT",
                on(1, "SUBSCRIBE a"),
                on(2, "SUBSCRIBE a"),
                on(2, "PSUBSCRIBE a*"),
                on(1, "PSUBSCRIBE a*"),
                on(2, "PSUBSCRIBE b*"),
                on(1, "SSUBSCRIBE a"),
                "PUBSUB NUMSUB a b a",
                "PUBSUB NUMPAT",
                "PUBSUB SHARDCHANNELS",
                "PUBSUB SHARDCHANNELS b*",
                "PUBSUB SHARDNUMSUB a b",
                on(1, "SUNSUBSCRIBE a"),
                on(1, "SUNSUBSCRIBE"),
                on(1, "SUNSUBSCRIBE b"),
                "PUBSUB SHARDNUMSUB a",
                "PUBSUB SHARDCHANNELS",
                "PUBSUB NUMPAT x",
                "PUBSUB NOPE",
            ],
        },
        needs={"pubsub"},
    )
)
BOOK.add(
    singles(
        "not a cluster",
        ["READONLY", "READWRITE", "READONLY x", "CLUSTER INFO", "CLUSTER COUNTKEYSINSLOT 1", "CLUSTER NOPE"],
    )
)
BOOK.add(
    singles(
        "without replicas",
        ["WAIT 0 0", "WAIT 0 100", "WAIT x 0", "WAIT 0 x", "WAIT -1 0", "WAIT 0 -1", "WAIT 0", "WAIT 1 10"],
        needs={"replication"},
    )
)
