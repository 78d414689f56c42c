"""A server inside a Python process, for tests, tools and applications: `Server`.

The threads, sockets and commands are those of the server that the command `nogil-df` runs; what is
different is what it leaves alone. It takes no signals, opens no log, does not touch the cycle collector
and does not decide about the GIL, for these belong to the process. It listens on loopback only, on a free
port, and keeps nothing on disk, unless it is told otherwise.

`Server.stats` and `Server.flush` ask the server from inside, without a socket (`_Question`): they need no
client library, no password and no free connection.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from nogil_df.base import log
from nogil_df.base.flags import FlagError, Options
from nogil_df.base.interpreter import is_gil_enabled
from nogil_df.commands.session import Session
from nogil_df.server import RunningServer, StartError

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from nogil_df.vll.proactor import Proactor

ANSWER_SECONDS = 30.0
"""How long a question from inside may take; only a script that runs for ever takes longer."""


class Server:
    """A server inside this Python process; gone with the process, at the latest.

    While the GIL is on (an ordinary interpreter, or a C extension turned it on before the start: redis-py
    imports hiredis, which does) it runs with one shard thread, and logs so unless one was asked for.
    While the GIL is off but not forced off (`python -X gil=0`), requests are parsed in Python, for
    hiredis would turn the GIL on. A GIL that is turned on later slows a server of several threads down
    and changes nothing else. Any number of servers may run in one process.

    Args:
        port: TCP port; 0 takes a free one, None listens on no port at all.
        threads: shard threads; 0 for one a usable CPU.
        password: of the default user; the same as ``requirepass``.
        unixsocket: path of a unix socket, or True for one in a temporary directory.
        dir: where files go. Only with it, or with a ``dbfilename``, is anything written; without it such
        files are
            in a temporary directory that `stop` removes.
        options: any flag of the command line, by name: ``Server(maxmemory="64mb")``.

    Raises:
        FlagError: of an option that does not exist or can't have that value.

    Example:
        with Server() as server:
            client = server.client()
    """

    def __init__(
        self,
        port: int | None = 0,
        *,
        threads: int = 0,
        password: str = "",
        unixsocket: str | os.PathLike[str] | bool = "",
        dir: str | os.PathLike[str] = "",
        **options: Any,
    ) -> None:
        if password:
            if "requirepass" in options:
                raise FlagError("password and requirepass are the same: give one of them")
            options["requirepass"] = password
        if port is None and not unixsocket:
            raise FlagError("without a port there has to be a unixsocket")
        options.setdefault("bind", ("127.0.0.1",))
        if not dir:
            options.setdefault("dbfilename", "")
        self._makes_socket = unixsocket is True
        self._makes_directory = self._makes_socket or (not dir and bool(options.get("dbfilename")))
        self._options = Options(
            port=port or 0,
            proactor_threads=threads,
            unixsocket="" if isinstance(unixsocket, bool) else os.fspath(unixsocket),
            dir=os.fspath(dir),
            **options,
        )
        if self._options.dir and not os.path.isdir(self._options.dir):
            raise FlagError(f"bad value {self._options.dir!r} for flag --dir: there is no such directory")
        self._any_port = port in (0, -1)
        self._running: RunningServer | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    # --- lifecycle ---

    def start(self) -> Self:
        """Start the server, unless it is running already.

        Returns:
            Itself, so that ``server = Server().start()`` can be written.

        Raises:
            StartError: a socket can't be opened, or a file not be loaded; nothing is left behind then.
        """
        if self._running is not None and self._running.is_stopping:
            # A client said SHUTDOWN.
            self.stop()
        if self._running is None:
            if self._makes_directory:
                self._directory = tempfile.TemporaryDirectory(prefix="nogil-df-")
            try:
                self._launch(self._options, any_port=self._any_port)
            except BaseException:
                self._remove_directory()
                raise
            if is_gil_enabled() and self._options.proactor_threads != 1:
                log.warning("the GIL is on: running with one shard thread")
        return self

    def _launch(self, options: Options, *, any_port: bool) -> None:
        if self._directory is not None:
            place = self._directory.name
            if self._makes_socket:
                options = options.replace(unixsocket=os.path.join(place, "nogil-df.sock"))
            if not options.dir:
                options = options.replace(dir=place)
        server = RunningServer(options, any_port=any_port, stops_itself=True)
        server.start()
        try:
            server.load()
        except StartError:
            server.stop()
            raise
        self._running = server

    def stop(self) -> None:
        """Stop the server; replies in flight are sent first. Idempotent."""
        if self._running is not None:
            self._end(self._running)
            self._running = None
            self._remove_directory()

    @staticmethod
    def _end(running: RunningServer) -> None:
        """Save, where there is something to be saved and a place for it, and stop."""
        if not running.prepare_exit():
            log.warning("The data set could not be saved")
        running.stop()

    def restart(self) -> None:
        """Stop the server and start it again on the same port; what it saved to its directory, it loads.

        Raises:
            RuntimeError: it is not running.
            StartError: it can't start again; it is stopped then.
        """
        running = self._require()
        self._end(running)
        self._running = None
        try:
            self._launch(self._options.replace(port=running.port), any_port=False)
        except BaseException:
            self._remove_directory()
            raise

    def _remove_directory(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<nogil_df.Server {self.url if self.is_running else 'stopped'}>"

    # --- what it is ---

    def _require(self) -> RunningServer:
        running = self._running
        if running is None or running.is_stopping:
            raise RuntimeError("the server is not running")
        return running

    @property
    def is_running(self) -> bool:
        """Whether it has been started and nobody has stopped it, SHUTDOWN included."""
        return self._running is not None and not self._running.is_stopping

    @property
    def host(self) -> str:
        """The address to connect to."""
        first = self._options.bind[0].lstrip("-")
        return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::*": "::1", "::": "::1"}.get(first, first)

    @property
    def port(self) -> int:
        """The TCP port the server listens on; 0 if there is none."""
        return self._require().port

    @property
    def memcached_port(self) -> int:
        """The TCP port for Memcached clients, 0 if there is none."""
        return self._require().memcached_port

    @property
    def unixsocket(self) -> str:
        """The path of the unix socket; "" if there is none."""
        return self._require().options.unixsocket

    @property
    def password(self) -> str:
        """The password of the default user that the server was started with; "" for none."""
        return self._options.requirepass

    @property
    def dir(self) -> str:
        """The directory of the server's files; "" if it writes none."""
        return self._require().options.dir

    @property
    def threads(self) -> int:
        """How many shard threads it runs with."""
        return len(self._require().threads)

    @property
    def url(self) -> str:
        """Where the server is, as client libraries take it: ``redis://127.0.0.1:50123/0``."""
        running = self._require()
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        if not running.port:
            return f"unix://{login}{quote(running.options.unixsocket)}?db=0"
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "rediss" if self._options.tls else "redis"
        return f"{scheme}://{login}{host}:{running.port}/0"

    # --- clients ---

    def client(self, **options: Any) -> redis.Redis:
        """A client of redis-py, connected to this server.

        Args:
            options: as `redis.Redis` takes them (``decode_responses=True``, ``protocol=3``).

        Raises:
            RuntimeError: redis-py is not installed, or the server not running.
        """
        return _redis_py().Redis(**(self._connection() | options))

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """As `client`, for asyncio."""
        return _redis_py().asyncio.Redis(**(self._connection() | options))

    def _connection(self) -> dict[str, Any]:
        running = self._require()
        place: dict[str, Any] = (
            {"host": self.host, "port": running.port}
            if running.port
            else {"unix_socket_path": running.options.unixsocket}
        )
        if self._options.tls and running.port:
            # The server's own certificate is all there is to trust, whatever names it is made out to.
            place |= {"ssl": True, "ssl_ca_certs": self._options.tls_cert_file, "ssl_check_hostname": False}
        return place | ({"password": self.password} if self.password else {})

    # --- questions from inside ---

    def stats(self) -> dict[str, Any]:
        """What `INFO everything` tells, as one dict: numbers as such, ``db0`` and ``cmdstat_get`` as dicts.

        Costs about a millisecond.

        Raises:
            RuntimeError: the server is not running.
        """
        return _parse_info(self._ask("INFO", "everything"))

    def flush(self) -> None:
        """Empty all databases, and forget scripts and functions: what a test wants to begin with.

        Raises:
            RuntimeError: the server is not running.
        """
        self._ask("FLUSHALL")
        # Asking for these makes a Lua, which takes a while, or is an error where there is none.
        made = {name for thread in self._require().threads for name in tuple(thread.state.extra)}
        if "scripting" in made:
            self._ask("SCRIPT", "FLUSH")
        if "libraries" in made:
            self._ask("FUNCTION", "FLUSH")

    def _ask(self, *words: str) -> str:
        running = self._require()
        question = _Question([word.encode() for word in words])
        running.submit(0, (_answer, question))
        if not question.answered.wait(ANSWER_SECONDS):
            raise TimeoutError(f"the server has not answered {words[0]} for {ANSWER_SECONDS:.0f} seconds")
        return question.text()


class _Question:
    """A command asked from inside: the transport of a session that has no socket.

    It is served on thread 0, with the rights of a default user that nobody has restricted; ``answered``
    is set once ``output`` holds the whole reply.
    """

    def __init__(self, args: list[bytes]) -> None:
        self.args = args
        self.session: Session | None = None
        self.output = b""
        self.answered = threading.Event()

    def text(self) -> str:
        """The reply, a status or a bulk string, without its framing; RuntimeError if it is an error."""
        head, _, rest = self.output.partition(b"\r\n")
        if head[:1] == b"-":
            raise RuntimeError(head[1:].decode("utf-8", "backslashreplace"))
        found = rest[: int(head[1:])] if head[:1] == b"$" else head[1:]
        return found.decode("utf-8", "backslashreplace")

    def ready(self) -> None:
        """See `Transport`."""
        session, self.session = self.session, None
        if session is not None:
            self.output = b"".join(session.sink)
        self.answered.set()

    def send_soon(self) -> None:
        """See `Transport`: nothing is pushed to a session that has not asked for it."""

    def close(self, *, after_replies: bool) -> None:
        """See `Transport`."""
        self.ready()

    def watch_for_end(self) -> None:
        """See `Transport`: nobody leaves before the answer."""

    def check(self, now: float) -> None:
        """See `Transport`."""

    def describe(self) -> dict[str, Any]:
        """See `Transport`."""
        return {}


def _answer(proactor: Proactor, message: tuple[Any, ...]) -> None:
    """Message handler: serve a `_Question`."""
    question = message[1]
    dispatcher = proactor.service.dispatcher
    session = Session(0, dispatcher, question)
    session.account = proactor.service.users.make_default()
    session.authenticated = True
    session.refresh_special()
    session.batch = [question.args]
    question.session = session
    dispatcher.execute(session)
    if not session.busy:
        question.ready()


def _parse_info(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        head = name.rstrip("0123456789")
        if head in ("db", "listener") or name.startswith(("cmdstat_", "errorstat_", "latency_percentiles_")):
            pairs = [pair.partition("=") for pair in value.split(",")]
            found[name] = {key: _number(word) for key, _, word in pairs}
        else:
            found[name] = _number(value)
    return found


def _number(word: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return word


def _redis_py() -> Any:
    try:
        import redis
        import redis.asyncio
    except ImportError:
        raise RuntimeError("this needs redis-py, which is not installed: pip install redis") from None
    return redis
