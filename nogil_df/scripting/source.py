"""What a script's first line says: ``#!lua flags=no-writes,allow-oom``.

A script without such a line runs in compatibility mode: as scripts ran before Redis 7, with the checks that
were made then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FLAGS: Final = frozenset(
    [b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys"]
)


class HeaderError(Exception):
    """The first line makes no sense; the argument is Redis's text for it."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a script.

    Attributes:
        engine: ``lua``; empty if there is no such line.
        name: of a library of functions; empty if it is not given.
        flags: as given.
        length: of the line, without its end: code begins there, so that lines keep their numbers.
    """

    engine: bytes = b""
    name: bytes = b""
    flags: frozenset[bytes] = frozenset()
    length: int = 0

    @property
    def is_compatible(self) -> bool:
        """There is no such line."""
        return not self.engine

    @property
    def allows_oom(self) -> bool:
        """The script may add data when memory is short; one that does not write has nothing to fear."""
        return b"allow-oom" in self.flags or self.no_writes

    @property
    def no_writes(self) -> bool:
        """The script promises not to write."""
        return b"no-writes" in self.flags

    @property
    def no_cluster(self) -> bool:
        """The script does not want to run in a cluster."""
        return b"no-cluster" in self.flags


NO_HEADER: Final = Header()


def read_header(body: bytes) -> Header:
    """Read the first line of an EVAL script. O(line).

    Raises:
        HeaderError: it begins with ``#!`` and is wrong.
    """
    if not body.startswith(b"#!"):
        return NO_HEADER
    end = body.find(b"\n")
    if end < 0:
        raise HeaderError("Invalid script shebang")
    words = body[:end].split()
    if words[0].lower() != b"#!lua":
        raise HeaderError("Unexpected engine in script shebang: " + words[0].decode("latin-1"))
    flags: frozenset[bytes] = frozenset()
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise HeaderError("Unknown lua shebang option: " + word.decode("latin-1"))
        given = [flag for flag in word[6:].split(b",") if flag]
        for flag in given:
            if flag not in FLAGS:
                raise HeaderError("Unexpected flag in script shebang: " + flag.decode("latin-1"))
        flags = frozenset(given)
    return Header(b"lua", b"", flags, end)
