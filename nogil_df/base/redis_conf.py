"""redis.conf: from the configuration file of a redis-server to assignments of flags.

`nogil-df /etc/redis/redis.conf --port 7000` reads the file as redis-server does: a directive a line, its name
and values as words with quotes (`nogil_df.base.quoting`), `#` for comments, `include` with globs, a file
named `-` for stdin. Directives are Redis's parameters and thus flags (`flag_parsing.find_target`), so what
they mean and what has no effect here is said in one place for the command line and for files. This module
knows what is peculiar to the file: how many values a directive takes, lines that add up, `user`,
`rename-command`, `tls-port`, modules; and the error, which names the line in redis-server's words.

`ConfFile` is also how CONFIG REWRITE reads and writes such a file. Sources: redis.conf as it comes with Redis
7.0 and 8.0; what redis-server 7.0.15 says of bad lines.
"""

from __future__ import annotations

import glob

from nogil_df import __version__
from nogil_df.base.flag_parsing import SEVERAL_VALUES, Assignment, Target, find_target
from nogil_df.base.flags import FLAGS, FlagError
from nogil_df.base.quoting import quote, split_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nogil_df.base.config_table import Parameter

DEEPEST = 16
"""Files that may include each other; a file that includes itself ends here."""

NUMBERS_OF_VALUES = {"rename_command": (2,), "replicaof": (2,)}
"""Directives that take several values, but only so many."""

NEWER = frozenset(
    """
    availability-zone cluster-announce-human-nodename cluster-blacklist-ttl cluster-slot-stats-enabled
    commandlog-execution-slower-than commandlog-large-reply-max-len commandlog-large-request-max-len
    commandlog-reply-larger-than commandlog-request-larger-than commandlog-slow-execution-max-len
    dual-channel-replication-enabled enable-debug-assert events-per-io-thread
    extended-redis-compatibility hash-seed hide-user-data-from-log import-mode key-memory-histograms
    lazyexpire-nested-arbitrary-keys locale-collate log-format log-timestamp-format
    max-new-connections-per-cycle max-new-tls-connections-per-cycle prefetch-batch-max-size primaryauth
    primaryuser rdb-version-check rdma-bind rdma-port replica-full-sync-buffer-limit
    tls-auth-clients-user unixsocketgroup
    """.split()
)
"""Directives of Redis 7.2 to 8 and of Valkey that steer machinery which there is none of here."""

WHY_NOT = {
    "aclfile": "users are given by lines of redis.conf",
    "appendonly": "there is no append-only file; data is kept by snapshots",
    "daemonize": "the server stays in the foreground; leave that to systemd or a container",
    "io_threads": "all threads do input and output; see --proactor_threads",
    "loadmodule": "there are no modules",
    "replicaof": "this server follows no other and is a master",
    "supervised": "readiness is told to systemd whenever it asks for that",
    "syslog_enabled": "the log goes to stderr, or to a file",
}
"""Why a directive has no effect here, where that is not plain."""


class ConfigFileError(FlagError):
    """A configuration file that can't be used; the text has several lines, as redis-server's has."""


class Line:
    """A directive and where it stands.

    `path` is "" for the file that was named on the command line, and for stdin.
    """

    __slots__ = ("number", "path", "text")

    def __init__(self, path: str, number: int, text: str) -> None:
        self.path = path
        self.number = number
        self.text = text

    def error(self, why: str) -> ConfigFileError:
        """What to raise if something is wrong with the line."""
        where = f" of {self.path}" if self.path else ""
        return ConfigFileError(
            f"\n*** FATAL CONFIG FILE ERROR (nogil-df {__version__}) ***\n"
            f"Reading the configuration file, at line {self.number}{where}\n"
            f">>> '{self.text}'\n"
            f"{why}"
        )


class UserLine:
    """A user of redis.conf: its name, its rules, and the line, for errors."""

    __slots__ = ("line", "name", "rules")

    def __init__(self, name: str, rules: tuple[str, ...], line: Line) -> None:
        self.name = name
        self.rules = rules
        self.line = line


class ConfFile:
    """What a configuration file said.

    Attributes:
        assignments: of flags and parameters, in order.
        users: those that `user` lines declare, in order.
        ignored: directives that are no parameter and have no effect here.
    """

    __slots__ = ("_read_text", "assignments", "ignored", "users")

    def __init__(self, read_text: Callable[[str], str]) -> None:
        self._read_text = read_text
        self.assignments: list[Assignment] = []
        self.users: dict[str, UserLine] = {}
        self.ignored: dict[str, None] = {}

    def read(self, path: str) -> None:
        """Read the file `path`, and what it includes.

        Raises:
            FlagError: it can't be read, or a line is not understood.
        """
        self._take_file(path, "", 0)

    def take_text(self, text: str, path: str = "", depth: int = 0) -> None:
        """Take the lines of a file. Raises FlagError for one that is not understood."""
        for number, raw in enumerate(text.split("\n"), 1):
            bare = raw.strip(" \t\r\n")
            if bare and not bare.startswith("#"):
                self._take_line(Line(path, number, bare), depth)

    def _take_file(self, path: str, shown: str, depth: int) -> None:
        try:
            text = self._read_text(path)
        except OSError as error:
            why = error.strerror or str(error)
            raise FlagError(f"Fatal error, can't open config file '{path}': {why}") from None
        self.take_text(text, shown, depth)

    def _take_line(self, line: Line, depth: int) -> None:
        words = split_words(line.text)
        if words is None:
            raise line.error("Unbalanced quotes in configuration line")
        if not words:
            return
        name, values = words[0].lower(), words[1:]
        if name == "include" and len(values) == 1:
            self._include(values[0], line, depth)
        elif name == "user" and values:
            self._take_user(values, line)
        elif values and (name == "loadmodule" or name in NEWER):
            self.ignored[name] = None
        else:
            self.assignments.append(_assignment(name, values, line))

    def _include(self, pattern: str, line: Line, depth: int) -> None:
        if depth >= DEEPEST:
            raise line.error("Too many files include each other")
        for path in sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]:
            self._take_file(path, path, depth + 1)

    def _take_user(self, values: Sequence[str], line: Line) -> None:
        name = values[0]
        if name in self.users:
            raise line.error(
                f"Error in user declaration '{name}': "
                "Duplicate user found. A user can only be defined once in config files"
            )
        self.users[name] = UserLine(name, tuple(values[1:]), line)


def split_words(text: str) -> list[str] | None:
    """The words of a line; None if its quotes are not balanced."""
    words = split_line(text.encode("utf-8", "surrogateescape"))
    return None if words is None else [word.decode("utf-8", "surrogateescape") for word in words]


def _assignment(name: str, values: Sequence[str], line: Line) -> Assignment:
    """The assignment of one directive.

    Raises:
        ConfigFileError: there is no such directive, or the values are not right.
    """
    target = find_target(name)
    if target is None:
        raise line.error("Bad directive or wrong number of arguments")
    if not _may_have(target, len(values)):
        raise line.error("wrong number of arguments")
    text = "=".join(values) if target.name == "rename_command" else " ".join(values)
    try:
        _check(target, text)
    except ValueError as error:
        raise line.error(str(error)) from None
    return Assignment(target, text, line=line)


def _may_have(target: Target, count: int) -> bool:
    if target.name in NUMBERS_OF_VALUES:
        return count in NUMBERS_OF_VALUES[target.name]
    if target.name in SEVERAL_VALUES or target.kind in ("words", "WORDS"):
        return count > 0
    return count == 1


def _check(target: Target, text: str) -> None:
    """Raises ValueError, in Redis's words where Redis knows the directive, if `text` is no value of it."""
    from nogil_df.base.config import find_parameter
    from nogil_df.base.config_values import parse_value

    parameter = target.parameter or find_parameter(target.name)
    if parameter is not None and parameter.kind not in ("pairs", "directory"):
        parse_value(parameter, text)
    if target.name in FLAGS:
        try:
            FLAGS[target.name].parse(text)
        except FlagError as error:
            raise ValueError(str(error)) from None


# --- CONFIG REWRITE ---


def read_conf_line(line: str) -> Assignment | None:
    """The assignment that a line of a file makes; None for comments, other directives and nonsense."""
    words = split_words(line.strip(" \t\r\n")) if not line.lstrip().startswith("#") else None
    if not words or words[0].lower() in ("include", "loadmodule", "user", "rename-command"):
        return None
    try:
        return _assignment(words[0].lower(), words[1:], Line("", 0, line))
    except FlagError:
        return None


_PLAIN_KINDS = frozenset(("text", "secret", "filename", "directory", "hostname", "title", "word"))
_UNITS = ((1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb"))


def conf_lines(parameter: Parameter, shown: str) -> list[str]:
    """The lines that give a parameter the value that CONFIG GET shows so, worded as Redis does."""
    name, kind = parameter.name, parameter.kind
    if kind in _PLAIN_KINDS:
        return [f"{name} {quote(shown.encode('utf-8', 'surrogateescape')).decode()}"]
    words = shown.split()
    if kind == "save" and words:
        return [
            f"{name} {seconds} {changes}" for seconds, changes in zip(words[::2], words[1::2], strict=True)
        ]
    if kind == "buffer-limits":
        quads = zip(words[::4], words[1::4], words[2::4], words[3::4], strict=True)
        return [
            f"{name} {client} {_amount(hard)} {_amount(soft)} {seconds}"
            for client, hard, soft, seconds in quads
        ]
    if kind == "memory" and shown.isdigit():
        return [f"{name} {_amount(shown)}"]
    return [f"{name} {shown}" if shown else f'{name} ""']


def _amount(text: str) -> str:
    size = int(text)
    for unit, word in _UNITS:
        if size and size % unit == 0:
            return f"{size // unit}{word}"
    return text
