"""Cases as data: a case is a named, short script of commands, and how strictly each reply is compared.

A script is written the way one types at redis-cli, one string a command, quoted as there:

    "set: NX keeps the old value": ["SET k v", "SET k w NX", "GET k"]

A step that needs more than an exact comparison on the first connection is wrapped:

    on(1, "SET k v")          by the second connection (connections are opened when first used)
    near("PTTL k", 500)       integers may differ by 500; also unordered, shape, kinds, masked, fields
    send("BLPOP l 0")         send, don't wait; receive() later reads one reply or push of that connection
    silent("CLIENT REPLY OFF") no reply is due
    closes("QUIT")            a reply, then the server closes; closed() when it closes without a reply
    until("EXISTS k", ":0")   repeat the command until the reply is this (time passes, no sleeping)
    blocked(1)                wait until connection 1 is blocked by its command
    args(b"SET", b"k", data)  a command as bytes, where quoting would hide what is meant

In arguments `{id1}`, `{addr1}` and `{laddr1}` stand for the client id and addresses of connection 1, and
`{s+10}`, `{ms-500}` for the Unix time when the case began, shifted. Invariants: names are unique within a
table, scripts do not depend on earlier scripts (every case starts with empty databases), and a script that
changes the configuration sets it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tests.differential import compare
from tests.differential.capabilities import NEEDS
from tests.resp import Reply

# Commands that may not be wrapped in MULTI by the runner: they act on transactions or connections.
_NOT_IN_MULTI = frozenset(
    [
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH",
        "UNWATCH",
        "RESET",
        "QUIT",
        "HELLO",
        "AUTH",
        "MONITOR",
        "SHUTDOWN",
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "CLIENT",
        "CONFIG",
        "DEBUG",
        "SYNC",
        "PSYNC",
        "SAVE",
        "BGSAVE",
    ]
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script.

    `wait` says what comes back: reply, none, eof, closes, receive, until or blocked.
    """

    args: tuple[bytes, ...]
    tolerance: compare.Tolerance = compare.exact
    client: int = 0
    wait: str = "reply"
    want: Reply | None = None

    def text(self) -> str:
        """The step as a reader of a failure wants it."""
        words_ = " ".join(repr(a)[1:] if len(a) < 60 else f"<{len(a)} bytes>" for a in self.args)
        label = {"reply": "", "until": "until "}.get(self.wait, self.wait + " ")
        return f"{self.client}> {label}{words_}"


@dataclass(frozen=True, slots=True)
class Case:
    """A named script. `protocols` and `multi` narrow the ways the runner runs it."""

    name: str
    steps: tuple[Step, ...]
    needs: frozenset[str] = frozenset({"core"})
    protocols: tuple[int, ...] = (2, 3)
    multi: bool = True

    @property
    def simple(self) -> bool:
        """One connection, one reply to every command: the script can be pipelined."""
        return all(step.client == 0 and step.wait == "reply" for step in self.steps)

    @property
    def queueable(self) -> bool:
        """The whole script can run inside MULTI/EXEC."""
        return self.multi and self.simple and not any(_command(step) in _NOT_IN_MULTI for step in self.steps)


def _command(step: Step) -> str:
    return step.args[0].decode("latin-1").upper() if step.args else ""


Line = str | Step
Script = Iterable[Line]


def words(line: str) -> tuple[bytes, ...]:
    r"""Split as redis-cli does: blanks separate, "..." knows \n \r \t \a \b \\ \" \xHH, '...' knows \'."""
    out: list[bytes] = []
    position, end = 0, len(line)
    while position < end:
        if line[position] == " ":
            position += 1
        elif line[position] in "\"'":
            word, position = _quoted(line, position)
            out.append(word)
        else:
            stop = line.find(" ", position)
            stop = end if stop < 0 else stop
            out.append(line[position:stop].encode())
            position = stop
    return tuple(out)


_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b"}


def _quoted(line: str, position: int) -> tuple[bytes, int]:
    quote, out = line[position], bytearray()
    position += 1
    while line[position] != quote:
        char = line[position]
        if char == "\\" and quote == '"' and line[position + 1] == "x":
            out.append(int(line[position + 2 : position + 4], 16))
            position += 4
        elif char == "\\" and (quote == '"' or line[position + 1] == "'"):
            out += _ESCAPES.get(line[position + 1], line[position + 1].encode())
            position += 2
        else:
            out += char.encode()
            position += 1
    return bytes(out), position + 1


def step(line: Line) -> Step:
    """A step of a line; steps pass through."""
    return line if isinstance(line, Step) else Step(words(line))


def args(*values: bytes) -> Step:
    """A command given as bytes."""
    return Step(values)


def on(client: int, line: Line) -> Step:
    """The same step by connection number `client`."""
    return replace(step(line), client=client)


def _with(tolerance: compare.Tolerance) -> Callable[[Line], Step]:
    return lambda line: replace(step(line), tolerance=tolerance)


unordered = _with(compare.unordered)
shape = _with(compare.shape)
kinds = _with(compare.kind)
anything = _with(compare.anything)
fields = _with(compare.text_fields)
doubles = _with(compare.doubles)


def near(line: Line, distance: int) -> Step:
    """Integers anywhere in the reply may differ by `distance`."""
    return replace(step(line), tolerance=compare.Near(distance))


def masked(line: Line, *names: str) -> Step:
    """A map (or flat array of pairs): the values of these fields may differ."""
    return replace(step(line), tolerance=compare.Masked(*names))


def send(line: Line) -> Step:
    """Send without waiting; pair it with `receive`."""
    return replace(step(line), wait="none")


def silent(line: Line) -> Step:
    """A command that is not answered."""
    return replace(step(line), wait="none")


def receive(client: int = 0, tolerance: compare.Tolerance = compare.exact) -> Step:
    """Read one reply or push of a connection."""
    return Step((), tolerance, client, "receive")


def closes(line: Line) -> Step:
    """One reply, after which the server closes the connection."""
    return replace(step(line), wait="closes")


def closed(client: int = 0) -> Step:
    """The server closed this connection."""
    return Step((), compare.exact, client, "eof")


def until(line: Line, want: str) -> Step:
    """Repeat until the reply is `want`, written as its RESP line (":0", "$-1" is written "$", "+OK")."""
    kind, rest = want[0], want[1:].encode()
    value: object = int(rest) if kind == ":" else (rest or None)
    return replace(step(line), wait="until", want=Reply(kind, value))


def blocked(client: int) -> Step:
    """Go on when this connection, not number 0, waits in a blocking command."""
    return Step((b"CLIENT", b"LIST", b"ID", b"{id%d}" % client), compare.exact, 0, "blocked")


def table(
    topic: str,
    scripts: Mapping[str, Script],
    *,
    setup: Script = (),
    probe: Script = (),
    needs: Iterable[str] = (),
    protocols: tuple[int, ...] = (2, 3),
    multi: bool = True,
) -> list[Case]:
    """Cases named "topic: key", every script between `setup` and `probe`; needs follow from the commands."""
    cases = []
    for name, script in scripts.items():
        steps = tuple(step(line) for line in [*setup, *script, *probe])
        required = {"core", *needs, *(NEEDS.get(_command(s), "core") for s in steps)}
        cases.append(Case(f"{topic}: {name}", steps, frozenset(required), protocols, multi))
    return cases


def singles(topic: str, lines: Iterable[Line], **kwargs: object) -> list[Case]:
    """A case of its own for every line, named by its text; the same keyword arguments as `table`."""
    scripts: dict[str, Script] = {}
    for line in lines:
        made = step(line)
        name = line if isinstance(line, str) else made.text()[3:]
        assert name not in scripts, f"{topic}: {name} is there twice"
        scripts[name] = [made]
    return table(topic, scripts, **kwargs)  # type: ignore[arg-type]


@dataclass(slots=True)
class Book:
    """Every table of one module, with unique names."""

    cases: dict[str, Case] = field(default_factory=dict)

    def add(self, cases: Iterable[Case]) -> None:
        """Add cases; a name that is there already is an error of the table."""
        for case in cases:
            assert case.name not in self.cases, f"{case.name!r} is there twice"
            self.cases[case.name] = case
