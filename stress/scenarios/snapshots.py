"""Writes of many keys are seen whole or not at all, and pipelines in their order."""

from __future__ import annotations

import itertools

from stress.play import (
    OK,
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
    run_script,
    value_of,
    values_of,
)

# Enough to lie on every shard.
KEYS = tuple(b"key:%d" % number for number in range(10))


def _shuffled(player: Player) -> list[bytes]:
    return player.random.sample(KEYS, len(KEYS))


def write_at_once(player: Player) -> Turn:
    """All keys get one value, by MSET, MSETNX, a script or a transaction; now and then by somebody who hangs
    up.
    """
    value = player.value()
    pairs = [word for key in _shuffled(player) for word in (key, value)]
    kind = player.random.random()
    if kind < 0.4:
        assert (yield from ask("MSET", *pairs)) == OK
    elif kind < 0.5:
        player.figures["MSETNX written"] += value_of((yield from ask("MSETNX", *pairs)), ":")
    elif kind < 0.53:
        yield from leave(command("MSET", *pairs))
    elif kind < 0.65:
        source = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1]) end"
        yield from run_script(player, source, _shuffled(player), [value])
    else:
        commands = [command("SET", key, value) for key in _shuffled(player)]
        assert (yield from ask_together(player, commands)) == [OK] * len(KEYS)
    player.figures["writes of all keys"] += 1


def delete_at_once(player: Player) -> Turn:
    """All keys or none were there."""
    removed = value_of((yield from ask("DEL", *_shuffled(player))), ":")
    assert removed in (0, len(KEYS)), f"player {player.number} deleted {removed} of {len(KEYS)} keys"


def read_at_once(player: Player) -> Turn:
    """One value in all keys, however they are read."""
    keys = _shuffled(player)
    kind = player.random.random()
    if kind < 0.5:
        seen = values_of((yield from ask("MGET", *keys)))
    elif kind < 0.6:
        source = "local v = {} for at, key in ipairs(KEYS) do v[at] = redis.call('GET', key) end return v"
        seen = values_of((yield from run_script(player, source, keys)))
    elif kind < 0.8:
        replies = yield from ask_together(player, [command("GET", key) for key in keys])
        seen = [reply.value for reply in replies]
    else:
        count = value_of((yield from ask("EXISTS", *keys)), ":")
        assert count in (0, len(KEYS)), f"player {player.number} found {count} of {len(KEYS)} keys"
        seen = []
    torn = dict(zip(keys, seen, strict=False))
    assert len(set(seen)) <= 1, f"player {player.number} saw parts of several writes: {torn}"
    player.figures["snapshots read"] += 1


class Snapshots(Scenario):
    """Writers of all keys, one who deletes them, readers."""

    name = "snapshots"

    def roles(self) -> list[Role]:
        """Three writers and three readers."""
        return [write_at_once, write_at_once, delete_at_once, read_at_once, read_at_once, read_at_once]


class Order(Scenario):
    """`SET a n; SET b n; ...` in long pipelines: nobody sees a later key ahead of an earlier one."""

    name = "order of pipelines"

    def __init__(self) -> None:
        # A longer and a shorter group, over all shards; one writer each.
        self.groups = [[b"a:%d" % at for at in range(8)], [b"b:%d" % at for at in range(2)]]

    def roles(self) -> list[Role]:
        """A writer for each group; readers of both."""
        return [lambda player: self.publish(player, self.groups[player.number])] * 2 + [self.follow] * 4

    def publish(self, player: Player, keys: list[bytes]) -> Turn:
        """Rounds of SETs, many rounds to a pipeline."""
        start = player.memory.get("reached", 0) + 1
        rounds = range(start, start + player.random.randint(1, 60))
        commands = [command("SET", key, number) for number in rounds for key in keys]
        assert (yield from ask_all(commands)) == [OK] * len(commands)
        player.memory["reached"] = rounds[-1]
        player.figures["SETs in order"] += len(commands)

    def follow(self, player: Player) -> Turn:
        """Read a group at once, or key by key from the last to the first in one pipeline."""
        keys = player.random.choice(self.groups)
        if player.random.random() < 0.4:
            replies = yield from ask_all(command("GET", key) for key in reversed(keys))
            # The later a key is read, the further it may be.
            seen = [number_of(reply) for reply in replies]
            assert seen == sorted(seen), f"player {player.number} saw a later key ahead: {seen}"
            return
        if player.random.random() < 0.5:
            seen = [int(value or 0) for value in values_of((yield from ask("MGET", *keys)))]
        else:
            replies = yield from ask_together(player, [command("GET", key) for key in keys])
            seen = [number_of(reply) for reply in replies]
        steps = [earlier - later for earlier, later in itertools.pairwise(seen)]
        assert min(steps) >= 0, f"player {player.number} saw a later key ahead: {seen}"
        assert sum(step > 0 for step in steps) <= 1, f"a round began before the last one ended: {seen}"
        player.figures["orders read"] += 1
