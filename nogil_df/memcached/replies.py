"""From the results of Memcached's commands to the words of its protocol; and the counters of ``stats``.

The encoder sees every result on the thread of the client that asked, so hits and misses are counted here,
without anything on the way of a command. An op answers a status, a number, or what it found; for a client
that wants no reply the status has SILENT added, so that it is counted and nothing is written.
"""

from __future__ import annotations

from typing import Any, Final

from nogil_df.base.errors import ReplyError, text

STORED, NOT_STORED, EXISTS, NOT_FOUND, DELETED, TOUCHED, DONE, NON_NUMERIC, TOO_LARGE = range(9)
SILENT: Final = 16
"""Added to a status: count it, say nothing."""

LINES: Final = (
    b"STORED\r\n",
    b"NOT_STORED\r\n",
    b"EXISTS\r\n",
    b"NOT_FOUND\r\n",
    b"DELETED\r\n",
    b"TOUCHED\r\n",
    b"OK\r\n",
    b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    b"SERVER_ERROR object too large for cache\r\n",
)

COUNTERS: Final = (
    "get_hits get_misses cmd_set cmd_touch touch_hits touch_misses delete_hits delete_misses incr_hits "
    "incr_misses decr_hits decr_misses cas_hits cas_misses cas_badval cmd_flush cmd_meta store_too_large "
    "auth_cmds auth_errors"
).split()

SMALL: Final = 4096
"""Bytes up to which a value is copied into one piece with what stands around it."""

Found = tuple[bytes, int, bytes] | tuple[bytes, int, bytes, int]
"""Key, flags, data; and the cas unique where it was asked for."""


class Number(int):
    """The result of incr and decr, for a client that wants to see it."""

    __slots__ = ()


class MemcachedEncoder:
    """The encoder of one thread; the rows name its methods. Cost of each: O(bytes written)."""

    __slots__ = ("bulk_header", "counters")

    def __init__(self) -> None:
        # What the dispatcher would write in front of a value that is plain bytes: no op here answers one.
        self.bulk_header: list[bytes] = []
        self.counters = dict.fromkeys(COUNTERS, 0)

    def encode(self, value: Any, proto: int, out: list[bytes]) -> None:
        """An error, a status, a line as it stands, or nothing (None)."""
        if value.__class__ is ReplyError:
            line = error_line(value)
            if line:
                out.append(line + b"\r\n")
        elif value.__class__ is int:
            if value < SILENT:
                out.append(LINES[value])
        elif value is not None:
            out.append(b"%b\r\n" % value.data)

    def stored(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of set, add, replace, append, prepend."""
        self.counters["cmd_set"] += 1
        if value < SILENT:
            out.append(LINES[value])

    def swapped(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of cas."""
        counters = self.counters
        counters["cmd_set"] += 1
        status = value % SILENT
        counters["cas_hits" if status == STORED else "cas_badval" if status == EXISTS else "cas_misses"] += 1
        self._status(value, out)

    def refused_large(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of a block of data that is too big."""
        self.counters["store_too_large"] += 1
        self._status(value, out)

    def deleted(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of delete."""
        self._count_hit("delete", value % SILENT == DELETED)
        self._status(value, out)

    def touched(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of touch."""
        self.counters["cmd_touch"] += 1
        self._count_hit("touch", value % SILENT == TOUCHED)
        self._status(value, out)

    def incremented(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of incr."""
        self._counted("incr", value, out)

    def decremented(self, value: int, proto: int, out: list[bytes]) -> None:
        """Of decr."""
        self._counted("decr", value, out)

    def _counted(self, kind: str, value: int, out: list[bytes]) -> None:
        if value.__class__ is Number:
            self._count_hit(kind, True)
            out.append(b"%d\r\n" % value)
            return
        self._count_hit(kind, value % SILENT == DONE)
        self._status(value, out)

    def _count_hit(self, kind: str, hit: bool) -> None:
        self.counters[f"{kind}_hits" if hit else f"{kind}_misses"] += 1

    @staticmethod
    def _status(value: int, out: list[bytes]) -> None:
        if value < SILENT:
            out.append(LINES[value])

    def found(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Of get and gets: what one key holds or None, or a list of that for several keys."""
        counters = self.counters
        if value is None:
            counters["get_misses"] += 1
            out.append(b"END\r\n")
        elif value.__class__ is list:
            hits = [one for one in value if one is not None]
            counters["get_hits"] += len(hits)
            counters["get_misses"] += len(value) - len(hits)
            for one in hits:
                write_value(one, out, b"\r\n")
            out.append(b"END\r\n")
        else:
            counters["get_hits"] += 1
            write_value(value, out, b"\r\nEND\r\n")

    def found_and_touched(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Of gat and gats: a list, one a key."""
        counters = self.counters
        values = value if value.__class__ is list else [value]
        hits = [one for one in values if one is not None]
        counters["cmd_touch"] += len(values)
        counters["touch_hits"] += len(hits)
        counters["touch_misses"] += len(values) - len(hits)
        for one in hits:
            write_value(one, out, b"\r\n")
        out.append(b"END\r\n")

    # Meta commands: status word, flags in the order they were asked for, data; see `nogil_df.memcached.meta`.

    def meta_got(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Of mg."""
        hit, touched = value[0] != b"EN", value[3]
        if touched:
            self.counters["cmd_touch"] += 1
            self._count_hit("touch", hit)
        else:
            self._count_hit("get", hit)
        self.meta(value, proto, out)

    def meta_stored(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Of ms."""
        self.counters["cmd_set"] += 1
        if value.__class__ is int:
            self._status(value, out)
        else:
            self.meta(value, proto, out)

    def meta_deleted(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Of md."""
        self._count_hit("delete", value[0] == b"HD")
        self.meta(value, proto, out)

    def meta_counted(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Of ma."""
        self._count_hit("decr" if value[3] else "incr", value[0] in (b"HD", b"VA"))
        self.meta(value, proto, out)

    def meta(self, value: Any, proto: int, out: list[bytes]) -> None:
        """Any meta command's reply; see `nogil_df.memcached.meta.Reply`."""
        word, flags, data = value[:3]
        self.counters["cmd_meta"] += 1
        if not word:
            return
        if data is None:
            out.append(b"%b%b\r\n" % (word, flags))
        else:
            out += (b"VA %d%b\r\n" % (len(data), flags), data, b"\r\n")

    def reset(self) -> None:
        """``stats reset``."""
        self.counters = dict.fromkeys(COUNTERS, 0)


def write_value(found: Found, out: list[bytes], ending: bytes) -> None:
    """One value of a get, as ``VALUE key flags length [cas]`` and the data. O(bytes)."""
    data = found[2]
    if len(found) == 3:
        head = b"VALUE %b %d %d\r\n" % (found[0], found[1], len(data))
    else:
        head = b"VALUE %b %d %d %d\r\n" % (found[0], found[1], len(data), found[3])
    if len(data) < SMALL:
        out.append(head + data + ending)
    else:
        out += (head, data, ending)


def error_line(error: ReplyError) -> bytes:
    """An error in Memcached's words; b"" for one that is not to be told. O(text)."""
    code = error.code
    if code == "RAW":
        return text(error)
    if code in ("UNKNOWN_COMMAND", "WRONG_ARITY"):
        return b"ERROR"
    if code == "NOAUTH":
        return b"CLIENT_ERROR unauthenticated"
    if code == "OOM":
        return b"SERVER_ERROR out of memory storing object"
    return b"SERVER_ERROR " + text(error)
