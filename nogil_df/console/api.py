"""The data behind the console, as JSON: what INFO, CLIENT LIST, SLOWLOG GET and CONFIG GET tell.

Figures are totals; whoever polls makes rates of them. Bytes that are not UTF-8 are shown as Redis's clients
show them, ``\\xff``. Secrets are not sent: that a password is set is all there is to see.
"""

from __future__ import annotations

import gzip
import heapq
import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from nogil_df.commands import client_list, info, secrets, slowlog
from nogil_df.commands.statistics import Figures, ThreadFigures
from nogil_df.wire.http import Request, Response, accepts_gzip

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.vll.proactor import Proactor

MOST_CLIENTS = 200
"""Clients shown, those that were active last."""

MOST_SLOW = 128
"""Entries of the slow log shown."""

_NOT_SHOWN = frozenset(("Commandstats", "Latencystats", "Keyspace", "Threads", "Modules"))
"""Sections of INFO whose content is sent in a better form, or is none."""

HIDDEN = "(set)"


def respond(value: Any, request: Request) -> Response:
    """A value as JSON, compressed for those who take it. O(size)."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = [("Content-Type", "application/json; charset=utf-8"), ("Vary", "Accept-Encoding")]
    if accepts_gzip(request):
        body = gzip.compress(body, 1, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return Response(200, body, tuple(headers))


def shown(data: bytes) -> str:
    """Bytes for people. O(bytes)."""
    return data.decode("utf-8", "backslashreplace")


# --- /api/stats ---


def stats_facts(state: ThreadState, request: Request, answers: list[ThreadFigures]) -> dict[str, Any]:
    """What INFO says, by section, and the time in unix seconds. O(threads)."""
    report = info.Report(Figures(answers), state)
    return {
        "time": state.clock.unix_ms() / 1000,
        "info": {
            name: dict(lines(report)) for name, lines in info.SECTIONS.items() if name not in _NOT_SHOWN
        },
    }


def stats(task: tuple[list[ThreadFigures], dict[str, Any], Request]) -> Response:
    """Everything that moves. O(commands * buckets + threads)."""
    answers, known, request = task
    figures = Figures(answers)
    known["threads"] = [thread.counts for thread in answers]
    known["databases"] = [
        {"db": at, "keys": db.keys, "expires": db.expires, "avg_ttl": db.average_ttl, "capacity": db.capacity}
        for at, db in enumerate(figures.databases)
        if db.keys or at == 0
    ]
    known["commands"] = {
        name: {
            "calls": one.calls,
            "ns": one.nanoseconds,
            "rejected": one.rejected,
            "failed": one.failed,
            # Bucket i: less than 2^i nanoseconds.
            "histogram": {str(at): count for at, count in enumerate(one.histogram) if count},
        }
        for name, one in sorted(figures.commands.items())
    }
    return respond(known, request)


# --- /api/clients ---


def gather_clients(proactor: Proactor, most: int) -> tuple[int, list[tuple[float, bytes]]]:
    """On every thread: how many clients there are, and those active last: (when, line). O(clients)."""
    now = proactor.clock.monotonic()
    sessions = proactor.service.sessions.values()
    newest = heapq.nlargest(most, sessions, key=attrgetter("last_active"))
    return len(sessions), [(session.last_active, client_list.describe(session, now)) for session in newest]


def nothing(state: ThreadState, request: Request, answers: Any) -> None:
    """The client's thread has nothing to add."""


def clients(task: tuple[list[tuple[int, list[tuple[float, bytes]]]], None, Request]) -> Response:
    """The clients that were active last. O(clients shown)."""
    answers, _, request = task
    lines = heapq.merge(*(found for _, found in answers), key=lambda pair: -pair[0])
    rows = [
        client_fields(line) for _, line in zip(range(MOST_CLIENTS), (line for _, line in lines), strict=False)
    ]
    return respond({"total": sum(count for count, _ in answers), "clients": rows}, request)


def client_fields(line: bytes) -> dict[str, str]:
    """A line of CLIENT LIST as a dict."""
    return dict(word.partition("=")[::2] for word in shown(line).split(" "))


# --- /api/slowlog ---


def slow(task: tuple[list[list[slowlog.SlowEntry]], None, Request]) -> Response:
    """The slow log, newest first. O(entries)."""
    answers, _, request = task
    rows = [
        {
            "id": entry.id,
            "time": entry.when,
            "us": entry.micros,
            "args": [shown(arg) for arg in entry.args],
            "address": shown(entry.address),
            "name": shown(entry.client_name),
        }
        for entry in answers[slowlog.KEEPER]
    ]
    return respond(rows, request)


# --- /api/config ---


def no_figures(proactor: Proactor, argument: Any) -> None:
    """On every thread: nothing is wanted."""


def config_facts(state: ThreadState, request: Request, answers: Any) -> list[dict[str, Any]]:
    """All parameters as this thread sees them, which is as all do. O(parameters)."""
    return [
        {
            "name": name,
            "value": HIDDEN if is_secret(name) and value else value,
            "changed": value != state.config.default_text(name),
        }
        for name, value in sorted(state.config.texts.items())
    ]


def is_secret(name: str) -> bool:
    """Whether a parameter's value is nobody's business."""
    return name.encode() in secrets.PARAMETERS or name.endswith(("-pass", "password"))


def config(task: tuple[Any, list[dict[str, Any]], Request]) -> Response:
    """The parameters by name."""
    return respond(task[1], task[2])
