"""EVAL, EVALSHA, their read-only twins, and SCRIPT.

A script is atomic: it runs on one thread, from its first instruction to its last, under the intents of its
transaction. Which thread and which intents depends on what reading it tells (`nogil_df.scripting.declared`):

- it touches no keys but KEYS, and these live on one shard: it runs there, as the one hop of a transaction of
  these keys; on this very thread that is a plain function call. Scripts on other keys run beside it;
- it touches no keys but KEYS, on several shards: it runs on the coordinator's thread under the intents of
  these keys. A script that defines no functions is suspended while it waits for what it calls elsewhere
  (`run_suspending`); of any other script that is a synchronous hop;
- anything else: the same as a global transaction. So a script that makes up its keys' names works as under
  Redis; it just keeps everybody waiting, as every script does there.

Scripts are known to all threads by SHA-1; see `nogil_df.commands.script_cache`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.base.numbers import parse_int
from nogil_df.commands.busy import kill
from nogil_df.commands.cluster import refuse_no_cluster
from nogil_df.commands.context import Context, Steps
from nogil_df.commands.help import help_row
from nogil_df.commands.script_cache import Script, ScriptCache, sha1
from nogil_df.commands.script_call import ScriptCall
from nogil_df.commands.script_locks import verdict_of
from nogil_df.commands.script_quick import failed, run_eval
from nogil_df.commands.script_single import quick_invoke
from nogil_df.commands.session import Session
from nogil_df.commands.spec import ALL_EXCLUSIVE, ALL_SHARED, Command, Row, container, local, multi
from nogil_df.commands.threadstate import GONE
from nogil_df.commands.tracking import reader_of
from nogil_df.scripting.runtime import (
    MOST_ARGUMENTS,
    CompileError,
    Runtime,
    ScriptFailure,
    is_available,
    is_waiting,
    plain_reply,
)
from nogil_df.scripting.source import HeaderError, read_header
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, NOT_GLOBAL, Work
from nogil_df.wire.values import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor
    from nogil_df.vll.transaction import Transaction

Args = list[bytes]
Client = tuple[int, int, bytes, tuple[int, int] | None, int]
"""Database, protocol, user's name, under whom keys are noted that it reads, who is not to be told of what it
writes; see `client_of`."""


class Scripting:
    """What one thread needs for scripts; ``of`` finds or makes it.

    Attributes:
        cache: the scripts that are known.
        runtime: this thread's Lua; None before its first script.
        depth: scripts that run now, one inside the other's waiting.
    """

    __slots__ = ("_free", "_number", "_runs", "_sessions", "cache", "depth", "runtime", "state")

    def __init__(self, state: ThreadState) -> None:
        self.state = state
        self.cache = ScriptCache()
        self.runtime: Runtime | None = None
        self.depth = 0
        self._sessions: list[Session] = []
        # By depth.
        self._runs: list[ScriptCall] = []
        # Of scripts that may be suspended: what nobody uses, and the last number given.
        self._free: list[ScriptCall] = []
        self._number = 0

    @staticmethod
    def of(state: ThreadState) -> Scripting:
        """The thread's own. O(1)."""
        extra = state.extra
        if "scripting" not in extra:
            extra["scripting"] = Scripting(state)
        found: Scripting = extra["scripting"]
        return found

    def lua(self) -> Runtime:
        """The thread's runtime, made now if this is the first script.

        Raises:
            ReplyError NO_SCRIPTS: there is no Lua.
        """
        if self.runtime is None:
            if not is_available():
                raise ReplyError("NO_SCRIPTS")
            self.runtime = Runtime(self.state.config.script_memory_limit, quick_invoke(self.state))
        return self.runtime

    def session(self, db: int) -> Session:
        """What the commands of a script see; each script that runs now has its own."""
        if self.depth == len(self._sessions):
            self._sessions.append(Session(0, self.state.dispatcher, GONE))
        session = self._sessions[self.depth]
        session.db = db
        session.proto = 2
        return session

    def begin(
        self,
        name: bytes,
        db: int,
        locked: set[int] | None,
        read_only: bool,
        tx: Transaction | None,
        user: bytes,
        reader: tuple[int, int] | None,
        writer: int,
    ) -> ScriptCall:
        """What the calls of a script that begins now go to; the caller takes 1 from ``depth`` at its end."""
        depth = self.depth
        if depth == len(self._runs):
            self._runs.append(ScriptCall(self.state, self.session(db), None, False, None))
        run = self._runs[depth]
        run.session.db = db
        run.session.proto = 2
        run.restart(locked, read_only, tx, name)
        run.act_for(user, reader, writer)
        self.depth = depth + 1
        return run

    def first_run(self) -> ScriptCall:
        """What the calls of a script go to that runs while no other does. O(1)."""
        if not self._runs:
            self._runs.append(ScriptCall(self.state, self.session(0), None, False, None))
        return self._runs[0]

    def borrow(self) -> ScriptCall:
        """What the calls of a script go to that may be suspended; to be given back. O(1)."""
        if self._free:
            return self._free.pop()
        session = Session(0, self.state.dispatcher, GONE)
        run = ScriptCall(self.state, session, None, False, None)
        run.suspends = True
        return run

    def give_back(self, run: ScriptCall) -> None:
        """The script of a `borrow` is over."""
        run.tx = run.steps = run.pending = None
        self._free.append(run)

    def next_number(self) -> int:
        """A number for a script that may be suspended. O(1)."""
        self._number += 1
        return self._number

    def go(self, run: ScriptCall, function: Callable[..., Any], *args: Any) -> Any:
        """Run a script, to its end or until it is suspended, by a function of the runtime."""
        runtime = self.lua()
        outer, outer_protocol = runtime.running, runtime.protocol
        runtime.running, runtime.protocol = run, run.session.proto
        self.depth += 1
        shard = self.state.proactor.shard
        outer_writer, shard.writer = shard.writer, run.writer
        try:
            return function(*args)
        finally:
            self.depth -= 1
            shard.writer = outer_writer
            runtime.running, runtime.protocol = outer, outer_protocol

    def compiled(self, script: Script) -> Any:
        """A script's Lua function. Raises CompileError. O(1) but for the first time."""
        if script.function is None:
            script.function = self.lua().compile(script.body[script.header.length :])
        return script.function

    def learn(self, body: bytes, *, loaded: bool) -> Script:
        """Add a script to the caches of all threads, unless it is there.

        Raises:
            ReplyError: it is no script.
        """
        known = self.cache.by_body
        return self.keep(known[body] if body in known else self.judged(body), loaded=loaded)

    def keep(self, script: Script, *, loaded: bool) -> Script:
        """Add a script to the caches of all threads, unless it is there; the one that is kept.

        Raises:
            ReplyError: it can't be compiled.
        """
        cache = self.cache
        body = script.body
        if body in cache.by_body:
            if script.loaded or not loaded:
                return script
        else:
            try:
                self.compiled(script)
            except CompileError as error:
                raise ReplyError("SCRIPT_COMPILE", error.args[0]) from None
        cache.add(script, loaded)
        proactor = self.state.proactor
        for thread in range(proactor.count):
            if thread != proactor.index:
                proactor.notify(thread, (learn_script, body, loaded))
        return script

    def judged(self, body: bytes) -> Script:
        """A script that is not known yet, read and judged, and kept by nobody. O(text).

        Raises:
            ReplyError: its first line is wrong.
        """
        try:
            header = read_header(body)
        except HeaderError as error:
            raise ReplyError("ERR", error.args[0]) from None
        verdict = verdict_of(body[header.length :], self.state.dispatcher.commands)
        return Script(sha1(body), body, header, verdict)

    def told(self, body: bytes, loaded: bool) -> None:
        """Another thread learned a script. O(text)."""
        if body not in self.cache.by_body or loaded:
            self.cache.add(self.judged(b"%b" % body), loaded)


def learn_script(proactor: Proactor, message: Message) -> None:
    """Notice: another thread learned a script."""
    Scripting.of(proactor.service).told(message[1], message[2])


def flush_scripts(proactor: Proactor, message: Message) -> None:
    """Notice: SCRIPT FLUSH on another thread."""
    Scripting.of(proactor.service).cache.flush()


class Plan:
    """What one EVAL is about to do.

    Attributes:
        script, keys, arguments: what to run with what.
        read_only: its commands may not write.
    """

    __slots__ = ("arguments", "keys", "read_only", "script")

    def __init__(self, script: Script, keys: Args, arguments: Args, read_only: bool) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments
        self.read_only = read_only

    @property
    def writes(self) -> bool:
        """It may call commands that write."""
        return self.script.verdict.writes and not self.read_only


def count_keys(args: Sequence[bytes]) -> int:
    """``numkeys`` of EVAL and its kin: the third argument. O(1).

    Raises:
        ReplyError: it is no number, or there are not so many arguments.
    """
    text = args[2]
    # One digit, nearly always.
    count = text[0] - 48 if len(text) == 1 and text.isdigit() else parse_int(text)
    if count is None:
        raise ReplyError("NOT_INTEGER")
    if count > len(args) - 3:
        raise ReplyError("SCRIPT_TOO_MANY_KEYS")
    if count < 0:
        raise ReplyError("SCRIPT_NEGATIVE_KEYS")
    return count


def find_keys(args: Sequence[bytes]) -> list[int]:
    """Positions of the keys. O(keys)."""
    return list(range(3, 3 + count_keys(args)))


def find_script(scripting: Scripting, command: str, args: Args) -> tuple[Script | None, int]:
    """What an EVAL or EVALSHA is to run, which may be a script that nobody knows yet, and its number of keys.

    Returns:
        None for a script by a SHA-1 that is not known.

    Raises:
        ReplyError: its arguments are wrong.
    """
    cache = scripting.cache
    name = args[1]
    if not command.startswith("EVALSHA"):
        count = count_keys(args)
        return (cache.by_body[name] if name in cache.by_body else scripting.judged(name)), count
    if len(name) != 40:
        raise ReplyError("NOSCRIPT")
    if name not in cache.by_sha:
        name = name.lower()
    return (cache.by_sha[name] if name in cache.by_sha else None), count_keys(args)


def make_plan(state: ThreadState, command: str, args: Args) -> Plan:
    """Find out what an EVAL or EVALSHA is to run. A script that is new is known from now on.

    Raises:
        ReplyError: it can't run.
    """
    scripting = Scripting.of(state)
    script, count = find_script(scripting, command, args)
    if script is None:
        raise ReplyError("NOSCRIPT")
    header = script.header
    if state.memory.short and not header.is_compatible and not header.allows_oom:
        raise ReplyError("OOM")
    script = scripting.keep(script, loaded=False)
    scripting.cache.used(script)
    if header.no_cluster:
        refuse_no_cluster(state)
    read_only = command.endswith("_RO")
    if read_only and not header.is_compatible and not header.no_writes:
        raise ReplyError("ERR", "Can not execute a script with write flag using *_ro command.")
    return Plan(script, args[3 : 3 + count], args[3 + count :], read_only or header.no_writes)


def lock_eval(context: Context, tx: Transaction, args: Args) -> None:
    """Lock what the script may touch: see the module's text."""
    state = context.dispatcher.state
    context.result = plan = make_plan(state, context.command.name, args)
    proactor = context.proactor
    if proactor.count == 1 and not proactor.engine.locks:
        tx.run_inline()
    elif plan.script.verdict.declared:
        keys = fingerprints(context, plan.keys)
        tx.lock_keys({}, keys) if plan.writes else tx.lock_keys(keys, {})
    else:
        tx.lock_everything(GLOBAL_EXCLUSIVE if plan.writes else GLOBAL_SHARED)


def fingerprints(context: Context, keys: Sequence[bytes]) -> dict[int, set[int]]:
    """Fingerprints of keys, by shard. O(keys)."""
    hash_key = context.proactor.shard.hash_key
    count = context.proactor.count
    found: dict[int, set[int]] = {}
    for key in keys:
        h = hash_key(key)
        found.setdefault((h >> 32) % count, set()).add(h)
    return found


def lock_eval_in_exec(
    context: Context,
    command: Command,
    args: Args,
    shared: dict[int, set[int]],
    exclusive: dict[int, set[int]],
) -> int:
    """Add what a queued script needs to the locks of its EXEC. Returns NOT_GLOBAL, or the scope it needs.

    Nothing is learned of it, as the EXEC may yet come to nothing.
    """
    script, count = find_script(Scripting.of(context.dispatcher.state), command.name, args)
    if script is None:
        # Another command, of this EXEC or of somebody else, may make it known before it is to run.
        return GLOBAL_EXCLUSIVE
    writes = script.verdict.writes and not (command.name.endswith("_RO") or script.header.no_writes)
    if not script.verdict.declared:
        return GLOBAL_EXCLUSIVE if writes else GLOBAL_SHARED
    into = exclusive if writes else shared
    for shard, keys in fingerprints(context, args[3 : 3 + count]).items():
        into.setdefault(shard, set()).update(keys)
    return NOT_GLOBAL


def cmd_eval(context: Context, args: Args) -> Steps:
    """Run a script where it belongs."""
    state = context.dispatcher.state
    plan = make_plan(state, context.command.name, args) if context.nested else context.result
    me = context.proactor.index
    client = client_of(context.session)
    owned: dict[int, set[int]] = {me: set()}
    locked: set[int] | None = None
    if plan.script.verdict.declared:
        owned = fingerprints(context, plan.keys)
        locked = set().union(*owned.values())
    if not owned:
        return run_script(state, plan, client, locked, None)
    if len(owned) == 1 and (locked is not None or context.proactor.count == 1):
        home = next(iter(owned))
        work: Work = (op_run, (state, plan, client, locked))
        if home != me:
            work = (op_eval, (plan.script.body, plan.keys, plan.arguments, plan.read_only, client, locked))
        return (yield from context.hop({home: work}, last=True))[home]
    # An empty hop: when it is over, all grants are there.
    yield from context.hop({})
    if locked is not None and plan.script.verdict.suspends and not context.nested:
        values = [*plan.keys, *plan.arguments]
        if len(values) <= MOST_ARGUMENTS:
            return (yield from run_suspending(context, plan, client, locked, values))
    return run_script(state, plan, client, locked, context.tx)


def client_of(session: Session) -> Client:
    """What a script has to know of its client: database, protocol, user's name, who tracks what it reads, and
    who, that is 0 for nobody, is not to be told of what it writes.
    """
    tracking = session.tracking
    writer = session.id if tracking is not None and tracking.no_loop else 0
    return session.db, session.proto, session.account.name, reader_of(session), writer


def op_run(shard: Shard, argument: tuple[ThreadState, Plan, Client, set[int] | None]) -> Any:
    """On the coordinator's own shard, which holds all keys of a script: run it."""
    return run_script(*argument, None)


def op_eval(shard: Shard, argument: tuple[Any, ...]) -> Any:
    """On another shard, which holds all keys of a script: run it."""
    body, keys, arguments, read_only, client, locked = argument
    state = shard.blocking.engine.proactor.service
    scripting = Scripting.of(state)
    if body not in scripting.cache.by_body:
        scripting.told(body, False)
    plan = Plan(scripting.cache.by_body[body], keys, arguments, read_only)
    return run_script(state, plan, client, set(locked), None)


def run_script(
    state: ThreadState,
    plan: Plan,
    client: Client,
    locked: set[int] | None,
    tx: Transaction | None,
) -> Any:
    """Run a script on this thread, which holds the intents that it needs.

    Args:
        client: see `client_of`.
        locked: the fingerprints it may touch; None for all.
        tx: for hops to other shards.

    Returns:
        The reply value.

    Raises:
        ReplyError: the script ended in an error.
    """
    scripting = Scripting.of(state)
    db, protocol, user, reader, writer = client
    run = scripting.begin(plan.script.sha, db, locked, not plan.writes, tx, user, reader, writer)
    run.mind_memory(plan.script.header.allows_oom)
    shard = state.proactor.shard
    outer, shard.writer = shard.writer, writer
    try:
        function = plan.script.function or scripting.compiled(plan.script)
        return scripting.lua().run(function, run, protocol, plan.keys, plan.arguments)
    except ScriptFailure as failure:
        raise failed(failure, plan.script.sha) from None
    finally:
        shard.writer = outer
        scripting.depth -= 1
        run.end()


def run_suspending(context: Context, plan: Plan, client: Client, locked: set[int], values: Args) -> Steps:
    """Run a script that may be suspended: its calls of other shards are hops like any other.

    Args:
        client: see `client_of`.
        locked: the fingerprints it may touch.
        values: its keys and arguments, not too many of them.
    """
    scripting = Scripting.of(context.dispatcher.state)
    runtime = scripting.lua()
    function = plan.script.function or scripting.compiled(plan.script)
    assert context.tx is not None
    db, protocol, user, reader, writer = client
    run = scripting.borrow()
    try:
        run.session.db = db
        run.session.proto = 2
        run.restart(locked, not plan.writes, context.tx, plan.script.sha)
        run.act_for(user, reader, writer)
        run.mind_memory(plan.script.header.allows_oom)
        number = scripting.next_number()
        result = scripting.go(run, runtime.begin, number, function, protocol, len(plan.keys), *values)
        while is_waiting(result):
            # What it changed here is not told before its end.
            context.tx.hold_ready()
            assert run.steps is not None
            try:
                value = yield from run.steps
            except ReplyError as error:
                value = error.bare()
            runtime.protocol = run.session.proto
            result = scripting.go(run, runtime.proceed, number, *runtime.answer_of(run.settled(value)))
        return plain_reply(result)
    except ScriptFailure as failure:
        raise failed(failure, plan.script.sha) from None
    finally:
        run.end()
        scripting.give_back(run)


# SCRIPT.


def cmd_script_load(session: Session, args: Args) -> Any:
    """Learn a script for good."""
    return Scripting.of(session.dispatcher.state).learn(args[2], loaded=True).sha


def cmd_script_exists(session: Session, args: Args) -> Any:
    """Which scripts are known."""
    known = Scripting.of(session.dispatcher.state).cache.by_sha
    return [int(sha.lower() in known) for sha in args[2:]]


def cmd_script_flush(session: Session, args: Args) -> Any:
    """Forget all scripts, on all threads."""
    if len(args) > 3 or (len(args) == 3 and args[2].upper() not in (b"SYNC", b"ASYNC")):
        raise ReplyError("ERR", "SCRIPT FLUSH only support SYNC|ASYNC option")
    proactor = session.dispatcher.proactor
    for thread in range(proactor.count):
        if thread != proactor.index:
            proactor.notify(thread, (flush_scripts,))
    Scripting.of(session.dispatcher.state).cache.flush()
    return OK


def cmd_script_show(session: Session, args: Args) -> Any:
    """A script's text."""
    known = Scripting.of(session.dispatcher.state).cache.by_sha
    sha = args[2].lower()
    if sha not in known:
        raise ReplyError("NOSCRIPT")
    return known[sha].body


def cmd_script_kill(session: Session, args: Args) -> Any:
    """End the script that keeps the server busy."""
    kill(session.dispatcher.state, is_function=False)
    return OK


def cmd_script_debug(session: Session, args: Args) -> Any:
    """The debugger of Redis is not there; switching it off is fine."""
    mode = args[2].upper()
    if mode == b"NO":
        return OK
    if mode in (b"YES", b"SYNC"):
        raise ReplyError("ERR", "the Lua debugger is not supported")
    raise ReplyError("ERR", "Use SCRIPT DEBUG YES/SYNC/NO")


def _eval(name: str, syntax: str, summary: str, since: str, **rest: Any) -> Row:
    read_only = name.endswith("_RO")
    flags = "movablekeys no_mandatory_keys noscript skip_monitor stale"
    return multi(
        name,
        -3,
        flags + " readonly" if read_only else flags,
        run=cmd_eval,
        scope=ALL_SHARED if read_only else ALL_EXCLUSIVE,
        lock=lock_eval,
        lock_in_exec=lock_eval_in_exec,
        quick=None if read_only else run_eval,
        find_keys=find_keys,
        acl="@scripting @slow",
        since=since,
        group="scripting",
        syntax=f"{syntax} numkeys [key [key ...]] [arg [arg ...]]",
        summary=summary,
        complexity="That of the script",
        key_flags="RO ACCESS" if read_only else "RW ACCESS UPDATE",
        **rest,
    )


def _script(
    name: str,
    arity: int,
    run: Callable[..., Any],
    summary: str,
    since: str,
    flags: str,
    syntax: str = "",
    **rest: Any,
) -> Row:
    return local(
        f"SCRIPT {name}",
        arity,
        flags,
        run=run,
        acl="@scripting @slow",
        since=since,
        group="scripting",
        syntax=syntax,
        summary=summary,
        **rest,
    )


TABLE: tuple[Row, ...] = (
    _eval("EVAL", "script", "Runs a Lua script.", "2.6.0"),
    _eval("EVALSHA", "sha1", "Runs a Lua script that the server knows, by its SHA-1.", "2.6.0"),
    _eval("EVAL_RO", "script", "Runs a Lua script that writes nothing.", "7.0.0"),
    _eval("EVALSHA_RO", "sha1", "Runs a Lua script that the server knows and that writes nothing.", "7.0.0"),
    container(
        "SCRIPT",
        -2,
        "",
        _script(
            "LOAD",
            3,
            cmd_script_load,
            "Keeps a script for EVALSHA.",
            "2.6.0",
            "noscript stale",
            "script",
            complexity="O(N) where N is the length of the script",
        ),
        _script(
            "EXISTS",
            -3,
            cmd_script_exists,
            "Tells which scripts the server knows.",
            "2.6.0",
            "noscript",
            "sha1 [sha1 ...]",
            complexity="O(N) where N is the number of scripts asked for",
        ),
        _script(
            "FLUSH",
            -2,
            cmd_script_flush,
            "Forgets all scripts.",
            "2.6.0",
            "noscript",
            "[<ASYNC|SYNC>]",
            complexity="O(N) where N is the number of scripts known",
        ),
        _script(
            "KILL",
            2,
            cmd_script_kill,
            "Ends a script that runs for too long.",
            "2.6.0",
            "allow_busy noscript",
        ),
        _script("SHOW", 3, cmd_script_show, "Returns the text of a script.", "8.0.0", "noscript", "sha1"),
        _script(
            "DEBUG",
            3,
            cmd_script_debug,
            "Sets the mode of the debugger, which can only be off.",
            "3.2.0",
            "noscript",
            "<YES|SYNC|NO>",
        ),
        help_row("SCRIPT", acl="@scripting @slow", group="scripting"),
        acl="@slow",
        since="2.6.0",
        group="scripting",
        summary="A container for the commands about scripts.",
    ),
)
