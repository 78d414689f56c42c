"""Nanoseconds of the wire layer: parsing requests, encoding replies.

    python -X gil=0 -m bench.wire

Every figure is the least of many short runs, which a busy machine disturbs least.  "hiredis alone" is the
bare C parser, without a check of any kind: what the hiredis engine adds is the difference.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import hiredis

from nogil_df.wire.reply import ReplyEncoder
from nogil_df.wire.request import make_engine

SECONDS = 0.5  # spent on each figure
RUN = 200e-6  # length of one run, in seconds
TEXT = b"x" * 256
BINARY = bytes(range(256))
COMMANDS = {
    "GET": [b"GET", b"key:000001"],
    "SET 256": [b"SET", b"key:000001", TEXT],
    "SET 256 binary": [b"SET", b"key:000001", BINARY],
    "MSET of 10": [b"MSET", *[b"key:0001", b"value"] * 10],
    "SET 16384": [b"SET", b"key:000001", b"x" * 16384],
}


def packed(args: list[bytes]) -> bytes:
    """One request in RESP."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args)


def least(work: Callable[[], object], units: int) -> float:
    """Nanoseconds of `work` for each of the `units` it handles."""
    start = time.perf_counter()
    work()
    calls = max(1, int(RUN / (time.perf_counter() - start)))
    best = float("inf")
    deadline = time.perf_counter() + SECONDS
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        best = min(best, time.perf_counter() - start)
    return best / calls / units * 1e9


def hiredis_alone(data: bytes) -> Callable[[], object]:
    """A reader fed with `data`, asked until it has no more."""
    reader = hiredis.Reader(notEnoughData=Ellipsis)
    feed, gets = reader.feed, reader.gets

    def work() -> object:
        feed(data)
        return list(iter(gets, Ellipsis))

    return work


def engine_work(kind: str, data: bytes) -> Callable[[], object]:
    """A parser that reads `data`, which is whole commands."""
    read = make_engine(kind).parser().read
    return lambda: read(data, 1000)


def bench_requests() -> None:
    """Parsing, by command, pipeline and engine."""
    print(f"{'ns a command':28}{'python':>10}{'hiredis':>10}{'hiredis alone':>16}")
    for name, args in COMMANDS.items():
        for pipeline in (1, 16, 30):
            data = packed(args) * pipeline
            figures = [least(engine_work(kind, data), pipeline) for kind in ("python", "hiredis")]
            figures.append(least(hiredis_alone(data), pipeline))
            python, quick, alone = figures
            print(f"{f'{name}, pipeline {pipeline}':28}{python:10.0f}{quick:10.0f}{alone:16.0f}", flush=True)


def bench_replies() -> None:
    """Encoding; the list of pieces is thrown away as often as a connection does."""
    encoder = ReplyEncoder()
    out: list[bytes] = []
    short = [b"v" * 20] * 10
    cases: dict[str, Callable[[], object]] = {
        "ok": lambda: encoder.ok(out),
        "bulk of 256": lambda: encoder.bulk(TEXT, out),
        "small integer": lambda: encoder.integer(7, out),
        "big integer": lambda: encoder.integer(70_000, out),
        "array of 10 bulks": lambda: encoder.array_of_bulks(short, 2, out),
        "encode(bytes)": lambda: encoder.encode(TEXT, 2, out),
        "encode(None)": lambda: encoder.encode(None, 2, out),
        "encode(list of 10)": lambda: encoder.encode(short, 3, out),
    }
    print(f"\n{'ns a reply':28}")
    for name, write in cases.items():

        def work(write: Callable[[], object] = write) -> None:
            for _ in range(30):
                write()
            out.clear()

        print(f"{name:28}{least(work, 30):10.0f}", flush=True)


if __name__ == "__main__":
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        print("the GIL is on: run with -X gil=0 on a free-threaded Python for the reference figures")
    bench_requests()
    bench_replies()
