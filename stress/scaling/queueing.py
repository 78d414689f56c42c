"""Latencies with more cores than there are: a discrete-event simulation of connections, threads and hops.

What is simulated is the server's design. A thread takes what has arrived (pipelines of its connections,
messages of other threads), works through it, then hands on what it has gathered: one message to each other
thread that is asked for something, replies to connections. A connection sends its next pipeline when the last
is answered, after the time that the network takes. Costs are those of the fit (`usl`): a key of the own
thread costs `local`; for a key of another thread, hop and message are shared alike by the thread that asks
and the one that answers. Every piece of work takes a time drawn from an exponential distribution with that
mean, which is wider than what a thread that is not disturbed shows.

All time is simulated, in microseconds; the same seed gives the same figures.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from heapq import heappop, heappush

from stress.scaling.usl import Fit, Setting

NETWORK_US = 100.0
"""From a reply to the next request's arrival: half of it each way, about what a placement group has."""
WAKE_US = 5.0
"""From a message's arrival at a thread that sleeps to its turn."""
WARM_UP_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, as a client sees them, and the requests a second that the simulated server answered."""

    rps: float
    p50_ms: float
    p99_ms: float
    p999_ms: float


class Thread:
    """A shard thread: what waits for its next turn, and whether one is due."""

    __slots__ = ("awake", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[int, int, int]] = []
        """(kind, connection, requests)"""
        self.awake = False


NEW, ASKED, ANSWERED = range(3)
"""A pipeline of a connection, requests of another thread, replies of another thread."""


class Simulation:
    """One server under closed-loop load."""

    def __init__(self, fitted: Fit, setting: Setting, seed: int = 1) -> None:
        terms = fitted.terms
        factors = setting.regressors()
        hops = sum(terms.get(name, 0.0) * factors[name] for name in ("hop", "message"))
        self.local = fitted.cost(setting) - hops
        self.half = hops / setting.foreign / 2 if setting.foreign else 0.0
        self.setting = setting
        self.rng = random.Random(seed)
        self.threads = [Thread() for _ in range(setting.threads)]
        self.home = [number % setting.threads for number in range(setting.connections)]
        self.sent = [0.0] * setting.connections
        self.missing = [0] * setting.connections
        self.events: list[tuple[float, int, int, list[tuple[int, int, int]]]] = []
        """(time, tie-break, thread, what arrives); an empty list is the thread's turn."""
        self.count = 0
        self.done: list[tuple[float, float]] = []
        """(time of the reply, latency)"""

    def at(self, when: float, thread: int, items: list[tuple[int, int, int]]) -> None:
        """Note an event."""
        self.count += 1
        heappush(self.events, (when, self.count, thread, items))

    def run(self, pipelines: int) -> Latencies:
        """Simulate until so many pipelines are answered. O(pipelines * depth)."""
        for connection, place in enumerate(self.home):
            begun = self.rng.random() * NETWORK_US
            self.sent[connection] = begun - NETWORK_US / 2
            self.at(begun, place, [(NEW, connection, self.setting.pipeline)])
        while len(self.done) < pipelines:
            now, _, number, items = heappop(self.events)
            thread = self.threads[number]
            if items:
                thread.waiting += items
                if not thread.awake:
                    thread.awake = True
                    self.at(now + WAKE_US, number, [])
            elif thread.waiting:
                self.at(self.turn(now, number, thread), number, [])
            else:
                thread.awake = False
        return self.figures()

    def turn(self, now: float, number: int, thread: Thread) -> float:
        """What a thread does in one turn, all that waits; when it ends."""
        waiting, thread.waiting = thread.waiting, []
        took = 0.0
        asked: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        over: list[int] = []
        drawn = self.rng.expovariate
        for kind, connection, requests in waiting:
            if kind == NEW:
                shares = self.divide(number, requests)
                here = shares.pop(number, 0)
                self.missing[connection] = requests - here
                cost = self.local * requests + self.half * (requests - here)
                for other, its in shares.items():
                    asked[other].append((ASKED, connection, its))
                if not shares:
                    over.append(connection)
            elif kind == ASKED:
                cost = self.half * requests
                asked[self.home[connection]].append((ANSWERED, connection, requests))
            else:
                cost = 0.0
                self.missing[connection] -= requests
                if not self.missing[connection]:
                    over.append(connection)
            if cost:
                took += drawn(1 / cost)
        end = now + took
        for other, messages in asked.items():
            self.at(end, other, messages)
        for connection in over:
            self.done.append((end, end + NETWORK_US / 2 - self.sent[connection]))
            self.sent[connection] = end + NETWORK_US / 2
            self.at(end + NETWORK_US, number, [(NEW, connection, self.setting.pipeline)])
        return end

    def divide(self, own: int, requests: int) -> dict[int, int]:
        """How many requests of a pipeline go to which thread."""
        rng, others = self.rng, self.setting.threads - 1
        shares: dict[int, int] = defaultdict(int)
        for _ in range(requests):
            if others and rng.random() < self.setting.foreign:
                place = rng.randrange(others)
                shares[place + (place >= own)] += 1
            else:
                shares[own] += 1
        return shares

    def figures(self) -> Latencies:
        """Of what was answered after a time to settle."""
        settled = self.done[int(len(self.done) * WARM_UP_SHARE) :]
        seconds = (settled[-1][0] - settled[0][0]) / 1e6
        ordered = sorted(latency for _, latency in settled)
        p50, p99, p999 = (
            ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000 for share in (0.5, 0.99, 0.999)
        )
        return Latencies(len(settled) * self.setting.pipeline / seconds, p50, p99, p999)
