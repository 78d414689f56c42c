"""A few riders go round between lists that are mostly empty: every move that arrives lets another one begin.

BLMOVE waits for one key and writes another, mostly on another shard: the server holds the one while it gets
hold of the other. Here the moves form chains and circles, several clients wait for each list, and
transactions, scripts and RENAMEs want the same keys. Every rider is in exactly one list, for everybody who
looks at all lists at once.
"""

from __future__ import annotations

from collections import Counter

from stress.play import (
    OK,
    Ask,
    Command,
    Player,
    Request,
    Role,
    Scenario,
    Turn,
    ask,
    ask_together,
    command,
    leave,
    run_script,
    value_of,
    values_of,
)
from tests.resp import Reply

LISTS = tuple(b"seat:%d" % number for number in range(6))
RIDERS = (b"ann", b"bob", b"cat")

_LOOK = """
local all = {}
for _, list in ipairs(KEYS) do
    for _, rider in ipairs(redis.call('LRANGE', list, 0, -1)) do all[#all + 1] = rider end
end
return all
"""
_MOVE = "return redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')"


def _pair(player: Player) -> tuple[bytes, bytes]:
    source, target = player.random.choices(LISTS, k=2)
    return source, target


def wait_and_move(player: Player) -> Turn:
    """BLMOVE or BRPOPLPUSH; sometimes by somebody who hangs up."""
    source, target = _pair(player)
    patience = player.random.choice(("0.002", "0.02", "0.2"))
    if player.random.random() < 0.3:
        words = command("BRPOPLPUSH", source, target, patience)
    else:
        ends = player.random.choice(("LEFT", "RIGHT")), player.random.choice(("LEFT", "RIGHT"))
        words = command("BLMOVE", source, target, *ends, patience)
    if player.random.random() < 0.04:
        yield from leave(words)
    reply = yield from ask(*words)
    assert reply.kind in "$*", reply
    player.figures["riders moved" if reply.value is not None else "waits in vain"] += 1


def move_at_once(player: Player) -> Turn:
    """Moves that don't wait: alone, by a script, or two in a transaction, BLMOVE among them."""
    source, target = _pair(player)
    kind = player.random.random()
    if kind < 0.4:
        reply = yield from ask("LMOVE", source, target, "LEFT", "RIGHT")
        player.figures["riders moved"] += reply.value is not None
    elif kind < 0.6:
        yield from run_script(player, _MOVE, [source, target])
    else:
        further = player.random.choice(LISTS)
        commands = [
            command("BLMOVE", source, target, "LEFT", "RIGHT", 0),
            command("RPOPLPUSH", target, further),
        ]
        first, second = yield from ask_together(player, commands)
        assert first.value is None or second.value == first.value, (first, second)


def swap_seats(player: Player) -> Turn:
    """Whole lists change names, in a transaction: who waits for a name is served by what gets it."""
    one, two = player.random.sample(LISTS, 2)
    commands = [
        command("RENAMENX", one, b"aside"),
        command("RENAME", two, one),
        command("RENAME", b"aside", two),
    ]
    replies = yield from ask_together(player, commands)
    assert replies[0].kind != "-" or replies[2].kind == "-", replies
    player.figures["lists swapped"] += OK in replies


def count_riders(player: Player) -> Turn:
    """All of them, once, whoever asks."""
    lists = player.random.sample(LISTS, len(LISTS))
    if player.random.random() < 0.5:
        replies: list[Reply] = yield from ask_together(
            player, [command("LRANGE", key, 0, -1) for key in lists]
        )
        seen = [item.value for reply in replies for item in reply.value]
    else:
        seen = values_of((yield from run_script(player, _LOOK, lists)))
    assert sorted(seen) == sorted(RIDERS), f"player {player.number} saw {seen}"
    player.figures["looks"] += 1


class Carousel(Scenario):
    """Three riders, six lists, five who wait."""

    name = "carousel"

    def opening(self) -> list[Command]:
        """All in the first list."""
        return [command("RPUSH", LISTS[0], *RIDERS)]

    def roles(self) -> list[Role]:
        """Most wait."""
        return [*[wait_and_move] * 5, move_at_once, move_at_once, swap_seats, count_riders, count_riders]

    def quiet(self, waiting: list[tuple[Player, Request]], ask: Ask) -> None:
        """Nobody waits for a list with somebody in it."""
        for key in sorted({request.commands[0][1] for _, request in waiting}):
            assert not value_of(ask("LLEN", key), ":"), f"players wait for {key!r}, and somebody is there"

    def closing(self, players: list[Player], ask: Ask) -> None:
        """All of them, once."""
        seen = Counter(value for key in LISTS for value in values_of(ask("LRANGE", key, 0, -1)))
        assert seen == Counter(RIDERS), seen
