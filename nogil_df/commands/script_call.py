"""`redis.call`: the commands of one run of a script, carried out on the spot.

A script runs on one thread from its first instruction to its last, under intents that its transaction holds.
A command on a key of this thread's shard is a plain function call, as in the dispatcher; one on another
shard's key is a synchronous hop of the script's transaction (`Transaction.hop_now`).

The commands see a session of the thread's own: what a script SELECTs ends with it, and nothing of a client,
who may live on another thread, is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.commands.access import CHANNEL, COMMAND, KEY, denial, log_denial
from nogil_df.commands.busy import Watchdog
from nogil_df.commands.context import Alone, Context, Everywhere, Outside, ask_all_now, signed_works
from nogil_df.commands.spec import KEYS, LOCAL, NOTHING, SINGLE, Command
from nogil_df.commands.tracking import note_read
from nogil_df.scripting.runtime import WAITING
from nogil_df.shard.lengthy import Lengthy
from nogil_df.vll.engine import call
from nogil_df.wire.values import OK, Members, Pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from nogil_df.commands.context import Steps
    from nogil_df.commands.session import Session
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.shard.keyspace import Keyspace
    from nogil_df.shard.tracking import Client
    from nogil_df.vll.part import Work
    from nogil_df.vll.transaction import Transaction

_REASONS = {
    COMMAND: "can't run this command or subcommand",
    KEY: "can't access at least one of the keys mentioned in the command arguments",
    CHANNEL: "can't publish to the channel mentioned in the command",
}

MAY_REPLICATE = frozenset(["PFCOUNT", "PUBLISH", "SPUBLISH"])
"""No writes to those who call them, yet not for scripts that only read: replicas would have to be told."""


class ScriptCall:
    """One run of a script: what its `redis.call` reaches, and what it has done so far.

    Args:
        state: of the thread that it runs on.
        session: what the commands see.
        locked: fingerprints of the keys it may touch; None for all.
        read_only: commands that write are refused.
        tx: the transaction whose hops reach other shards; None if all it may touch is here.
        watchdog: keeps the time; made when it is needed if None.
        name, is_function: of the script, and whether FCALL runs it.
        user: who runs it.

    Attributes:
        reader: the client that tracks what the script reads, None if none does.
        writer: the client, if it is not to be told of what the script writes; else 0.
        wrote: a command that may write was called.
        short: memory was short when it began, which concerns it.
        suspends: it may be suspended while it waits for another shard: see `call`.
        steps, pending: of the command that it waits for: the generator of its hops, and which it is.
        plain: nothing is unusual: the user may do everything, replies are those of RESP2, it is not slow.
    """

    __slots__ = (
        "_commands",
        "_count",
        "_dbs",
        "_hash_key",
        "_me",
        "_restricted",
        "_special",
        "reader",
        "writer",
        "watchdog",
        "is_function",
        "locked",
        "name",
        "plain",
        "read_only",
        "pending",
        "session",
        "short",
        "state",
        "steps",
        "suspends",
        "tx",
        "wrote",
    )

    def __init__(
        self,
        state: ThreadState,
        session: Session,
        locked: Set[int] | None,
        read_only: bool,
        tx: Transaction | None,
        watchdog: Watchdog | None = None,
        name: bytes = b"",
        is_function: bool = False,
        user: bytes = b"default",
    ) -> None:
        proactor = state.proactor
        self.state = state
        self.session = session
        self.locked = locked
        self.read_only = read_only
        self.tx = tx
        self.wrote = False
        self.short = False
        self.watchdog: Watchdog | None = watchdog
        self._commands = state.dispatcher.commands
        self._dbs = proactor.shard.dbs
        self._hash_key = proactor.shard.hash_key
        self._count = proactor.count
        self._me = proactor.index
        self.name = name
        self.is_function = is_function
        self._restricted = False
        self._special = False
        self.reader: Client | None = None
        self.writer = 0
        self.plain = False
        self.suspends = False
        self.steps: Steps | None = None
        self.pending: Command | None = None
        self.act_for(user, None, 0)

    def restart(
        self,
        locked: Set[int] | None,
        read_only: bool,
        tx: Transaction | None,
        name: bytes,
    ) -> None:
        """Begin another run with the same object, for a user who may do everything: making one costs time."""
        self.locked = locked
        self.read_only = read_only
        self.tx = tx
        self.wrote = False
        self.short = False
        self.name = name
        self.watchdog = None
        self._restricted = False
        self._special = False
        self.reader = None
        self.writer = 0
        self.plain = not self.state.dispatcher.gated

    def act_for(self, user: bytes, reader: Client | None, writer: int) -> None:
        """Run commands as far as this user may; a client that tracks is told of changes of what they read.

        Args:
            reader, writer: see the class.

        Raises:
            ReplyError: there is no such user any more.
        """
        users = self.state.users
        account = users.default if user == b"default" else None
        if account is None:
            if user not in users.by_name:
                raise ReplyError("NOPERM_COMMAND", "eval")
            account = users.by_name[user]
        self.session.account = account
        self._restricted = not account.is_unrestricted
        self.reader = reader
        self.writer = writer
        self._special = self._restricted or reader is not None
        self.plain = (
            not (self._special or self.state.dispatcher.gated)
            and self.watchdog is None
            and self.session.proto == 2
        )

    def mind_memory(self, allows_oom: bool) -> None:
        """If memory is short as the script begins, its first write may be refused; not a later one, as in
        Redis.

        To be called after `act_for`.
        """
        if self.state.memory.short and not allows_oom:
            self.short = True
            self.plain = False

    def call(self, args: list[bytes]) -> Any:
        """Run one command. See `nogil_df.scripting.runtime.Running`.

        Returns:
            Its reply value; WAITING if that comes later, when somebody has driven `steps` to their end and
            asked `settled`.
        """
        command: Any = self._commands[args[0]]
        if command is None:
            raise ReplyError("SCRIPT_UNKNOWN_COMMAND")
        argc = len(args)
        if not command.least <= argc <= command.most:
            raise ReplyError("SCRIPT_ARITY")
        if command.subcommands:
            command = _subcommand(command, args)
        if "noscript" in command.flags:
            raise ReplyError("NOT_FROM_SCRIPT")
        if command.is_write:
            if self.read_only:
                raise ReplyError("SCRIPT_READ_ONLY")
            if self.short and command.deny_oom and not self.wrote:
                raise ReplyError("OOM")
            if self.state.dispatcher.gated and self.state.refuses_writes:
                raise ReplyError("MISCONF")
            self.wrote = True
            if self.watchdog is not None and self.watchdog.slow is not None:
                self.watchdog.slow.wrote = True
        elif self.read_only and command.name in MAY_REPLICATE:
            raise ReplyError("SCRIPT_READ_ONLY")
        if self._special:
            self._look_closer(command, args)
        # Not timed: that would cost more than many a command.
        command.calls += 1
        try:
            if command.kind == SINGLE or argc == command.single_with:
                payload = args if argc == command.plain_with or command.cmd is None else None
                if payload is None:
                    payload = command.cmd(self.session, args)
                h = self._hash_key(args[1])
                if self.locked is not None and h not in self.locked:
                    raise ReplyError("SCRIPT_UNDECLARED")
                if (h >> 32) % self._count == self._me:
                    value = _in_one_go(command.op, self._dbs[self.session.db], payload, h)
                elif self.suspends:
                    value = self.wait_for(command, payload, h)
                else:
                    value = self.elsewhere(command, payload, h)
            elif command.kind == LOCAL:
                value = command.run(self.session, args)
            else:
                value = self._multi(command, args)
        except ReplyError as error:
            value = error.bare()
        return value if value is WAITING else self._reply_value(command, value)

    def _reply_value(self, command: Command, value: Any) -> Any:
        if value is True and command.plain_ok:
            return OK
        if value.__class__ is list and self.session.proto == 3:
            value = _typed(command, value)
        elif value.__class__ is ReplyError:
            command.failed += 1
            self.state.count_error(value)
        return value

    def settled(self, value: Any) -> Any:
        """The reply value of the command that was waited for, of what its steps returned."""
        command, self.pending, self.steps = self.pending, None, None
        assert command is not None
        return self._reply_value(command, value)

    def wait_for(self, command: Command, payload: Any, h: int) -> Any:
        """Begin to wait for a command on the key of another shard. Returns WAITING."""
        self.pending = command
        work = (_run_at, (command.op, self.session.db, payload, h))
        self.steps = self._signed_steps(_one_hop((h >> 32) % self._count, work))
        return WAITING

    def elsewhere(self, command: Command, payload: Any, h: int) -> Any:
        """Run a command on the key of another shard. Returns its reply value, or a ReplyError."""
        shard = (h >> 32) % self._count
        work = (_run_at, (command.op, self.session.db, payload, h))
        return self._hop({shard: work})[shard]

    def _look_closer(self, command: Command, args: list[bytes]) -> None:
        found = denial(self.session.account, command, args) if self._restricted else None
        if found is None:
            if self.reader is not None and "readonly" in command.flags:
                note_read(self.state.proactor, self.reader, command, args)
        else:
            log_denial(self.session, found, b"lua")
            raise ReplyError("ERR", "The user executing the script " + _REASONS[found.reason])

    def _multi(self, command: Command, args: list[bytes]) -> Any:
        """Drive a multi-hop command to its end."""
        if self.locked is not None:
            self._check_keys(command, args)
        context = Context(self.state.dispatcher, self.session, command, args)
        context.nested = context.in_script = True
        context.tx = self.tx
        steps = command.run(context, args)  # type: ignore[misc]
        if self.suspends:
            self.pending, self.steps = command, self._signed_steps(steps)
            return WAITING
        value: Any = None
        try:
            while True:
                value = self._answer(steps.send(value))
        except StopIteration as stop:
            return stop.value

    def _check_keys(self, command: Command, args: list[bytes]) -> None:
        assert self.locked is not None
        hash_key = self._hash_key
        declared = all(hash_key(args[index]) in self.locked for index in command.key_indexes(args))
        if not declared or command.row.scope not in (KEYS, NOTHING):
            raise ReplyError("SCRIPT_UNDECLARED")

    def _answer(self, request: Any) -> Any:
        """What a multi-hop command's generator is sent for one of its requests."""
        if request.__class__ is Everywhere:
            return self._everywhere(request)
        if request.__class__ is Alone:
            return self._hop({request.shard: request.work})[request.shard]
        if request.__class__ is Outside:
            raise ReplyError("NOT_FROM_SCRIPT")
        return self._hop(request[0])

    def _everywhere(self, request: Everywhere) -> list[Any]:
        return ask_all_now(self.state.proactor, request)

    def _signed_steps(self, steps: Steps) -> Steps:
        """The steps of a command, their hops marked as this client's if it is not to be told of them."""
        return _signed(steps, self.writer) if self.writer else steps

    def _hop(self, works: dict[int, Any]) -> dict[int, Any]:
        if self.writer:
            works = signed_works(self.writer, works)
        me = self._me
        if len(works) == 1 and me in works:
            return {me: call(works[me], self.state.proactor.shard)}
        if not works:
            return {}
        if self.tx is None:
            raise ReplyError("SCRIPT_UNDECLARED")
        return self.tx.hop_now(works)

    def acl_check(self, args: list[bytes]) -> bool:
        """Whether the user may run a command."""
        command: Any = self._commands[args[0]]
        if command is None:
            raise ReplyError("ERR", "Invalid command passed to redis.acl_check_cmd()")
        if command.subcommands:
            command = command.subcommands.get(args[1].upper() if len(args) > 1 else b"", command)
        return not self._restricted or denial(self.session.account, command, args) is None

    def set_protocol(self, protocol: int) -> None:
        """See `nogil_df.scripting.runtime.Running`."""
        self.session.proto = protocol
        # Once it was another one, the general way is right for good.
        self.plain = False

    def on_tick(self) -> bool:
        """See `nogil_df.scripting.runtime.Running`."""
        if self.watchdog is None:
            self.plain = False
            self.watchdog = Watchdog(self.state, self.name, self.is_function, [self.name])
        return self.watchdog.tick(self.wrote)

    def end(self) -> None:
        """The run is over, one way or another."""
        if self.watchdog is not None:
            self.watchdog.end()


def _typed(command: Command, values: list[Any]) -> Any:
    """A list that the command's own encoder writes as a map or a set."""
    encode = command.row.encode
    if encode == "map_of_bulks":
        return Pairs(list(zip(values[::2], values[1::2], strict=True)))
    if encode == "set_of_bulks":
        return Members(values)
    return values


def _subcommand(command: Command, args: list[bytes]) -> Command:
    if len(args) == 1:
        return command
    child = command.subcommands.get(args[1].upper())
    if child is None:
        raise ReplyError("SCRIPT_UNKNOWN_COMMAND")
    if not child.least <= len(args) <= child.most:
        raise ReplyError("SCRIPT_ARITY")
    return child


def _signed(steps: Steps, writer: int) -> Steps:
    value: Any = None
    try:
        while True:
            request = steps.send(value)
            if request.__class__ is tuple:
                request = signed_works(writer, request[0]), request[1]
            value = yield request
    except StopIteration as stop:
        return stop.value


def _one_hop(shard: int, work: Work) -> Steps:
    return (yield {shard: work}, False)[shard]


def _run_at(shard: Any, argument: tuple[Any, int, Any, int]) -> Any:
    op, db, payload, h = argument
    from nogil_df.shard.memory import own

    return _in_one_go(op, shard.dbs[db], own(payload), h)


def _in_one_go(op: Callable[..., Any], db: Keyspace, payload: Any, h: int) -> Any:
    """What an op returns: a script lets nobody in between, however long it takes."""
    try:
        return op(db, payload, h)
    except Lengthy as lengthy:
        return lengthy.finish()
