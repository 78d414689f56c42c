"""Bugs for a server: each takes one of its guarantees away. What finds them is worth something."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest

from nogil_df.commands import blocking as commands_that_wait
from nogil_df.commands import scripting, transactions
from nogil_df.shard.shard import Shard
from nogil_df.vll import blocking as waits
from nogil_df.vll import engine, squash, transaction
from nogil_df.vll.blocking import Waiter
from nogil_df.vll.engine import Engine
from nogil_df.vll.part import GLOBAL_SHARED, Part
from nogil_df.vll.transaction import NO_WORK, Transaction
from stress import simulated

Plant = Callable[[pytest.MonkeyPatch], None]


def dropped_intent(patch: pytest.MonkeyPatch) -> None:
    """Intents are written down, but whoever comes is told that nobody else wants the key."""
    acquire = Engine._acquire

    def always(self: Engine, part: Part) -> bool:
        acquire(self, part)
        return True

    patch.setattr(Engine, "_acquire", always)


def ignored_intents(patch: pytest.MonkeyPatch) -> None:
    """What needs no second hop runs at once, whatever intents there are."""
    patch.setattr(Engine, "is_free", lambda self, part: True)


def early_grant(patch: pytest.MonkeyPatch) -> None:
    """Who has to wait for smaller ids is told that it need not."""
    schedule = Engine.schedule

    def grant(self: Engine, part: Part) -> int:
        state = schedule(self, part)
        if state != engine.WAITING:
            return state
        part.granted = True
        return engine.GRANTED

    patch.setattr(Engine, "schedule", grant)


def forgotten_refusal(patch: pytest.MonkeyPatch) -> None:
    """Who comes too late, behind a grant with a greater id, waits instead of coming again."""
    patch.setattr(Engine, "_too_late", lambda self, part: False)


def early_run(patch: pytest.MonkeyPatch) -> None:
    """Each shard runs its share of a last hop as soon as its own queue allows, before others are granted."""
    begin = Transaction._begin

    def run_everywhere(self: Transaction) -> Any:
        if not self.last:
            return begin(self)
        self.tx_id = self.proactor.next_tx_id()
        self.state = transaction.RUNNING
        self.waiting = len(self.parts)
        for shard, part in self.parts.items():
            part.tx_id = self.tx_id
            self.proactor.post(shard, (transaction.schedule_run, part, self.works.get(shard, NO_WORK)))
        return None

    patch.setattr(Transaction, "_begin", run_everywhere)
    forgotten_refusal(patch)


def unlocked_squash(patch: pytest.MonkeyPatch) -> None:
    """A squashed batch takes no intents, so its shares run whenever they arrive."""
    nothing: frozenset[int] = frozenset()
    for module in (squash, _module("nogil_df.commands.dispatch")):
        patch.setattr(module, "fingerprints", lambda items: (nothing, nothing))


def reordered_batch(patch: pytest.MonkeyPatch) -> None:
    """The share of a squashed batch runs from its last command to its first."""
    run = squash.run_items

    def backwards(shard: Any, argument: tuple[int, int, list[squash.Item]]) -> list[Any]:
        origin, db, items = argument
        *results, time = run(shard, (origin, db, items[::-1]))
        return [*results[::-1], time]

    for module in (squash, _module("nogil_df.commands.dispatch"), transactions):
        for name in ("run_items", "run_batch"):
            if hasattr(module, name):
                patch.setattr(module, name, backwards)


def deaf_watch(patch: pytest.MonkeyPatch) -> None:
    """EXEC does not look whether a watched key has changed."""

    def unchanged(context: Any, watching: Any) -> Generator[Any, Any, bool]:
        yield from ()
        return False

    patch.setattr(transactions, "_watched_changed", unchanged)


def worthless_ticket(patch: pytest.MonkeyPatch) -> None:
    """Every shard that could serve a waiter does."""
    take = Waiter.take_ticket

    def always(self: Waiter) -> bool:
        take(self)
        return True

    patch.setattr(Waiter, "take_ticket", always)


def forgotten_waiters(patch: pytest.MonkeyPatch) -> None:
    """A transaction of several hops does not serve those who wait for what it wrote."""
    conclude = Engine.conclude

    def forget(self: Engine, part: Part) -> None:
        part.ready = None
        conclude(self, part)

    patch.setattr(Engine, "conclude", forget)


def short_line(patch: pytest.MonkeyPatch) -> None:
    """Who waits for several keys of one shard stands in the line of the first only."""
    wait = waits.wait

    def wait_for_one(shard: Any, argument: tuple[Waiter, list[tuple[int, bytes, int]]]) -> None:
        waiter, entries = argument
        wait(shard, (waiter, entries[:1]))

    for module in (waits, _module("nogil_df.commands.blocking")):
        patch.setattr(module, "wait", wait_for_one)


def wrong_end_of_the_line(patch: pytest.MonkeyPatch) -> None:
    """Who comes last is served first."""

    def stand_first(shard: Shard, argument: tuple[Waiter, list[tuple[int, bytes, int]]]) -> None:
        waiter, entries = argument
        for key in dict.fromkeys(key for _, key, _ in entries):
            shard.dbs[waiter.db].wait(key, waiter, first=True)

    patch.setattr(waits, "wait", stand_first)
    patch.setattr(commands_that_wait, "wait", stand_first)


def shared_scripts(patch: pytest.MonkeyPatch) -> None:
    """Scripts that may touch anything run beside each other."""
    patch.setattr(scripting, "GLOBAL_EXCLUSIVE", GLOBAL_SHARED)


def trusting_scripts(patch: pytest.MonkeyPatch) -> None:
    """Scripts that declare nothing lock nothing."""

    def lock_declared(context: Any, tx: Transaction, args: list[bytes]) -> None:
        context.result = plan = scripting.make_plan(context.dispatcher.state, context.command.name, args)
        if plan.script.verdict.declared:
            lock(context, tx, args)
        else:
            tx.lock_keys({}, {shard: set() for shard in range(context.proactor.count)})

    lock = scripting.lock_eval
    table = tuple(replace(row, lock=lock_declared) if row.lock is lock else row for row in scripting.TABLE)
    rows = tuple(row for row in simulated._rows() if row.name not in {row.name for row in table})
    patch.setattr(simulated, "_rows", lambda: (*rows, *table))


def _module(name: str) -> Any:
    return __import__(name, fromlist=[""])
