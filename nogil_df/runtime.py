"""N threads' worth of server without threads or sockets: what the real server and the simulation share.

`make_threads` builds, for each thread to be, a proactor with its shard, its state and its dispatcher, and
connects them. The server puts a selector loop on each and starts an OS thread; the simulation
(`nogil_df.simulation`) turns them all on one thread in an order that a seed decides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nogil_df.base.config import ConfigView
from nogil_df.commands.dispatch import Dispatcher
from nogil_df.commands.spec import Row
from nogil_df.commands.threadstate import ThreadState
from nogil_df.shard.shard import Shard
from nogil_df.vll.proactor import Proactor
from nogil_df.wire.reply import ReplyEncoder

if TYPE_CHECKING:
    from nogil_df.base.clock import Clock
    from nogil_df.base.flags import Options


@dataclass(slots=True)
class Thread:
    """What one shard thread consists of."""

    proactor: Proactor
    state: ThreadState
    dispatcher: Dispatcher


def usable_cpus() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gil_enabled() -> bool:
    """Whether this interpreter runs one thread at a time."""
    check = getattr(sys, "_is_gil_enabled", None)
    return True if check is None else check()


def thread_count(options: Options) -> int:
    """How many shard threads: as asked for, else one a CPU; one if the interpreter has a GIL."""
    if gil_enabled():
        return 1
    return options.proactor_threads or usable_cpus()


def make_threads(
    options: Options, clock: Clock, server: Any, rows: Sequence[Row], count: int = 0
) -> list[Thread]:
    """Build the threads of a server, connected with each other, not running.

    Args:
        server: whoever answers for the server as a whole (stop, client ids).
        rows: the command table.
        count: number of threads; 0 for what the options say.
    """
    count = count or thread_count(options)
    now = clock.unix_ms()
    threads: list[Thread] = []
    for index in range(count):
        proactor = Proactor(index, count, Shard(index, count, options.dbnum, now), clock)
        state = ThreadState(proactor, ConfigView(options), server)
        proactor.service = state
        dispatcher = Dispatcher(proactor, rows, ReplyEncoder(), state)
        state.dispatcher = dispatcher
        dispatcher.squash_limit = state.config.max_squashed_cmd_num
        threads.append(Thread(proactor, state, dispatcher))
    peers = [thread.proactor for thread in threads]
    for proactor in peers:
        proactor.connect(peers)
    return threads
