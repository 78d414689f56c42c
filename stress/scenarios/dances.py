"""Things that change places: at every moment each is at exactly one of them.

RENAME, RENAMENX, SMOVE and LMOVE move keys, members and elements between shards while others look at all
places at once. COPY makes a second one, which is never newer than the first.
"""

from __future__ import annotations

from stress.play import (
    OK,
    Ask,
    Command,
    Player,
    Role,
    Scenario,
    Turn,
    ask,
    ask_together,
    command,
    leave,
    number_of,
    run_script,
    value_of,
    values_of,
)

PLACES = tuple(b"place:%d" % number for number in range(7))
ROOMS = tuple(b"room:%d" % number for number in range(4))
GUESTS = tuple(b"guest:%d" % number for number in range(12))
QUEUES = tuple(b"queue:%d" % number for number in range(4))
COPIES = tuple(b"copy:%d" % number for number in range(3))


def rename(player: Player) -> Turn:
    """Move whatever is at a place to another; if nothing is there the server must say so."""
    source, target = player.random.sample(PLACES, 2)
    name = player.random.choice(("RENAME", "RENAMENX"))
    if player.random.random() < 0.02:
        yield from leave(command(name, source, target))
    reply = yield from ask(name, source, target)
    if reply.kind == "-":
        assert reply.value.startswith(b"ERR no such key"), reply
        player.figures["RENAMEs of nothing"] += 1
    else:
        assert reply in (OK, (":", 1)), reply
        player.figures["RENAMEs"] += 1


def rename_twice(player: Player) -> Turn:
    """There and further, in one transaction."""
    one, two, three = player.random.sample(PLACES, 3)
    first, second = yield from ask_together(
        player, [command("RENAME", one, two), command("RENAME", two, three)]
    )
    # It is at `one`, at `two`, or elsewhere: whatever the first did, the second must fit.
    assert first.kind == "-" or second == OK, (first, second)
    player.figures["RENAMEs"] += second == OK


def rename_by_script(player: Player) -> Turn:
    """A script that looks where it is and moves it on."""
    source = """
    for at, place in ipairs(KEYS) do
        if redis.call('EXISTS', place) == 1 then return redis.call('RENAME', place, KEYS[at % #KEYS + 1]) end
    end
    return {err = 'it is nowhere'}
    """
    reply = yield from run_script(player, source, player.random.sample(PLACES, len(PLACES)))
    assert reply == OK, reply
    player.figures["RENAMEs"] += 1


def look_for_the_key(player: Player) -> Turn:
    """It is at one place, however one asks."""
    places = player.random.sample(PLACES, len(PLACES))
    kind = player.random.random()
    if kind < 0.4:
        found = value_of((yield from ask("EXISTS", *places)), ":")
    elif kind < 0.7:
        values = values_of((yield from ask("MGET", *places)))
        found = len([value for value in values if value is not None])
    else:
        replies = yield from ask_together(player, [command("EXISTS", place) for place in places])
        found = sum(value_of(reply, ":") for reply in replies)
    assert found == 1, f"player {player.number} found it at {found} places"
    player.figures["looks"] += 1


class Renames(Scenario):
    """One key, seven places."""

    name = "renames"

    def opening(self) -> list[Command]:
        """It starts at the first place."""
        return [command("SET", PLACES[0], "dancer")]

    def roles(self) -> list[Role]:
        """Movers and onlookers."""
        return [rename, rename, rename_by_script, rename_twice, look_for_the_key, look_for_the_key]

    def closing(self, players: list[Player], ask: Ask) -> None:
        """It is still there."""
        assert value_of(ask("EXISTS", *PLACES), ":") == 1


def move_guest(player: Player) -> Turn:
    """SMOVE from a room where the guest may be."""
    source, target = player.random.sample(ROOMS, 2)
    words = command("SMOVE", source, target, player.random.choice(GUESTS))
    if player.random.random() < 0.02:
        yield from leave(words)
    player.figures["SMOVEs"] += value_of((yield from ask(*words)), ":")


def move_all(player: Player) -> Turn:
    """RENAME of a whole room to an empty one, or to another name and back, in a transaction."""
    room = player.random.choice(ROOMS)
    there, back = command("RENAME", room, b"corridor"), command("RENAME", b"corridor", room)
    first, second = yield from ask_together(player, [there, back])
    assert (first == OK) is (second == OK), (first, second)


def count_guests(player: Player) -> Turn:
    """Everybody is in one room."""
    rooms = player.random.sample(ROOMS, len(ROOMS))
    kind = player.random.random()
    if kind < 0.4:
        replies = yield from ask_together(player, [command("SMEMBERS", room) for room in rooms])
        seen = sorted(item.value for reply in replies for item in reply.value)
        assert seen == sorted(GUESTS), f"player {player.number} saw {seen}"
    elif kind < 0.6:
        replies = yield from ask_together(player, [command("SCARD", room) for room in rooms])
        assert sum(value_of(reply, ":") for reply in replies) == len(GUESTS)
    elif kind < 0.8:
        assert sorted(values_of((yield from ask("SUNION", *rooms)))) == sorted(GUESTS)
    else:
        assert values_of((yield from ask("SINTER", *rooms[:2]))) == []
    player.figures["looks"] += 1


class Moves(Scenario):
    """Twelve guests, four rooms."""

    name = "set moves"

    def opening(self) -> list[Command]:
        """They arrive in the first."""
        return [command("SADD", ROOMS[0], *GUESTS)]

    def roles(self) -> list[Role]:
        """Guests move; others count."""
        return [move_guest, move_guest, move_guest, move_all, count_guests, count_guests]

    def closing(self, players: list[Player], ask: Ask) -> None:
        """Nobody left."""
        assert sorted(values_of(ask("SUNION", *ROOMS))) == sorted(GUESTS)
        assert sum(value_of(ask("SCARD", room), ":") for room in ROOMS) == len(GUESTS)


def move_element(player: Player) -> Turn:
    """LMOVE between lists, or RPOPLPUSH, or around in one."""
    source, target = player.random.choices(QUEUES, k=2)
    ends = player.random.choice(("LEFT", "RIGHT")), player.random.choice(("LEFT", "RIGHT"))
    words = command("LMOVE", source, target, *ends)
    if player.random.random() < 0.2:
        words = command("RPOPLPUSH", source, target)
    elif player.random.random() < 0.02:
        yield from leave(words)
    player.figures["LMOVEs"] += value_of((yield from ask(*words))) is not None


def count_elements(player: Player) -> Turn:
    """Every element is in one list, once."""
    queues = player.random.sample(QUEUES, len(QUEUES))
    if player.random.random() < 0.5:
        replies = yield from ask_together(player, [command("LRANGE", queue, 0, -1) for queue in queues])
        seen = sorted(item.value for reply in replies for item in reply.value)
        assert seen == sorted(GUESTS), f"player {player.number} saw {seen}"
    else:
        replies = yield from ask_together(player, [command("LLEN", queue) for queue in queues])
        assert sum(value_of(reply, ":") for reply in replies) == len(GUESTS)
    player.figures["looks"] += 1


class Rounds(Scenario):
    """Twelve elements, four lists."""

    name = "list moves"

    def opening(self) -> list[Command]:
        """All in the first."""
        return [command("RPUSH", QUEUES[0], *GUESTS)]

    def roles(self) -> list[Role]:
        """Movers and counters."""
        return [move_element, move_element, move_element, move_element, count_elements, count_elements]

    def closing(self, players: list[Player], ask: Ask) -> None:
        """All are there, once."""
        seen = [value for queue in QUEUES for value in values_of(ask("LRANGE", queue, 0, -1))]
        assert sorted(seen) == sorted(GUESTS), seen


def count_up(player: Player) -> Turn:
    """The original grows."""
    assert (yield from ask("INCR", b"original")).kind == ":"


def copy(player: Player) -> Turn:
    """A copy in place of an older one."""
    target = player.random.choice(COPIES)
    assert value_of((yield from ask("COPY", b"original", target, "REPLACE")), ":") == 1
    player.figures["COPYs"] += 1


def pass_on(player: Player) -> Turn:
    """A copy of a copy, in a transaction that also makes that copy: they are equal."""
    one, two = player.random.sample(COPIES, 2)
    commands = [
        command("COPY", b"original", one, "REPLACE"),
        command("COPY", one, two, "REPLACE"),
        command("MGET", b"original", one, two),
    ]
    replies = yield from ask_together(player, commands)
    assert len(set(values_of(replies[2]))) == 1, replies


def compare(player: Player) -> Turn:
    """No copy is newer than the original, and none older than it was when last seen; readers of one
    connection.
    """
    replies = yield from ask_together(player, [command("GET", key) for key in (b"original", *COPIES)])
    original, *copies = map(number_of, replies)
    assert max(copies) <= original, f"player {player.number} saw {copies} of {original}"
    latest = player.memory.get("latest", 0)
    assert original >= latest, f"player {player.number} saw {original} after {latest}"
    player.memory["latest"] = original
    player.figures["looks"] += 1


class Copies(Scenario):
    """A counter and copies of it."""

    name = "copies"

    def opening(self) -> list[Command]:
        """It starts at 1."""
        return [command("SET", b"original", 1)]

    def roles(self) -> list[Role]:
        """One counts, some copy, some compare."""
        return [count_up, copy, copy, pass_on, compare, compare]
