"""`redis.call` of a command on one key, in one go: what scripts mostly do.

`nogil_df.commands.script_call` can run everything; what it looks up for each call takes longer than many a
command. Here a closure has it at hand, and what is the same for all calls of a command is one tuple. It takes
a call over if the script is a usual one (`ScriptCall.plain`) and the command has one key; every other call,
also one with a wrong number of arguments, goes the general way.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError, text
from nogil_df.commands.script_call import MAY_REPLICATE
from nogil_df.commands.spec import MULTI, SINGLE, Command
from nogil_df.scripting.runtime import BIG, WAIT_FOR_IT, ScriptFailure, argument
from nogil_df.scripting.values import ERROR
from nogil_df.shard.lengthy import Lengthy

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.scripting.runtime import Runtime

Entry = tuple[Command, int, int, int, Any, Any, bool, bool]


def quick_invoke(state: ThreadState) -> Callable[[Runtime, Callable[..., Any]], Callable[..., Any]]:
    """What makes the function under `redis.call` for a thread: see `Runtime`."""

    def make(runtime: Runtime, general: Callable[..., Any]) -> Callable[..., Any]:
        return _make(state, runtime, general)

    return make


def _make(state: ThreadState, runtime: Runtime, general: Callable[..., Any]) -> Callable[..., Any]:
    proactor = state.proactor
    count, me = proactor.count, proactor.index
    several = count > 1
    shard = proactor.shard
    dbs, hash_key = shard.dbs, shard.hash_key
    entries = _Entries(state)
    nothing: tuple[Any, ...] = ()

    def invoke(*args: Any) -> Any:
        run: Any = runtime.running
        if args == nothing or not run.plain:
            return general(*args)
        entry = entries[args[0]]
        if entry is None:
            return general(*args)
        command, least, most, plain_with, cmd, op, is_write, plain_ok = entry
        argc = len(args)
        if not least <= argc <= most or (is_write and run.read_only):
            return general(*args)
        try:
            given = [*args]
            for arg in args:
                if arg.__class__ is not bytes:
                    given = [arg if arg.__class__ is bytes else argument(arg) for arg in args]
                    break
            if is_write:
                run.wrote = True
            command.calls += 1
            payload = given if cmd is None or argc == plain_with else cmd(run.session, given)
            h = hash_key(given[1])
            if run.locked is not None and h not in run.locked:
                raise ReplyError("SCRIPT_UNDECLARED")
            if several and (h >> 32) % count != me:
                if run.suspends:
                    run.wait_for(command, payload, h)
                    return WAIT_FOR_IT
                value = run.elsewhere(command, payload, h)
            else:
                try:
                    value = op(dbs[run.session.db], payload, h)
                except Lengthy as lengthy:
                    value = lengthy.finish()
            kind = value.__class__
            if kind is int or (kind is bytes and len(value) <= BIG):
                return value
            if value is True and plain_ok:
                # {ok = "OK"}: under RESP2 nothing else is true.
                return value
            return runtime.handed(value)
        except ReplyError as error:
            if error.code == "SCRIPT_ARGUMENTS":
                return None, ERROR, text(error), False
            error = error.bare()
            command.failed += 1
            state.count_error(error)
            return None, ERROR, text(error), True
        except ScriptFailure as failure:
            return None, ERROR, failure.text, False
        except BaseException:
            return None, ERROR, text(log_crash("redis.call", sys.exc_info())), False

    return invoke


class _Entries(dict[Any, "Entry | None"]):
    """By name as scripts spell it, what the closure needs of a command; None if that has not one key."""

    __slots__ = ("_commands",)

    def __init__(self, state: ThreadState) -> None:
        super().__init__()
        self._commands = state.dispatcher.commands

    def __missing__(self, name: Any) -> Entry | None:
        command: Any = self._commands[name] if name.__class__ is bytes else None
        entry = None if command is None else _entry(command)
        if entry is not None and name in self._commands:
            # As many as the table of commands remembers.
            self[name] = entry
        return entry


def _entry(command: Command) -> Entry | None:
    if command.subcommands or "noscript" in command.flags or command.name in MAY_REPLICATE:
        return None
    least, most = command.least, command.most
    if command.kind == MULTI and command.single_with:
        least = most = command.single_with
    elif command.kind != SINGLE:
        return None
    return (
        command,
        least,
        most,
        command.plain_with,
        command.cmd,
        command.op,
        command.is_write,
        command.plain_ok,
    )
