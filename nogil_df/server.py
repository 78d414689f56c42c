"""Assembly and lifecycle: options in, a running server out.

``start`` opens the sockets and starts the threads; each builds its own proactor, shard, state and loop. The
main thread serves nobody: it waits for a signal or a SHUTDOWN, then has every thread send what it owes and
close, and joins them.

`nogil_df.embedded` puts the same thing inside a Python process.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from nogil_df.base import compiled, log, machine
from nogil_df.base.clock import Clock
from nogil_df.base.config import ConfigView
from nogil_df.base.flags import FlagError, Options
from nogil_df.base.interpreter import may_import
from nogil_df.base.machine import Resident
from nogil_df.commands.loader import Emptying, begin_loading, finish, make_loading
from nogil_df.commands.migrate import DIALER
from nogil_df.commands.progress import Progress
from nogil_df.commands.registry import rows_for
from nogil_df.commands.saver import describe_reply, saver_of
from nogil_df.commands.spec import Command
from nogil_df.console.aside import Aside
from nogil_df.net import express
from nogil_df.net.alarm import Alarm
from nogil_df.net.descriptors import allow_clients
from nogil_df.net.listener import ADMIN, MEMCACHED, TLS, Listener, ListenError, listen_tcp, listen_unix
from nogil_df.net.loop import Loop
from nogil_df.net.notify import tell_systemd
from nogil_df.net.outbound import Dialer
from nogil_df.net.poller import Waker
from nogil_df.runtime import Thread, hash_function, make_thread, make_users, thread_count
from nogil_df.snapshot.disk import Disk
from nogil_df.snapshot.names import Place, find_youngest
from nogil_df.snapshot.reading import LoadError
from nogil_df.snapshot.status import Persistence
from nogil_df.wire.memcached import MemcachedEngine
from nogil_df.wire.request import make_engine

DRAIN_SECONDS = 5.0
"""How long a stop waits for commands in flight and for clients to take their replies."""


class StartError(Exception):
    """The server can't start; the text is the one line for the user."""


class RunningServer:
    """A server with its threads.

    Attributes:
        port, memcached_port, admin_port, tls_port: TCP ports in use, 0 if there is none; ``ports`` by role.
        tls_context: what TLS connections are made from; all threads share it, for it keeps the keys of
            sessions that clients resume, and is used once a connection.
        stops_itself: (argument) nobody waits in `wait`, so SHUTDOWN has to stop the server by itself.
        connections_given: by thread, connections dealt out to it; only the accepting thread writes.
        aside: the thread for work that would keep clients waiting.
    """

    def __init__(
        self,
        options: Options,
        *,
        clock: Clock | None = None,
        any_port: bool = False,
        stops_itself: bool = False,
    ) -> None:
        self.options = options
        self._stops_itself = stops_itself
        self.clock = clock or Clock()
        self.run_id = secrets.token_hex(20)
        self.replication_id = secrets.token_hex(20)
        self.started_unix_ms = self.clock.unix_ms()
        self.started_at = self.clock.monotonic()
        self.port = 0
        self.memcached_port = 0
        self.admin_port = 0
        self.tls_port = 0
        self.ports: dict[int, int] = {}
        self.tls_context: Any = None
        self.exit_code = 0
        self.connections_rejected = 0
        self.persistence = Persistence(self.started_unix_ms // 1000)
        self.disk = Disk()
        self._place: Place | None = None
        # Signals that came; whether the present wish for an end has been dealt with, a last save included.
        self._signals = 0
        self._settled = False
        self._any_port = any_port
        self._session_ids = itertools.count(1)
        self._stop = threading.Event()
        self._stopping = threading.Lock()
        self.aside = Aside(self.submit)
        self._alarm = Alarm()
        self._resident = Resident()
        self._listeners: list[Listener] = []
        self._workers: list[threading.Thread] = []
        self._rows = rows_for(options)
        # Now, on this thread: a file that can't be used is one line, and no start.
        make_users([Command(row) for row in self._rows], options)
        self._count = thread_count(options)
        hash_function(options, self._count)
        self._sockets: list[tuple[socket.socket, str, int]] = []
        self._facts: dict[str, str] = {}
        self.threads: list[Thread] = []
        self.connections_given = [0] * self._count
        self.loops: list[Loop] = []

    def start(self) -> None:
        """Open the sockets and start the threads.

        Raises:
            StartError: a socket can't be opened or a thread not be built; nothing is left behind then.
        """
        compiled.prepare_for_threads()
        self._find_snapshot()
        everyone = threading.Barrier(self._count + 1)
        try:
            self._open_sockets()
            self._start_threads(everyone)
        except (ListenError, threading.BrokenBarrierError, RuntimeError) as error:
            self._abandon(everyone)
            reason = "a thread died" if isinstance(error, threading.BrokenBarrierError) else str(error)
            raise StartError(reason) from None

    def _start_threads(self, everyone: threading.Barrier) -> None:
        built: list[tuple[Thread, Loop] | None] = [None] * self._count
        for index in range(self._count):
            worker = threading.Thread(
                target=self._work, args=(index, built, everyone), name=f"shard-{index}", daemon=True
            )
            worker.start()
            self._workers.append(worker)
        # All are built; connected; listening.
        everyone.wait()
        self.threads = [entry[0] for entry in built if entry is not None]
        self.loops = [entry[1] for entry in built if entry is not None]
        if self._place is not None:
            # Before anybody can ask, or have the server end with a save.
            self.persistence.loading = make_loading(self.threads[0].state, self._place)
        everyone.wait()
        everyone.wait()

    def _abandon(self, everyone: threading.Barrier) -> None:
        """Take back what a start that failed has done so far."""
        everyone.abort()
        for worker in self._workers:
            worker.join()
        for sock, path, _ in self._sockets:
            sock.close()
            if path:
                with contextlib.suppress(OSError):
                    os.unlink(path)
        for loop in self.loops:
            loop.close()
        self._alarm.close()
        self._resident.close()

    def _work(self, index: int, built: list[tuple[Thread, Loop] | None], everyone: threading.Barrier) -> None:
        """One shard thread: build what it owns (see `make_thread` for why here), then turn its loop."""
        try:
            thread = make_thread(index, self._count, self.options, type(self.clock)(), self, self._rows)
            state = thread.state
            for name, text in self._facts.items():
                state.config.set_fact(name, text)
            loop = Loop(thread.proactor, state, express.make_quickest_poller(), Waker())
            state.extra["loop"] = loop
            if self._place is not None:
                begin_loading(thread.proactor)
            state.extra[DIALER] = Dialer(loop)
            state.extra["express"] = express.make_short_cut(thread.dispatcher, state.memcached, loop)
            config = state.config
            state.extra["engine"] = make_engine(
                parser_kind(), config.proto_max_bulk_len, config.max_multi_bulk_len
            )
            state.extra["memcached_engine"] = MemcachedEngine(state.config.memcached_max_item_size)
            built[index] = (thread, loop)
            everyone.wait()
            everyone.wait()
            thread.proactor.connect([peer.proactor for peer in self.threads])
            if index == 0:
                self._listeners += [Listener(loop, *entry) for entry in self._sockets]
            everyone.wait()
            loop.run()
        except threading.BrokenBarrierError:
            return  # The start has failed elsewhere.
        except BaseException as error:
            log.warning(f"thread {threading.current_thread().name} died: {error!r}")
            everyone.abort()
            self.request_stop(1)
            raise

    def limit_clients(self) -> str:
        """Get descriptors for `maxclients` clients; lower it, and return why, if there are not enough."""
        wanted = self.options.maxclients
        possible = allow_clients(wanted, self._count)
        if possible < wanted:
            self._facts["maxclients"] = str(possible)
            return f"maxclients is {possible}, not {wanted}: the limit on open files allows no more"
        return ""

    def addresses(self) -> list[str]:
        """Where the server listens, for people."""
        words = [word.lstrip("-") for word in self.options.bind]
        kinds = (
            (0, ""),
            (TLS, " (TLS)"),
            (MEMCACHED, " (Memcached)"),
            (MEMCACHED | TLS, " (Memcached, TLS)"),
        )
        found = []
        for role, kind in kinds:
            port = self.ports.get(role)
            found += [f"{word}:{port}{kind}" for word in words if port]
        for role, kind in ((ADMIN, " (admin)"), (ADMIN | TLS, " (admin, TLS)")):
            port = self.ports.get(role)
            found += [f"{word}:{port}{kind}" for word in self._admin_words() if port]
        return [*found, self.options.unixsocket] if self.options.unixsocket else found

    def _admin_words(self) -> Sequence[str]:
        options = self.options
        return (options.admin_bind,) if options.admin_bind else [word.lstrip("-") for word in options.bind]

    def _open_sockets(self) -> None:
        """Raises ListenError or TlsError; what is open by then is in `_sockets`."""
        options = self.options
        tls = TLS if options.tls else 0
        if options.tls or options.tls_port:
            reason = self.renew_tls(ConfigView(options).texts)
            if reason:
                raise ListenError(reason)
        self.port = self._open_port(options.bind, -1 if self._any_port else options.port, tls)
        self.memcached_port = self._open_port(options.bind, options.memcached_port, MEMCACHED | tls)
        if options.tls_port:
            self.tls_port = self._open_port(options.bind, options.tls_port, TLS)
        if options.admin_port:
            role = ADMIN | (0 if options.no_tls_on_admin_port else tls)
            words = (options.admin_bind,) if options.admin_bind else options.bind
            self.admin_port = self._open_port(words, options.admin_port, role)
        if options.unixsocket:
            unix = listen_unix(options.unixsocket, options.unixsocketperm, options.tcp_backlog)
            self._sockets.append((unix, options.unixsocket, 0))

    def _open_port(self, words: Sequence[str], port: int, role: int) -> int:
        """Listen on a port of every address. The port, which is chosen here if it is -1; 0 for none."""
        wanted = max(port, 0)
        for word in words if port else ():
            opened = listen_tcp(word, wanted, self.options.tcp_backlog)
            self._sockets += [(sock, "", role) for sock in opened]
            if opened and not wanted:
                wanted = opened[0].getsockname()[1]
        if wanted:
            self.ports[role] = wanted
        return wanted

    def renew_tls(self, settings: Mapping[str, str]) -> str:
        """Take over the settings of TLS, and read its files again, for connections to come.

        Args:
            settings: texts by Redis's names of the parameters.

        Returns:
            Why they can't be used, in which case nothing has changed; "" if all is well.
        """
        if not (self.options.tls or self.options.tls_port):
            return ""
        try:
            from nogil_df.net.tls import TlsError, make_context
        except ImportError:
            return "this Python has no ssl module, so there is no TLS"
        try:
            self.tls_context = make_context(settings)
        except TlsError as error:
            return str(error)
        return ""

    # What threads ask of the server as a whole.

    def next_session_id(self) -> int:
        """Ids of clients: 1, 2, 3... Called by the accepting thread only."""
        return next(self._session_ids)

    def connections_of(self, thread: int) -> int:
        """Connections of a thread, those on their way to it included."""
        return self.connections_given[thread] - self.threads[thread].state.connections_closed

    def resident_memory(self) -> int:
        """Bytes of this process in memory."""
        return self._resident.read()

    def usable_memory(self) -> int:
        """Bytes that this process may use, 0 if nobody knows."""
        return machine.usable_memory()

    def connected_clients(self) -> int:
        """Connections of all threads."""
        return sum(map(self.connections_of, range(len(self.threads))))

    def admin_clients(self) -> int:
        """Connections of the admin port, of all threads."""
        return sum(thread.state.admin_connections for thread in self.threads)

    def dirty(self) -> int:
        """Changes of all shards so far."""
        return sum(thread.proactor.shard.dirty for thread in self.threads)

    def request_stop(self, exit_code: int = 0) -> None:
        """Ask the main thread to stop the server, at once and without a save; returns at once."""
        self._settled = True
        self._ask_to_stop(exit_code)

    def _ask_to_stop(self, exit_code: int) -> None:
        self.exit_code = exit_code
        first = not self._stop.is_set()
        self._stop.set()
        self._alarm.wake()
        if first and self._stops_itself:
            threading.Thread(target=self.stop, name="stop", daemon=True).start()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has asked for a stop."""
        return self._stop.is_set()

    def wait(self) -> int:
        """Wait until somebody asks for a stop. Returns the exit code."""
        while not self._stop.is_set():
            self._alarm.sleep()
        return self.exit_code

    def obey_signals(self) -> None:
        """Take SIGTERM and SIGINT for a wish to stop. To be called by the main thread."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            log.warning(f"Received {signal.Signals(number).name}, scheduling shutdown...")
            self._signals += 1
            self._ask_to_stop(0)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)
        signal.set_wakeup_fd(self._alarm.bell, warn_on_full_buffer=False)

    # Loading and saving at the two ends.

    def _find_snapshot(self) -> None:
        """Find what is to be loaded. Raises StartError."""
        options = self.options
        directory = options.dir or os.getcwd()
        if not options.dbfilename:
            return
        try:
            self._place = find_youngest(directory, options.dbfilename)
        except OSError as error:
            raise StartError(f"cannot look for snapshots in {directory}: {error.strerror}") from None

    def load(self) -> bool:
        """Load the snapshot that is there, if there is one; clients are told LOADING meanwhile.

        Returns:
            Whether all is there; False if the server was told to end meanwhile. It then must not save.

        Raises:
            StartError: it can't be loaded. It has not been touched, and nothing must be saved over it.
        """
        loading = self.persistence.loading
        if loading is None:
            return True
        loading.stopped = self._stop.is_set
        loading.on_progress = progress = Progress(self.clock)
        log.notice(f"Loading {loading.place.path}")
        try:
            loading.run()
        except LoadError as error:
            loading.error = str(error)
        finally:
            progress.end()
        over = threading.Event()
        outcome: list[str] = []
        # One that was interrupted could have been loaded: what is in memory must not take its place.
        may_fail = self.options.start_without_snapshot and not self._stop.is_set()
        self.submit(0, (_finish_loading, loading, may_fail, over, outcome))
        while not over.wait(0.1):
            if self._stop.is_set() and self._settled:
                return False
        if outcome[0] and not self._stop.is_set():
            raise StartError(outcome[0])
        return not outcome[0]

    def prepare_exit(self, save: bool | None = None) -> bool:
        """Before `stop`: make the last save, if one is due.

        Args:
            save: whether to save; None for what is usual.

        Returns:
            Whether to stop; False if the save failed, and the server goes on.
        """
        if self._settled or not self._workers or self.persistence.loading is not None:
            return True
        asked = self._signals
        outcome: list[str] = []
        force = "force" in self.threads[0].state.config.texts["shutdown-on-sigterm"]
        self.submit(0, (_shut_down, save, force, outcome, self))
        while not self._is_settled():
            if outcome and outcome[0]:
                self._stop.clear()
                return False
            if self._signals > asked:
                log.warning("Told to end once more: ending without a save")
                return True
            self._alarm.sleep()
        return True

    def wake(self) -> None:
        """Let the main thread have a look."""
        self._alarm.wake()

    def settle(self) -> None:
        """What `prepare_exit` waits for has come, or has failed."""
        self._settled = True
        self._alarm.wake()

    def _is_settled(self) -> bool:
        return self._settled

    def stop(self) -> None:
        """Send what is owed, close everything, join the threads. Idempotent; callers wait for each other."""
        with self._stopping:
            if self._workers:
                self._stop_threads()

    def _stop_threads(self) -> None:
        drained = [threading.Event() for _ in self.loops]
        for loop, event in zip(self.loops, drained, strict=True):
            closers = self._listeners if loop is self.loops[0] else []
            self.submit(loop.proactor.index, (begin_drain, loop, closers, event))
        for event in drained:
            event.wait(DRAIN_SECONDS + 1)
        self.aside.stop()
        for loop in self.loops:
            self.submit(loop.proactor.index, (end_loop, loop))
        for worker in self._workers:
            worker.join(5.0)
        for loop in self.loops:
            loop.close()
        self._workers.clear()
        self._alarm.close()
        self._resident.close()

    def submit(self, thread: int, message: tuple[Any, ...]) -> None:
        """Send a message to a shard thread from a thread that has no proactor."""
        proactor = self.threads[thread].proactor
        proactor.inbox.append([message])
        proactor.wake()


def _finish_loading(proactor: Any, message: tuple[Any, ...]) -> None:
    """On the keeper's thread: the snapshot of the start was read, or it could not be."""
    _, loading, may_fail, over, outcome = message
    saver = saver_of(proactor.service)

    def end(error: Any) -> None:
        outcome.append(loading.error or ("" if error is None else describe_reply(error)))
        over.set()

    if loading.error and may_fail:
        log.warning(f"{loading.error}; starting without it, as --start_without_snapshot says")
        loading.error = ""
        loading.libraries.clear()
        Emptying(proactor, lambda: finish(saver, loading, False, end)).begin()
    else:
        finish(saver, loading, False, end, must_load=not may_fail)


def _shut_down(proactor: Any, message: tuple[Any, ...]) -> None:
    """On the keeper's thread: a signal wants the server to end."""
    _, save, force, outcome, server = message

    def tell(reason: str) -> None:
        outcome.append(reason)
        if reason:
            server.wake()

    saver_of(proactor.service).shut_down(save, force, tell, server.settle)


def begin_drain(proactor: Any, message: tuple[Any, ...]) -> None:
    """On a shard thread: stop listening, close clients once they have what they are owed, then say so."""
    listeners, event = message[2:]
    state = proactor.service
    for listener in listeners:
        listener.close()
    deadline = proactor.clock.monotonic() + DRAIN_SECONDS

    def look() -> None:
        for session in list(state.pausing.parked):
            session.transport.close(after_replies=False)
        for session in list(state.sessions.values()):
            if not session.busy or session.blocked:
                session.transport.close(after_replies=True)
        if not state.sessions or proactor.clock.monotonic() > deadline:
            for session in list(state.sessions.values()):
                session.transport.close(after_replies=False)
            event.set()
        else:
            state.timers.at(proactor.clock.monotonic() + 0.005, look)

    look()


def end_loop(proactor: Any, message: tuple[Any, ...]) -> None:
    """On a shard thread: leave the loop."""
    message[1].stopping = True


def parser_kind() -> str:
    """The parser of requests: "hiredis" where it is installed and leaves the GIL alone, else "python".

    Where the compiled short cut parses, the one in Python gets the rest.
    """
    if express.is_there():
        return "python"
    if not may_import("hiredis"):
        return "python"
    try:
        import hiredis  # noqa: F401
    except ImportError:
        return "python"
    return "hiredis"


def run(options: Options) -> int:
    """Run a server until a signal or SHUTDOWN ends it. Returns the process's exit code."""
    try:
        server = RunningServer(options)
        too_few = server.limit_clients()
        server.obey_signals()
        server.start()
    except (StartError, FlagError) as error:
        text = str(error)
        print(text if text.startswith("\n*** ") else f"nogil-df: {text}", file=sys.stderr)
        return 1

    if options.pidfile:
        with contextlib.suppress(OSError), open(options.pidfile, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    log.banner(server.addresses(), len(server.threads), len(server.threads))
    if reason := compiled.why_not():
        log.notice(f"running from Python source, without compiled modules: {reason}")
    if too_few:
        log.warning(too_few)
    leave_garbage_alone()
    try:
        is_loaded = server.load()
    except StartError as error:
        signal.set_wakeup_fd(-1)
        server.stop()
        print(f"nogil-df: {error}", file=sys.stderr)
        return 1
    if is_loaded:
        log.notice("Ready to accept connections")
        tell_systemd("READY=1")
    code = server.wait()
    while not server.prepare_exit():
        code = server.wait()
    tell_systemd("STOPPING=1")
    signal.set_wakeup_fd(-1)
    server.stop()
    if options.pidfile:
        with contextlib.suppress(OSError):
            os.unlink(options.pidfile)
    log.warning("nogil-df is now ready to exit, bye bye...")
    return code


def leave_garbage_alone() -> None:
    """Switch the cycle collector off: it stops all threads and walks everything they hold.

    What a server does over and over leaves no cycles behind, so there is nothing for it to find. Not for a
    server inside somebody else's process, whose objects are not ours to judge.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
