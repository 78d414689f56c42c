"""A command that comes alone, whose keys are all here: from its arguments to the bytes of its reply.

Most clients send one command and wait. For each of them the dispatcher's loop, made for pipelines, costs
more than the command does. This is the same in one go: one look-up, one hash, the op, one clock reading
before and one after, the reply as bytes. A key that lives on another thread costs one message there and one
back. Whatever is not like that (another kind of command, keys on several shards, an intent held on this one,
a session or thread in an unusual state) is left to the dispatcher: `Lone.answer` gives None and has done
nothing.

Counted in bytecodes, which is what costs here, as 3.13t runs them without inline caches: a GET takes 105
instead of 197 between the parser and the socket, without the op.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError
from nogil_df.commands.spec import BUCKETS, SINGLE, Command
from nogil_df.shard.lengthy import Lengthy
from nogil_df.vll.squash import run_one

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session


class Plan(NamedTuple):
    """What there is to know of a command to run it alone.

    Attributes:
        least, most: bounds on the number of its arguments, name included, with which it is on one key.
        plain_with: with so many, or if there is no ``cmd``, they go to ``op`` as they are.
    """

    command: Command
    least: int
    most: int
    plain_with: int
    cmd: Callable[..., Any] | None
    op: Callable[..., Any]
    plain_ok: bool


class ManyPlan(NamedTuple):
    """What there is to know of a command of many keys (MGET, MSET) to run it alone.

    Attributes:
        step: arguments for each key.
        many: ``Row.many``, see `nogil_df.vll.columns`.
    """

    command: Command
    step: int
    many: Callable[..., list[Any]]


class Plans(dict[bytes, "Plan | ManyPlan | None"]):
    """Plans by name as clients spell it; None for what is not run alone. See `CommandTable` for why so."""

    __slots__ = ("_commands",)

    def __init__(self, commands: Any) -> None:
        super().__init__()
        self._commands = commands

    def __missing__(self, name: bytes) -> Plan | ManyPlan | None:
        command = self._commands[name]
        if command is None or name not in self._commands:
            return None
        plan = self[bytes(name)] = plan_of(command)
        return plan


def plan_of(command: Command) -> Plan | ManyPlan | None:
    """The plan of a command, None if there is no shorter way for it. O(1)."""
    least, most = command.least, command.most
    if command.kind != SINGLE:
        if command.many is not None and command.first_key == 1:
            return ManyPlan(command, command.key_step, command.many)
        if not command.single_with:
            return None
        least = most = command.single_with
    assert command.op is not None
    return Plan(command, least, most, command.plain_with, command.cmd, command.op, command.plain_ok)


class Lone:
    """Runs lone commands of one thread.

    Args:
        dispatcher: the thread's, whose table and statistics these are.
    """

    __slots__ = ("_dispatcher", "_hot", "_proactor")

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        proactor = self._proactor = dispatcher.proactor
        shard = proactor.shard
        self._hot = (
            Plans(dispatcher.commands),
            shard.dbs,
            shard.hash_key,
            proactor.engine.locks,
            proactor.count,
            proactor.index,
            dispatcher.encoder.bulk_header,
            dispatcher.stopwatch,
            shard,
        )

    def answer(self, session: Session, args: list[bytes]) -> bytes | None:
        """Run a command that came alone, if it can be run here and now.

        Returns:
            Its reply, encoded; b"" if it is under way to the shard of its key; None if it was not run.
        """
        plans, dbs, hash_key, locks, count, me, headers, clock, shard = self._hot
        plan = plans[args[0]]
        if plan is None or locks:
            return None
        if plan.__class__ is ManyPlan:
            return self._answer_many(session, plan, args)
        command, least, most, plain_with, cmd, op, plain_ok = plan  # type: ignore[misc]
        argc = len(args)
        if argc < least or argc > most:
            return None
        h = hash_key(args[1])
        shard_index = (h >> 32) % count
        if shard_index != me:
            return self._send_off(session, plan, args, h, shard_index)  # type: ignore[arg-type]
        started = clock()
        try:
            payload = args if cmd is None or argc == plain_with else cmd(session, args)
            value = op(dbs[session.db], payload, h)
        except ReplyError as error:
            return self.failed(session, args, error.bare())
        except Lengthy as lengthy:
            session.batch = [args]
            session.position = 0
            session.commands_run += 1
            self._dispatcher.go_slowly(session, lengthy)
            return b""
        except Exception:
            return self.failed(session, args, log_crash(command.full_name, sys.exc_info()))
        took = clock() - started
        command.calls += 1
        command.nanoseconds += took
        histogram = command.histogram
        if histogram is None:
            histogram = command.histogram = [0] * BUCKETS
        histogram[took.bit_length()] += 1
        session.commands_run += 1
        session.last_command = command.full_name
        dispatcher = self._dispatcher
        if took >= dispatcher.state.slow_ns:
            dispatcher.state.note_slow(session, command, args, took)
        if shard.ready:
            shard.blocking.serve(shard.ready)
        if shard.outgoing:
            dispatcher.state.publish_events()
        if value.__class__ is bytes and len(value) < 4096:
            return headers[len(value)] + value + b"\r\n"
        if value is True and plain_ok:
            return b"+OK\r\n"
        out: list[bytes] = []
        command.encode(value, session.proto, out)  # type: ignore[misc]
        return b"".join(out)

    def _send_off(self, session: Session, plan: Plan, args: list[bytes], h: int, shard: int) -> bytes:
        """Send a command on one key to its shard; the dispatcher gets the answer (`finish_single`)."""
        command, _, _, plain_with, cmd, op, _ = plan
        try:
            payload = args if cmd is None or len(args) == plain_with else cmd(session, args)
        except ReplyError as error:
            return self.failed(session, args, error.bare())
        except Exception:
            return self.failed(session, args, log_crash(command.full_name, sys.exc_info()))
        session.batch = [args]
        session.position = 1
        session.busy = True
        session.pending = command
        session.commands_run += 1
        session.last_command = command.full_name
        proactor = self._proactor
        proactor.outboxes[shard].append(
            (run_one, proactor.index, session, op, session.db, payload, h, command.is_write)
        )
        return b""

    def _answer_many(self, session: Session, plan: ManyPlan, args: list[bytes]) -> bytes | None:
        """`answer` of a command of many keys."""
        _, dbs, hash_key, _, count, me, _, clock, shard = self._hot
        command, step, many = plan
        db = dbs[session.db]
        if len(args) < command.least or (len(args) - 1) % step or db.observed:
            return None
        keys = args[1::step]
        hashes = list(map(hash_key, keys))
        if count > 1:
            for h in hashes:
                if (h >> 32) % count != me:
                    return None
        started = clock()
        try:
            values = many(db, hashes, keys, args[2::2] if step == 2 else None, False)
            if ReplyError in map(type, values):
                raise next(value for value in values if value.__class__ is ReplyError)
        except ReplyError as error:
            return self.failed(session, args, error.bare())
        except Exception:
            return self.failed(session, args, log_crash(command.full_name, sys.exc_info()))
        took = clock() - started
        command.record(1, took)
        session.commands_run += 1
        session.last_command = command.full_name
        dispatcher = self._dispatcher
        if took >= dispatcher.state.slow_ns:
            dispatcher.state.note_slow(session, command, args, took)
        if shard.outgoing:
            dispatcher.state.publish_events()
        value = values if command.gather is None else command.gather(values)
        out: list[bytes] = []
        command.encode(value, session.proto, out)  # type: ignore[misc]
        return b"".join(out)

    def failed(self, session: Session, args: list[bytes], error: ReplyError) -> bytes:
        """Account for a command that ended in an error; its reply."""
        session.commands_run += 1
        session.batch = [args]
        session.position = 0
        dispatcher = self._dispatcher
        kept, session.out = session.out, []
        dispatcher.fail(session, error)
        reply = b"".join(session.out)
        session.out = kept
        session.batch = dispatcher.no_batch
        session.position = 0
        if self._proactor.shard.outgoing:
            dispatcher.state.publish_events()
        return reply
