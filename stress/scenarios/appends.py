"""Transactions that append unique values to lists and read whole lists, for the cycle search.

A list is a list (RPUSH, LRANGE) or a string whose elements end in commas (APPEND, GET): the commands take
other ways through the server, the inference is the same. Transactions are MULTI/EXEC in one pipeline or
command by command, with WATCH before them or without, scripts, single commands, and MGET. Some clients hang
up.
"""

from __future__ import annotations

from collections.abc import Callable

from stress.cycles import Append, Read, Transaction, check, sizes
from stress.play import (
    OK,
    Ask,
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
    run_script,
)
from tests.resp import Reply

LENGTH = 40
"""Elements after which a list is left alone, roughly: every read carries them all."""


_LISTS = """
local replies = {}
for at, key in ipairs(KEYS) do
    if ARGV[at] == '' then
        replies[at] = redis.call('LRANGE', key, 0, -1)
    else
        replies[at] = redis.call('RPUSH', key, ARGV[at])
    end
end
return replies
"""
_STRINGS = """
local replies = {}
for at, key in ipairs(KEYS) do
    if ARGV[at] == '' then
        replies[at] = redis.call('GET', key)
    else
        replies[at] = redis.call('APPEND', key, ARGV[at])
    end
end
return replies
"""


class Appends(Scenario):
    """Eight clients, some keys at a time; lists that got long are replaced by new ones.

    Args:
        as_strings: use strings in place of lists.
    """

    name = "appends to lists"
    as_strings = False

    def __init__(self) -> None:
        # Players move it on when they see a long list; that two do so at once does no harm.
        self.base = 0
        self.keys: set[bytes] = set()

    def roles(self) -> list[Role]:
        """Everybody does everything."""
        return [self.work] * 8

    def work(self, player: Player) -> Turn:
        """One transaction of any kind."""
        kind = player.random.choices(*zip(*self.ways(), strict=True))[0]
        yield from kind(player)

    def ways(self) -> list[tuple[Callable[[Player], Turn], int]]:
        """The kinds of transactions, with weights."""
        return [
            (self._exec, 40),
            (self._watched, 20),
            (self._script, 15),
            (self._single, 20),
            (self._pipelined, 10),
            (self._several_reads, 10),
            (self._leave, 1),
        ]

    # Keys, steps and commands.

    def _key(self, player: Player) -> bytes:
        key = b"list:%d" % (self.base + player.random.randrange(4))
        self.keys.add(key)
        return key

    def _begin(self, player: Player, keys: list[bytes]) -> Transaction:
        """A transaction with an append or a read for each of `keys`, announced."""
        steps: list[Append | Read] = [
            Append(key, player.value()) if player.random.random() < 0.5 else Read(key) for key in keys
        ]
        return self._announce(player, steps)

    def _announce(self, player: Player, steps: list[Append | Read]) -> Transaction:
        transaction = Transaction(player.journal.client, steps)
        player.journal.announce(transaction)
        player.transactions.append(transaction)
        return transaction

    def _command(self, step: Append | Read) -> Command:
        assert isinstance(step.key, bytes)
        if isinstance(step, Read):
            return command("GET", step.key) if self.as_strings else command("LRANGE", step.key, 0, -1)
        assert isinstance(step.value, bytes)
        if self.as_strings:
            return command("APPEND", step.key, step.value + b",")
        return command("RPUSH", step.key, step.value)

    def _end(self, player: Player, transaction: Transaction, replies: list[Reply]) -> None:
        """Fill in what was read."""
        steps: list[Append | Read] = []
        for step, reply in zip(transaction.steps, replies, strict=True):
            if isinstance(step, Append):
                assert reply.kind == ":", reply
                steps.append(step)
            else:
                steps.append(Read(step.key, self._seen(reply)))
        transaction.steps = steps
        transaction.committed = True
        player.journal.close(transaction)

    def _seen(self, reply: Reply) -> tuple[bytes, ...]:
        if self.as_strings:
            seen = tuple((reply.value or b"").split(b",")[:-1])
        else:
            seen = tuple(item.value for item in reply.value)
        if len(seen) > LENGTH:
            self.base += 1
        return seen

    # Ways to do it.

    def _keys(self, player: Player, most: int) -> list[bytes]:
        return [self._key(player) for _ in range(player.random.randint(1, most))]

    def _exec(self, player: Player) -> Turn:
        transaction = self._begin(player, self._keys(player, 5))
        replies = yield from ask_together(player, list(map(self._command, transaction.steps)))
        self._end(player, transaction, replies)

    def _watched(self, player: Player) -> Turn:
        """Read some lists under WATCH, then append to them: aborted if somebody else did meanwhile.

        All of it is one transaction: what is read is still so when the appends are done.
        """
        keys = sorted(set(self._keys(player, 3)))
        assert (yield from ask("WATCH", *keys)) == OK
        read = self._announce(player, [Read(key) for key in keys])
        replies = yield from ask_all(map(self._command, read.steps))
        # Reads one by one are not a transaction of their own: they become one if EXEC succeeds.
        player.transactions.remove(read)
        appends = [Append(key, player.value()) for key in keys if player.random.random() < 0.7]
        transaction = self._announce(player, [*read.steps, *appends])
        done = yield from ask_together(player, list(map(self._command, appends)))
        if done is None:
            transaction.committed = False
            player.journal.close(transaction)
            player.figures["WATCH retries"] += 1
        else:
            self._end(player, transaction, [*replies, *done])
            player.figures["WATCH successes"] += 1

    def _script(self, player: Player) -> Turn:
        transaction = self._begin(player, self._keys(player, 5))
        keys: list[bytes] = []
        values: list[bytes] = []
        for step in transaction.steps:
            keys.append(self._command(step)[1])
            values.append(self._command(step)[2] if isinstance(step, Append) else b"")
        source = _STRINGS if self.as_strings else _LISTS
        reply = yield from run_script(player, source, keys, values)
        self._end(player, transaction, list(reply.value))

    def _single(self, player: Player) -> Turn:
        transaction = self._begin(player, self._keys(player, 1))
        self._end(player, transaction, [(yield from ask(*self._command(transaction.steps[0])))])

    def _pipelined(self, player: Player) -> Turn:
        """Single commands and transactions in one pipeline."""
        transactions = [
            self._begin(player, self._keys(player, 1)) for _ in range(player.random.randint(2, 6))
        ]
        last = self._begin(player, self._keys(player, 4))
        commands = [self._command(transaction.steps[0]) for transaction in transactions]
        commands += [(b"MULTI",), *map(self._command, last.steps), (b"EXEC",)]
        replies = yield from ask_all(commands)
        for transaction, reply in zip(transactions, replies, strict=False):
            self._end(player, transaction, [reply])
        self._end(player, last, list(replies[-1].value))

    def _several_reads(self, player: Player) -> Turn:
        """Reads alone: MGET of strings, EXEC of lists."""
        transaction = self._announce(player, [Read(key) for key in self._keys(player, 5)])
        commands = list(map(self._command, transaction.steps))
        if self.as_strings:
            reply = yield from ask("MGET", *(words[1] for words in commands))
            self._end(player, transaction, list(reply.value))
        else:
            self._end(player, transaction, (yield from ask_together(player, commands)))

    def _leave(self, player: Player) -> Turn:
        transaction = self._begin(player, self._keys(player, 5))
        yield from leave((b"MULTI",), *map(self._command, transaction.steps), (b"EXEC",))

    def closing(self, players: list[Player], ask: Ask) -> None:
        """Read every list once more, so that a lost append shows; then look for cycles."""
        history = [transaction for player in players for transaction in player.transactions]
        end = 1 + max((one.returned or one.called for one in history), default=0)
        for key in sorted(self.keys):
            seen = self._seen(ask(*self._command(Read(key))))
            history.append(Transaction("the end", [Read(key, seen)], end, end, True))
            end += 1
        report = check(history)
        players[0].figures.update(sizes(report))


class AppendsToStrings(Appends):
    """The same on strings."""

    name = "appends to strings"
    as_strings = True
