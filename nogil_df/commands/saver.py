"""Who keeps the snapshots: one save at a time, begun by commands, by save points, by the clock, by a
shutdown.

The first thread keeps them (`KEEPER`); commands on other threads ask it by message (`ask`). A save begins
with a global transaction of two hops (`Cutting`): the first looks what there is, the second takes the cuts;
nothing is written in between, so all shards tell of one moment. Then each shard's slices are messages that a
thread sends to itself, one a turn, and a thread of its own writes what they make (`nogil_df.snapshot`).

A shutdown that saves holds all writes up first, for what was written after the cut would be lost, and its
client would have been told that it is stored. If the save fails, the server goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nogil_df.base import log
from nogil_df.base.cron import Cron
from nogil_df.base.errors import ReplyError
from nogil_df.base.hashing import probe
from nogil_df.commands.context import Context, Outside, Steps, answer
from nogil_df.rdb import forms
from nogil_df.shard.field_deadlines import holds_deadlines
from nogil_df.snapshot import native
from nogil_df.snapshot.channel import Channel
from nogil_df.snapshot.cut import DONE, MORE, ShardCut
from nogil_df.snapshot.names import NATIVE, RDB, RDB_SUFFIX, Place, is_plain, place_for
from nogil_df.snapshot.pace import Pace
from nogil_df.snapshot.records import Style, ages_of
from nogil_df.snapshot.writing import CANCELLED, Save
from nogil_df.vll.part import GLOBAL_SHARED, Work
from nogil_df.vll.transaction import Transaction

if TYPE_CHECKING:
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.commands.timers import Timer
    from nogil_df.shard.shard import Shard
    from nogil_df.snapshot.status import Persistence
    from nogil_df.vll.proactor import Message, Proactor

KEEPER: Final = 0
"""The thread that keeps the snapshots."""

CATCH_UP: Final = 0.002
"""Seconds until a shard looks again whether the writer has caught up."""

LOOK_EVERY: Final = 1.0
"""Seconds between looks at save points and at the time-table."""

RETRY: Final = 5.0
"""Seconds after a failed save before a save point tries again, as in Redis."""

FOR_EVER: Final = 1e9
"""Seconds of the pause before a shutdown."""

Args = list[bytes]


# Asking the keeper.


class Answer:
    """What a context on any thread gets of the keeper: to be called once, by the keeper's thread."""

    __slots__ = ("_context", "_origin", "_proactor")

    def __init__(self, proactor: Proactor, origin: int, context: Context) -> None:
        self._proactor = proactor
        self._origin = origin
        self._context = context

    def __call__(self, value: Any) -> None:
        self._proactor.post(self._origin, (answer, self._context, value))


def ask(context: Context, function: Callable[..., None], *arguments: Any) -> Steps:
    """Have ``function(saver, answer, *arguments)`` run by the keeper; what it answers, in the end.

    Raises:
        ReplyError: it answered one.
    """
    outcome = yield Outside(partial(_send, function, arguments))
    if isinstance(outcome, ReplyError):
        raise outcome
    return outcome


def _send(function: Callable[..., None], arguments: tuple[Any, ...], context: Context) -> None:
    proactor = context.proactor
    proactor.post(KEEPER, (_asked, proactor.index, context, function, arguments))


def _asked(proactor: Proactor, message: Message) -> None:
    _, origin, context, function, arguments = message
    reply = Answer(proactor, origin, context)
    try:
        function(saver_of(proactor.service), reply, *arguments)
    except ReplyError as error:
        reply(error.bare())


def saver_of(state: ThreadState) -> Saver:
    """The keeper's saver; made at the first look."""
    extra = state.extra
    if "saver" not in extra:
        extra["saver"] = Saver(state)
    found: Saver = extra["saver"]
    return found


# The keeper.


@dataclass(frozen=True, slots=True)
class Wish:
    """What snapshot is wanted.

    Attributes:
        kind: RDB, NATIVE, or "" for what the configuration says.
        name: in the place of `dbfilename`; "" for that.
        place: where it goes, whatever else is said; None for what the rest says.
    """

    kind: str = ""
    name: str = ""
    place: Place | None = None


@dataclass(slots=True)
class Farewell:
    """A shutdown under way.

    Attributes:
        force: end even if the save fails.
        tell: called with "" before the server ends, or with what stands against it.
        end: ends it.
    """

    force: bool
    tell: Callable[[str], None]
    end: Callable[[], None]


class Saver:
    """Keeps the snapshots of a server. See the module's text.

    Attributes:
        scheduled: a save is wanted as soon as the present one is over.
        farewell: the shutdown under way.
    """

    def __init__(self, state: ThreadState) -> None:
        self.state = state
        self.proactor = state.proactor
        self.server = state.server
        self.scheduled = False
        self.farewell: Farewell | None = None
        self._number = 0
        self._timer: Timer | None = None
        self._cron = Cron("")

    @property
    def status(self) -> Persistence:
        """What the world is told."""
        found: Persistence = self.server.persistence
        return found

    # Beginning a save.

    def begin(self, wish: Wish, on_cut: Callable[[], None] | None = None, *, paced: bool = True) -> Save:
        """Begin a save.

        Args:
            on_cut: called when the cuts are taken: what is written from then on is not in it.
            paced: go slowly while there is other work.

        Raises:
            ReplyError: one is under way, or there is nowhere to save to.
        """
        status = self.status
        if status.save is not None:
            raise ReplyError("SAVE_IN_PROGRESS")
        if status.loading is not None:
            raise ReplyError("LOADING")
        config = self.state.config
        now = self.state.clock.unix_ms() // 1000
        place, name = self._place_of(wish, now)
        self._number += 1
        bell = self.server.disk.bell()
        count = self.proactor.count
        save = Save(
            number=self._number,
            place=place,
            name=name,
            style=Style(
                forms.WIDELY_READ,
                self._may_compress_strings(place.kind),
                ages_of(config.maxmemory_policy),
                client_flags=place.kind == NATIVE,
            ),
            codec=self._codec() if place.kind == NATIVE else native.Codec(native.PLAIN, None),
            checksum=config.rdbchecksum,
            created=now,
            started=self.state.clock.monotonic(),
            channels=[Channel(bell) for _ in range(count)],
            bell=bell,
            paced=paced,
            probe=probe(self.proactor.shard.hash_key, native.PROBE),
        )
        status.save = save
        log.notice(f"Saving the data set to {place.path}")
        Cutting(self, save, on_cut).begin()
        return save

    def _place_of(self, wish: Wish, now: int) -> tuple[Place, str]:
        """Where a snapshot goes, and the `dbfilename` it is made under.

        Raises:
            ReplyError: that is nowhere.
        """
        if wish.place is not None:
            return wish.place, os.path.basename(wish.place.path)
        config = self.state.config
        name = wish.name or config.dbfilename
        if not name:
            raise ReplyError("NO_DBFILENAME")
        if not is_plain(name):
            raise ReplyError("ERR", "the name of a snapshot can't be a path")
        kind = wish.kind
        if not kind and not name.endswith(RDB_SUFFIX):
            kind = NATIVE if config.df_snapshot_format else RDB
        return place_for(config.texts["dir"], name, kind, now), name

    def _may_compress_strings(self, kind: str) -> bool:
        """Strings one by one: in RDB files as Redis does, in native ones if nothing packs them together."""
        config = self.state.config
        mode = config.compression_mode
        if kind == RDB:
            return config.rdbcompression and mode not in ("0", "none")
        return mode in ("1", "single_entry")

    def _codec(self) -> native.Codec:
        config = self.state.config
        codec = native.codec_for(config.compression_mode, config.compression_level)
        if codec is None:
            if not self.state.extra.get("told_codec"):
                self.state.extra["told_codec"] = True
                log.notice(
                    f"compression_mode is {config.compression_mode}, and what it needs is not installed:"
                    " native snapshots are not compressed"
                )
            return native.Codec(native.PLAIN, None)
        return codec

    def on_cut(self, save: Save, on_cut: Callable[[], None] | None) -> None:
        """The cuts are taken: let them be written."""
        self.server.disk.write(save, self._on_written)
        if on_cut is not None:
            on_cut()

    def on_failed_cut(self, save: Save, error: ReplyError) -> None:
        """A shard could not take its cut."""
        save.fail(str(error))
        save.done = True
        self._over(save)

    def _on_written(self, save: Save) -> None:
        """On the writer's thread: it is over."""
        self.server.submit(KEEPER, (_save_over, save))

    def _over(self, save: Save) -> None:
        status = self.status
        clock = self.state.clock
        status.save = None
        status.last_try = clock.monotonic()
        took = status.last_try - save.started
        status.last_seconds = int(took)
        if save.error:
            self._failed(save)
        else:
            status.is_good = True
            status.last_error = ""
            status.last_save = clock.unix_ms() // 1000
            status.last_bytes = save.written
            status.saves += 1
            status.saved_dirty = save.dirty
            log.notice(
                f"Saved {save.keys} keys to {save.place.path}: {save.written} bytes in {took:.3f} seconds"
            )
        self._tell_misconf()
        owners, save.owners = save.owners, []
        for owner in owners:
            owner(save)
        if self.scheduled and self.status.save is None and self.farewell is None:
            self.scheduled = False
            self._begin_unasked("a save was scheduled")

    def _failed(self, save: Save) -> None:
        status = self.status
        if save.error == CANCELLED:
            log.notice(f"The save to {save.place.path} was given up")
            return
        status.is_good = False
        status.last_error = save.error
        status.failures += 1
        log.warning(f"Saving to {save.place.path} failed: {save.error}")

    def _tell_misconf(self) -> None:
        """Writes are refused, or not any more: see `refuse_writes`."""
        self.proactor.broadcast((refuse_writes, not self.status.is_good))

    def _begin_unasked(self, why: str) -> None:
        try:
            log.notice(f"Begin a save: {why}")
            self.begin(Wish())
        except ReplyError as error:
            log.warning(f"No save: {describe_reply(error)}")

    def schedule(self) -> None:
        """Save now, or when the present save is over."""
        if self.status.save is not None:
            self.scheduled = True
        else:
            self._begin_unasked("a save was scheduled")

    # Save points and the time-table.

    def follow(self) -> None:
        """Take over what the configuration says about saves that nobody asks for."""
        config = self.state.config
        if config.snapshot_cron != self._cron.expression:
            self._cron = Cron(config.snapshot_cron)
            self._cron.begin(self.state.clock.unix_ms() // 1000)
        wanted = bool(config.save or config.snapshot_cron)
        if wanted and self._timer is None:
            self._arm()
        elif not wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self.state.timers.at(self.state.clock.monotonic() + LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._arm()
        if self.status.loading is not None or self.farewell is not None:
            return
        due = self._cron.due(self.state.clock.unix_ms() // 1000)
        if due:
            if self.status.save is not None:
                log.warning(f"snapshot_cron: the run of {due} is skipped, as a save is under way")
            else:
                self._begin_unasked(f"snapshot_cron, {due}")
        if self.status.save is None:
            self._look_at_save_points()

    def _look_at_save_points(self) -> None:
        points = self.state.config.save
        if not points:
            return
        status = self.status
        dirty = self.server.dirty() - status.saved_dirty
        elapsed = self.state.clock.unix_ms() // 1000 - status.last_save
        if not status.is_good and self.state.clock.monotonic() - status.last_try < RETRY:
            return
        for seconds, changes in points:
            if dirty >= changes and elapsed > seconds and self.state.config.dbfilename:
                self._begin_unasked(f"{dirty} changes in {elapsed} seconds")
                return

    # The end.

    def shut_down(
        self,
        save: bool | None,
        force: bool,
        tell: Callable[[str], None],
        end: Callable[[], None] | None = None,
    ) -> None:
        """End the server, maybe after a save.

        Args:
            save: whether to save; None for what is usual: with a `dbfilename`, and something to save.
            force: end even if the save fails.
            tell: called with "" before the server ends, else with the reason why it does not.
            end: what ends it; None for `request_stop`.
        """
        if self.farewell is not None:
            tell("a shutdown is under way already")
            return
        # Where nobody says how to end it, all of the server ends.
        self.farewell = Farewell(force, tell, end or self.server.request_stop)
        status = self.status
        if save is None:
            save = bool(self.state.config.dbfilename) and self._has_changed()
        if status.loading is not None:
            save = False
        if not save:
            self._after_save(self._end)
            return
        Round(self.proactor, hold_writes, self._save_and_end).begin()

    def _has_changed(self) -> bool:
        """Whether the last snapshot is not what is in memory: an end without a save would lose something."""
        status = self.status
        return self.server.dirty() != status.saved_dirty or (not status.is_good)

    def _after_save(self, function: Callable[[], None]) -> None:
        """Give up the save that is under way, and go on when it is over."""
        save = self.status.save
        if save is None:
            function()
            return
        save.owners.append(lambda save: function())
        save.fail(CANCELLED)

    def _save_and_end(self) -> None:
        self._after_save(self._last_save)

    def _last_save(self) -> None:
        if self.farewell is None:
            return
        try:
            self.begin(Wish(), paced=False).owners.append(self._on_last_save)
        except ReplyError as error:
            self._stay(describe_reply(error))

    def _on_last_save(self, save: Save) -> None:
        if save.error:
            self._stay(save.error)
        else:
            self._end()

    def _end(self) -> None:
        farewell = self.farewell
        if farewell is not None:
            farewell.tell("")
            farewell.end()

    def _stay(self, reason: str) -> None:
        farewell, self.farewell = self.farewell, None
        if farewell is None:
            return
        if farewell.force and reason != CANCELLED:
            log.warning(f"The last save failed: {reason}. Ending all the same, as asked")
            self.farewell = farewell
            self._end()
            return
        log.warning(f"The last save failed: {reason}. The server goes on")
        self.proactor.broadcast((let_writes_go,))
        farewell.tell(reason)

    def abort_shutdown(self) -> bool:
        """Give up a shutdown that is under way; False if there is none, or it is too late."""
        if self.farewell is None or self.status.save is None:
            return False
        self.status.save.fail(CANCELLED)
        return True


def describe_reply(error: ReplyError) -> str:
    """An error reply's text, for the log."""
    from nogil_df.base.errors import text

    return text(error).decode("utf-8", "backslashreplace")


class Round:
    """A message to every thread, and then something else once all have answered.

    Args:
        function: called on each thread, with its proactor.
        then: called on the thread that asked.
    """

    __slots__ = ("_function", "_missing", "_proactor", "_then")

    def __init__(
        self, proactor: Proactor, function: Callable[[Proactor], None], then: Callable[[], None]
    ) -> None:
        self._proactor = proactor
        self._function = function
        self._then = then
        self._missing = proactor.count

    def begin(self) -> None:
        """Ask everybody."""
        self._proactor.broadcast((_in_round, self._proactor.index, self, self._function))

    def on_answer(self) -> None:
        """One more has answered."""
        self._missing -= 1
        if not self._missing:
            self._then()


def _in_round(proactor: Proactor, message: Message) -> None:
    _, origin, asker, function = message
    function(proactor)
    proactor.post(origin, (_round_answered, asker))


def _round_answered(proactor: Proactor, message: Message) -> None:
    message[1].on_answer()


def hold_writes(proactor: Proactor) -> None:
    """On every thread, before the last save: writes wait."""
    state: ThreadState = proactor.service
    state.pausing.begin(state.clock.monotonic() + FOR_EVER, True)


def let_writes_go(proactor: Proactor, message: Message) -> None:
    """On every thread: there will be no shutdown."""
    proactor.service.pausing.end()


def refuse_writes(proactor: Proactor, message: Message) -> None:
    """On every thread: whether the last save failed. `stop-writes-on-bgsave-error` says what that means."""
    state: ThreadState = proactor.service
    state.extra["save_failed"] = message[1]
    state.refresh_gated()


def _save_over(proactor: Proactor, message: Message) -> None:
    """Message handler on the keeper: the writer is done."""
    saver_of(proactor.service)._over(message[1])


# The cut.


@dataclass(frozen=True, slots=True)
class Survey:
    """What a shard holds at the moment of a cut.

    Attributes:
        sizes: database -> (keys, those that expire).
        dirty: changes so far.
        has_deadlines: there are fields of hashes that expire.
        libraries: codes of functions; of the keeper's thread only, as all have the same.
    """

    sizes: dict[int, tuple[int, int]]
    dirty: int
    has_deadlines: bool
    libraries: list[bytes]
    used: int


class Cutting:
    """The transaction that takes the cuts of a save."""

    __slots__ = ("_on_cut", "_save", "_saver", "_tx", "_was_surveyed")

    def __init__(self, saver: Saver, save: Save, on_cut: Callable[[], None] | None) -> None:
        self._saver = saver
        self._save = save
        self._on_cut = on_cut
        self._was_surveyed = False
        self._tx: Transaction | None = None

    def begin(self) -> None:
        """Look what there is."""
        proactor = self._saver.proactor
        self._tx = tx = Transaction(proactor, self)
        tx.lock_everything(GLOBAL_SHARED)
        self._go_on(tx.hop(dict.fromkeys(range(proactor.count), (survey, None)), False))

    def on_hop(self, results: dict[int, Any]) -> None:
        """All shards have answered."""
        self._go_on(results)

    def _go_on(self, results: dict[int, Any] | None) -> None:
        while results is not None:
            tx = self._tx
            assert tx is not None
            wrong = next((one for one in results.values() if one.__class__ is ReplyError), None)
            if wrong is not None or self._was_surveyed:
                tx.abort()
                tx.release()
                self._tx = None
                if wrong is not None:
                    self._saver.on_failed_cut(self._save, wrong)
                else:
                    self._saver.on_cut(self._save, self._on_cut)
                return
            self._was_surveyed = True
            self._note(results.values())
            save = self._save
            works: dict[int, Work] = {
                shard: (begin_cut, (save.number, save.style, channel, save.paced))
                for shard, channel in enumerate(save.channels)
            }
            results = tx.hop(works, True)

    def _note(self, surveys: Iterable[Survey]) -> None:
        save = self._save
        for one in surveys:
            save.dirty += one.dirty
            save.used += one.used
            save.libraries += one.libraries
            for index, (keys, expiring) in one.sizes.items():
                before = save.sizes.get(index, (0, 0))
                save.sizes[index] = before[0] + keys, before[1] + expiring
            if one.has_deadlines:
                save.style.version = forms.FIELD_DEADLINES_SINCE


def survey(shard: Shard, argument: None) -> Survey:
    """On a shard: what it holds. O(databases)."""
    state: ThreadState = shard.blocking.engine.proactor.service
    libraries: list[bytes] = []
    if shard.index == KEEPER and "libraries" in state.extra:
        libraries = [library.code for library in state.extra["libraries"].by_name.values()]
    return Survey(
        {db.index: (len(db), db.table.expiring) for db in shard.dbs if len(db)},
        shard.dirty,
        any(holds_deadlines(db) for db in shard.dbs),
        libraries,
        shard.used,
    )


def begin_cut(shard: Shard, argument: tuple[int, Style, Channel, bool]) -> None:
    """On a shard: take the cut; the slices follow as messages. O(databases)."""
    number, style, channel, paced = argument
    channel.begin(shard.used)
    cut = ShardCut(shard, number, style, channel, Pace() if paced else None)
    shard.blocking.engine.proactor.post(shard.index, (write_slice, cut))


def write_slice(proactor: Proactor, message: Message) -> None:
    """Message that a shard's thread sends to itself: write some more of a cut, and come again."""
    state: ThreadState = proactor.service
    cut: ShardCut = message[1]
    disk = state.server.disk
    if disk.rest and cut.must_rest(state.clock.stopwatch_ns()):
        _post_later(proactor, message, disk.rest)
        return
    outcome = cut.step(disk.slice_ns, state.clock.stopwatch_ns)
    if outcome == MORE:
        proactor.post(proactor.index, message)
    elif outcome != DONE:
        _post_later(proactor, message, CATCH_UP)


def _post_later(proactor: Proactor, message: Message, seconds: float) -> None:
    """Post a message to this thread itself in some time."""
    state: ThreadState = proactor.service
    state.timers.at(state.clock.monotonic() + seconds, lambda: proactor.post(proactor.index, message))
