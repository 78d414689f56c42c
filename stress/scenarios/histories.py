"""Histories of single keys for the linearizability checker: registers, sets and lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stress.history import ANY, Operation
from stress.linearizability import check
from stress.models import LIST, REGISTER, SET, Model
from stress.play import (
    OK,
    Ask,
    Asking,
    Command,
    Player,
    Role,
    Scenario,
    Turn,
    ask,
    ask_all,
    ask_together,
    command,
    leave,
    operations,
    run_script,
)
from tests.resp import Reply


class Histories(Scenario):
    """Clients that do anything to a few keys, and a checker that must find an order for it.

    Subclasses give the model and `choose`. Commands go alone, in pipelines, in transactions, and to their
    grave.
    """

    model: Model
    keys: tuple[bytes, ...]

    def choose(self, player: Player) -> tuple[Operation, Command]:
        """Announce an operation; returns it with the command that does it."""
        raise AssertionError("a subclass chooses")

    def understand(self, operation: Operation, reply: Reply) -> Any:
        """The result as the model writes it."""
        assert reply.kind != "-", f"{operation}: {reply}"
        if reply.value is None:
            return None
        if reply.kind == "*":
            return tuple(item.value for item in reply.value)
        return reply.value.decode() if reply.kind == "+" else reply.value

    def roles(self) -> list[Role]:
        """Six clients that all do everything."""
        return [self.work] * 6

    def work(self, player: Player) -> Turn:
        """One turn of any kind."""
        kind = player.random.random()
        if kind < 0.4:
            yield from self._send(player, 1)
        elif kind < 0.6:
            yield from self._send(player, player.random.randint(2, 8))
        elif kind < 0.61:
            yield from leave(*[self.choose(player)[1] for _ in range(player.random.randint(1, 4))])
        elif kind < 0.8:
            yield from self._together(player)
        else:
            yield from self.special(player)

    def special(self, player: Player) -> Turn:
        """What this kind of key has beyond single commands."""
        yield from self._together(player)

    def _send(self, player: Player, count: int) -> Turn:
        chosen = [self.choose(player) for _ in range(count)]
        self._end(player, chosen, (yield from ask_all(words for _, words in chosen)))

    def _together(self, player: Player) -> Turn:
        chosen = [self.choose(player) for _ in range(player.random.randint(1, 5))]
        replies = yield from ask_together(player, [words for _, words in chosen])
        self._end(player, chosen, replies)

    def _end(self, player: Player, chosen: list[tuple[Operation, Command]], replies: Iterable[Reply]) -> None:
        for (operation, _), reply in zip(chosen, replies, strict=True):
            player.journal.end(operation, self.understand(operation, reply))

    def closing(self, players: list[Player], ask: Ask) -> None:
        """There is an order."""
        report = check(operations(players), self.model)
        players[0].figures["operations checked"] += report.operations
        players[0].figures["of unknown outcome"] += report.unknown
        players[0].figures["checker states"] += report.states


class Registers(Histories):
    """SET, GET, SET GET, SET IFEQ, SETNX and DEL; MSET and MGET as one operation a key; optimistic
    locking.
    """

    name = "registers"
    model = REGISTER
    keys = tuple(b"register:%d" % number for number in range(4))

    def choose(self, player: Player) -> tuple[Operation, Command]:
        """Any command on one key; comparisons are with a value seen lately."""
        key, name = player.random.choice(self.keys), player.random.choice(_REGISTER_COMMANDS)
        call = player.journal.call
        value = player.value()
        if name == "GET":
            return call("GET", key), command("GET", key)
        if name == "SET":
            return call("SET", key, value), command("SET", key, value)
        if name == "GETSET":
            return call("GETSET", key, value), command("SET", key, value, "GET")
        if name == "SETNX":
            return call("SETNX", key, value), command("SETNX", key, value)
        if name == "DEL":
            return call("DEL", key), command("DEL", key)
        expected = player.memory.get(key, b"none")
        return call("CAS", key, expected, value), command("SET", key, value, "IFEQ", expected)

    def understand(self, operation: Operation, reply: Reply) -> Any:
        """SET IFEQ says OK or nil."""
        if operation.name == "CAS":
            return int(reply == OK)
        return super().understand(operation, reply)

    def _end(self, player: Player, chosen: list[tuple[Operation, Command]], replies: Iterable[Reply]) -> None:
        super()._end(player, chosen, replies)
        for operation, _ in chosen:
            if operation.name == "GET" and operation.result is not None:
                player.memory[operation.key] = operation.result

    def special(self, player: Player) -> Turn:
        """Commands of several keys, WATCH, and a script."""
        kind = player.random.random()
        keys = player.random.sample(self.keys, player.random.randint(1, len(self.keys)))
        if kind < 0.3:
            values = [player.value() for _ in keys]
            calls = [player.journal.call("SET", *pair) for pair in zip(keys, values, strict=True)]
            words = [word for pair in zip(keys, values, strict=True) for word in pair]
            assert (yield from ask("MSET", *words)) == OK
            for operation in calls:
                player.journal.end(operation, "OK")
        elif kind < 0.6:
            calls = [player.journal.call("GET", key) for key in keys]
            reply = yield from ask("MGET", *keys)
            for operation, item in zip(calls, reply.value, strict=True):
                player.journal.end(operation, item.value)
        elif kind < 0.8:
            yield from self._compare_and_set(player, keys[0])
        else:
            expected, value = player.memory.get(keys[0], b"none"), player.value()
            swap = player.journal.call("CAS", keys[0], expected, value)
            player.journal.end(
                swap, (yield from run_script(player, _SWAP, keys[:1], [expected, value])).value
            )

    def _compare_and_set(self, player: Player, key: bytes) -> Asking:
        assert (yield from ask("WATCH", key)) == OK
        read = player.journal.call("GET", key)
        seen = (yield from ask("GET", key)).value
        player.journal.end(read, seen)
        value = player.value()
        write = player.journal.call("CAS", key, seen, value)
        done = yield from ask_together(player, [command("SET", key, value)])
        if done is None:
            player.journal.forget(write)
            player.figures["WATCH retries"] += 1
        else:
            player.journal.end(write, 1)
            player.figures["WATCH successes"] += 1


_SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
_REGISTER_COMMANDS = ("GET",) * 5 + ("SET",) * 3 + ("GETSET", "CAS", "CAS", "SETNX", "DEL")


class Sets(Histories):
    """SADD, SREM, SISMEMBER, SMEMBERS, SCARD; SMOVE as an operation on each of its keys."""

    name = "sets"
    model = SET
    keys = tuple(b"set:%d" % number for number in range(3))
    members = tuple(b"m%d" % number for number in range(5))

    def choose(self, player: Player) -> tuple[Operation, Command]:
        """Any command on one key, with one to three members."""
        key = player.random.choice(self.keys)
        name = player.random.choice(("SADD", "SADD", "SREM", "SREM", "SISMEMBER", "SMEMBERS", "SCARD"))
        count = {"SADD": 3, "SREM": 3, "SISMEMBER": 1}.get(name, 0)
        members = player.random.sample(self.members, player.random.randint(1, count) if count else 0)
        return player.journal.call(name, key, *members), command(name, key, *members)

    def understand(self, operation: Operation, reply: Reply) -> Any:
        """SMEMBERS has no order."""
        result = super().understand(operation, reply)
        return frozenset(result) if operation.name == "SMEMBERS" else result

    def special(self, player: Player) -> Turn:
        """SMOVE: taken from one, and put into the other if it was there."""
        source, target = player.random.sample(self.keys, 2)
        member = player.random.choice(self.members)
        taken = player.journal.call("SREM", source, member)
        put = player.journal.call("SADD", target, member)
        moved = (yield from ask("SMOVE", source, target, member)).value
        player.journal.end(taken, moved)
        if moved:
            player.journal.end(put, ANY)
            player.figures["members moved"] += 1
        else:
            player.journal.forget(put)


class Lists(Histories):
    """Pushes and pops at both ends, LRANGE, LLEN; pops that wait; moves as an operation on each of two
    keys.
    """

    name = "lists"
    model = LIST
    keys = tuple(b"list:%d" % number for number in range(3))

    def choose(self, player: Player) -> tuple[Operation, Command]:
        """Any command on one key; elements are unique."""
        key = player.random.choice(self.keys)
        name = player.random.choice(_LIST_COMMANDS)
        if name in ("RPUSH", "LPUSH"):
            values = [player.value() for _ in range(player.random.randint(1, 3))]
            return player.journal.call(name, key, *values), command(name, key, *values)
        bounds = (0, -1) if name == "LRANGE" else ()
        return player.journal.call(name, key), command(name, key, *bounds)

    def special(self, player: Player) -> Turn:
        """LMOVE and BLMOVE, BLPOP and BRPOP: with patience or not, nothing is taken only if nothing is
        there.
        """
        if player.random.random() < 0.5:
            yield from self._wait(player)
            return
        source, target = player.random.sample(self.keys, 2)
        ends = player.random.choice(("LEFT", "RIGHT")), player.random.choice(("LEFT", "RIGHT"))
        reply = yield from self._moved(player, source, target, ends)
        player.figures["elements moved"] += reply.value is not None

    def _wait(self, player: Player) -> Asking:
        key, end = player.random.choice(self.keys), player.random.choice(("LPOP", "RPOP"))
        popped = player.journal.call(end, key)
        reply = yield from ask(f"B{end}", key, player.random.choice(("0.001", "0.02", "0.5")))
        player.journal.end(popped, None if reply.value is None else reply.value[1].value)
        player.figures["waits in vain" if reply.value is None else "elements waited for"] += 1

    def _moved(self, player: Player, source: bytes, target: bytes, ends: tuple[str, str]) -> Asking:
        popped = player.journal.call("LPOP" if ends[0] == "LEFT" else "RPOP", source)
        # What is pushed is not known before the reply; nobody else's order depends on who announced first.
        pushed = player.journal.call("LPUSH" if ends[1] == "LEFT" else "RPUSH", target, b"")
        if player.random.random() < 0.5:
            reply = yield from ask("LMOVE", source, target, *ends)
        else:
            reply = yield from ask("BLMOVE", source, target, *ends, player.random.choice(("0.001", "0.5")))
        player.journal.end(popped, self.understand(popped, reply))
        if reply.value is None:
            player.journal.forget(pushed)
        else:
            pushed.args = (reply.value,)
            player.journal.end(pushed, ANY)
        return reply


# More pops than pushes: a push brings up to three.
_LIST_COMMANDS = ("RPUSH", "LPUSH", "LPOP", "LPOP", "LPOP", "RPOP", "RPOP", "LRANGE", "LLEN")
