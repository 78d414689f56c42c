"""What a multi-hop command works with: hops on shards, calls on threads.

A MULTI command is a generator ``run(context, args)``. It reads top to bottom; each ``yield from`` on one of
the context's methods is one hop:

    def cmd_rename(context, args):
        record = yield from context.at(args[1], op_take, ...)
        yield from context.at(args[2], op_place, record, last=True)
        return OK

``last=True`` says that no hop follows: the transaction concludes with it and spares a message. Inside EXEC
the same generator runs as part of a bigger transaction; there ``last`` is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from nogil_df.base.errors import ReplyError
from nogil_df.shard.eviction import UNCHANGED
from nogil_df.shard.lengthy import Lengthy, Slices, drained
from nogil_df.shard.memory import own
from nogil_df.vll.engine import call, deliver
from nogil_df.vll.part import Work
from nogil_df.vll.slices import in_one_go

if TYPE_CHECKING:
    from nogil_df.commands.dispatch import Dispatcher
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.proactor import Message, Proactor
    from nogil_df.vll.transaction import Transaction

Steps = Generator[Any, Any, Any]


class GaveWay(Exception):
    """The urgent transaction had to let a more urgent one go first, and has had no effect."""


class Everywhere:
    """A request to run ``function(proactor, argument)`` on every thread; not part of the transaction."""

    __slots__ = ("argument", "function")

    def __init__(self, function: Callable[[Proactor, Any], Any], argument: Any) -> None:
        self.function = function
        self.argument = argument


class Outside:
    """A request to wait for something that is in no shard: ``start(context)`` begins it.

    Whoever ends it calls `Context.on_outside` with the answer, on this thread, and not before ``start`` has
    returned. The transaction keeps what it holds meanwhile, if it was made to (`Transaction.keep_intents`).
    """

    __slots__ = ("start",)

    def __init__(self, start: Callable[[Context], None]) -> None:
        self.start = start


def _turn_once(context: Context) -> None:
    proactor = context.proactor
    proactor.outboxes[proactor.index].append((answer, context, None))


def answer(proactor: Proactor, message: Message) -> None:
    """Message handler on the coordinator, ``(answer, context, value)``: what it waited for has come."""
    message[1].on_outside(message[2])


class Alone:
    """A request to run work on one shard as a transaction of that shard alone, which may read any key."""

    __slots__ = ("context", "shard", "work")

    def __init__(self, context: Context, shard: int, work: Work) -> None:
        self.context = context
        self.shard = shard
        self.work = work

    def on_answer(self, shard: int, result: Any) -> None:
        """The shard ran it."""
        self.context.dispatcher.resume(self.context, result)


class Context:
    """One run of a multi-hop command.

    Attributes:
        db: the database that keys are looked up in.
        tx: the transaction whose hops these are.
        nested: runs inside another transaction (EXEC, a script), which concludes it.
        in_script: a script runs it.
        slept, slept_at: nanoseconds it was blocked, and when it went to sleep.
    """

    __slots__ = (
        "session",
        "dispatcher",
        "proactor",
        "command",
        "args",
        "db",
        "tx",
        "nested",
        "in_script",
        "steps",
        "result",
        "started",
        "answers",
        "missing",
        "slept",
        "slept_at",
    )

    def __init__(self, dispatcher: Dispatcher, session: Session, command: Command, args: list[bytes]) -> None:
        self.dispatcher = dispatcher
        self.session = session
        self.proactor = dispatcher.proactor
        self.command = command
        self.args = args
        self.db = session.db
        self.tx: Transaction | None = None
        self.nested = False
        self.in_script = False
        self.steps: Steps | None = None
        self.result: Any = None
        self.started = 0
        self.answers: list[Any] = []
        self.missing = 0
        self.slept = 0
        self.slept_at = 0

    def shard_of(self, h: int) -> int:
        """The shard that owns a key's hash."""
        return (h >> 32) % self.proactor.count

    def hop(self, works: dict[int, Work], last: bool = False) -> Steps:
        """Run work on several shards. Returns {shard: result}.

        Raises:
            ReplyError: the first one that a shard's work gave.
        """
        if self.nested:
            # EXEC and scripts let nobody in between.
            works = {shard: (in_one_go, work) for shard, work in works.items()}
        results = yield self.signed(works), last and not self.nested
        for result in results.values():
            if result.__class__ is ReplyError:
                raise result
        return results

    def signed(self, works: dict[int, Work]) -> dict[int, Work]:
        """The works, marked as those of a client that is not to be told of what it changes itself, or whose
        commands do not count as uses of keys (CLIENT NO-TOUCH). O(shards)."""
        session = self.session
        if session.no_touch and self.command.name != "TOUCH":
            works = {shard: (untouched, work) for shard, work in works.items()}
        tracking = session.tracking
        if tracking is None or not tracking.no_loop:
            return works
        return signed_works(self.session.id, works)

    def at(self, key: bytes, op: Callable[..., Any], payload: Any, *, last: bool = False) -> Steps:
        """Run ``op(db, payload, h)`` on the shard of ``key``. Returns its result."""
        h = self.proactor.shard.hash_key(key)
        shard = self.shard_of(h)
        work = (_run_at, (self.proactor.index, op, self.db, payload, h))
        results = yield from self.hop({shard: work}, last)
        return results[shard]

    def by_shard(self, keys: Sequence[bytes]) -> dict[int, list[tuple[int, bytes, int]]]:
        """Group keys: shard -> [(position in ``keys``, key, hash)]. O(keys)."""
        hash_key = self.proactor.shard.hash_key
        count = self.proactor.count
        groups: dict[int, list[tuple[int, bytes, int]]] = {}
        for position, key in enumerate(keys):
            h = hash_key(key)
            groups.setdefault((h >> 32) % count, []).append((position, key, h))
        return groups

    def each_key(
        self,
        keys: Sequence[bytes],
        op: Callable[..., Any],
        payloads: Sequence[Any] | None = None,
        *,
        last: bool = False,
    ) -> Steps:
        """Run ``op(db, payload, h)`` for every key, one hop to each shard.

        Args:
            payloads: one for each key; the keys themselves if None.

        Returns:
            The results in the order of ``keys``.
        """
        given = keys if payloads is None else payloads
        origin = self.proactor.index
        if self.proactor.count == 1:
            hash_key = self.proactor.shard.hash_key
            pairs = list(zip(given, map(hash_key, keys), strict=True))
            answers = yield from self.hop({0: (_run_each, (origin, op, self.db, pairs))}, last)
            return answers[0]
        groups = self.by_shard(keys)
        works: dict[int, Work] = {
            shard: (_run_each, (origin, op, self.db, [(given[position], h) for position, _, h in group]))
            for shard, group in groups.items()
        }
        answers = yield from self.hop(works, last)
        results: list[Any] = [None] * len(keys)
        for shard, group in groups.items():
            for (position, _, _), result in zip(group, answers[shard], strict=True):
                results[position] = result
        return results

    def all_shards(self, op: Callable[[Shard, Any], Any], argument: Any, *, last: bool = False) -> Steps:
        """Run ``op(shard, argument)`` on every shard (global commands). Returns results by shard."""
        works: dict[int, Work] = dict.fromkeys(range(self.proactor.count), (op, argument))
        results = yield from self.hop(works, last)
        return [results[shard] for shard in range(self.proactor.count)]

    def alone(self, shard: int, op: Callable[[Shard, Any], Any], argument: Any) -> Steps:
        """Run ``op(shard, argument)``, which writes nothing, on one shard, as a transaction of its own.

        For commands that go from shard to shard and promise nothing about all of them together (SCAN); inside
        EXEC it is a hop of that transaction. Returns the result.
        """
        work: Work = (op, argument)
        if self.nested:
            return (yield from self.hop({shard: work}))[shard]
        result = yield Alone(self, shard, work)
        if result.__class__ is ReplyError:
            raise result
        return result

    def everywhere(self, function: Callable[[Proactor, Any], Any], argument: Any = None) -> Steps:
        """Run ``function(proactor, argument)`` on every thread, outside the transaction.

        Returns:
            The results by thread index.
        """
        results = yield Everywhere(function, argument)
        for result in results:
            if result.__class__ is ReplyError:
                raise result
        return results

    def after_what_is_under_way(self) -> Steps:
        """The last hop of a command on all keys: whatever other threads had begun before it asks has run.

        What they sent in the turn in which they were asked may reach a shard after their answer has come
        here. When they have answered once more it is there, and the transaction takes an id past all others.
        """
        yield from self.everywhere(_seen_tx_id)
        seen = yield from self.everywhere(_seen_tx_id)
        self.proactor.observe_tx_id(max(seen))
        yield from self.all_shards(_be_there, None, last=True)

    def outside(self, start: Callable[[Context], None]) -> Steps:
        """Wait for something that is in no shard, see `Outside`. Returns its answer.

        Raises:
            ReplyError: the answer is one.
        """
        answer = yield Outside(start)
        if answer.__class__ is ReplyError:
            raise answer
        return answer

    def pause(self) -> Steps:
        """Let the loop of this thread turn once; inside EXEC and scripts nobody may get in between.

        Only once work on a shard was `Lengthy`, or several shards took part: then the transaction is over, or
        holds its keys.
        """
        if not self.nested:
            yield Outside(_turn_once)

    def in_slices(self, steps: Slices) -> Steps:
        """Do work that touches no shard, and `pause` after each slice. Returns what the work returns."""
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value
            yield from self.pause()

    def answer_slowly(self, found: Any) -> Steps:
        """A list or set that is made for the reply, as `Chunks` if it is long; see `pause` for when."""
        size = self.proactor.shard.slice
        if self.nested or len(found) <= size:
            return found if found.__class__ is list else list(found)
        return (yield from self.in_slices(drained(found, size)))

    def name_keys(self, tx: Transaction) -> None:
        """See `NamingOwner`."""
        self.dispatcher.name_keys(self, tx)

    def on_outside(self, answer: Any) -> None:
        """What `outside` waits for has come."""
        self.dispatcher.resume(self, answer)

    def conclude(self) -> Steps:
        """An empty last hop: for commands that find out late that there is nothing more to do."""
        if not self.nested:
            yield {}, True

    def on_hop(self, results: dict[int, Any]) -> None:
        """The transaction brings the answers of a hop."""
        self.dispatcher.resume(self, results)

    def on_gave_way(self) -> None:
        """The urgent transaction had to let another go first."""
        self.dispatcher.resume(self, GaveWay())

    def on_answer(self, thread: int, result: Any) -> None:
        """A thread answered `everywhere`."""
        self.answers[thread] = result
        self.missing -= 1
        if not self.missing:
            answers = self.answers
            self.answers = []
            self.dispatcher.resume(self, answers)


def _seen_tx_id(proactor: Proactor, argument: None) -> int:
    return proactor.seen_tx_id()


def _be_there(shard: Shard, argument: None) -> None:
    """The hop of a transaction that only has to come after others."""


def run_as_one_hop(context: Context, args: list[bytes]) -> Steps:
    """A command on one key as the generator of a single hop."""
    command = context.command
    payload = args if command.cmd is None else command.cmd(context.session, args)
    return (yield from context.at(args[1], command.op, payload, last=True))  # type: ignore[arg-type]


def signed_works(client: int, works: dict[int, Work]) -> dict[int, Work]:
    """A hop's works, marked as those of a client that is not to be told of its own writes. O(shards)."""
    return {shard: (as_writer, (client, work)) for shard, work in works.items()}


def as_writer(shard: Shard, argument: tuple[int, Work]) -> Any:
    """A hop's work for a client that is not to be told of its own writes: it leaves its id on them."""
    client, (function, inner) = argument
    outer, shard.writer = shard.writer, client
    try:
        return function(shard, inner)
    except Lengthy as lengthy:
        return lengthy.finish()
    finally:
        shard.writer = outer


def untouched(shard: Shard, work: Work) -> Any:
    """A hop's work for a client that leaves no trace on the keys it comes across."""
    function, argument = work
    kept = bytes(shard.uses)
    shard.uses[:] = UNCHANGED
    try:
        return function(shard, argument)
    except Lengthy as lengthy:
        return lengthy.finish()
    finally:
        shard.uses[:] = kept


def _run_at(shard: Shard, argument: tuple[int, Callable[..., Any], int, Any, int]) -> Any:
    origin, op, db, payload, h = argument
    return op(shard.dbs[db], payload if origin == shard.index else own(payload), h)


def _run_each(shard: Shard, argument: tuple[int, Callable[..., Any], int, list[Any]]) -> list[Any]:
    origin, op, db_index, pairs = argument
    db = shard.dbs[db_index]
    if origin == shard.index:
        return [op(db, payload, h) for payload, h in pairs]
    return [op(db, own(payload), h) for payload, h in pairs]


def ask_all_now(proactor: Proactor, request: Everywhere) -> list[Any]:
    """`Context.everywhere` for code that can't be suspended: the thread waits on the spot for the answers.

    Meanwhile it answers such questions of others, or two that ask each other would wait for ever; nothing
    else, for it may be in the middle of work on its shard that holds no intents. O(threads).
    """
    if proactor.count == 1:
        return [request.function(proactor, request.argument)]
    question = Question(proactor.count)
    proactor.broadcast((collect, proactor.index, question, request.function, request.argument))
    proactor.wait_on_spot(question.is_answered, question.may_handle)
    for answer in question.answers:
        if answer.__class__ is ReplyError:
            raise answer
    return question.answers


class Question:
    """What all threads are asked, by one that waits for it on the spot."""

    __slots__ = ("answers", "missing")

    def __init__(self, threads: int) -> None:
        self.answers: list[Any] = [None] * threads
        self.missing = threads

    def on_answer(self, thread: int, answer: Any) -> None:
        """A thread answers."""
        self.answers[thread] = answer
        self.missing -= 1

    def is_answered(self) -> bool:
        """Whether all have answered."""
        return not self.missing

    def may_handle(self, message: Message) -> bool:
        """Whether the thread that waits handles a message now."""
        return message[0] is collect or (message[0] is deliver and message[1] is self)


def collect(proactor: Proactor, message: Message) -> None:
    """Message handler on every thread: run an `Everywhere` request and send the answer back."""
    _, origin, token, function, argument = message
    result = call((_swap_arguments, (function, argument, proactor)), proactor.shard)
    proactor.outboxes[origin].append((deliver, token, proactor.index, result))


def _swap_arguments(shard: Shard, argument: tuple[Callable[..., Any], Any, Proactor]) -> Any:
    function, given, proactor = argument
    return function(proactor, given)
