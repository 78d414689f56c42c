"""What holds the server to its memory: `maxmemory`, eviction, and the refusal of commands that need more.

The limit is one for the process, the data is spread over threads that share nothing. So every thread keeps
what it holds in a plain attribute, ``held``, and reads that of the others, which may be a moment old. When
it has to look again it knows by a count of writes, ``Shard.look_at``, and by the bytes of database 0: far
from the limit rarely, near it at the end of every turn that wrote. Two comparisons a turn are all that the
limit costs while there is room. A turn ends before its replies to other threads leave, so what a client was
told is known.

What is counted is what INFO calls used_memory: the shards' own account and the buffers of clients, as in
Redis. Resident memory is looked at beside it, in the heartbeat: fragmentation and what no account knows of
count for the kernel that kills, too. In a small container the interpreter's own memory does, so that memory
may be short there while `maxmemory` is far away. So where the process comes near what the machine lets it
have, its size is looked at as often as the account (`_machine_room`).

Over the limit those threads evict, each from its own shard, that hold more than their equal part of the
limit. A thread that holds less goes on, and asks them to if they do not do so anyway: or the one that looks
most often would evict what the others bring, and its keys would live shorter than theirs. If the policy
finds nothing on any shard (or is `noeviction`), ``short`` is true: the dispatcher is ``gated``, and the
gate refuses what Redis refuses (`refuse`).

With `maxmemory 0` the limit is AUTOMATIC of what the machine, or the container, has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nogil_df.base import log
from nogil_df.base.errors import ReplyError
from nogil_df.commands.client_list import CLIENT_BYTES
from nogil_df.shard.eviction import CACHE
from nogil_df.shard.table import PACKED

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.commands.spec import Command
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.vll.proactor import Message, Proactor

AUTOMATIC: Final = 0.8
"""Share of the usable memory that data may take if `maxmemory` is 0; Dragonfly's figure."""

MACHINE_MARGIN: Final = 20
"""A part in so many of what the machine has for this process stays free, for what it does on its behalf."""

LEAST_MARGIN: Final = 8 << 20
"""Bytes of that, at least."""

WRITE_BYTES: Final = 4096
"""What a write adds at most, for the most part: decides how many may pass before the next look."""

LEAST_SLACK: Final = 1024
"""Evicting goes on until a thousandth of the limit is free, or this, so that not every write has to evict."""

VISITS: Final = 256 if PACKED else 64
"""Segments that one look visits to evict, at 3 to 5 us each, 50 to 100 in pure Python; it goes on in the next
turn. In cache mode each gives 8 records; with 64 visits, fifty clients with pipelines of 16 brought more in a
turn than went, and memory grew 8 % past the limit."""

MOST_LOOKS: Final = 256
"""Looks in a row while a snapshot is loaded, each of which may evict for some milliseconds."""

TOLERATED: Final = 4
"""Times the slack, so 0.4 % of the limit, that threads with less than their part wait for the others to evict
what these brought themselves, before they are asked."""

RESIDENT_FLOOR: Final = 32 << 20
"""What a process may grow by whatever its limit is: code loaded late, stacks and arenas of threads,
buffers. Without it a limit of 20 MB was refused for what is not data."""

MANY_CLIENTS: Final = 500
"""Clients up to which buffers are added up in every heartbeat; above that once a second."""

ROUND: Final = 5.0
"""Seconds after which it is looked whether evicting has made the process smaller: pages come free when the
sweep of ages takes garbage out of segments, which comes by once a second."""

LEAST_EFFECT: Final = 4
"""Evicting makes the process smaller if it shrinks by one part in so many of what was evicted."""

TOLD_AGAIN: Final = 3600.0
"""Seconds between two warnings that it does not."""

NOT_EVEN_IN_MULTI: Final = frozenset(("DISCARD", "QUIT", "RESET"))
"""What Redis runs inside MULTI while memory is short; EXEC depends on what is queued."""


class Shrinking:
    """What one thread evicts because the process is too large: its part of the excess, then what comes since.

    Evicting need not make the process smaller, as what goes leaves gaps in pages that others are in. Who
    evicts until it is smaller may empty a cache for nothing. So once the excess has been evicted, what the
    thread holds may not grow, which is enough for the process not to grow: new records go into gaps. If it
    did shrink, but not enough, the rest of the excess follows; if it grows more, that follows at once.

    Attributes:
        over: bytes that the process was seen to be too large by at most; 0: it is not too large.
        keep: bytes that the thread may hold while that lasts.
        in_vain: evicting has not made the process smaller.
    """

    __slots__ = ("_evicting", "_next_round", "_resident", "in_vain", "keep", "over")

    def __init__(self) -> None:
        self.over = self.keep = 0
        self.in_vain = False
        # Of the round: what was to be evicted, when it is over, and the size of the process as it began.
        self._evicting = self._resident = 0
        self._next_round = 0.0

    def goal(self, over: int, held: int, resident: int, now: float) -> int:
        """Bytes to evict now. O(1).

        Args:
            over: bytes that the process is too large by, this thread's part, at least 1.
            held: bytes that this thread holds.
            resident: bytes of the process.
            now: monotonic seconds.
        """
        if not self.over:
            self._begin(over, held, resident, now)
        elif over > self.over:
            self.keep -= over - self.over
            self._evicting += over - self.over
            self.over = over
        elif now >= self._next_round and held <= self.keep:
            self.in_vain = over > 1 and (self._resident - resident) * LEAST_EFFECT < self._evicting
            if not self.in_vain:
                self._begin(over, held, resident, now)
        return max(0, held - self.keep)

    def _begin(self, over: int, held: int, resident: int, now: float) -> None:
        self.over = self._evicting = over
        self.keep = held - over
        self._resident = resident
        self._next_round = now + ROUND

    def end(self) -> None:
        """The process is not too large any more. O(1)."""
        self.over = 0
        self.in_vain = False


class MemoryGuard:
    """The guard of one thread.

    Attributes:
        limit: bytes; 0 if there is none (a machine that does not tell how much memory it has).
        held: bytes that this thread holds, as of its last look; read by the other threads.
        machine_limit: resident bytes of the process, at most, whatever `maxmemory` says; 0: nobody knows.
        exhausted: over the limit, and nothing to evict here; read by the other threads.
        short: no room, and nothing to evict anywhere.
        client_bytes: of this thread's clients, buffers included, as of the last heartbeat.
        looks, visits_ns: how often it looked, and how long it evicted, nanoseconds.
        evicted_clients: disconnected because of `maxmemory-clients`.
    """

    __slots__ = (
        "_by_machine",
        "_by_ratio",
        "_last_clients",
        "_next_warning",
        "_total_then",
        "client_bytes",
        "deny_from",
        "evict_from",
        "evicted_clients",
        "exhausted",
        "held",
        "limit",
        "looks",
        "machine_limit",
        "resident_at_start",
        "resident_limit",
        "resident_now",
        "short",
        "slack",
        "state",
        "visits_ns",
    )

    def __init__(self, state: ThreadState) -> None:
        self.state = state
        self.limit = 0
        self.deny_from = self.evict_from = self.resident_limit = self.machine_limit = self.slack = 0
        self.held = 0
        self.exhausted = False
        self.short = False
        self.client_bytes = 0
        self.looks = 0
        self.visits_ns = 0
        self.evicted_clients = 0
        self.resident_at_start = self.resident_now = state.server.resident_memory()
        # What all threads held when `resident_now` was read.
        self._total_then = 0
        self._last_clients = 0.0
        self._next_warning = 0.0
        # The process is larger than the machine has room for, or than `rss_oom_deny_ratio` allows.
        self._by_machine = Shrinking()
        self._by_ratio = Shrinking()

    def follow(self) -> None:
        """Take over what the configuration says."""
        state = self.state
        config = state.config
        shard = state.proactor.shard
        usable = state.server.usable_memory()
        limit = config.maxmemory or int(usable * AUTOMATIC)
        self.limit = limit
        self.deny_from = int(limit * config.oom_deny_ratio)
        ratio = config.rss_oom_deny_ratio
        self.resident_limit = int(limit * ratio) + RESIDENT_FLOOR if ratio else 0
        self.machine_limit = max(0, usable - max(LEAST_MARGIN, usable // MACHINE_MARGIN)) if ratio else 0
        policy = CACHE if config.cache_mode else config.maxmemory_policy
        self.evict_from = limit
        if config.cache_mode and config.enable_heartbeat_eviction:
            self.evict_from = int(limit * (1 - config.eviction_memory_budget_threshold))
        self.slack = max(LEAST_SLACK, limit >> 10)
        shard.evictor.follow(policy, config.maxmemory_samples, config.lfu_log_factor, config.lfu_decay_time)
        # At the end of this turn.
        shard.look_at = 0

    @property
    def counts_uses(self) -> bool:
        """Whether the policy counts uses of keys, instead of seconds without one."""
        return self.state.proactor.shard.evictor.policy.kind in ("lfu", CACHE)

    @property
    def total(self) -> int:
        """Bytes that all threads hold, as far as this one knows. O(threads)."""
        found = 0
        for peer in self.state.proactor.peers:
            if peer.service is not None:
                found += peer.service.memory.held
        return found

    def look(self) -> None:
        """Find out how much room there is, make some if there is none, and say when to look again.

        O(databases + threads), and what is evicted.
        """
        self.looks += 1
        shard = self.state.proactor.shard
        self.held = shard.used + self.client_bytes
        if not self.limit:
            shard.look_at = shard.ceiling = 1 << 62
            return
        total = self.total
        short = total > self.deny_from
        if total <= self.evict_from:
            self.exhausted = False
        elif shard.evictor.policy.kind:
            total = self._evict(total)
            short = total > self.deny_from and self.may_not_evict
        room = max(0, self.evict_from - total)
        if self.machine_limit:
            machine_room = self._machine_room(total)
            if machine_room:
                self._by_machine.end()
            elif not self._shrink(total):
                short = True
            room = min(room, machine_room)
        self.set_short(short or self._is_resident_over)
        room //= self.state.proactor.count
        shard.look_at = shard.dirty + max(1, room // WRITE_BYTES)
        shard.ceiling = shard.dbs[0].stored() + max(1, room // 2)

    def make_room(self) -> None:
        """Look until this shard holds no more than its part, or nothing is found: for what brings much.

        O(what is evicted).
        """
        part = self.evict_from // self.state.proactor.count
        for _ in range(MOST_LOOKS):
            self.look()
            if not self.limit:
                return
            if self.held <= part or self.may_not_evict or self.total <= self.evict_from:
                return

    @property
    def may_not_evict(self) -> bool:
        """Whether there is nothing to evict, on any shard. O(threads)."""
        if not self.state.proactor.shard.evictor.policy.kind:
            return True
        return all(guard.exhausted for guard in self._guards())

    def _machine_room(self, total: int) -> int:
        """Bytes that the process may grow by before the machine has no more for it.

        What all threads hold more than when the process was looked at last counts as grown; it is looked at
        again when that is more than half of what there was. O(1); 5 us if it is looked at.
        """
        left: int = self.machine_limit - self.resident_now
        if total - self._total_then >= left // 2:
            self._look_at_process(total)
            left = self.machine_limit - self.resident_now
        return max(0, left - max(0, total - self._total_then))

    def _look_at_process(self, total: int) -> None:
        self.resident_now = self.state.server.resident_memory()
        self._total_then = total

    def _shrink(self, total: int) -> bool:
        """Evict what the process is too large by; False if that can't help, or nothing may go."""
        # Other threads may hold more by now than they did when they looked.
        if self.may_not_evict or total * 4 < self.resident_now - self.resident_at_start:
            return False
        over = self.resident_now - self.machine_limit
        goal = self._goal(self._by_machine, over)
        if goal:
            slack = max(LEAST_SLACK, self.machine_limit >> 10) // self.state.proactor.count
            self._free(min(self.held, goal + slack))
        return True

    def _goal(self, shrinking: Shrinking, over: int) -> int:
        """Bytes to evict because the process is too large by ``over``. O(1)."""
        state = self.state
        part = max(1, over // state.proactor.count)
        return shrinking.goal(part, self.held, self.resident_now, state.clock.monotonic())

    @property
    def _is_resident_over(self) -> bool:
        grown: int = self.resident_now - self.resident_at_start
        return 0 < self.resident_limit < grown

    def _guards(self) -> list[MemoryGuard]:
        """Those of all threads, this one included."""
        return [peer.service.memory for peer in self.state.proactor.peers if peer.service is not None]

    def _evict(self, total: int) -> int:
        """Evict from this shard, or let those do it that hold more; what all threads hold afterwards."""
        count = self.state.proactor.count
        part = self.evict_from // count
        over = total - self.evict_from
        if self.held > part:
            return total - self._free(min(over, self.held - part) + self.slack // count)
        fuller = [guard for guard in self._guards() if guard.held > part and not guard.exhausted]
        if fuller and not self.exhausted:
            if over > TOLERATED * self.slack:
                self._ask(fuller)
            return total
        return total - self._free(over + self.slack // count)

    def _free(self, goal: int) -> int:
        """Evict so many bytes, if they can be found soon; how many it were."""
        state = self.state
        shard = state.proactor.shard
        locks = state.proactor.engine.locks
        started = state.clock.stopwatch_ns()
        freed, more = shard.evictor.evict(goal, VISITS, locks.is_wanted if locks else None)
        self.visits_ns += state.clock.stopwatch_ns() - started
        self.held -= freed
        self.exhausted = freed < goal and not more
        if self.exhausted:
            self._ask([guard for guard in self._guards() if not guard.exhausted])
        elif freed < goal:
            state.has_more_work = True
        if shard.ready:
            shard.blocking.serve(shard.ready)
        return freed

    def _ask(self, guards: list[MemoryGuard]) -> None:
        """Let other threads look, too."""
        proactor = self.state.proactor
        for guard in guards:
            if guard is not self:
                proactor.post(guard.state.proactor.index, (look_too, None))

    def set_short(self, short: bool) -> None:
        """Begin or cease to refuse."""
        if short != self.short:
            self.short = short
            self.state.refresh_gated()
            if short:
                # They would find out with their next heartbeat, or write.
                self._ask(self._guards())

    def refuse(self, session: Session, command: Command) -> None:
        """Called for every command while memory is short. O(databases + threads).

        Raises:
            ReplyError OOM: this command is one of those that Redis refuses then. Inside MULTI all are,
                because what is queued takes memory.
        """
        refused = command.deny_oom
        queue = session.queue
        if queue is not None:
            if command.name == "EXEC":
                refused = any(queued.deny_oom for queued, _ in queue)
            else:
                refused = command.name not in NOT_EVEN_IN_MULTI
        if not refused:
            return
        # There may be room by now.
        self.look()
        if self.short:
            raise ReplyError("OOM")

    # The heartbeat.

    def beat(self, now: float) -> None:
        """Look at what changes without writes: clients' buffers, resident memory. O(clients)."""
        state = self.state
        self._look_at_process(self.total)
        if len(state.sessions) <= MANY_CLIENTS or now - self._last_clients >= 1.0:
            self._last_clients = now
            self._look_at_clients()
        if self._is_resident_over:
            self._free_resident()
        else:
            self._by_ratio.end()
        self.look()
        if (self._by_machine.in_vain or self._by_ratio.in_vain) and now >= self._next_warning:
            self._next_warning = now + TOLD_AGAIN
            self._warn()

    def _free_resident(self) -> None:
        """The process is larger than its account: evict some, as far as that can be the reason."""
        config = self.state.config
        shard = self.state.proactor.shard
        if not (shard.evictor.policy.kind and config.enable_heartbeat_rss_eviction):
            return
        self.held = shard.used + self.client_bytes
        if self.total * 2 > self.limit:
            goal = self._goal(
                self._by_ratio, self.resident_now - self.resident_at_start - self.resident_limit
            )
            if goal:
                self._free(min(self.held, goal, config.max_eviction_per_heartbeat * WRITE_BYTES))

    def _warn(self) -> None:
        """Say that evicting does not help; one thread is enough."""
        if self.state.proactor.index == 0:
            log.warning(
                f"The process takes {self.resident_now >> 20} MB, of which {self.total >> 20} MB are data,"
                " and evicting has not made it smaller: what is held may not grow"
            )

    def _look_at_clients(self) -> None:
        """Add the buffers of clients up, and disconnect the greediest if all take too much."""
        state = self.state
        sizes = {session: client_size(session) for session in state.sessions.values()}
        self.client_bytes = total = sum(sizes.values())
        limit = state.config.maxmemory_clients
        if limit < 0:
            # A percentage, see `nogil_df.base.config_values`.
            limit = self.limit * -limit // 100
        if not limit:
            return
        guards = self._guards()
        everyone = sum(guard.client_bytes for guard in guards)
        if everyone <= limit:
            return
        aim = total * limit // everyone
        # Who takes less than a fair share did not bring this about.
        fair = limit // max(1, sum(len(guard.state.sessions) for guard in guards))
        for session, size in sorted(sizes.items(), key=lambda item: item[1], reverse=True):
            if total <= aim or size <= fair:
                break
            if not session.no_evict:
                total -= size
                self.evicted_clients += 1
                session.transport.close(after_replies=False)
        self.client_bytes = total


def client_size(session: Session) -> int:
    """Bytes that a client takes, with what it has sent, queued in MULTI, and not fetched yet. O(1)."""
    figures = session.transport.describe()
    queued = session.queued_bytes if session.queue else 0
    size: int = CLIENT_BYTES + figures.get("qbuf", 0) + figures.get("omem", 0) + queued
    return size


def look_too(proactor: Proactor, message: Message) -> None:
    """Message handler: another thread is over the limit."""
    proactor.service.memory.look()
