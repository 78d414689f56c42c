"""From parsed commands to replies: the executor of one thread.

``execute`` runs the commands of one session in order until they are done or one has to wait for another
shard. Its inner loop is the hottest code of the server:

    look the name up -> check the count -> (cmd: parse) -> hash the key -> op on the shard -> encode

It is written with everything bound to locals, because 3.13t runs without inline caches, and it takes one
clock reading for a run of equal commands instead of one for each (50 ns of about 1,500): latency figures of
a pipelined run are the run's mean; of a command that comes alone they are its own.

What can't run on the spot:
- a key on another shard, or one with an intent on it: from there on, as many single-key commands as follow
  become one squashed hop (`nogil_df.vll.squash`); a lone one takes a leaner message;
- a multi-hop command: a `Context` drives its generator.
In both cases the session is ``busy`` until the answer comes, and then goes on where it stopped. That is
what keeps program order.

The unusual states of a session or of the thread (not logged in, MULTI, paused clients, MONITOR...) cost
nothing here but one test: they make ``special`` or ``gated`` true, and then every command is first looked at
by `nogil_df.commands.gate`.
"""

from __future__ import annotations

import sys
from itertools import repeat
from typing import TYPE_CHECKING, Any

from nogil_df.base.crash import log_crash
from nogil_df.base.errors import ReplyError, unknown_command
from nogil_df.commands import at_once, bulk, gate
from nogil_df.commands.blocking import Wait
from nogil_df.commands.context import Alone, Context, Everywhere, GaveWay, Outside, Steps, collect
from nogil_df.commands.lone import Lone
from nogil_df.commands.long_reply import LongReply
from nogil_df.commands.spec import ALL_EXCLUSIVE, ALL_SHARED, KEYS, LOCAL, SINGLE, Command, Row
from nogil_df.shard.lengthy import Lengthy
from nogil_df.vll.engine import call, run_part
from nogil_df.vll.part import GLOBAL_EXCLUSIVE, GLOBAL_SHARED, Part, Work
from nogil_df.vll.squash import Item, begin_single, fingerprints, run_alone, run_batch, run_one
from nogil_df.vll.transaction import Transaction
from nogil_df.wire.values import Chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nogil_df.base.clock import Clock
    from nogil_df.commands.session import Session
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.vll.proactor import Proactor
    from nogil_df.wire.reply import ReplyEncoder

SPELLINGS = 2000
"""How many spellings of command names ("get", "Get") a thread remembers beside the upper-case ones."""


class CommandTable(dict[bytes, Command]):
    """Commands by name as clients spell it: upper and lower case, and other spellings once they were used.

    Looked up by ``table[name]``, never ``table.get(name)``: on 3.13t ``dict.get`` of a key that is not a str
    enters the dict's critical section twice, and the second entry spins until it gives up (measured: up to
    5 us a command). A name that nobody knows gives None and is not remembered.
    """

    __slots__ = ("spelled",)

    def __init__(self) -> None:
        super().__init__()
        self.spelled = 0

    def __missing__(self, name: bytes) -> Command | None:
        upper = name.upper()
        if len(name) >= 64 or upper == name:
            return None
        command = self[upper]
        if command is not None and self.spelled < SPELLINGS:
            self.spelled += 1
            self[bytes(name)] = command
        return command


class SquashedBatch:
    """A batch of single-key commands in flight on several shards.

    Attributes:
        run, owners: the commands in program order, and the shard each went to; -1 for one that failed before
            it got anywhere. The results of a shard come in the order in which it was given its commands.
        failed: the errors of those that failed, in order.
    """

    __slots__ = ("dispatcher", "failed", "owners", "run", "session", "tx")

    def __init__(
        self,
        dispatcher: Dispatcher,
        session: Session,
        run: list[Command],
        owners: list[int],
        failed: list[ReplyError],
    ) -> None:
        self.dispatcher = dispatcher
        self.session = session
        self.run = run
        self.owners = owners
        self.failed = failed
        self.tx: Transaction | None = None

    def on_hop(self, results: dict[int, Any]) -> None:
        """The transaction brings the results of all shards."""
        self.dispatcher.finish_batch(self, results)

    def on_answer(self, shard: int, result: Any) -> None:
        """One shard had everything and ran it without a transaction."""
        self.dispatcher.finish_batch(self, {shard: result})


class Dispatcher:
    """The command executor of one thread, with its own copy of the command table.

    Args:
        proactor: the thread's core.
        rows: the command table; every thread makes its own `Command` objects from it.
        encoder: the thread's reply encoder.
        state: the rest of the thread's state (configuration view, sessions, statistics).
    """

    __slots__ = (
        "proactor",
        "clock",
        "stopwatch",
        "commands",
        "table",
        "encoder",
        "state",
        "config",
        "gated",
        "only_measured",
        "hot",
        "no_batch",
        "squash_limit",
        "squash_from",
        "squashed_hops",
        "squashed_commands",
        "squashed_ns",
        "movers",
        "lone",
        "here",
    )

    def __init__(
        self, proactor: Proactor, rows: Iterable[Row], encoder: ReplyEncoder, state: ThreadState
    ) -> None:
        self.proactor = proactor
        self.clock: Clock = proactor.clock
        self.stopwatch: Callable[[], int] = proactor.clock.stopwatch_ns
        self.encoder = encoder
        self.state = state
        self.config = state.config
        self.table: dict[str, Command] = {}
        self.commands = CommandTable()
        for row in rows:
            command = Command(row)
            self.table[row.name] = command
            self.commands[row.name.encode()] = command
            self.commands[row.name.lower().encode()] = command
            self._bind_encoder(command)
        shard = proactor.shard
        self.hot = (
            self.commands,
            shard.dbs,
            shard.hash_key,
            proactor.engine.locks,
            proactor.count > 1,
            proactor.count,
            proactor.index,
            encoder.bulk_header,
            self.stopwatch,
            shard.ready,
        )
        """What the inner loop needs, in one look-up: none of it ever changes."""
        self.no_batch: list[list[bytes]] = []
        self.gated = False
        self.only_measured = False
        # Bounds of a squashed hop, and the length from which a pipeline is squashed; see `reconfigure`.
        self.squash_limit = 100
        self.squash_from = 1
        self.squashed_hops = 0
        self.squashed_commands = 0
        self.squashed_ns = 0
        # Blocked commands of the server that move elements: a batch would get between them and their element.
        self.movers = 0
        self.lone = Lone(self)
        self.here = at_once.Here(proactor)

    def reconfigure(self) -> None:
        """Take over what the configuration says about squashing; at the start and after every CONFIG SET."""
        config = self.config
        self.squash_limit = config.max_squashed_cmd_num
        self.squash_from = config.pipeline_squash or 1 << 62

    def _bind_encoder(self, command: Command) -> None:
        command.encode = getattr(self.encoder, command.row.encode or "encode")
        for child in command.subcommands.values():
            self._bind_encoder(child)

    def execute(self, session: Session) -> None:
        """Run ``session.batch`` from ``session.position``; returns when it is done or a hop is under way."""
        while True:
            try:
                if self.gated or session.special:
                    gate.run_carefully(self, session)
                else:
                    self._run(session)
            except ReplyError as error:
                self.fail(session, error.bare())
            except Lengthy as lengthy:
                self.go_slowly(session, lengthy)
            except Exception:
                args = session.batch[session.position]
                self.fail(session, log_crash(args[0].decode("latin-1"), sys.exc_info()))
            if session.busy:
                break
            if session.position >= len(session.batch) or session.closing:
                session.batch = self.no_batch
                session.position = 0
                break
        if self.proactor.shard.outgoing:
            self.state.publish_events()

    def go_slowly(self, session: Session, lengthy: Lengthy) -> None:
        """The single-key command at ``session.position`` reads so much that it is done in slices."""
        args = session.batch[session.position]
        session.position += 1
        session.busy = True
        session.pending = command = self.commands[args[0]]
        session.last_command = command.full_name
        proactor = self.proactor
        begin_single(proactor, proactor.index, session, proactor.shard.hash_key(args[1]), lengthy)

    def fail(self, session: Session, error: ReplyError) -> None:
        """Answer the command at ``session.position`` with an error and step over it."""
        args = session.batch[session.position]
        session.position += 1
        command: Any = self.commands[args[0]]
        if command is None and gate.hang_up_on_http(session, args):
            return
        if command is not None:
            command = command.subcommands.get(args[1].upper(), command) if len(args) > 1 else command
            if error.code in gate.REFUSALS:
                command.rejected += 1
                error = gate.refusal(session, command, error)
            else:
                command.record(1, 0)
                command.failed += 1
        self.reply_error(session, error)

    def reply_error(self, session: Session, error: ReplyError) -> None:
        """Encode an error reply and count it by prefix. O(text)."""
        self.state.count_error(error)
        self.encoder.encode(error, session.proto, session.out)

    def _run(self, session: Session) -> None:
        """The inner loop; see the module's text. Leaves on the first command it can't run on the spot."""
        commands, dbs, hash_key, locks, several, count, me, headers, clock, ready = self.hot
        batch = session.batch
        position = session.position
        db = dbs[session.db]
        out = session.out
        append = out.append
        proto = session.proto
        if len(batch) - position > 3 and not locks and bulk.run_pipeline(self, session):
            return
        command: Command | None = None
        argc = -1
        begun = position
        first = position
        started = clock()
        try:
            for args in batch[position:] if position else batch:
                found = commands[args[0]]
                if found is not command or len(args) != argc:
                    if position > begun and command is not None and found is not command:
                        now = clock()
                        self._account(session, command, begun, position, now - started)
                        started = now
                        begun = position
                    command = found
                    if command is None:
                        raise unknown_command(args)
                    argc = len(args)
                    if not command.least <= argc <= command.most:
                        raise ReplyError("WRONG_ARITY", command.full_name)
                    if command.kind != SINGLE and argc != command.single_with:
                        break
                    cmd = None if argc == command.plain_with else command.cmd
                    op: Any = command.op
                    encode: Any = command.encode
                    plain_ok = command.plain_ok
                payload = args if cmd is None else cmd(session, args)
                h = hash_key(args[1])
                if locks or (several and (h >> 32) % count != me):
                    break
                value = op(db, payload, h)
                # What nearly all replies are, without another call: about 60 ns of 1,000.
                if value.__class__ is bytes and len(value) < 4096:
                    out += (headers[len(value)], value, b"\r\n")
                elif plain_ok and value is True:
                    append(b"+OK\r\n")
                else:
                    encode(value, proto, out)
                position += 1
                if ready:
                    self.proactor.engine.blocking.serve(ready)
            else:
                return
        finally:
            session.position = position
            # With the one it leaves on, if it leaves: `squash` counts those that it takes beside that.
            session.commands_run += position - first + (position < len(batch))
            if command is not None:
                session.last_command = command.full_name
                if position > begun:
                    self._account(session, command, begun, position, clock() - started)
        if command.kind == SINGLE or argc == command.single_with:
            if position + 1 == len(batch):
                self._send_last(session, command, payload, h)
            else:
                self.squash(session)
        elif command.kind == LOCAL:
            self.run_local(session, command, args)
        else:
            self.run_multi(session, command, args)

    def _account(self, session: Session, command: Command, begin: int, end: int, nanoseconds: int) -> None:
        """Account for the commands of the batch from ``begin`` up to ``end``, which took so long together."""
        calls = end - begin
        command.record(calls, nanoseconds)
        if nanoseconds >= self.state.slow_ns * calls:
            for args in session.batch[begin:end]:
                self.state.note_slow(session, command, args, nanoseconds // calls)

    def run_local(self, session: Session, command: Command, args: list[bytes]) -> None:
        """Run a command that touches no shard."""
        if command.subcommands:
            command = gate.subcommand(command, args)
        if self.proactor.shard.outgoing:
            # What was changed before is told before: this may be PUBLISH.
            self.state.publish_events()
        started = self.stopwatch()
        if command.kind != LOCAL:
            self.run_multi(session, command, args)
            return
        session.last_command = command.full_name
        reply = command.run(session, args)  # type: ignore[misc]
        self.reply(session, command, reply, self.stopwatch() - started, args)
        session.position += 1

    def reply(
        self, session: Session, command: Command, reply: Any, nanoseconds: int, args: list[bytes]
    ) -> None:
        """Encode the reply of one command and account for it."""
        command.record(1, nanoseconds)
        if nanoseconds >= self.state.slow_ns:
            self.state.note_slow(session, command, args, nanoseconds)
        if reply.__class__ is ReplyError:
            command.failed += 1
            self.reply_error(session, reply)
        else:
            command.encode(reply, session.proto, session.out)  # type: ignore[misc]

    # Squashing: single-key commands that do not all live here.

    def squash(self, session: Session, limit: int = 0) -> None:
        """Send the single-key commands at ``session.position`` to their shards, as one hop.

        Args:
            limit: at most so many commands; 0 for the configured bound.
        """
        batch = session.batch
        position = session.position
        if len(batch) - position < self.squash_from or self.movers:
            limit = 1
        last = min(len(batch), position + (limit or self.squash_limit))
        commands, _, hash_key, _, _, count = self.hot[:6]
        groups: dict[int, list[Item]] = {}
        run: list[Command] = []
        owners: list[int] = []
        failed: list[ReplyError] = []
        command: Command | None = None
        argc = -1
        for args in batch[position:last]:
            found = commands[args[0]]
            if found is not command or len(args) != argc:
                argc = len(args)
                if found is None or not found.least <= argc <= found.most:
                    break
                if found.kind != SINGLE and argc != found.single_with:
                    break
                command = found
                cmd = None if argc == command.plain_with else command.cmd
                op: Any = command.op
                is_write = command.is_write
            run.append(found)
            try:
                payload = args if cmd is None else cmd(session, args)
            except ReplyError as error:
                owners.append(-1)
                failed.append(error.bare())
                continue
            except Exception:
                owners.append(-1)
                failed.append(log_crash(found.full_name, sys.exc_info()))
                continue
            h = hash_key(args[1])
            shard = (h >> 32) % count
            owners.append(shard)
            if shard in groups:
                groups[shard].append((op, payload, h, is_write))
            else:
                groups[shard] = [(op, payload, h, is_write)]
        session.position = position + len(run)
        session.commands_run += len(run) - 1
        session.busy = True
        session.last_command = run[-1].full_name
        task = SquashedBatch(self, session, run, owners, failed)
        self.squashed_hops += len(groups)
        self.squashed_commands += len(run)
        if not groups:
            self.finish_batch(task, {})
        elif len(groups) == 1:
            self._send_alone(task, *next(iter(groups.items())))
        else:
            self._send_transaction(task, groups)

    def _send_last(self, session: Session, command: Command, payload: Any, h: int) -> None:
        """Send the last command of a batch to the shard of its key: the leanest hop there is."""
        proactor = self.proactor
        me = proactor.index
        shard = (h >> 32) % proactor.count
        session.position += 1
        session.busy = True
        session.pending = command
        message = (run_one, me, session, command.op, session.db, payload, h, command.is_write)
        if shard == me:
            run_one(proactor, message)
        else:
            proactor.outboxes[shard].append(message)

    def _send_alone(self, task: SquashedBatch, shard: int, items: list[Item]) -> None:
        proactor = self.proactor
        message = (run_alone, proactor.index, task, task.session.db, items)
        if shard == proactor.index:
            run_alone(proactor, message)
        else:
            proactor.outboxes[shard].append(message)

    def _send_transaction(self, task: SquashedBatch, groups: dict[int, list[Item]]) -> None:
        task.tx = tx = Transaction(self.proactor, task)
        me = self.proactor.index
        db = task.session.db
        works: dict[int, Work] = {}
        for shard, items in groups.items():
            tx.lock_part(shard, *fingerprints(items))
            works[shard] = (run_batch, (me, db, items))
        results = tx.hop(works, True)
        if results is not None:
            self.finish_batch(task, results)

    def finish_single(self, session: Session, result: Any) -> None:
        """The answer of the lone single-key command in flight."""
        command = session.pending
        session.pending = None
        session.busy = False
        assert command is not None
        if session.closed:
            return
        args = session.batch[session.position - 1]
        # [value, nanoseconds] as `run_batch` gives it; one error if the work broke as a whole.
        value, nanoseconds = (result, 0) if result.__class__ is ReplyError else result
        if value.__class__ is Chunks:
            LongReply(self, session, command, value, nanoseconds, args).start()
            return
        try:
            self.reply(session, command, value, nanoseconds, args)
        except ReplyError as error:
            self.reply_error(session, error.bare())
        if session.special or session.shown is not None:
            gate.after_reply(session)
        self.go_on(session)

    def finish_batch(self, task: SquashedBatch, results: dict[int, Any]) -> None:
        """The answers of a squashed batch: encode them in program order."""
        session = task.session
        tx = task.tx
        if tx is not None:
            task.tx = None
            tx.release()
        session.busy = False
        if session.closed:
            return
        run = task.run
        # What the shards needed, not what the client waited: that is mostly other clients' work.
        took = sum(found[-1] for found in results.values() if found.__class__ is list)
        self.squashed_ns += took
        share = took // len(run)
        if share >= self.state.slow_ns:
            begin = session.position - len(run)
            for command, args in zip(run, session.batch[begin : session.position], strict=True):
                self.state.note_slow(session, command, args, share)
        answers: dict[int, Iterator[Any]] = {-1: iter(task.failed)}
        for shard, found in results.items():
            # A shard whose work broke as a whole answers one error for all.
            answers[shard] = repeat(found) if found.__class__ is ReplyError else iter(found)
        self.encode_batch(session, run, task.owners, answers, share)
        if session.special or session.shown is not None:
            gate.after_reply(session)
        self.go_on(session)

    def encode_batch(
        self, session: Session, run: list[Command], owners: list[int], answers: Any, share: int
    ) -> None:
        """Encode the replies of ``run``, which come from ``answers[owner]``, and count the commands.

        Args:
            share: nanoseconds that each of them took.
        """
        out = session.out
        append = out.append
        proto = session.proto
        headers = self.encoder.bulk_header
        command: Command | None = None
        calls = 0
        for found, owner in zip(run, owners, strict=True):
            if found is not command:
                if command is not None:
                    command.record(calls, calls * share)
                command = found
                calls = 0
                encode: Any = command.encode
                plain_ok = command.plain_ok
            calls += 1
            value = next(answers[owner])
            if value.__class__ is bytes and len(value) < 4096:
                out += (headers[len(value)], value, b"\r\n")
            elif plain_ok and value is True:
                append(b"+OK\r\n")
            elif value.__class__ is ReplyError:
                command.failed += 1
                self.reply_error(session, value)
            else:
                encode(value, proto, out)
        if command is not None:
            command.record(calls, calls * share)

    def go_on(self, session: Session) -> None:
        """Something in flight is over: run what the session has left, then let the transport send."""
        if session.position < len(session.batch) and not session.closing:
            self.execute(session)
            if session.busy:
                return
        else:
            session.batch = []
            session.position = 0
            if self.proactor.shard.outgoing:
                self.state.publish_events()
        session.transport.ready()

    # Multi-hop commands.

    def run_multi(self, session: Session, command: Command, args: list[bytes]) -> None:
        """Start a multi-hop command."""
        if command.subcommands:
            command = gate.subcommand(command, args)
        if session.tracking is None and not session.no_touch:
            if command.at_once is not None and self._run_at_once(session, command, args):
                return
            if command.quick is not None and command.quick(self, session, command, args):
                return
        self.run_steps(session, command, args, command.run)  # type: ignore[arg-type]

    def _run_at_once(self, session: Session, command: Command, args: list[bytes]) -> bool:
        """Run a multi-hop command in one call, if all is here. False, and nothing has happened, if not."""
        started = self.stopwatch()
        shard = self.proactor.shard
        value = at_once.run(command.at_once, self.here, session, shard.dbs[session.db], args)  # type: ignore[arg-type]
        if value is at_once.ELSEWHERE:
            return False
        session.position += 1
        session.last_command = command.full_name
        if shard.ready:
            shard.blocking.serve(shard.ready)
        self.reply(session, command, value, self.stopwatch() - started, args)
        return True

    def run_steps(
        self, session: Session, command: Command, args: list[bytes], run: Callable[..., Steps]
    ) -> None:
        """Start a command as the generator that ``run(context, args)`` makes."""
        session.last_command = command.full_name
        context = Context(self, session, command, args)
        context.started = self.stopwatch()
        tx = Transaction(self.proactor, context)
        # May raise; the two refer to each other only afterwards, or they would never be freed.
        lock_command(context, tx, command, args)
        context.tx = tx
        context.steps = run(context, args)
        session.position += 1
        session.busy = True
        session.task = context
        if self._advance(context, None):
            if context.result.__class__ is Chunks:
                self._finish_slowly(context)
                return
            session.busy = False
            self._finish_multi(context)

    def resume(self, context: Context, value: Any) -> None:
        """A hop of a multi-hop command is over: run its coordinator on."""
        if self._advance(context, value):
            session = context.session
            if context.result.__class__ is Chunks:
                self._finish_slowly(context)
                return
            session.busy = False
            closed = session.closed
            self._finish_multi(context)
            if not closed:
                gate.after_reply(session)
                self.go_on(session)

    def _advance(self, context: Context, value: Any) -> bool:
        """Run the generator until it has to wait. True if it ended, with the reply in ``context.result``."""
        steps = context.steps
        assert steps is not None
        try:
            while True:
                request = steps.throw(value) if value.__class__ is GaveWay else steps.send(value)
                if request.__class__ is Everywhere:
                    self._ask_everyone(context, request)
                    return False
                if request.__class__ is Alone:
                    ran, value = self._run_alone(request)
                    if ran:
                        continue
                    return False
                if request.__class__ is Wait:
                    return False
                if request.__class__ is Outside:
                    request.start(context)
                    return False
                value = context.tx.hop(*request)  # type: ignore[union-attr]
                if value is None:
                    return False
        except StopIteration as stop:
            context.result = stop.value
        except ReplyError as error:
            context.result = error.bare()
        except Exception:
            context.result = log_crash(context.command.full_name, sys.exc_info())
        tx = context.tx
        assert tx is not None
        tx.abort()
        tx.release()
        context.steps = None
        context.tx = None
        shard = self.proactor.shard
        if shard.ready:
            # It ran inline; otherwise each shard has served its waiters when the last hop concluded.
            shard.blocking.serve(shard.ready)
        return True

    def _ask_everyone(self, context: Context, request: Everywhere) -> None:
        count = self.proactor.count
        context.answers = [None] * count
        context.missing = count
        message = (collect, self.proactor.index, context, request.function, request.argument)
        self.proactor.broadcast(message)

    def _run_alone(self, request: Alone) -> tuple[bool, Any]:
        """Run or send off one shard's work. (True, result) if it could run at once."""
        proactor = self.proactor
        part = Part(proactor.index, request, frozenset(), frozenset(), GLOBAL_SHARED)
        if request.shard != proactor.index:
            proactor.outboxes[request.shard].append((run_part, part, request.work))
        elif proactor.engine.is_free(part):
            return True, call(request.work, proactor.shard)
        else:
            run_part(proactor, (run_part, part, request.work))
        return False, None

    def _finish_slowly(self, context: Context) -> None:
        session = context.session
        session.task = None
        if session.closed:
            return
        elapsed = self.stopwatch() - context.started - context.slept
        LongReply(self, session, context.command, context.result, elapsed, context.args).start()

    def name_keys(self, context: Context, tx: Transaction) -> None:
        """Name the keys of a command whose transaction had begun without that. O(keys)."""
        shared: dict[int, set[int]] = {}
        exclusive: dict[int, set[int]] = {}
        add_keys(context, context.command, context.args, shared, exclusive)
        tx.lock_keys(shared, exclusive)

    def _finish_multi(self, context: Context) -> None:
        session = context.session
        session.task = None
        if session.closed:
            return
        elapsed = self.stopwatch() - context.started - context.slept
        try:
            self.reply(session, context.command, context.result, elapsed, context.args)
        except ReplyError as error:
            self.reply_error(session, error.bare())


def lock_command(context: Context, tx: Transaction, command: Command, args: list[bytes]) -> None:
    """Name the keys, or everything, that a command's transaction needs.

    Raises:
        ReplyError: the arguments do not tell the keys.
    """
    row = command.row
    if row.lock is not None:
        row.lock(context, tx, args)
    elif row.scope == KEYS and context.proactor.count == 1 and not context.proactor.engine.locks:
        # All keys are here and nobody holds an intent: nothing to find out, nothing to lock.
        tx.run_inline()
    elif row.scope == KEYS:
        shared: dict[int, set[int]] = {}
        exclusive: dict[int, set[int]] = {}
        add_keys(context, command, args, shared, exclusive)
        tx.lock_keys(shared, exclusive)
    elif row.scope == ALL_SHARED:
        tx.lock_everything(GLOBAL_SHARED)
    elif row.scope == ALL_EXCLUSIVE:
        tx.lock_everything(GLOBAL_EXCLUSIVE)


def add_keys(
    context: Context,
    command: Command,
    args: list[bytes],
    shared: dict[int, set[int]],
    exclusive: dict[int, set[int]],
) -> None:
    """Add the fingerprints of a command's keys, by shard, to the sets a transaction will lock. O(keys)."""
    into = exclusive if command.is_write else shared
    hash_key = context.proactor.shard.hash_key
    count = context.proactor.count
    for index in command.key_indexes(args):
        h = hash_key(args[index])
        into.setdefault((h >> 32) % count, set()).add(h)
