"""Runs a case against two servers and tells what differs.

The script runs on both servers to its end before anything is compared, so that a difference in the middle
does not leave the configuration half changed. Ways of running: one command at a time, everything in one
write (`pipelined`), everything inside MULTI/EXEC (`multi`, where the replies in EXEC's array are compared
with the tolerances of their commands).
"""

from __future__ import annotations

import re
import time
import zlib
from dataclasses import dataclass, replace

from tests.differential.case import Case, Step
from tests.patience import PATIENCE
from tests.resp import Connection, Reply, encode
from tests.servers import Server

HELD_UP = 0.1
"""Seconds that a step, but one that waits for something, takes only where the machine is stopped. Keys of
cases that are read before they run out live three times as long."""
ATTEMPTS = 5

_PLACEHOLDER = re.compile(rb"\{(?:(id|addr|laddr)(\d)|(s|ms)([+-]\d+))\}")
_ID = re.compile(rb"\{id(\d)\}")
_BLOCKED = re.compile(rb" flags=\w*b")


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a script: protocol 2 or 3; one by one, pipelined or multi."""

    protocol: int
    style: str

    def __str__(self) -> str:
        return f"resp{self.protocol}-{self.style}"


WAYS = tuple(Way(protocol, style) for style in ("single", "pipelined", "multi") for protocol in (2, 3))


def ways(case: Case) -> list[Way]:
    """The ways a case can be run."""
    able = {"single": True, "pipelined": case.simple, "multi": case.queueable}
    return [way for way in WAYS if way.protocol in case.protocols and able[way.style]]


def usual_ways(case: Case) -> list[Way]:
    """The ways a case is run when time counts: both protocols alone, one of them pipelined, one in MULTI.

    Which one is decided by the case's name, so half of the cases go each way; a reply's form does not depend
    on how its command arrived.
    """
    favourite = 2 + zlib.crc32(case.name.encode()) % 2
    found = ways(case)
    return [
        way
        for way in found
        if way.style == "single"
        or way.protocol == (favourite if way.style == "pipelined" else 5 - favourite)
        or len(case.protocols) == 1
    ]


class Player:
    """Plays scripts on one server, with as many connections as a script uses."""

    def __init__(self, server: Server, protocol: int, now: float) -> None:
        self.server = server
        self.protocol = protocol
        self.now = now
        self.connections: dict[int, Connection] = {}
        self.ids: dict[int, bytes] = {}
        self.slowest = 0.0

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *exc: object) -> None:
        for connection in self.connections.values():
            connection.close()

    def connection(self, number: int) -> Connection:
        """Connection `number`, opened at first use."""
        found = self.connections.get(number)
        if found is None:
            found = self.connections[number] = self.server.connect(self.protocol)
        return found

    def fill(self, arg: bytes) -> bytes:
        """The argument with its placeholders replaced."""
        return _PLACEHOLDER.sub(self._value, arg) if b"{" in arg else arg

    def _value(self, match: re.Match[bytes]) -> bytes:
        what, number, unit, shift = match.groups()
        if unit:
            return b"%d" % (int(self.now * (1000 if unit == b"ms" else 1)) + int(shift))
        if what == b"id":
            return self.ids[int(number)]
        if what == b"addr":
            return self.connection(int(number)).local_address()
        return f"{self.server.host}:{self.server.port}".encode()

    def learn_ids(self, case: Case) -> None:
        """Ask for the client ids the script names before it starts: later, a connection may be busy."""
        for number in {int(n) for step in case.steps for arg in step.args for n in _ID.findall(arg)}:
            self.ids[number] = b"%d" % self.connection(number).execute("CLIENT", "ID").value

    def command(self, step: Step) -> tuple[bytes, ...]:
        """The step's arguments, ready to send."""
        return tuple(map(self.fill, step.args))

    def play(self, step: Step) -> Reply:
        """Run one step; what came back."""
        connection = self.connection(step.client)
        if step.wait == "eof":
            return Reply("eof", connection.read_until_close())
        if step.wait == "until":
            return self._until(connection, step)
        if step.wait == "blocked":
            return self._until_blocked(connection, step)
        if step.wait != "receive":
            connection.send_raw(encode(self.command(step)))
        if step.wait == "none":
            return Reply("none", None)
        reply = connection.receive()
        if step.wait == "closes":
            return Reply("closes", (reply, connection.read_until_close()))
        return reply

    def _until(self, connection: Connection, step: Step) -> Reply:
        command = self.command(step)
        wanted = {step.want}
        if step.want is not None and step.want.value is None:
            wanted = {Reply("$", None), Reply("_", None)}
        deadline = time.monotonic() + PATIENCE
        while (reply := connection.execute(*command)) not in wanted and time.monotonic() < deadline:
            pass
        return reply

    def _until_blocked(self, connection: Connection, step: Step) -> Reply:
        command = self.command(step)
        deadline = time.monotonic() + PATIENCE
        while not (found := _BLOCKED.search(connection.execute(*command).value)):
            if time.monotonic() > deadline:
                break
        return Reply("blocked", bool(found))

    def script(self, case: Case, style: str) -> list[Reply]:
        """Every reply of a script, in the style asked for."""
        self.learn_ids(case)
        if style == "single":
            return [self._timed(step) for step in case.steps]
        commands = [self.command(step) for step in case.steps]
        connection = self.connection(0)
        if style == "pipelined":
            return connection.pipeline(commands)
        return connection.pipeline([(b"MULTI",), *commands, (b"EXEC",)])

    def _timed(self, step: Step) -> Reply:
        began = time.monotonic()
        reply = self._guarded(step)
        if step.wait not in ("until", "blocked"):
            self.slowest = max(self.slowest, time.monotonic() - began)
        return reply

    def _guarded(self, step: Step) -> Reply:
        try:
            return self.play(step)
        except TimeoutError as error:
            return Reply("timeout", str(error))


def differences(case: Case, expected: list[Reply], actual: list[Reply]) -> list[str]:
    """Lines for the replies that differ beyond their tolerances; empty when none do."""
    lines = []
    for number, (step, want, got) in enumerate(zip(case.steps, expected, actual, strict=True)):
        if not _alike(step, want, got):
            lines.append(
                f"step {number}: {step.text()}\n    redis-server: {want!r}\n    subject:      {got!r}"
            )
    return lines


def _alike(step: Step, want: Reply, got: Reply) -> bool:
    if step.wait == "closes" and want.kind == got.kind == "closes":
        return step.tolerance(want.value[0], got.value[0]) and bool(want.value[1] == got.value[1])
    return step.tolerance(want, got)


def multi_differences(case: Case, expected: list[Reply], actual: list[Reply]) -> list[str]:
    """As `differences`, for replies MULTI, QUEUED..., EXEC: EXEC's members by their tolerances."""
    lines = []
    queued = Case(case.name, tuple(replace(step, tolerance=_same) for step in case.steps))
    lines += differences(queued, expected[1:-1], actual[1:-1])
    want, got = expected[-1], actual[-1]
    if want.kind == "*" == got.kind and want.value and got.value and len(want.value) == len(got.value):
        ran = Case(case.name, case.steps)
        lines += ["in EXEC, " + line for line in differences(ran, list(want.value), list(got.value))]
    elif want != got:
        lines.append(f"EXEC\n    redis-server: {want!r}\n    subject:      {got!r}")
    return lines


def _same(expected: Reply, actual: Reply) -> bool:
    return expected == actual


def run(case: Case, way: Way, reference: Server, subject: Server) -> list[str]:
    """Run on both servers from empty databases; the differences.

    A machine that stops a server for longer than a key has to live makes a difference that is none: where
    there is one and a step was held up, the case is run again.
    """
    for _ in range(ATTEMPTS):
        different, slowest = _run_once(case, way, reference, subject)
        if not different or slowest < HELD_UP:
            break
    return different


def _run_once(case: Case, way: Way, reference: Server, subject: Server) -> tuple[list[str], float]:
    """The differences, and how many seconds the slowest step took."""
    now = time.time()
    replies = []
    slowest = 0.0
    for server in (reference, subject):
        server.flush()
        with Player(server, way.protocol, now) as player:
            replies.append(player.script(case, way.style))
            slowest = max(slowest, player.slowest)
        assert all(reply.kind != "timeout" for reply in replies[0]), "the case waits for ever"
    if way.style == "multi":
        return multi_differences(case, *replies), slowest
    return differences(case, *replies), slowest
