"""redis-cli as a program: run to its end, or kept at a terminal.

Programs write a whole line at once to a terminal and hold it back in a pipe, and redis-cli shows its prompt
only to people: what is interactive is tested through a pseudo-terminal. Nothing sleeps here: a test waits for
the text it expects, and fails with what there was instead.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from types import TracebackType

from tests.patience import PATIENCE
from tests.servers import NogilServer, ServerFailure

_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def program(name: str) -> str:
    """Where a program is. Raises ServerFailure if it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise ServerFailure(f"{name} is not installed (Debian: apt-get install redis-tools)")
    return found


def run(name: str, server: NogilServer, *arguments: str, given: bytes = b"", status: int = 0) -> str:
    """Run a program against a server to its end; all that it printed.

    Raises:
        AssertionError: its exit status is not the one expected.
        subprocess.TimeoutExpired: it took longer than PATIENCE.
    """
    line = [program(name), "-h", server.host, "-p", str(server.port), *arguments]
    done = subprocess.run(
        line, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE
    )
    output = done.stdout.decode()
    assert done.returncode == status, f"{' '.join(line)} exited with {done.returncode}:\n{output}"
    return output


class Terminal:
    """redis-cli at a pseudo-terminal."""

    def __init__(self, server: NogilServer, *arguments: str) -> None:
        self.output = ""
        self._seen = 0
        ours, theirs = pty.openpty()
        self._fd = ours
        line = [program("redis-cli"), "-h", server.host, "-p", str(server.port), *arguments]
        environment = {**os.environ, "TERM": "dumb", "REDISCLI_HISTFILE": "/dev/null"}
        self._process = subprocess.Popen(
            line, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait for a text after the last one that was expected; ``pattern`` is a regular expression.

        Raises:
            AssertionError: it does not come.
        """
        deadline = time.monotonic() + PATIENCE
        compiled = re.compile(pattern)
        while (found := compiled.search(self.output, self._seen)) is None:
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.output[self._seen :]!r}"
            if select.select([self._fd], [], [], left)[0]:
                try:
                    data = os.read(self._fd, 65536)
                except OSError:
                    data = b""
                assert data, f"redis-cli ended without {pattern!r}: {self.output[self._seen :]!r}"
                self.output += _CONTROL.sub(b"", data).decode(errors="replace").replace("\r\n", "\n")
        self._seen = found.end()
        return found

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._fd, line.encode() + b"\r")

    def ask(self, line: str, answer: str) -> None:
        """Wait for the prompt, type a line, and wait for its answer: a regular expression of whole lines."""
        self.expect(r"> $")
        self.type(line)
        self.expect(r"(?:^|\n)" + answer + r"\n")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        with contextlib.suppress(OSError):
            os.close(self._fd)
