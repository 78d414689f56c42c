"""Listening sockets, and who gets the connections.

The first thread accepts and deals the sockets out, each to the thread with the fewest connections, so that
they are spread evenly whatever the kernel thinks (SO_REUSEPORT hashes addresses, and 8 clients of 2 threads
easily end up 7 to 1). What travels to the other thread is the bare descriptor: the socket object is made by
the thread that will use it, because a method call on another thread's object pays atomic reference counts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from nogil_df.base import log
from nogil_df.base.errors import ReplyError, text
from nogil_df.net.connection import Connection
from nogil_df.net.poller import READ

if TYPE_CHECKING:
    from nogil_df.net.loop import Loop
    from nogil_df.vll.proactor import Message, Proactor

MEMCACHED, TLS, ADMIN = 1, 2, 4
"""What a listening socket is for, as bits of a role; 0 for Redis's protocol in the clear."""

ACCEPTS = 64
"""Connections accepted in one turn: a storm of clients must not starve those who are there."""

REST = 0.1
"""Seconds for which nobody is accepted after the process ran out of descriptors or memory."""

_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class ListenError(Exception):
    """An address can't be listened on; the text is the one line for the user."""


def listen_tcp(address: str, port: int, backlog: int) -> list[socket.socket]:
    """Open listening sockets for one `bind` word.

    Args:
        address: an address or name, "*" for all of IPv4, "::*" for all of IPv6; a leading "-" makes an
            unavailable address no error.

    Returns:
        The sockets; empty if the address is optional and unavailable.

    Raises:
        ListenError: with the reason.
    """
    optional = address.startswith("-")
    name = address[1:] if optional else address
    host = {"*": "0.0.0.0", "::*": "::"}.get(name, name)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, where = found[0]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        if optional:
            return []
        raise ListenError(f"can't listen on {name}:{port}: {error.strerror or error}") from None
    try:
        # On Windows SO_REUSEADDR would let another process take the port over.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        sock.setsockopt(socket.SOL_SOCKET, exclusive or socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
            return []
        raise ListenError(f"can't listen on {name}:{port}: {error.strerror or error}") from None
    return [sock]


def listen_unix(path: str, mode: int, backlog: int) -> socket.socket:
    """Open a unix socket; one that a dead server left behind is replaced, any other file is not.

    Raises:
        ListenError: with the reason.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise ListenError(f"can't listen on {path}: this system has no unix sockets")
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.stat(path).st_mode):
                raise ListenError(f"can't listen on {path}: the file exists and is no socket")
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"can't listen on {path}: {error.strerror or error}") from None
    try:
        sock.bind(path)
        if mode:
            os.chmod(path, mode)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ListenError(f"can't listen on {path}: {error.strerror or error}") from None
    return sock


class Listener:
    """One listening socket, served by the first thread's loop."""

    __slots__ = ("loop", "next_thread", "role", "sock", "unix_path")

    def __init__(self, loop: Loop, sock: socket.socket, unix_path: str = "", role: int = 0) -> None:
        self.loop = loop
        self.sock = sock
        self.unix_path = unix_path
        self.role = role
        self.next_thread = 0
        loop.watch(sock.fileno(), READ, self.on_ready)

    def on_ready(self, mask: int) -> None:
        """Accept what waits, up to ACCEPTS connections."""
        for _ in range(ACCEPTS):
            try:
                sock, peer = self.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    self._rest(error)
                    return
                # The client is gone already.
                log.verbose(f"accept failed: {error}")
                continue
            self._admit(sock, peer)

    def _rest(self, error: OSError) -> None:
        """Accept nobody for a moment: the socket would be ready, and of no use, in every turn."""
        log.warning(f"accept failed, trying again in {REST} s: {error}")
        self.loop.poller.modify(self.sock.fileno(), 0)
        state = self.loop.state
        state.timers.at(state.clock.monotonic() + REST, self._go_on)

    def _go_on(self) -> None:
        if self.sock.fileno() >= 0:
            self.loop.poller.modify(self.sock.fileno(), READ)

    def _admit(self, sock: socket.socket, peer: object) -> None:
        proactor = self.loop.proactor
        state = proactor.service
        refusal = self._refusal(peer)
        if refusal is not None:
            with contextlib.suppress(OSError):
                sock.setblocking(False)
                # In clear, which a client of TLS understands as little as it would a bad certificate.
                start = b"SERVER_ERROR " if self.role & MEMCACHED else b"-"
                sock.send(b"%b%b\r\n" % (start, text(refusal)))
            sock.close()
            state.server.connections_rejected += 1
            return
        thread = min(range(proactor.count), key=self._load)
        self.next_thread = thread
        session_id = state.server.next_session_id()
        state.server.connections_given[thread] += 1
        message = (adopt, sock.detach(), session_id, self.unix_path, self.role)
        proactor.send(thread, message)

    def _load(self, thread: int) -> tuple[int, int]:
        """Connections of a thread; the one after the last that got one wins a tie."""
        server = self.loop.proactor.service.server
        return (
            server.connections_of(thread),
            (thread - self.next_thread - 1) % self.loop.proactor.count,
        )

    def _refusal(self, peer: object) -> ReplyError | None:
        state = self.loop.state
        config = state.config
        if self.role & ADMIN:
            if config.admin_nopass:
                # Whoever said so means it.
                return None
        elif state.server.connected_clients() - state.server.admin_clients() >= config.maxclients:
            return ReplyError("MAX_CLIENTS")
        if config.protected_mode and state.users.default.no_password and not is_local(peer):
            return ReplyError("DENIED")
        return None

    def close(self) -> None:
        """Stop listening."""
        self.loop.unwatch(self.sock.fileno())
        self.sock.close()
        if self.unix_path:
            with contextlib.suppress(OSError):
                os.unlink(self.unix_path)


def is_local(peer: object) -> bool:
    """Whether a peer, as ``accept`` gives it, is on this machine: a unix socket or a loopback address."""
    if not isinstance(peer, tuple):
        return True
    host: str = peer[0]
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


def format_address(address: object) -> str:
    """An address as Redis prints it: ``127.0.0.1:6379``, ``[::1]:6379``."""
    if not isinstance(address, tuple):
        return "/unixsocket:0"
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def adopt(proactor: Proactor, message: Message) -> None:
    """On the thread that gets it: make a connection of an accepted descriptor."""
    _, fd, session_id, unix_path, role = message
    state = proactor.service
    loop = state.extra["loop"]
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    config = state.config
    try:
        if unix_path:
            address = local = f"{unix_path}:0"
        else:
            address = format_address(sock.getpeername())
            local = format_address(sock.getsockname())
            if config.tcp_nodelay:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _keep_alive(sock, config.tcp_keepalive)
    except OSError:
        # The client is gone before it was served.
        sock.close()
        state.connections_closed += 1
        return
    memcached = role & MEMCACHED
    admin = role & ADMIN
    tls = encrypted(sock, state, memcached) if role & TLS else None
    if role & TLS and tls is None:
        state.connections_closed += 1
        return
    parser = state.extra["memcached_engine" if memcached else "engine"].parser()
    connection = Connection(
        sock if tls is None else tls,
        loop,
        state.memcached if memcached else state.admin if admin else state.dispatcher,
        parser,
        session_id,
        address,
        local,
        may_speak_http=not memcached and (config.primary_port_http_enabled or admin != 0),
        role=role,
    )
    session = connection.session
    session.unix_socket = bool(unix_path)
    if admin:
        session.admin = True
        state.admin_connections += 1
        if config.admin_nopass:
            session.authenticated = parser.authenticated = True
            session.refresh_special()
    if tls is not None:
        tls.limit_handshake(state.timers, loop.now, connection.drop)
    state.sessions[session_id] = connection.session
    state.connections_received += 1


def encrypted(sock: socket.socket, state: Any, memcached: int) -> Any:
    """The socket with TLS around it; None if the client is gone, or TLS can't be used any more."""
    start = b"SERVER_ERROR " if memcached else b"-ERR "
    try:
        from nogil_df.net.tls import NOT_TLS, TlsSocket

        return TlsSocket(sock, state.server.tls_context, start + NOT_TLS + b"\r\n")
    except (OSError, ValueError) as error:
        log.verbose(f"TLS: {error}")
        sock.close()
        return None


def _keep_alive(sock: socket.socket, seconds: int) -> None:
    """Probe a silent peer after ``seconds``, and give up after three probes a third of that apart."""
    if not seconds:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
