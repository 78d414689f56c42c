"""Scenarios on a simulated server: one seed is one interleaving, and fails again if it fails.

The clock stands still while anybody has something to do, but for now and then; when all clients wait it
moves, until a time-out lets somebody go on. Moments are counted, not measured: every hand-over and every
reply has its own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache

from nogil_df.base.flags import Options
from nogil_df.commands.registry import all_rows
from nogil_df.commands.spec import Row
from nogil_df.simulation import SimulatedClient, Simulation
from stress.history import Journal
from stress.play import Player, Request, Role, Scenario, Turn, command, figures
from tests.resp import Decoder, Reply

MOST_STEPS = 400_000
MOST_QUIET_MS = 120_000
"""How much time may pass without a reply before a client counts as waiting for ever."""

_COMMANDS = frozenset(
    (
        "GET SET MSET MGET MSETNX SETNX INCR INCRBY DECRBY APPEND DEL EXISTS RENAME RENAMENX COPY MOVE "
        "SADD SREM SISMEMBER SMEMBERS SCARD SMOVE SUNION SINTER "
        "LPUSH RPUSH LPOP RPOP LRANGE LLEN LMOVE RPOPLPUSH BLPOP BRPOP BLMPOP BLMOVE BRPOPLPUSH "
        "MULTI EXEC DISCARD WATCH UNWATCH EVAL SELECT PING CLIENT"
    ).split()
)
"""What scenarios use: a server of these is made twice as quickly as one of all."""


@cache
def _rows() -> Sequence[Row]:
    return tuple(row for row in all_rows() if row.name.split()[0] in _COMMANDS)


def simulate(scenario: Scenario, seed: int, shards: int = 0, turns: int = 8) -> Counter[str]:
    """Play a scenario on a simulated server, and judge.

    Args:
        seed: decides the players' choices and the schedule.
        shards: 0 means 2 to 4, as the seed says.
        turns: of each player.

    Returns:
        The figures of all players.

    Raises:
        AssertionError: something that must hold does not; the message names the seed.
    """
    try:
        return _Stage(scenario, seed, shards or 2 + seed % 3, turns).perform()
    except AssertionError as problem:
        raise AssertionError(f"{scenario.name}, seed {seed}: {problem}") from problem


class _Stage:
    """One performance."""

    __slots__ = ("scenario", "seed", "simulation", "random", "seats", "quiet_ms", "moment", "turns")

    def __init__(self, scenario: Scenario, seed: int, shards: int, turns: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.simulation = Simulation(seed, shards, Options(dbnum=2), _rows())
        self.random = random.Random(f"stage {seed}")
        self.turns = turns
        self.quiet_ms = 0
        self.moment = 0
        self.seats: list[_Seat] = []

    def now(self) -> int:
        """The next moment."""
        self.moment += 1
        return self.moment

    def perform(self) -> Counter[str]:
        """Open, play, judge."""
        for words in self.scenario.opening():
            reply = self._ask(*words)
            assert reply.kind != "-", f"{words} -> {reply}"
        self.seats = [_Seat(self, number, role) for number, role in enumerate(self.scenario.roles())]
        playing = list(self.seats)
        for _ in range(MOST_STEPS):
            playing = [seat for seat in playing if seat.go_on()]
            if not playing:
                break
            self._step()
        assert not playing, f"not over after {MOST_STEPS} steps"
        self.simulation.run()
        players = [seat.player for seat in self.seats]
        self.scenario.closing(players, self._ask)
        self._verify()
        return figures(players)

    def _step(self) -> None:
        simulation = self.simulation
        if simulation.step():
            self.quiet_ms = 0
            if self.random.random() < 0.01:
                simulation.advance(self.random.choice((1, 10, 100)))
            return
        # Everybody waits for time to pass.
        assert self.quiet_ms < MOST_QUIET_MS, f"clients wait for ever: {self._waiting()}"
        waiting = [(seat.player, seat.asked) for seat in self.seats if seat.asked and seat.waits]
        self.scenario.quiet(waiting, self._ask)
        ms = self.random.choice((1, 10, 100, 1000))
        self.quiet_ms += ms
        simulation.advance(ms)

    def _waiting(self) -> str:
        return ", ".join(f"{seat.player.number}: {seat.asked}" for seat in self.seats if seat.waits)

    def _ask(self, *words: bytes | str | int | float) -> Reply:
        client = self.simulation.client()
        client.send(list(command(*words)))
        self.simulation.run()
        decoder = Decoder()
        decoder.feed(bytes(client.output))
        reply = decoder.next()
        assert reply is not None, f"{words} got no reply"
        client.close(after_replies=False)
        self.simulation.clients.remove(client)
        return reply

    def _verify(self) -> None:
        """Nothing is held, queued or waited for by anybody."""
        simulation = self.simulation
        for seat in self.seats:
            assert not seat.client.session.busy, f"player {seat.player.number} is busy though all is answered"
            seat.client.close(after_replies=False)
        simulation.run()
        simulation.verify()


class _Seat:
    """A player and its simulated client, one after the other.

    Attributes:
        asked: the request in flight, None between two.
        replies: those that have come, None while they are not complete.
    """

    __slots__ = ("stage", "player", "role", "client", "decoder", "turn", "asked", "replies", "left")

    def __init__(self, stage: _Stage, number: int, role: Role) -> None:
        self.stage = stage
        self.player = Player(number, random.Random(f"player {stage.seed} {number}"), Journal(number))
        self.role = role
        self.turn: Turn | None = None
        self.left = stage.turns
        self.asked: Request | None = None
        self.replies: list[Reply] | None = None
        self._connect()

    def _connect(self) -> None:
        self.player.memory.pop("client id", None)
        self.client = self.stage.simulation.client()
        self.client.on_hand_over = self._sent
        self.client.on_reply = self._answered
        self.decoder = Decoder()

    @property
    def waits(self) -> bool:
        """Whether it asked and was not answered."""
        return self.asked is not None and self.replies is None

    def _sent(self, client: SimulatedClient) -> None:
        self.player.journal.sent(self.stage.now())

    def _answered(self, client: SimulatedClient) -> None:
        decoder = self.decoder
        decoder.feed(bytes(client.output))
        client.output.clear()
        replies: list[Reply] = []
        while (reply := decoder.next()) is not None:
            replies.append(reply)
        assert self.asked is not None, f"replies nobody asked for: {replies}"
        assert len(replies) == len(self.asked.commands), f"{self.asked} -> {replies}"
        self.replies = replies
        self.player.journal.answered(self.stage.now())

    def go_on(self) -> bool:
        """Take what there is, ask what comes next. Returns False when all turns are over."""
        if self.asked is not None:
            if self.asked.leave:
                return self._maybe_leave()
            if self.replies is None:
                return True
        return self._next()

    def _next(self) -> bool:
        replies, self.replies, self.asked = self.replies, None, None
        while True:
            if self.turn is None:
                if not self.left:
                    return False
                self.left -= 1
                self.player.figures["turns"] += 1
                self.turn = self.role(self.player)
                replies = None
            try:
                self.asked = next(self.turn) if replies is None else self.turn.send(replies)
            except StopIteration:
                self.turn = None
                continue
            self.player.figures["commands"] += len(self.asked.commands)
            self.client.send(*map(list, self.asked.commands))
            return True

    def _maybe_leave(self) -> bool:
        """Hang up at some moment: before the commands arrive, while they run or wait, or after the reply."""
        if self.replies is None and self.stage.random.random() > 0.02 and not self._is_last():
            return True
        self.client.close(after_replies=False)
        self.stage.simulation.clients.remove(self.client)
        self.player.journal.sent(self.stage.now())
        self.player.journal.reconnect()
        self.player.figures["disconnects"] += 1
        assert self.turn is not None
        self.turn.close()
        self.turn = None
        self._connect()
        return self._next()

    def _is_last(self) -> bool:
        """Whether everybody else is waiting too: then it is time to go."""
        return self.stage.quiet_ms > 0
