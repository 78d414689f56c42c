"""Elements handed over from producers to consumers who wait for them: none lost, none doubled, none out of
order.

Producers push alone, in transactions and scripts, by RENAMENX of a list made elsewhere, by LMOVE, and by
MOVE from another database. Consumers wait on several queues on several shards, with time-outs, are
unblocked, and hang up while they wait. Each element is one producer's number; what one consumer takes of one
producer's from one queue must ascend, but for the ring, a queue that is pushed to and popped from at both
ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stress.play import (
    OK,
    Ask,
    Asking,
    Player,
    Request,
    Role,
    Scenario,
    Turn,
    ask,
    ask_all,
    ask_together,
    command,
    leave,
    run_script,
    value_of,
    values_of,
)
from tests.resp import Reply

QUEUES = tuple(b"queue:%d" % number for number in range(4))
RING = b"ring"
DONE = tuple(b"done:%d" % number for number in range(3))
UNBLOCKED = Reply("-", b"UNBLOCKED client unblocked via CLIENT UNBLOCK")


_PUSH = "for at, queue in ipairs(KEYS) do redis.call('RPUSH', queue, ARGV[at]) end"


class HandOver(Scenario):
    """Two producers, six consumers, and one who unblocks them."""

    name = "hand-over"

    def __init__(self) -> None:
        # The connection that each consumer has now.
        self.connections: dict[int, int] = {}

    def roles(self) -> list[Role]:
        """Consumers are faster than producers: they wait."""
        return [*[self.produce] * 2, *[self.consume] * 6, self.unblock]

    # Producers.

    def produce(self, player: Player) -> Turn:
        """Push a few elements, one way or another."""
        kind = player.random.random()
        if kind < 0.4:
            queue = player.random.choice((*QUEUES, RING))
            end = "LPUSH" if queue == RING and player.random.random() < 0.5 else "RPUSH"
            values = self._values(player, 2)
            if queue == RING and player.random.random() < 0.2:
                # It may arrive after what this player pushes next: not in a queue whose order is looked at.
                player.memory.setdefault("perhaps", []).extend(values)
                yield from leave(command(end, queue, *values))
            assert (yield from ask(end, queue, *values)).kind == ":"
            self._pushed(player, values)
        elif kind < 0.5:
            queues = player.random.sample(QUEUES, player.random.randint(1, 3))
            values = [player.value() for _ in queues]
            yield from run_script(player, _PUSH, queues, values)
            self._pushed(player, values)
        elif kind < 0.65:
            queues = player.random.sample(QUEUES, player.random.randint(1, 3))
            values = [player.value() for _ in queues]
            pairs = zip(queues, values, strict=True)
            replies = yield from ask_together(player, [command("RPUSH", *pair) for pair in pairs])
            assert all(reply.kind == ":" for reply in replies), replies
            self._pushed(player, values)
        elif kind < 0.8:
            yield from self._by_rename(player)
        elif kind < 0.9:
            yield from self._by_move(player)
        else:
            values = self._values(player, 5)
            queue = player.random.choice(QUEUES)
            replies = yield from ask_all(command("RPUSH", queue, value) for value in values)
            assert all(reply.kind == ":" for reply in replies), replies
            self._pushed(player, values)

    def _values(self, player: Player, most: int) -> list[bytes]:
        return [player.value() for _ in range(player.random.randint(1, most))]

    def _pushed(self, player: Player, values: Sequence[bytes]) -> None:
        player.memory.setdefault("pushed", []).extend(values)
        player.figures["elements pushed"] += len(values)

    def _by_rename(self, player: Player) -> Turn:
        """Make a list elsewhere and rename it to a queue; if there is one already, move what is in it."""
        staging = b"staging:%d" % player.number
        queue = player.random.choice(QUEUES)
        values = self._values(player, 2)
        assert value_of((yield from ask("RPUSH", staging, *values)), ":") == len(values)
        self._pushed(player, values)
        if value_of((yield from ask("RENAMENX", staging, queue)), ":"):
            player.figures["queues made by RENAME"] += 1
            return
        replies = yield from ask_all([command("LMOVE", staging, queue, "LEFT", "RIGHT")] * len(values))
        assert [reply.value for reply in replies] == values, replies

    def _by_move(self, player: Player) -> Turn:
        """Make a list in another database and move it to the ring's place; who can't takes all of it back."""
        values = self._values(player, 2)
        commands = [command("SELECT", 1), command("RPUSH", RING, *values), command("MOVE", RING, 0)]
        replies = yield from ask_all(commands)
        self._pushed(player, values)
        if value_of(replies[2], ":"):
            player.figures["queues made by MOVE"] += 1
        elements, _ = yield from ask_together(player, [command("LRANGE", RING, 0, -1), command("DEL", RING)])
        self._taken(player, values_of(elements))
        assert (yield from ask("SELECT", 0)) == OK

    # Consumers.

    def consume(self, player: Player) -> Turn:
        """Wait for an element, one way or another."""
        if "client id" not in player.memory:
            self.connections[player.number] = value_of((yield from ask("CLIENT", "ID")), ":")
            player.memory["client id"] = True
        kind = player.random.random()
        if kind < 0.45:
            yield from self._pop(player, self._some_queues(player))
        elif kind < 0.6:
            yield from self._pop_many(player)
        elif kind < 0.8:
            yield from self._move(player)
        elif kind < 0.85:
            yield from leave(command("BLPOP", *self._some_queues(player), 2))
        elif kind < 0.93:
            yield from self._pop_within_exec(player)
        else:
            queue = player.random.choice(QUEUES)
            element = value_of((yield from ask("LPOP", queue)))
            self._taken(player, [element] if element is not None else [], queue)

    def _some_queues(self, player: Player) -> list[bytes]:
        queues = [*QUEUES, RING]
        return player.random.sample(queues, player.random.randint(1, len(queues)))

    def _patience(self, player: Player) -> str:
        return player.random.choice(("0.001", "0.01", "0.05", "0.1", "1", "2"))

    def _taken(self, player: Player, elements: Sequence[bytes], queue: bytes | None = None) -> None:
        """Elements are this player's now; from a queue they come in their producers' order."""
        player.memory.setdefault("taken", []).extend(elements)
        player.figures["elements taken"] += len(elements)
        if queue is None or queue == RING:
            return
        latest = player.memory.setdefault("latest", {})
        for element in elements:
            producer, number = map(int, element.split(b"."))
            before = latest.get((queue, producer), 0)
            assert before < number, f"player {player.number} took {element!r} of {queue!r} after {before}"
            latest[queue, producer] = number

    def _in_vain(self, player: Player, reply: Reply) -> bool:
        """Whether a wait came to nothing."""
        if reply == UNBLOCKED:
            player.figures["waits unblocked by an error"] += 1
            return True
        assert reply.kind in "*$", reply
        if reply.value is None:
            player.figures["waits in vain"] += 1
        return reply.value is None

    def _pop(self, player: Player, queues: Sequence[bytes]) -> Turn:
        name = "BRPOP" if list(queues) == [RING] else "BLPOP"
        reply = yield from ask(name, *queues, self._patience(player))
        if not self._in_vain(player, reply):
            queue, element = values_of(reply)
            assert queue in queues, reply
            self._taken(player, [element], queue)

    def _pop_many(self, player: Player) -> Turn:
        queues = self._some_queues(player)
        count = player.random.randint(1, 3)
        reply = yield from ask("BLMPOP", self._patience(player), len(queues), *queues, "LEFT", "COUNT", count)
        if not self._in_vain(player, reply):
            queue, elements = reply.value
            assert 1 <= len(elements.value) <= count, reply
            self._taken(player, values_of(elements), queue.value)

    def _move(self, player: Player) -> Turn:
        """BLMOVE to a list of what is done, or into the ring; BRPOPLPUSH of the ring."""
        choose = player.random.choice
        if choose((True, False)):
            words = command(
                "BLMOVE", choose(QUEUES), choose((*DONE, RING)), "LEFT", choose(("LEFT", "RIGHT"))
            )
        else:
            words = command("BRPOPLPUSH", RING, choose((*DONE, RING)))
        reply = yield from ask(*words, self._patience(player))
        if not self._in_vain(player, reply):
            player.figures["elements moved"] += 1

    def _pop_within_exec(self, player: Player) -> Asking:
        """In a transaction nothing waits."""
        queue = player.random.choice(QUEUES)
        commands = [command("BLPOP", queue, 0), command("LLEN", queue)]
        popped, length = yield from ask_together(player, commands)
        if popped.value is None:
            assert value_of(length, ":") == 0, "nothing to pop, yet something there"
        else:
            self._taken(player, [popped.value[1].value], queue)

    # The one who unblocks.

    def unblock(self, player: Player) -> Turn:
        """CLIENT UNBLOCK of any consumer, who may be waiting or not."""
        connections = list(self.connections.values())
        if not connections:
            assert (yield from ask("PING")).kind == "+"
            return
        how = player.random.choice(((), ("TIMEOUT",), ("ERROR",)))
        done = value_of((yield from ask("CLIENT", "UNBLOCK", player.random.choice(connections), *how)), ":")
        player.figures["CLIENT UNBLOCKs"] += done

    # What must hold.

    def quiet(self, waiting: list[tuple[Player, Request]], ask: Ask) -> None:
        """Whoever waits has nothing to take."""
        queues: set[bytes] = set()
        for _, request in waiting:
            words = request.commands[0]
            # A move's target is nothing that it waits for.
            queues.update(words[1:2] if words[0] in (b"BLMOVE", b"BRPOPLPUSH") else words[1:])
        for queue in sorted(queues & {*QUEUES, RING}):
            length = value_of(ask("LLEN", queue), ":")
            assert not length, f"players wait for {queue!r}, which has {length} elements"

    def closing(self, players: list[Player], ask: Ask) -> None:
        """Every element is at one place, and at one only; only who hung up may have taken one along."""
        left = [value for key in (*QUEUES, RING, *DONE) for value in values_of(ask("LRANGE", key, 0, -1))]
        for player in players:
            assert values_of(ask("LRANGE", b"staging:%d" % player.number, 0, -1)) == []
        found = Counter([*left, *_remembered(players, "taken")])
        doubled = [value for value, times in found.items() if times > 1]
        assert not doubled, f"taken twice: {doubled[:5]}"
        pushed, perhaps = set(_remembered(players, "pushed")), set(_remembered(players, "perhaps"))
        assert found.keys() <= pushed | perhaps, (
            f"from nowhere: {sorted(found.keys() - pushed - perhaps)[:5]}"
        )
        lost = pushed - found.keys()
        gone = sum(player.figures["disconnects"] for player in players)
        assert len(lost) <= gone, f"{len(lost)} elements lost by {gone} disconnects: {sorted(lost)[:5]}"
        players[0].figures["elements taken along"] += len(lost)
        players[0].figures["elements left"] += len(left)


def _remembered(players: list[Player], name: str) -> list[bytes]:
    return [value for player in players for value in player.memory.get(name, [])]
