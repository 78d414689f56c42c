"""Numbers that are handed out once: by INCR alone, in pipelines, in transactions and scripts, while others
read.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from stress.linearizability import check
from stress.models import COUNTER
from stress.play import (
    Ask,
    Player,
    Role,
    Scenario,
    Turn,
    ask,
    ask_all,
    ask_together,
    command,
    leave,
    number_of,
    operations,
    run_script,
    value_of,
    values_of,
)

NAMES = tuple(b"counter:%d" % number for number in range(4))


def take_one(player: Player) -> Turn:
    """INCR, or INCRBY 1."""
    key = player.random.choice(NAMES)
    words = player.random.choice((("INCR", key), ("INCRBY", key, 1)))
    if player.random.random() < 0.02:
        player.journal.call("INCRBY", key, 1)
        yield from leave(command(*words))
    operation = player.journal.call("INCRBY", key, 1)
    player.journal.end(operation, value_of((yield from ask(*words)), ":"))


def take_in_a_pipeline(player: Player) -> Turn:
    """A few at once, of several counters."""
    keys = player.random.choices(NAMES, k=player.random.randint(2, 12))
    calls = [player.journal.call("INCRBY", key, 1) for key in keys]
    replies = yield from ask_all(command("INCR", key) for key in keys)
    for operation, reply in zip(calls, replies, strict=True):
        player.journal.end(operation, value_of(reply, ":"))


def take_together(player: Player) -> Turn:
    """One of each in a transaction, and a look at each."""
    keys = player.random.sample(NAMES, player.random.randint(1, len(NAMES)))
    calls = [player.journal.call("INCRBY", key, 1) for key in keys]
    commands = [command("INCR", key) for key in keys] + [command("GET", key) for key in keys]
    replies = yield from ask_together(player, commands)
    numbers = [value_of(reply, ":") for reply in replies[: len(keys)]]
    assert [number_of(reply) for reply in replies[len(keys) :]] == numbers, "changed within a transaction"
    for operation, number in zip(calls, numbers, strict=True):
        player.journal.end(operation, number)


_TAKE = """
local numbers = {}
for at, key in ipairs(KEYS) do numbers[at] = redis.call('INCR', key) end
for at, key in ipairs(KEYS) do numbers[#KEYS + at] = tonumber(redis.call('GET', key)) end
return numbers
"""


def take_by_script(player: Player) -> Turn:
    """The same in a script."""
    keys = player.random.sample(NAMES, player.random.randint(1, len(NAMES)))
    calls = [player.journal.call("INCRBY", key, 1) for key in keys]
    numbers = values_of((yield from run_script(player, _TAKE, keys)))
    assert numbers[: len(keys)] == numbers[len(keys) :], "changed within a script"
    for operation, number in zip(calls, numbers, strict=False):
        player.journal.end(operation, number)


def look(player: Player) -> Turn:
    """GET; a counter never goes back."""
    key = player.random.choice(NAMES)
    operation = player.journal.call("GET", key)
    player.journal.end(operation, number_of((yield from ask("GET", key))))


@dataclass(slots=True)
class _Taken:
    """The numbers of one counter."""

    numbers: set[int]
    unknown: int = 0


class Counters(Scenario):
    """Every number is handed out once, none is left out, and all of it is linearizable."""

    name = "counters"

    def roles(self) -> list[Role]:
        """Takers of every kind, and a reader."""
        return [take_one, take_one, take_in_a_pipeline, take_together, take_by_script, look]

    def closing(self, players: list[Player], ask: Ask) -> None:
        """Whole and distinct, up to those who never learned what they got; then the histories."""
        taken: dict[Hashable, _Taken] = {name: _Taken(set()) for name in NAMES}
        for operation in operations(players):
            if operation.name == "INCRBY":
                of_key = taken[operation.key]
                if operation.returned is None:
                    of_key.unknown += 1
                    continue
                assert operation.result not in of_key.numbers, f"{operation} by two"
                of_key.numbers.add(operation.result)
        for name in NAMES:
            last = number_of(ask("GET", name))
            missing = set(range(1, last + 1)) - taken[name].numbers
            assert len(missing) <= taken[name].unknown, f"nobody got {sorted(missing)[:5]} of {name!r}"
            assert not taken[name].numbers - set(range(1, last + 1)), f"{name!r} went back"
        report = check(operations(players), COUNTER)
        players[0].figures["numbers handed out"] += sum(len(one.numbers) for one in taken.values())
        players[0].figures["operations checked"] += report.operations
        players[0].figures["checker states"] += report.states
