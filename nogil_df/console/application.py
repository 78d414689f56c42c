"""Requests to responses: which path is what, who may see it, what every response says to browsers.

Who may see what:

- ``/metrics`` is for everybody who may connect: figures, no keys, no values.
- The console, and the data behind it, is for the user ``default``: without a password where it has none,
  else by HTTP's basic authentication. What that user may not do by a command it may not see here either.
- Nothing changes anything: there is GET and HEAD.

What keeps other sites' pages out, which a browser would load from here with the user's rights: no CORS
header is ever sent, requests that a browser marks as another site's are refused, and no page may frame the
console. While no password is needed the ``Host`` must be an address or this machine's own name: a name that
an attacker makes point here (DNS rebinding) would make his page and this server one site.

A view is made in three steps: every thread gives its figures (one message to each), the client's thread
adds what it knows, and the text is made aside (`nogil_df.console.aside`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nogil_df.base.errors import ReplyError
from nogil_df.base.system import host_name
from nogil_df.commands import access, slowlog
from nogil_df.commands.context import collect
from nogil_df.commands.registry import is_refused
from nogil_df.console import api, files, metrics
from nogil_df.wire.http import Response

if TYPE_CHECKING:
    from nogil_df.commands.session import Session
    from nogil_df.commands.threadstate import ThreadState
    from nogil_df.vll.proactor import Proactor
    from nogil_df.wire.http import Request

TEXT = ("Content-Type", "text/plain; charset=utf-8")

SECURITY_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
"""With every response: pages load their own files alone, and are framed by nobody."""

CHALLENGE = ("WWW-Authenticate", 'Basic realm="nogil-df", charset="UTF-8"')

_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]")


class Client(Protocol):
    """Who asked."""

    def answer(self, response: Response) -> None:
        """Send the response, within the call that brought the request."""

    def answer_later(self, response: Response) -> None:
        """Send the response, after that."""


@dataclass(frozen=True, slots=True)
class View:
    """Something to see.

    Attributes:
        gather: ``gather(proactor, argument)`` runs on every thread.
        facts: ``facts(state, request, answers)`` runs on the client's thread, and adds plain values.
        render: ``render((answers, facts, request))`` runs aside and gives the response.
        argument: of ``gather``.
        words: the command that shows the same; who may not run it may not see this. None: for everybody.
    """

    gather: Callable[[Proactor, Any], Any]
    facts: Callable[[ThreadState, Request, list[Any]], Any]
    render: Callable[[Any], Response]
    argument: Any = None
    words: tuple[bytes, ...] | None = None


VIEWS: dict[str, View] = {
    "/metrics": View(metrics.gather_all, metrics.facts, metrics.render, metrics.WANTED),
    "/api/stats": View(metrics.gather_all, api.stats_facts, api.stats, metrics.WANTED, (b"INFO",)),
    "/api/clients": View(
        api.gather_clients, api.nothing, api.clients, api.MOST_CLIENTS, (b"CLIENT", b"LIST")
    ),
    "/api/slowlog": View(slowlog.read, api.nothing, api.slow, api.MOST_SLOW, (b"SLOWLOG", b"GET")),
    "/api/config": View(api.no_figures, api.config_facts, api.config, None, (b"CONFIG", b"GET")),
}


class Visit:
    """One view on its way to one client."""

    __slots__ = ("answers", "application", "client", "missing", "request", "view")

    def __init__(self, application: Application, view: View, request: Request, client: Client) -> None:
        self.application = application
        self.view = view
        self.request = request
        self.client = client
        count = application.proactor.count
        self.answers: list[Any] = [None] * count
        self.missing = count

    def on_answer(self, thread: int, result: Any) -> None:
        """A thread gives its figures, or the thread aside the response."""
        application = self.application
        if thread < 0:
            self.client.answer_later(application.finished(result))
            return
        self.answers[thread] = result
        self.missing -= 1
        if self.missing:
            return
        proactor = application.proactor
        state = proactor.service
        try:
            for answer in self.answers:
                if answer.__class__ is ReplyError:
                    raise answer
            known = self.view.facts(state, self.request, self.answers)
        except ReplyError as error:
            self.client.answer_later(application.finished(error))
            return
        task = (self.answers, known, self.request)
        self.answers = []
        state.server.aside.run(self.view.render, task, proactor.index, self)


class Application:
    """The requests of one thread.

    Args:
        proactor: the thread's core.
    """

    __slots__ = ("_names", "proactor")

    def __init__(self, proactor: Proactor) -> None:
        self.proactor = proactor
        name = host_name().lower()
        self._names = {name, name.partition(".")[0], "localhost"}

    def handle(self, request: Request, session: Session, client: Client) -> None:
        """Answer a request, at once or later. O(1), without what the view costs."""
        refusal = self._refusal(request, session)
        if refusal is not None:
            client.answer(refusal)
            return
        view = VIEWS.get(request.path)
        if view is None:
            client.answer(self.secured(files.respond(request)))
            return
        proactor = self.proactor
        visit = Visit(self, view, request, client)
        proactor.broadcast((collect, proactor.index, visit, view.gather, view.argument))

    def _refusal(self, request: Request, session: Session) -> Response | None:
        """Why a request gets nothing, None if it gets something."""
        if request.method not in ("GET", "HEAD"):
            return self.refuse(405, "only GET and HEAD are served here", ("Allow", "GET, HEAD"))
        if is_cross_site(request):
            return self.refuse(403, "requests of other sites are not served")
        view = VIEWS.get(request.path)
        if view is not None and view.words is None:
            return None
        if not self.proactor.service.config.http_admin_console:
            return self.refuse(404, "there is no such page, and the console is switched off")
        refusal = self._login_refusal(request, session)
        if refusal is not None:
            return refusal
        if view is None:
            return None if files.find(request.path) else self.refuse(404, "there is no such page")
        return self._permission_refusal(view, session)

    def _login_refusal(self, request: Request, session: Session) -> Response | None:
        state = self.proactor.service
        default = state.users.default
        open_to_all = default.enabled and default.no_password
        if open_to_all or (session.admin and state.config.admin_nopass):
            if self._is_own_name(request.header("host")):
                return None
            return self.refuse(
                403,
                "without a password the console answers to an address or this machine's own name only",
            )
        password = basic_password(request.header("authorization"))
        if password is None:
            return self.refuse(401, "log in as user default", CHALLENGE)
        user, word = password
        if user == b"default" and default.accepts(word):
            return None
        access.log_failed_login(session, b"HTTP", user)
        return self.refuse(401, "wrong user or password", CHALLENGE)

    def _permission_refusal(self, view: View, session: Session) -> Response | None:
        default = self.proactor.service.users.default
        if not view.words:
            return None
        command = session.dispatcher.table.get(view.words[0].decode())
        if command is not None and is_refused(command.row):
            command = None
        if command is not None and len(view.words) > 1:
            command = command.subcommands[view.words[1]]
        # A command that was renamed away or restricted is not to be had by this way either.
        if command is not None and access.denial(default, command, view.words) is None:
            return None
        return self.refuse(403, f"the user default may not run {b' '.join(view.words).decode()}")

    def _is_own_name(self, host: str) -> bool:
        name = re.sub(r":\d*$", "", host.lower())
        return bool(_ADDRESS.fullmatch(name)) or name in self._names or name.endswith(".localhost")

    def refuse(self, status: int, reason: str, *headers: tuple[str, str], close: bool = False) -> Response:
        """A response that gives nothing but a reason, for people to read. O(1)."""
        body = f"{status}: {reason}\n".encode("utf-8", "replace")
        return self.secured(Response(status, body, (TEXT, *headers), close))

    def finished(self, result: Any) -> Response:
        """What the thread aside made, ready to send. O(1)."""
        if result.__class__ is not Response:
            return self.refuse(500, "that failed; the log tells why")
        return self.secured(result)

    def secured(self, response: Response) -> Response:
        """A response with what every one tells browsers. O(headers)."""
        headers = response.headers
        if not any(name == "Cache-Control" for name, _ in headers):
            headers += (("Cache-Control", "no-store"),)
        return Response(response.status, response.body, headers + SECURITY_HEADERS, response.close)


def is_cross_site(request: Request) -> bool:
    """Whether a browser says that a page of another site makes this request; following a link is allowed."""
    if request.header("sec-fetch-site") in ("cross-site", "same-site"):
        return not (
            request.header("sec-fetch-mode") == "navigate" and request.header("sec-fetch-dest") == "document"
        )
    origin = request.header("origin")
    return bool(origin) and origin.partition("://")[2].lower() != request.header("host").lower()


def basic_password(header: str) -> tuple[bytes, bytes] | None:
    """User and password of an Authorization header, None if it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None
