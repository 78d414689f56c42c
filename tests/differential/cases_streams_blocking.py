"""Cases of reads of streams that wait, XREAD and XREADGROUP with BLOCK, by what wakes them or ends it."""

from __future__ import annotations

from collections.abc import Iterable

from tests.differential.case import Book, Line, blocked, on, receive, send, table, until
from tests.differential.cases_streams_groups import READ, SHOW, STREAM

BOOK = Book()


def _waiting(lines: Iterable[str], script: Iterable[Line], after: Iterable[Line] = ()) -> list[Line]:
    """Clients 1, 2... wait by these commands; then this happens, and each of them is answered."""
    waits: list[Line] = []
    for client, line in enumerate(lines, 1):
        waits += [on(client, send(line)), blocked(client)]
    answers = [receive(client) for client, _ in enumerate(lines, 1)]
    return [*waits, *script, *answers, *after]


_READERS = {
    "from now": "XREAD BLOCK 0 STREAMS x $",
    "from an id": "XREAD BLOCK 0 STREAMS x 6-6",
    "of several": "XREAD BLOCK 0 COUNT 1 STREAMS y x $ $",
    "from a later id": "XREAD BLOCK 0 STREAMS x 9-9",
}
_WAKERS: dict[str, list[Line]] = {
    "xadd": ["XADD x 10-1 a 1"],
    "exec": ["MULTI", "XADD x 10-1 a 1", "XADD x 10-2 a 1", "EXEC"],
    "after a deletion": ["XADD x 6-7 a 1", "XDEL x 6-7", "XADD x 10-1 a 1"],
    "rename": ["XADD t 10-1 a 1", "RENAME t x"],
    "another type between": ["SET x v", "DEL x", "XADD x 10-1 a 1"],
    "copy": ["XADD t 10-1 a 1", "COPY t x REPLACE"],
}
BOOK.add(
    table(
        "streams, readers wait",
        {
            **{
                f"{reader}, {waker}": [*STREAM, *_waiting([line], script)]
                for reader, line in _READERS.items()
                for waker, script in _WAKERS.items()
                if not (waker == "after a deletion" and reader in ("from now", "from an id", "of several"))
            },
            "all of them": [
                *STREAM,
                *_waiting(
                    [*_READERS.values(), "XREAD BLOCK 0 COUNT 1 STREAMS x 6"],
                    ["MULTI", "XADD x 10 a 1", "XADD x 11 b 2", "EXEC"],
                ),
            ],
            "nothing there": _waiting(["XREAD BLOCK 0 STREAMS x y $ 0"], ["XADD y 1 a 1"], ["XLEN y"]),
            "at once": [*STREAM, "XREAD BLOCK 0 STREAMS x 0", "XREAD BLOCK 0 COUNT 1 STREAMS y x $ 5-5"],
            "time is up": [*STREAM, "XREAD BLOCK 10 STREAMS x $", "XREAD BLOCK 1 STREAMS x y $ 0"],
            "ids that were": [
                *STREAM,
                *_waiting(
                    ["XREAD BLOCK 0 STREAMS x $"], ["DEL x", "XADD x 1 a 1", "XADD x 20 a 1"], ["XLEN x"]
                ),
            ],
            "unblocked": [*STREAM, *_waiting(["XREAD BLOCK 0 STREAMS x $"], ["CLIENT UNBLOCK {id1} ERROR"])],
            "timed out": [*STREAM, *_waiting(["XREAD BLOCK 0 STREAMS x $"], ["CLIENT UNBLOCK {id1}"])],
        },
    )
)
_ENDS: dict[str, list[Line]] = {
    "xadd": ["XADD x 10-1 a 1"],
    "several added": ["MULTI", "XADD x 10-1 a 1", "XADD x 10-2 a 1", "XADD x 10-3 a 1", "EXEC"],
    "destroyed": ["XGROUP DESTROY x g"],
    "deleted": ["DEL x"],
    "unlinked": ["UNLINK x"],
    "another type": ["SET x v"],
    "another type in exec": ["MULTI", "DEL x", "SADD x a", "EXEC"],
    "renamed": ["RENAME x z"],
    "replaced": ["XADD t 1 a 1", "RENAME t x"],
    "flushed": ["FLUSHDB"],
    "all flushed": ["FLUSHALL ASYNC"],
    "expired": ["PEXPIRE x 1", until("EXISTS x", ":0")],
    "moved": ["MOVE x 1"],
    "swapped": ["SWAPDB 0 1"],
}
_LATEST: list[Line] = [*STREAM, "XGROUP CREATE x g $", "XGROUP CREATECONSUMER x g c"]
BOOK.add(
    table(
        "streams, members wait",
        {
            **{
                name: [
                    *_LATEST,
                    *_waiting(["XREADGROUP GROUP g c BLOCK 0 STREAMS x >"], script),
                    on(1, "PING"),
                ]
                for name, script in _ENDS.items()
            },
            "for several, the second added": [
                *_LATEST,
                "XGROUP CREATE y g $ MKSTREAM",
                *_waiting(["XREADGROUP GROUP g c BLOCK 0 COUNT 1 STREAMS x y > >"], ["XADD y 1 a 1"]),
                *SHOW,
                "XPENDING y g",
            ],
            "for several, the second deleted": [
                *_LATEST,
                "XGROUP CREATE y g $ MKSTREAM",
                *_waiting(["XREADGROUP GROUP g c BLOCK 0 STREAMS x y > >"], ["DEL y"]),
            ],
            "two of a group": [
                *_LATEST,
                *_waiting(
                    [
                        "XREADGROUP GROUP g one BLOCK 0 STREAMS x >",
                        "XREADGROUP GROUP g two BLOCK 0 STREAMS x >",
                    ],
                    ["XADD x 10 a 1", "XADD x 11 a 1"],
                ),
                *SHOW,
            ],
            "two of a group and a reader": [
                *_LATEST,
                *_waiting(
                    [
                        "XREADGROUP GROUP g one BLOCK 0 COUNT 1 STREAMS x >",
                        "XREAD BLOCK 0 STREAMS x $",
                        "XREADGROUP GROUP g two BLOCK 0 STREAMS x >",
                    ],
                    ["MULTI", "XADD x 10 a 1", "XADD x 11 a 1", "EXEC"],
                ),
                *SHOW,
            ],
            "one destroyed, one not": [
                *_LATEST,
                "XGROUP CREATE x h $",
                *_waiting(
                    [
                        "XREADGROUP GROUP g one BLOCK 0 STREAMS x >",
                        "XREADGROUP GROUP h two BLOCK 0 STREAMS x >",
                    ],
                    ["XGROUP DESTROY x g", "XADD x 10 a 1"],
                ),
            ],
            "noack": [
                *_LATEST,
                *_waiting(["XREADGROUP GROUP g c BLOCK 0 NOACK STREAMS x >"], ["XADD x 10 a 1"]),
                *SHOW,
            ],
            "consumer deleted meanwhile": [
                *_LATEST,
                *_waiting(
                    ["XREADGROUP GROUP g c BLOCK 0 STREAMS x >"],
                    ["XGROUP DELCONSUMER x g c", "XADD x 10 a 1"],
                ),
                *SHOW,
            ],
            "history does not wait": [*READ, "XREADGROUP GROUP g none BLOCK 0 STREAMS x 0"],
            "time is up": [*_LATEST, "XREADGROUP GROUP g c BLOCK 5 STREAMS x >", *SHOW],
        },
    )
)
