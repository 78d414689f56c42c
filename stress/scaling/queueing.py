"""Latencies: a discrete-event simulation of connections, threads, hops and cores.

What is simulated is the server's design. A thread takes what has arrived (pipelines of its connections,
messages of other threads) and works through it; it answers what concerns its own keys as it goes, and at the
end of its turn hands on what it has gathered, one message to each other thread that is asked for something.
A connection sends its next pipeline when the last is answered. Costs are those of the fit (`usl`): a key of
the own thread costs `local`; for a key of another thread, hop and message are shared alike by the thread that
asks and the one that answers. Every piece of work takes a time drawn from an exponential distribution with
that mean, which is wider than what a thread that is not disturbed shows.

The same mechanism serves two worlds:

- a machine that is not here (`clients` None): a core for each thread, and clients a network away that cost
  the server nothing;
- this machine (`Clients`): processes of a load generator, and threads that may be more than the cores, all
  want the same cores. Who has one keeps it while he has work, but no longer than SLICE_US while others wait.
  What comes of that can be held to what was measured (`check`).

All time is simulated, in microseconds; the same seed gives the same figures.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import dataclass
from heapq import heappop, heappush

from stress.scaling.usl import Fit, Setting

NETWORK_US = 100.0
"""From a reply to the next request's arrival: half of it each way, about what a placement group has."""
WAKE_US = 5.0
"""From a message's arrival at a thread that sleeps to its turn, if there is a core."""
SLICE_US = 1_400.0
"""How long Linux lets one run while others wait: 0.7 ms, twice that on two CPUs (`sysctl_sched_base_slice` in
kernel/sched/fair.c). Wake-ups that take a core away at once are not simulated."""
WARM_UP_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Clients:
    """A load generator on the same machine: its processes, and the CPU time that a request costs them."""

    processes: int
    request_us: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, as a client sees them, and the requests a second that the simulated server answered."""

    rps: float
    p50_ms: float
    p99_ms: float
    p999_ms: float


class Runner:
    """A shard thread, or a process of clients: what waits for its next turn, and whether it has a core."""

    __slots__ = ("awake", "running", "since", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[int, int, int]] = []
        """(kind, connection, requests)"""
        self.awake = False
        self.running = False
        self.since = 0.0
        """When it got its core."""


NEW, ASKED, ANSWERED, REPLY = range(4)
"""A pipeline of a connection, requests of another thread, replies of another thread, those to a client."""


class Simulation:
    """One server under closed-loop load."""

    def __init__(self, fitted: Fit, setting: Setting, seed: int = 1, clients: Clients | None = None) -> None:
        terms = fitted.terms
        factors = setting.regressors()
        hops = sum(terms.get(name, 0.0) * factors[name] for name in ("hop", "message"))
        self.local = fitted.cost(setting) - hops
        self.half = hops / setting.foreign / 2 if setting.foreign else 0.0
        self.setting = setting
        self.clients = clients
        self.rng = random.Random(seed)
        processes = clients.processes if clients else 0
        self.runners = [Runner() for _ in range(setting.threads + processes)]
        self.free = setting.cores if clients else setting.threads
        self.queue: deque[int] = deque()
        """Who waits for a core."""
        self.home = [number % setting.threads for number in range(setting.connections)]
        self.sent = [0.0] * setting.connections
        self.missing = [0] * setting.connections
        self.events: list[tuple[float, int, int, list[tuple[int, int, int]]]] = []
        """(time, tie-break, runner, what arrives); an empty list: it woke up, or its turn is over."""
        self.count = 0
        self.done: list[tuple[float, float]] = []
        """(time of the reply, latency)"""

    def at(self, when: float, runner: int, items: list[tuple[int, int, int]]) -> None:
        """Note an event."""
        self.count += 1
        heappush(self.events, (when, self.count, runner, items))

    def run(self, pipelines: int) -> Latencies:
        """Simulate until so many pipelines are answered. O(pipelines * depth)."""
        for connection, place in enumerate(self.home):
            begun = self.rng.random() * NETWORK_US
            self.sent[connection] = begun if self.clients else begun - NETWORK_US / 2
            self.at(begun, place, [(NEW, connection, self.setting.pipeline)])
        while len(self.done) < pipelines:
            now, _, number, items = heappop(self.events)
            runner = self.runners[number]
            if not items:
                self.go_on(now, number, runner)
                continue
            runner.waiting += items
            if not runner.awake:
                runner.awake = True
                self.at(now + WAKE_US, number, [])
        return self.figures()

    def go_on(self, now: float, number: int, runner: Runner) -> None:
        """Who woke up gets a core, or waits for one; whose turn is over has another, or hands the core on."""
        if not runner.running:
            if self.free:
                self.free -= 1
                self.start(now, number, runner)
            else:
                self.queue.append(number)
        elif runner.waiting and not (self.queue and now - runner.since >= SLICE_US):
            self.at(self.turn(now, number, runner), number, [])
        else:
            runner.running = False
            runner.awake = bool(runner.waiting)
            if runner.awake:
                self.queue.append(number)
            if self.queue:
                following = self.queue.popleft()
                self.start(now, following, self.runners[following])
            else:
                self.free += 1

    def start(self, now: float, number: int, runner: Runner) -> None:
        """Begin on a core."""
        runner.running = True
        runner.since = now
        self.at(self.turn(now, number, runner), number, [])

    def turn(self, now: float, number: int, runner: Runner) -> float:
        """What a runner does in one turn, all that waits; when it ends."""
        waiting, runner.waiting = runner.waiting, []
        if number >= self.setting.threads:
            return self.take_replies(now, waiting)
        asked: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for kind, connection, requests in waiting:
            over = False
            if kind == NEW:
                shares = self.divide(number, requests)
                here = shares.pop(number, 0)
                self.missing[connection] = requests - here
                now += self.drawn(self.local * requests + self.half * (requests - here))
                for other, its in shares.items():
                    asked[other].append((ASKED, connection, its))
                over = not shares
            elif kind == ASKED:
                now += self.drawn(self.half * requests)
                asked[self.home[connection]].append((ANSWERED, connection, requests))
            else:
                self.missing[connection] -= requests
                over = not self.missing[connection]
            if over:
                self.answer(now, number, connection)
        for other, messages in asked.items():
            self.at(now, other, messages)
        return now

    def drawn(self, mean: float) -> float:
        """How long a piece of work takes."""
        return self.rng.expovariate(1 / mean) if mean else 0.0

    def answer(self, now: float, number: int, connection: int) -> None:
        """The last reply of a pipeline leaves a thread."""
        if self.clients:
            process = self.setting.threads + connection // self.setting.threads % self.clients.processes
            self.at(now, process, [(REPLY, connection, self.setting.pipeline)])
            return
        arrived = now + NETWORK_US / 2
        self.done.append((arrived, arrived - self.sent[connection]))
        self.sent[connection] = arrived
        self.at(now + NETWORK_US, number, [(NEW, connection, self.setting.pipeline)])

    def take_replies(self, now: float, waiting: list[tuple[int, int, int]]) -> float:
        """A process of clients reads replies, and sends the next pipelines; when it is through."""
        assert self.clients is not None
        for _, connection, requests in waiting:
            now += self.drawn(self.clients.request_us * requests)
            self.done.append((now, now - self.sent[connection]))
            self.sent[connection] = now
            self.at(now, self.home[connection], [(NEW, connection, requests)])
        return now

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
        settled = sorted(self.done)[int(len(self.done) * WARM_UP_SHARE) :]
        seconds = (settled[-1][0] - settled[0][0]) / 1e6
        ordered = sorted(latency for _, latency in settled)
        p50, p99, p999 = (
            ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000 for share in (0.5, 0.99, 0.999)
        )
        return Latencies(len(settled) * self.setting.pipeline / seconds, p50, p99, p999)
