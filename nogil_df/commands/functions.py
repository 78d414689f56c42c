"""FUNCTION, FCALL and FCALL_RO: libraries of Lua functions that the server keeps.

Every thread has all libraries (`nogil_df.scripting.library`). What changes them is a global transaction: a
hop in which each thread runs the new code beside what it has, and one in which all put it in place. If one of
them can't, nothing changes anywhere. As a transaction it has its place in the order of everything: who was
told that a library is loaded finds it on every thread, and no call sees half a change.

A function runs where a script does, under the same locks (see `nogil_df.commands.scripting`); reading the
library tells which functions keep to the keys they are given (`nogil_df.commands.function_locks`). The locks
of a call are chosen by the function there is when it is scheduled. Should that be another one when it has its
locks, it is scheduled again: each thread counts the changes it made, and where a function runs the
transaction holds something, so that the count can't move between the look at it and the end of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nogil_df.base.errors import ReplyError
from nogil_df.base.glob import glob_match
from nogil_df.base.numbers import parse_int
from nogil_df.commands.busy import BUSY, SlowScript, Watchdog, kill
from nogil_df.commands.cluster import refuse_no_cluster
from nogil_df.commands.function_locks import judge
from nogil_df.commands.help import help_row
from nogil_df.commands.script_call import ScriptCall
from nogil_df.commands.script_quick import failed
from nogil_df.commands.scripting import (
    Client,
    Scripting,
    client_of,
    count_keys,
    find_keys,
    fingerprints,
)
from nogil_df.commands.spec import ALL_EXCLUSIVE, ALL_SHARED, Row, container, local, multi
from nogil_df.scripting.library import (
    APPEND,
    FLUSH,
    REPLACE,
    Function,
    Libraries,
    Library,
    LibraryError,
    dump,
    read_dump,
)
from nogil_df.scripting.runtime import ScriptFailure
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, Work
from nogil_df.vll.transaction import NO_WORK, Transaction
from nogil_df.wire.values import OK, Members, Simple

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.shard import Shard

Args = list[bytes]

PRESENCE = frozenset((0,))
"""The fingerprint that a call reads on the thread where it runs, if it has no keys there."""


class Stale:
    """What a call answers instead of running: a library changed since it was scheduled."""


class FunctionCall(ScriptCall):
    """One run of a function, used again for later ones.

    Attributes:
        command: the client's, for FUNCTION STATS.
    """

    __slots__ = ("command",)

    command: Args

    def on_tick(self) -> bool:
        """See `nogil_df.scripting.runtime.Running`."""
        if self.watchdog is None:
            self.plain = False
            self.watchdog = Watchdog(self.state, self.name, True, self.command)
        return self.watchdog.tick(self.wrote)


def libraries_of(state: ThreadState) -> Libraries:
    """This thread's libraries; made, with its Lua, if this is the first look.

    Raises:
        ReplyError NO_SCRIPTS: there is no Lua.
    """
    extra = state.extra
    if "libraries" not in extra:
        commands = state.dispatcher.commands
        runtime = Scripting.of(state).lua()
        extra["function_calls"] = {}
        extra["libraries"] = Libraries(
            runtime, state.clock.stopwatch_ns, lambda library: judge(library, commands)
        )
    found: Libraries = extra["libraries"]
    return found


def counts(state: ThreadState) -> tuple[int, int, int]:
    """Libraries, functions, and bytes of their texts, for INFO and FUNCTION STATS. O(functions)."""
    if "libraries" not in state.extra:
        return 0, 0, 0
    libraries = libraries_of(state)
    return len(libraries), len(libraries.functions), libraries.size


def _on(shard: Shard) -> Libraries:
    return libraries_of(shard.blocking.engine.proactor.service)


def _error(error: LibraryError) -> ReplyError:
    return ReplyError("ERR", error.args[0].encode("utf-8", "surrogateescape"))


# FCALL.


class Plan(NamedTuple):
    """What one FCALL is about to do.

    Attributes:
        function: what to run.
        epoch: the number of changes to libraries until now.
        args: the client's command.
        end: where its keys end.
    """

    function: Function
    epoch: int
    args: Args
    end: int

    @property
    def keys(self) -> Args:
        """The keys that the function is given."""
        return self.args[3 : self.end]


def make_plan(state: ThreadState, command: str, args: Args) -> Plan:
    """Find out what an FCALL is to run.

    Raises:
        ReplyError: it can't run.
    """
    libraries = libraries_of(state)
    function = libraries.find(args[1])
    if function is None:
        raise ReplyError("ERR", "Function not found")
    if parse_int(args[2]) is None:
        raise ReplyError("ERR", "Bad number of keys provided")
    end = 3 + count_keys(args)
    if b"no-cluster" in function.flags:
        refuse_no_cluster(state)
    if command.endswith("_RO") and not function.no_writes:
        raise ReplyError("ERR", "Can not execute a script with write flag using *_ro command.")
    if state.memory.short and not (function.no_writes or b"allow-oom" in function.flags):
        raise ReplyError("OOM")
    return Plan(function, libraries.epoch, args, end)


def lock_fcall(context: Context, tx: Transaction, args: Args) -> None:
    """Lock what the function may touch, and something on the thread where it runs: see the module's text."""
    context.result = plan = make_plan(context.dispatcher.state, context.command.name, args)
    proactor = context.proactor
    if proactor.count == 1 and not proactor.engine.locks:
        tx.run_inline()
    elif plan.function.declared:
        keys = fingerprints(context, plan.keys)
        presence: dict[int, Any] = {}
        if len(keys) != 1 and proactor.index not in keys:
            presence = {proactor.index: PRESENCE}
        if plan.function.writes:
            tx.lock_keys(presence, keys)
        else:
            tx.lock_keys({**presence, **keys}, {})
    else:
        tx.lock_everything(GLOBAL_EXCLUSIVE if plan.function.writes else GLOBAL_SHARED)


def run_fcall(dispatcher: Dispatcher, session: Session, command: Command, args: Args) -> bool:
    """FCALL of a function that needs nobody else: its keys are ours, and nobody has an intent here.

    No transaction, as nothing comes in between. See `Row.quick`.
    """
    proactor = dispatcher.proactor
    state = dispatcher.state
    if proactor.engine.locks or session.special or "libraries" not in state.extra:
        return False
    started = dispatcher.stopwatch()
    plan = make_plan(state, command.name, args)
    locked: set[int] | None = None
    threads = proactor.count
    if threads > 1:
        if not plan.function.declared:
            return False
        me = proactor.index
        locked = set(map(proactor.shard.hash_key, plan.keys))
        for h in locked:
            if (h >> 32) % threads != me:
                return False
    session.last_command = command.full_name
    # A slow function lets others in, who must leave this session alone.
    session.busy = True
    try:
        reply = run_function(state, plan, client_of(session), locked, None)
    except ReplyError as error:
        reply = error.bare()
    finally:
        session.busy = False
    session.position += 1
    shard = proactor.shard
    if shard.ready:
        shard.blocking.serve(shard.ready)
    if not session.closed:
        dispatcher.reply(session, command, reply, dispatcher.stopwatch() - started, args)
    return True


def cmd_fcall(context: Context, args: Args) -> Steps:
    """Run a function where it belongs."""
    plan = context.result
    if context.nested:
        plan = make_plan(context.dispatcher.state, context.command.name, args)
    while True:
        outcome = yield from _run_plan(context, plan)
        if outcome is not Stale:
            return outcome
        # With other locks, maybe, as the function may be another one.
        assert context.tx is not None
        context.tx.abort()
        context.tx.release()
        context.tx = tx = Transaction(context.proactor, context)
        lock_fcall(context, tx, args)
        plan = context.result


def _run_plan(context: Context, plan: Plan) -> Steps:
    """One attempt: the reply, or `Stale`."""
    state = context.dispatcher.state
    me = context.proactor.index
    args = plan.args
    client = client_of(context.session)
    owned: dict[int, set[int]] = {}
    locked: set[int] | None = None
    if plan.function.declared:
        owned = fingerprints(context, plan.keys)
        locked = set().union(*owned.values())
    if len(owned) == 1 or context.proactor.count == 1:
        home = next(iter(owned), me)
        work: Work = (op_run, (state, plan, client, locked))
        if home != me:
            work = (op_fcall, (plan.function.name, plan.epoch, args, plan.end, client, locked))
        return (yield from context.hop({home: work}, last=True))[home]
    # An empty hop: when it is over, all grants are there.
    yield from context.hop({me: NO_WORK})
    if libraries_of(state).epoch != plan.epoch:
        return Stale
    return run_function(state, plan, client, locked, context.tx)


def op_run(shard: Shard, argument: tuple[ThreadState, Plan, Client, set[int] | None]) -> Any:
    """On the coordinator's own shard, which holds all keys of a call: run it."""
    if _on(shard).epoch != argument[1].epoch:
        return Stale
    return run_function(*argument, None)


def op_fcall(shard: Shard, argument: tuple[Any, ...]) -> Any:
    """On another shard, which holds all keys of a call: run it."""
    name, epoch, args, end, client, locked = argument
    libraries = _on(shard)
    if libraries.epoch != epoch:
        return Stale
    plan = Plan(libraries.functions[name.lower()], epoch, args, end)
    return run_function(shard.blocking.engine.proactor.service, plan, client, set(locked), None)


def run_function(
    state: ThreadState,
    plan: Plan,
    client: Client,
    locked: set[int] | None,
    tx: Transaction | None,
) -> Any:
    """Run a function on this thread, which holds the intents that it needs.

    Args:
        client: see `client_of`.
        locked: the fingerprints it may touch; None for all.
        tx: for hops to other shards.

    Returns:
        The reply value.

    Raises:
        ReplyError: the function ended in an error.
    """
    scripting = Scripting.of(state)
    db, protocol, user, reader, writer = client
    function, _, args, end = plan
    depth = scripting.depth
    session = scripting.session(db)
    runs: dict[int, FunctionCall] = state.extra["function_calls"]
    if depth not in runs:
        runs[depth] = FunctionCall(state, session, None, False, None)
    run = runs[depth]
    run.restart(locked, not function.writes, tx, function.name)
    run.command = args
    run.act_for(user, reader, writer)
    run.mind_memory(b"allow-oom" in function.flags)
    scripting.depth = depth + 1
    shard = state.proactor.shard
    outer, shard.writer = shard.writer, writer
    try:
        return scripting.lua().call(function.callback, run, protocol, args[3:end], args[end:])
    except ScriptFailure as failure:
        raise failed(failure, function.name) from None
    finally:
        shard.writer = outer
        scripting.depth = depth
        run.end()


# What changes libraries.


def cmd_load(context: Context, args: Args) -> Steps:
    """FUNCTION LOAD [REPLACE] code."""
    replace = False
    for option in args[2:-1]:
        if option.upper() != b"REPLACE":
            raise ReplyError("ERR", b"Unknown option given: %b" % option)
        replace = True
    return (yield from _change(context, op_prepare_load, (args[-1], replace)))


def op_prepare_load(shard: Shard, argument: tuple[bytes, bool]) -> bytes:
    """On every thread: run a library's code. Returns its name."""
    try:
        return _on(shard).prepare_load(*argument)
    except LibraryError as error:
        raise _error(error) from None


def cmd_restore(context: Context, args: Args) -> Steps:
    """FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]."""
    if len(args) > 4:
        raise ReplyError("SUBCOMMAND_SYNTAX", b"RESTORE", "FUNCTION")
    policy = _POLICIES.get(bytes(args[3].upper())) if len(args) == 4 else APPEND
    if policy is None:
        raise ReplyError("ERR", _BAD_POLICY)
    try:
        codes = read_dump(args[2])
    except LibraryError as error:
        raise _error(error) from None
    yield from _change(context, op_prepare_restore, (codes, policy))
    return OK


_BAD_POLICY = "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
_POLICIES = {b"FLUSH": FLUSH, b"APPEND": APPEND, b"REPLACE": REPLACE}


def op_prepare_restore(shard: Shard, argument: tuple[list[bytes], int]) -> None:
    """On every thread: run the code of a payload's libraries."""
    try:
        _on(shard).prepare_restore(*argument)
    except LibraryError as error:
        raise _error(error) from None


def _change(context: Context, prepare: Any, argument: Any) -> Steps:
    """Run `prepare` on this thread, then on the others; put the change in place everywhere, or nowhere.

    Returns:
        What `prepare` returned here.
    """
    me = context.proactor.index
    answer = (yield from context.hop({me: (prepare, argument)}))[me]
    others = [thread for thread in range(context.proactor.count) if thread != me]
    try:
        if others:
            yield from context.hop(dict.fromkeys(others, (prepare, argument)))
    except ReplyError:
        yield from context.all_shards(op_abandon, None, last=True)
        raise
    yield from context.all_shards(op_commit, None, last=True)
    return answer


def op_commit(shard: Shard, argument: None) -> None:
    """On every thread: put the change that was prepared in place."""
    _on(shard).commit()


def op_abandon(shard: Shard, argument: None) -> None:
    """On every thread: forget the change that was prepared."""
    _on(shard).abandon()


def cmd_delete(context: Context, args: Args) -> Steps:
    """FUNCTION DELETE library."""
    yield from context.all_shards(op_delete, args[2], last=True)
    return OK


def op_delete(shard: Shard, name: bytes) -> None:
    """On every thread: delete a library."""
    try:
        _on(shard).delete(name)
    except LibraryError as error:
        raise _error(error) from None


def cmd_flush(context: Context, args: Args) -> Steps:
    """FUNCTION FLUSH [ASYNC | SYNC]; both are the same here."""
    if len(args) > 3:
        raise ReplyError("SUBCOMMAND_SYNTAX", args[1], "FUNCTION")
    if len(args) == 3 and args[2].upper() not in (b"ASYNC", b"SYNC"):
        raise ReplyError("ERR", "FUNCTION FLUSH only supports SYNC|ASYNC option")
    yield from context.all_shards(op_flush, None, last=True)
    return OK


def op_flush(shard: Shard, argument: None) -> None:
    """On every thread: delete all libraries."""
    _on(shard).flush()


# What tells about them.


def cmd_list(context: Context, args: Args) -> Steps:
    """FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]."""
    pattern: bytes | None = None
    with_code = False
    at = 2
    while at < len(args):
        option = args[at].upper()
        if option == b"WITHCODE" and not with_code:
            with_code = True
        elif option == b"LIBRARYNAME" and pattern is None:
            at += 1
            if at == len(args):
                raise ReplyError("ERR", "library name argument was not given")
            pattern = args[at]
        else:
            raise ReplyError("ERR", b"Unknown argument %b" % args[at])
        at += 1
    me = context.proactor.index
    return (yield from context.hop({me: (op_list, (pattern, with_code))}, last=True))[me]


def op_list(shard: Shard, argument: tuple[bytes | None, bool]) -> list[dict[str, Any]]:
    """The libraries, described."""
    pattern, with_code = argument
    return [
        _described(library, with_code)
        for name, library in _on(shard).by_name.items()
        if pattern is None or glob_match(pattern, name, nocase=True)
    ]


def _described(library: Library, with_code: bool) -> dict[str, Any]:
    functions = [
        {
            "name": function.name,
            "description": function.description,
            "flags": Members([Simple(flag) for flag in function.flags]),
        }
        for function in library.functions
    ]
    found: dict[str, Any] = {"library_name": library.name, "engine": "LUA", "functions": functions}
    if with_code:
        found["library_code"] = library.code
    return found


def cmd_dump(context: Context, args: Args) -> Steps:
    """FUNCTION DUMP."""
    me = context.proactor.index
    return (yield from context.hop({me: (op_dump, None)}, last=True))[me]


def op_dump(shard: Shard, argument: None) -> bytes:
    """The payload of all libraries."""
    return dump([library.code for library in _on(shard).by_name.values()])


def cmd_stats(session: Session, args: Args) -> Any:
    """FUNCTION STATS: a function counts as running once others are told that the server is busy."""
    state = session.dispatcher.state
    running: dict[str, Any] | None = None
    if BUSY in state.extra:
        slow: SlowScript = state.extra[BUSY]
        if not slow.is_function:
            raise ReplyError("BUSY_SCRIPT")
        duration = int((state.clock.monotonic() - slow.started) * 1000)
        running = {"name": slow.name, "command": slow.command, "duration_ms": duration}
    libraries, functions, _ = counts(state)
    return {
        "running_script": running,
        "engines": {"LUA": {"libraries_count": libraries, "functions_count": functions}},
    }


def cmd_kill(session: Session, args: Args) -> Any:
    """FUNCTION KILL."""
    kill(session.dispatcher.state, is_function=True)
    return OK


def _fcall(name: str, summary: str) -> Row:
    read_only = name.endswith("_RO")
    flags = "movablekeys no_mandatory_keys noscript skip_monitor stale"
    return multi(
        name,
        -3,
        flags + " readonly" if read_only else flags,
        run=cmd_fcall,
        scope=ALL_SHARED if read_only else ALL_EXCLUSIVE,
        lock=lock_fcall,
        quick=run_fcall,
        find_keys=find_keys,
        acl="@scripting @slow",
        since="7.0.0",
        group="scripting",
        syntax="function numkeys [key [key ...]] [arg [arg ...]]",
        summary=summary,
        complexity="That of the function",
        key_flags="RO ACCESS" if read_only else "RW ACCESS UPDATE",
    )


_TIPS = "request_policy:all_shards response_policy:all_succeeded"


def _writing(name: str, arity: int, flags: str, run: Any, syntax: str, summary: str, complexity: str) -> Row:
    return multi(
        f"FUNCTION {name}",
        arity,
        flags,
        run=run,
        scope=ALL_EXCLUSIVE,
        acl="@scripting @slow @write",
        since="7.0.0",
        group="scripting",
        syntax=syntax,
        summary=summary,
        complexity=complexity,
        tips=_TIPS,
    )


def _reading(name: str, arity: int, run: Any, syntax: str, summary: str, tips: str) -> Row:
    return multi(
        f"FUNCTION {name}",
        arity,
        "noscript",
        run=run,
        scope=ALL_SHARED,
        acl="@scripting @slow",
        since="7.0.0",
        group="scripting",
        syntax=syntax,
        summary=summary,
        complexity="O(N) where N is the number of functions",
        tips=tips,
    )


def _while_busy(name: str, run: Any, summary: str, tips: str) -> Row:
    return local(
        f"FUNCTION {name}",
        2,
        "allow_busy noscript",
        run=run,
        acl="@scripting @slow",
        since="7.0.0",
        group="scripting",
        summary=summary,
        tips=tips,
    )


TABLE: tuple[Row, ...] = (
    _fcall("FCALL", "Runs a function."),
    _fcall("FCALL_RO", "Runs a function that writes nothing."),
    container(
        "FUNCTION",
        -2,
        "",
        _writing(
            "LOAD",
            -3,
            "denyoom noscript write",
            cmd_load,
            "[REPLACE] function-code",
            "Adds a library of functions.",
            "O(N) where N is the length of the code, and what running it takes",
        ),
        _writing(
            "DELETE",
            3,
            "noscript write",
            cmd_delete,
            "library-name",
            "Deletes a library.",
            "O(N) where N is the number of functions",
        ),
        _writing(
            "FLUSH",
            -2,
            "noscript write",
            cmd_flush,
            "[<ASYNC|SYNC>]",
            "Deletes all libraries.",
            "O(N) where N is the number of functions",
        ),
        _writing(
            "RESTORE",
            -3,
            "denyoom noscript write",
            cmd_restore,
            "serialized-value [<FLUSH|APPEND|REPLACE>]",
            "Adds the libraries of a payload of FUNCTION DUMP.",
            "O(N) where N is the length of the payload, and what running its code takes",
        ),
        _reading(
            "LIST",
            -2,
            cmd_list,
            "[LIBRARYNAME library-name-pattern] [WITHCODE]",
            "Lists the libraries and their functions.",
            "nondeterministic_output_order",
        ),
        _reading("DUMP", 2, cmd_dump, "", "Returns all libraries as one payload.", ""),
        _while_busy(
            "STATS",
            cmd_stats,
            "Tells which function runs now, and how many there are.",
            "nondeterministic_output request_policy:all_shards response_policy:special",
        ),
        _while_busy(
            "KILL",
            cmd_kill,
            "Ends the function that runs now.",
            "request_policy:all_shards response_policy:one_succeeded",
        ),
        help_row("FUNCTION", acl="@scripting @slow", since="7.0.0", group="scripting"),
        acl="@slow",
        since="7.0.0",
        group="scripting",
        summary="A container for the commands about functions.",
    ),
)
