"""Money is moved between accounts by every means there is; whoever counts it counts the same sum."""

from __future__ import annotations

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
    number_of,
    run_script,
    value_of,
    values_of,
)

ACCOUNTS = tuple(b"account:%d" % number for number in range(10))
BALANCE = 1000
TOTAL = BALANCE * len(ACCOUNTS)


def _pair(player: Player) -> tuple[bytes, bytes, int]:
    source, target = player.random.sample(ACCOUNTS, 2)
    return source, target, player.random.randint(1, 20)


def by_exec(player: Player) -> Turn:
    """DECRBY and INCRBY in one transaction."""
    source, target, amount = _pair(player)
    moves = [command("DECRBY", source, amount), command("INCRBY", target, amount)]
    player.random.shuffle(moves)
    assert (yield from ask_together(player, moves)) is not None
    player.figures["transfers"] += 1


def by_watch(player: Player) -> Turn:
    """WATCH, read, compute, SET: a change by anybody in between must void it; tried until it works."""
    source, target, amount = _pair(player)
    while True:
        assert (yield from ask("WATCH", source, target)) == OK
        had, has = (number_of(reply) for reply in (yield from _balances(player, source, target)))
        if player.random.random() < 0.05:
            assert (yield from ask("UNWATCH")) == OK
            player.figures["transfers given up"] += 1
            return
        moves = [command("SET", source, had - amount), command("SET", target, has + amount)]
        if (yield from ask_together(player, moves)) == [OK, OK]:
            player.figures["transfers"] += 1
            return
        player.figures["WATCH retries"] += 1


def _balances(player: Player, source: bytes, target: bytes) -> Asking:
    if player.random.random() < 0.5:
        return (yield from ask_all([command("GET", source), command("GET", target)]))
    return (yield from ask("MGET", source, target)).value


def by_mset(player: Player) -> Turn:
    """All accounts rewritten at once under WATCH: somebody's fortune is divided among everybody."""
    assert (yield from ask("WATCH", *ACCOUNTS)) == OK
    balances = [int(value) for value in values_of((yield from ask("MGET", *ACCOUNTS)))]
    share, rest = divmod(sum(balances), len(ACCOUNTS))
    after = [share + (at < rest) for at in range(len(ACCOUNTS))]
    pairs = [word for account, amount in zip(ACCOUNTS, after, strict=True) for word in (account, amount)]
    done = yield from ask_together(player, [command("MSET", *pairs)])
    player.figures["WATCH retries" if done is None else "transfers"] += 1


_TRANSFER = """
if tonumber(redis.call('GET', KEYS[1])) < tonumber(ARGV[1]) then return 0 end
redis.call('DECRBY', KEYS[1], ARGV[1])
redis.call('INCRBY', KEYS[2], ARGV[1])
return 1
"""
_AUDIT = """
local total = 0
for _, key in ipairs(KEYS) do total = total + redis.call('GET', key) end
return total
"""


def by_script(player: Player) -> Turn:
    """Read, compare and move in a script."""
    source, target, amount = _pair(player)
    moved = value_of((yield from run_script(player, _TRANSFER, [source, target], [amount])), ":")
    player.figures["transfers" if moved else "transfers given up"] += 1


def audit(player: Player) -> Turn:
    """The sum as MGET sees it, and as a transaction of single reads does."""
    accounts = player.random.sample(ACCOUNTS, len(ACCOUNTS))
    kind = player.random.random()
    if kind < 0.2:
        total = value_of((yield from run_script(player, _AUDIT, accounts)), ":")
        assert total == TOTAL, f"a script of player {player.number} counts {total}"
        return
    if kind < 0.6:
        balances = values_of((yield from ask("MGET", *accounts)))
    else:
        replies = yield from ask_together(player, [command("GET", account) for account in accounts])
        balances = [reply.value for reply in replies]
    total = sum(map(int, balances))
    assert total == TOTAL, (
        f"player {player.number} counts {total}: {dict(zip(accounts, balances, strict=True))}"
    )
    player.figures["audits"] += 1


class Bank(Scenario):
    """Transfers by EXEC, WATCH, MSET and scripts, and auditors."""

    name = "bank"

    def opening(self) -> list[Command]:
        """Everybody has the same."""
        return [command("MSET", *(word for account in ACCOUNTS for word in (account, BALANCE)))]

    def roles(self) -> list[Role]:
        """More writers than readers: they conflict."""
        return [by_exec, by_exec, by_watch, by_watch, by_mset, by_script, audit, audit]

    def closing(self, players: list[Player], ask: Ask) -> None:
        """Nothing was made or lost."""
        total = sum(map(int, values_of(ask("MGET", *ACCOUNTS))))
        assert total == TOTAL, f"{total} in the end"
