"""The scripts that one thread knows, by SHA-1.

Redis has one cache for the whole server. Here every thread has a copy, as a compiled script belongs to the
runtime of one thread; whoever learns a script tells the others before its reply can be seen (a notice, see
`nogil_df.vll.proactor`), so a client that got a SHA-1 may use it on any connection.

Scripts that came by EVAL are forgotten again, the least recently used first, when there are more than
MOST_EVALS of them; those that came by SCRIPT LOAD stay, as in Redis since 7.4.
"""

from __future__ import annotations

import hashlib
from typing import Any

from nogil_df.commands.script_locks import Verdict
from nogil_df.scripting.source import Header

MOST_EVALS = 500


class Script:
    """One script.

    Attributes:
        sha: 40 hexadecimal digits, lower case.
        body: its text.
        header: what its first line says.
        verdict: what reading it tells about the locks it needs.
        read_only: it can't call commands that write, or promises not to.
        loaded: it came by SCRIPT LOAD, and stays.
        function: compiled by this thread's runtime; None until it is run here.
    """

    __slots__ = ("body", "function", "header", "loaded", "read_only", "sha", "verdict")

    def __init__(self, sha: bytes, body: bytes, header: Header, verdict: Verdict) -> None:
        self.sha = sha
        self.body = body
        self.header = header
        self.verdict = verdict
        self.loaded = False
        self.read_only = header.no_writes or not verdict.writes
        self.function: Any = None


class ScriptCache:
    """See the module's text. Invariant: ``by_body`` and ``by_sha`` hold the same scripts."""

    __slots__ = ("_evals", "by_body", "by_sha", "evicted")

    def __init__(self) -> None:
        self.by_sha: dict[bytes, Script] = {}
        self.by_body: dict[bytes, Script] = {}
        # Those that came by EVAL, least recently used first.
        self._evals: dict[bytes, Script] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self.by_sha)

    def add(self, script: Script, loaded: bool) -> None:
        """Keep a script; one that is there already may become a loaded one. O(1)."""
        known = self.by_sha[script.sha] if script.sha in self.by_sha else None
        if known is not None:
            if loaded and not known.loaded:
                known.loaded = True
                del self._evals[known.sha]
            return
        self.by_sha[script.sha] = script
        self.by_body[script.body] = script
        script.loaded = loaded
        if loaded:
            return
        self._evals[script.sha] = script
        if len(self._evals) > MOST_EVALS:
            oldest = next(iter(self._evals))
            self._forget(self._evals[oldest])
            self.evicted += 1

    def used(self, script: Script) -> None:
        """A script that came by EVAL was used: it is forgotten later. O(1)."""
        evals = self._evals
        # As long as nothing is forgotten soon, the order does not matter.
        if len(evals) > MOST_EVALS // 2 and script.sha in evals:
            del evals[script.sha]
            evals[script.sha] = script

    def flush(self) -> None:
        """Forget all scripts. O(scripts)."""
        self.by_sha.clear()
        self.by_body.clear()
        self._evals.clear()

    def _forget(self, script: Script) -> None:
        del self.by_sha[script.sha]
        del self.by_body[script.body]
        del self._evals[script.sha]

    @property
    def size(self) -> int:
        """Bytes of the scripts' texts. O(scripts)."""
        return sum(map(len, self.by_body))


def sha1(body: bytes) -> bytes:
    """The name of a script. O(text)."""
    return hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
