"""EVAL and EVALSHA of known scripts that need nobody else: all keys are ours, nobody has an intent on one.

No transaction, as nothing comes in between, and no call that can be spared. Commands of a pipeline that run
the same script one after the other are one loop: it leaves at the first that is different in any way, and the
dispatcher goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.scripting.runtime import MOST_ARGUMENTS, ScriptFailure, plain_reply

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.script_cache import Script
    from nogil_df.commands.scripting import Scripting
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.vll.proactor import Proactor

Args = list[bytes]


def run_eval(dispatcher: Dispatcher, session: Session, command: Command, args: Args) -> bool:
    """See `Row.quick`, and the module's text. O(commands that run the same script)."""
    extra = dispatcher.state.extra
    text = args[2]
    proactor = dispatcher.proactor
    if session.special or "scripting" not in extra or len(text) != 1 or dispatcher.state.memory.short:
        return False
    scripting: Scripting = extra["scripting"]
    known = scripting.cache.by_sha if command.name == "EVALSHA" else scripting.cache.by_body
    script = known[args[1]] if args[1] in known else None
    if script is None or script.function is None or scripting.depth or len(args) > MOST_ARGUMENTS:
        return False
    if not 0 <= text[0] - 48 <= len(args) - 3:
        return False
    if not script.verdict.declared and (proactor.count > 1 or proactor.engine.locks):
        return False
    begun = session.position
    runtime = scripting.lua()
    run = scripting.first_run()
    # A slow script lets others in, who must leave this session alone.
    session.busy = True
    scripting.depth = 1
    runtime.running, runtime.protocol = run, 2
    started = dispatcher.stopwatch()
    try:
        _run_alike(dispatcher, session, command, script, args)
    finally:
        runtime.running = None
        scripting.depth = 0
        session.busy = False
        run.end()
        if session.position > begun:
            scripting.cache.used(script)
            session.last_command = command.full_name
            command.record(session.position - begun, dispatcher.stopwatch() - started)
    return session.position > begun


def _run_alike(
    dispatcher: Dispatcher, session: Session, command: Command, script: Script, args: Args
) -> None:
    """Run the script for the command at the session's position, and for those after it that are like it."""
    name, body, text = args[:3]
    argc, count = len(args), text[0] - 48
    batch, position = session.batch, session.position
    size, proto, db = len(batch), session.proto, session.db
    proactor = dispatcher.proactor
    shard, locks, several = proactor.shard, proactor.engine.locks, proactor.count > 1
    ready, out, headers = shard.ready, session.out, dispatcher.encoder.bulk_header
    scripting: Scripting = dispatcher.state.extra["scripting"]
    enter, function = scripting.lua().enter, script.function
    run = scripting.first_run()
    seen = run.session
    clock, slow_ns = dispatcher.stopwatch, dispatcher.state.slow_ns
    locked: set[int] | None = None
    started = clock()
    while True:
        values = args[3:]
        if several or locks:
            locked = _ours(proactor, values[:count])
            if locked is None:
                return
        run.restart(locked, script.read_only, None, script.sha)
        seen.db = db
        seen.proto = 2
        result = enter(function, proto, count, *values)
        position += 1
        session.position = position
        now = clock()
        if not session.closed:
            if now - started >= slow_ns:
                dispatcher.state.note_slow(session, command, args, now - started)
            kind = result.__class__
            if kind is int:
                out.append(b":%d\r\n" % result)
            elif kind is bytes and len(result) < 4096:
                out += (headers[len(result)], result, b"\r\n")
            else:
                _reply(dispatcher, session, command, script, result)
        started = now
        if ready:
            shard.blocking.serve(ready)
        if position == size or run.watchdog is not None:
            return
        args = batch[position]
        if len(args) != argc or args[1] != body or args[2] != text or args[0] != name:
            return


def _ours(proactor: Proactor, keys: Args) -> set[int] | None:
    """Fingerprints of keys, if all live on this shard and nobody else has an intent on one. O(keys)."""
    hash_key = proactor.shard.hash_key
    me, count = proactor.index, proactor.count
    locks = proactor.engine.locks
    found = set()
    for key in keys:
        h = hash_key(key)
        if (h >> 32) % count != me or (locks and locks.conflicts(h, True)):
            return None
        found.add(h)
    return found


def _reply(dispatcher: Dispatcher, session: Session, command: Command, script: Script, result: Any) -> None:
    """Encode what a script returned that is neither an integer nor a short string."""
    try:
        reply = plain_reply(result)
    except ScriptFailure as failure:
        reply = failed(failure, script.sha)
    if reply.__class__ is ReplyError:
        command.failed += 1
        dispatcher.reply_error(session, reply)
    else:
        dispatcher.encoder.encode(reply, session.proto, session.out)


def failed(failure: ScriptFailure, name: bytes) -> ReplyError:
    """A script's error as its client sees it: with the name of the script, and the place if it is known."""
    text = failure.text
    if failure.source is not None:
        text += b" script: %b, on %b:%d." % (name, failure.source, failure.line or 0)
    return ReplyError("RAW", text)
