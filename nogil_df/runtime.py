"""N threads' worth of server without threads or sockets: what the real server and the simulation share.

`make_thread` builds, for one thread, a proactor with its shard, its state and its dispatcher. In the server
each OS thread builds its own and puts a selector loop on it; the simulation (`nogil_df.simulation`) builds
them all on one thread and turns them in an order that a seed decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nogil_df.acl.selector import RuleError
from nogil_df.acl.user import User, Users
from nogil_df.base.config import ConfigView
from nogil_df.base.flags import FlagError
from nogil_df.base.hashing import hash_key, hash_key_by_tag, lock_tag
from nogil_df.base.interpreter import is_gil_enabled
from nogil_df.commands.access import catalogue_of
from nogil_df.commands.acl import AclFileError, read_acl_file
from nogil_df.commands.dispatch import Dispatcher
from nogil_df.commands.registry import all_rows
from nogil_df.commands.saver import KEEPER, saver_of
from nogil_df.commands.spec import Command, Row
from nogil_df.commands.threadstate import ThreadState
from nogil_df.memcached.table import make_dispatcher
from nogil_df.shard.shard import Shard
from nogil_df.vll.proactor import Proactor
from nogil_df.wire.reply import ReplyEncoder

if TYPE_CHECKING:
    from nogil_df.base.clock import Clock
    from nogil_df.base.flags import Options
    from nogil_df.base.redis_conf import UserLine


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


def thread_count(options: Options) -> int:
    """How many shard threads: as asked for, else one a CPU; one while the GIL is on."""
    if is_gil_enabled():
        return 1
    return options.proactor_threads or usable_cpus()


def make_thread(
    index: int, count: int, options: Options, clock: Clock, server: Any, rows: Sequence[Row]
) -> Thread:
    """Build one thread's part of a server; `connect` makes it whole.

    To be called on the very thread that will use it: objects belong to the thread that makes them, and
    counting references to another thread's objects takes atomic instructions and critical sections
    (measured: a GET costs 3 to 5 times as much on objects that the main thread made).

    Args:
        index, count: which thread of how many.
        server: whoever answers for the server as a whole (stop, client ids).
        rows: the command table.
    """
    shard = Shard(index, count, options.dbnum, clock.unix_ms(), hash_function(options, count))
    shard.stopwatch = clock.stopwatch_ns
    proactor = Proactor(index, count, shard, clock)
    config = ConfigView(options)
    if options.cluster_mode:
        config.set_fact("cluster-enabled", "yes")
    state = ThreadState(proactor, config, server)
    proactor.service = state
    dispatcher = Dispatcher(proactor, rows, ReplyEncoder(), state)
    state.dispatcher = dispatcher
    state.admin = dispatcher
    state.dispatchers = (dispatcher,)
    state.set_users(make_users(dispatcher.table.values(), options))
    if options.memcached_port:
        state.memcached = make_dispatcher(proactor, state)
        state.dispatchers += (state.memcached,)
    if options.admin_port and (options.rename_command or options.restricted_commands):
        state.admin = Dispatcher(proactor, all_rows(), dispatcher.encoder, state)
        state.dispatchers += (state.admin,)
    for each in state.dispatchers:
        each.reconfigure()
    if index == KEEPER:
        saver_of(state).follow()
    return Thread(proactor, state, dispatcher)


def hash_function(options: Options, count: int) -> Callable[[bytes], int]:
    """What hashes the keys of a server of ``count`` shards: by their tags where these decide the shard.

    Raises:
        FlagError: the flags about tags make no sense.
    """
    delimiter = _bytes(options.locktag_delimiter)
    if len(delimiter) > 1:
        raise FlagError(
            f"bad value {options.locktag_delimiter!r} for flag --locktag_delimiter: it must be one character"
        )
    prefix = _bytes(options.locktag_prefix)
    tag_of = lock_tag(prefix, delimiter, options.locktag_skip_n_end_delimiters)
    if options.lock_on_hashtags:
        return hash_key_by_tag(count, tag_of)
    return hash_key_by_tag(count) if options.cluster_mode else hash_key


def make_users(commands: Iterable[Command], options: Options) -> Users:
    """A thread's users at the start of the server: the default one, or those of the ACL file.

    Raises:
        FlagError: the file can't be used.
    """
    users = Users(catalogue_of(commands))
    if options.aclfile:
        try:
            loaded = read_acl_file(options.aclfile, users)
        except AclFileError as error:
            raise FlagError(f"--aclfile: {error}") from None
        for user in loaded:
            users.put(user)
    for declared in options.users:
        users.put(_declared_user(declared, users))
    return users


def _declared_user(declared: UserLine, users: Users) -> User:
    """A user of redis.conf. Raises FlagError if its rules make no sense."""
    user = users.new(_bytes(declared.name))
    try:
        user.apply_all([_bytes(rule) for rule in declared.rules])
    except RuleError as error:
        raise declared.line.error(f"Error in user declaration '{declared.name}': {error.reason}") from None
    return user


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def make_threads(
    options: Options, clock: Clock, server: Any, rows: Sequence[Row], count: int = 0
) -> list[Thread]:
    """Build all threads' parts on this thread, connected with each other: what the simulation needs.

    Args:
        count: number of threads; 0 for what the options say. The others: see `make_thread`.
    """
    count = count or thread_count(options)
    threads = [make_thread(index, count, options, clock, server, rows) for index in range(count)]
    peers = [thread.proactor for thread in threads]
    for proactor in peers:
        proactor.connect(peers)
    return threads
