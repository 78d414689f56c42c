"""Clients that work at once, each on its own thread and connection, until the time is up or one fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.resp import Connection
from tests.servers import Server

# A client's work: its connection and its number; called again and again.
Turn = Callable[[Connection, int], None]


def run_clients(server: Server, seconds: float, turns: list[Turn]) -> int:
    """Let every one of `turns` loop on its own connection for `seconds`; returns the turns taken by all.

    Each is taken once at least. The first exception of a client ends all of them and is raised here.
    """
    deadline = time.monotonic() + seconds
    stop = threading.Event()
    problems: list[BaseException] = []
    taken = [0] * len(turns)

    def work(number: int) -> None:
        try:
            with server.connect() as connection:
                while not stop.is_set() and (not taken[number] or time.monotonic() < deadline):
                    turns[number](connection, number)
                    taken[number] += 1
        except BaseException as problem:
            problems.append(problem)
            stop.set()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(turns))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return sum(taken)
