"""Scenarios on a real server: each player on its own thread and connection, until the time is up or one
fails.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter

from stress.history import Journal
from stress.play import Player, Request, Role, Scenario, Turn, command, figures
from tests.patience import PATIENCE
from tests.resp import Connection, Reply, encode
from tests.servers import Server

LEAST = 2
"""Turns that each player takes at least, however little the machine lets it do in the time."""


def perform(server: Server, scenario: Scenario, seconds: float, seed: int = 0) -> Counter[str]:
    """Empty the server, let everybody play for some seconds, and judge.

    Args:
        seed: of the players' choices; what threads make of them is different every time.

    Returns:
        The figures of all players, turns and requests among them.

    Raises:
        AssertionError: something that must hold does not; the first problem of any player ends all of them.
    """
    server.flush()
    with server.connect() as connection:
        for words in scenario.opening():
            reply = connection.execute(*words)
            assert reply.kind not in "-", f"{words} -> {reply}"
    players = [
        Player(number, random.Random(f"{seed} {number}"), Journal(number))
        for number in range(len(scenario.roles()))
    ]
    deadline = time.monotonic() + seconds
    stop = threading.Event()
    problems: list[BaseException] = []

    def work(player: Player, role: Role) -> None:
        seat = _Seat(server, player)
        try:
            while not stop.is_set() and (player.figures["turns"] < LEAST or time.monotonic() < deadline):
                seat.play(role(player))
        except BaseException as problem:
            problems.append(problem)
            stop.set()
        finally:
            seat.connection.close()

    pairs = zip(players, scenario.roles(), strict=True)
    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    with server.connect() as connection:
        scenario.closing(players, lambda *words: connection.execute(*command(*words)))
    return figures(players)


class _Seat:
    """A player's connection, one after the other."""

    __slots__ = ("server", "player", "connection")

    def __init__(self, server: Server, player: Player) -> None:
        self.server = server
        self.player = player
        self.connection = self._connect()

    def _connect(self) -> Connection:
        self.player.memory.pop("client id", None)
        return self.server.connect(timeout=PATIENCE)

    def play(self, turn: Turn) -> None:
        """Carry one turn's requests."""
        player = self.player
        player.figures["turns"] += 1
        replies: list[Reply] | None = None
        while True:
            try:
                request = next(turn) if replies is None else turn.send(replies)
            except StopIteration:
                return
            player.figures["commands"] += len(request.commands)
            if request.leave:
                self._leave(request)
                turn.close()
                return
            player.journal.sent(time.monotonic_ns())
            replies = self.connection.pipeline(list(request.commands))
            player.journal.answered(time.monotonic_ns())

    def _leave(self, request: Request) -> None:
        player = self.player
        player.journal.sent(time.monotonic_ns())
        self.connection.send_raw(b"".join(map(encode, request.commands)))
        # Half of them at once, the others while they wait, or when the reply has come.
        if player.random.random() < 0.5:
            self.connection.socket.settimeout(player.random.uniform(0.0001, 0.01))
            with contextlib.suppress(TimeoutError):
                self.connection.socket.recv(1)
        self.connection.close()
        player.figures["disconnects"] += 1
        player.journal.reconnect()
        self.connection = self._connect()
