"""TLS between a socket and a connection: an object with a socket's face that encrypts what passes through.

A connection calls ``recv``, ``send`` and ``sendmsg`` and knows no more of it; whether it holds a plain socket
or this was decided when it was made, so plain connections pay nothing. The library works on two buffers in
memory and never sees the socket (`ssl.MemoryBIO`): one ``recv`` takes whatever has come, many records at a
time, where on a socket OpenSSL reads the head and the body of each record by a call of its own. For single
small requests that makes no difference (measured: 9.2 to 10.7 us of CPU time each, on a socket 8.5 to 12.0).

What may not happen right now raises BlockingIOError, as on any socket that doesn't block. A ``send`` that the
kernel took only in part is one of OpenSSL's kind: nothing of it counts as sent, its ciphertext is kept, and
the next ``send`` with the same bytes (which is what connections do) tells that they are gone once they are.

Clients may not renegotiate; a handshake that takes longer than HANDSHAKE_SECONDS ends the connection; an end
of the stream, with or without TLS's own farewell, is an end of requests, whose replies are still sent.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Buffer, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from nogil_df.base import log

if TYPE_CHECKING:
    from nogil_df.commands.timers import Timer, Timers

HANDSHAKE_SECONDS = 10.0
"""How long a client may take to agree on keys. Two round trips, and a busy machine."""

PIECE = 256 * 1024
"""Bytes encrypted in one ``send``: about 0.1 ms, and what the kernel's buffer takes at once."""

HANDSHAKE_RECORD = 22
"""What the first byte of every TLS connection is."""

NOT_TLS = b"Bad TLS header, double check if you enabled TLS for your client."
"""What is said to who speaks without TLS here, in clear; the words are Dragonfly's."""

_PROTOCOLS = {
    "tlsv1": ssl.TLSVersion.TLSv1,
    "tlsv1.1": ssl.TLSVersion.TLSv1_1,
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}
_CLIENTS = {"yes": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "no": ssl.CERT_NONE}


class TlsError(Exception):
    """The settings of TLS can't be used; the text is one line that says why."""


def make_context(settings: Mapping[str, str]) -> ssl.SSLContext:
    """What all TLS connections are made from.

    Args:
        settings: texts by Redis's names of the parameters (``tls-cert-file`` and so on).

    Raises:
        TlsError: a file can't be read, key and certificate do not fit, or a word is not known.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    certificate = settings["tls-cert-file"]
    if not certificate:
        raise TlsError("TLS needs a certificate: tls_cert_file is not set")
    key = settings["tls-key-file"] or certificate
    password = settings["tls-key-file-pass"]
    try:
        # Without this OpenSSL would ask at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: password)
    except (OSError, ValueError) as error:
        raise TlsError(f"can't use certificate {certificate} with key {key}: {_reason(error)}") from None
    _trust(context, settings)
    ciphers = settings["tls-ciphers"]
    try:
        if ciphers:
            context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise TlsError(f"bad tls_ciphers {ciphers!r}: {_reason(error)}") from None
    _choose_protocols(context, settings["tls-protocols"])
    return context


def _trust(context: ssl.SSLContext, settings: Mapping[str, str]) -> None:
    """Ask clients for certificates of these authorities, if there are any."""
    file, directory = settings["tls-ca-cert-file"], settings["tls-ca-cert-dir"]
    if not (file or directory):
        return
    try:
        context.load_verify_locations(file or None, directory or None)
    except OSError as error:
        raise TlsError(f"can't use the authorities in {file or directory}: {_reason(error)}") from None
    context.verify_mode = _CLIENTS[settings["tls-auth-clients"]]


def _choose_protocols(context: ssl.SSLContext, text: str) -> None:
    words = text.lower().split()
    unknown = [word for word in words if word not in _PROTOCOLS]
    if unknown:
        raise TlsError(f"bad tls-protocols {text!r}: {unknown[0]!r} is none of {', '.join(_PROTOCOLS)}")
    versions = [_PROTOCOLS[word] for word in words] or [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
    context.minimum_version = min(versions)
    context.maximum_version = max(versions)


def _reason(error: Exception) -> str:
    """A failure as people understand it."""
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error).replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def would_block() -> BlockingIOError:
    """What a socket that does not block raises."""
    return BlockingIOError(errno.EAGAIN, "TLS has to wait for the socket")


class TlsSocket:
    """One connection's.

    Args:
        sock: connected, does not block; it is closed with this.
        context: from `make_context`.
        not_tls: the whole reply to a client that speaks something else.

    Invariants: ciphertext that is made is either sent or in ``_backlog``; while ``_owed`` is not 0 the next
    ``send`` begins with as many bytes that have been encrypted already.
    """

    __slots__ = (
        "_backlog",
        "_incoming",
        "_not_tls",
        "_outgoing",
        "_owed",
        "_read",
        "_receive",
        "_send",
        "_sock",
        "_timer",
        "_tls",
        "_write",
        "established",
    )

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, not_tls: bytes = b"") -> None:
        self._sock = sock
        self._receive = sock.recv
        self._send = sock.send
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._read: Callable[[int], bytes] = self._tls.read
        self._write = self._tls.write
        self._not_tls = not_tls
        self._backlog = b""
        self._owed = 0
        self._timer: Timer | None = None
        self.established = False

    def fileno(self) -> int:
        """The descriptor of the socket below."""
        return self._sock.fileno()

    def limit_handshake(self, timers: Timers, now: float, give_up: Callable[[], None]) -> None:
        """Call ``give_up`` if the handshake is not over in time; ``now`` is monotonic seconds."""
        self._timer = timers.at(now + HANDSHAKE_SECONDS, give_up)

    def recv(self, size: int) -> bytes:
        """What the client sent, in clear, b"" at its end. O(bytes).

        All that was received is given at once, for nothing would tell of what is left in here.

        Raises:
            BlockingIOError: no whole record has come yet.
            OSError: the connection is broken, or the client does not keep to TLS.
        """
        data = self._receive(size)
        if not data:
            return b""
        self._incoming.write(data)
        try:
            if not self.established:
                self._shake_hands(data)
            plain = self._read(size)
            if self._incoming.pending:
                plain = self._read_on(plain, size)
        except ssl.SSLWantReadError:
            self._flush()
            raise would_block() from None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            # With a word about it to the client, if it still listens.
            self._flush()
            log.verbose(f"TLS connection failed: {_reason(error)}")
            raise ConnectionAbortedError(errno.ECONNABORTED, _reason(error)) from None
        if self._outgoing.pending:
            self._flush()
        return plain

    def _read_on(self, plain: bytes, size: int) -> bytes:
        """The records that came with the first one."""
        pieces = [plain]
        with contextlib.suppress(ssl.SSLWantReadError):
            while self._incoming.pending:
                piece = self._read(size)
                if not piece:
                    # A farewell: let the next look at the socket find the end, which is hidden in here.
                    with contextlib.suppress(OSError):
                        self._sock.shutdown(socket.SHUT_RD)
                    break
                pieces.append(piece)
        return b"".join(pieces)

    def _shake_hands(self, data: bytes) -> None:
        """One step of the handshake. Raises ssl.SSLWantReadError until it is over."""
        if self._not_tls and data[0] != HANDSHAKE_RECORD:
            with contextlib.suppress(OSError):
                self._send(self._not_tls)
            raise ConnectionAbortedError(errno.ECONNABORTED, "not TLS")
        # Only the very first byte tells.
        self._not_tls = b""
        self._tls.do_handshake()
        self.established = True
        self._stop_timer()
        self._flush()

    def send(self, data: Buffer) -> int:
        """Encrypt and send. O(bytes).

        Returns:
            How many bytes the kernel took for good, at most PIECE.

        Raises:
            BlockingIOError: none; call again with the same bytes when the socket is writable.
        """
        if self._backlog:
            self._flush()
        if not self.established or len(self._backlog) > 0:
            raise would_block()
        owed = self._owed
        if owed:
            self._owed = 0
            return owed
        view = memoryview(data)[:PIECE]
        size = len(view)
        done = self._write(view)
        while done < size:
            done += self._write(view[done:])
        self._flush()
        if self._backlog:
            self._owed = size
            raise would_block()
        return size

    def sendmsg(self, pieces: Sequence[Buffer]) -> int:
        """As `send` of several pieces."""
        return self.send(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _flush(self) -> None:
        """Send the ciphertext there is, as far as the kernel takes it."""
        data = self._backlog + self._outgoing.read() if self._backlog else self._outgoing.read()
        if not data:
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        self._backlog = data[sent:] if sent < len(data) else b""

    def close(self) -> None:
        """Say farewell, if that can be done at once, and close the socket."""
        self._stop_timer()
        if self.established and not self._backlog:
            with contextlib.suppress(OSError):
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._flush()
        self._sock.close()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def describe(self) -> str:
        """Protocol and cipher, for the log and for tests."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0] if cipher else ''}"
