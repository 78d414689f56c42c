"""The flags of the server, as data, and `Options`, the values they got.

`Options` is the table: every attribute of the class is a `Flag` (kind, default, bounds, help), every
attribute of an instance is the value of that flag. What else needs to know about flags is derived from
here: the parser and `--help` (`flag_parsing`), CONFIG GET/SET (`config`), the documentation. The flags that
Dragonfly knows and that mean nothing here are in `flag_names`; Redis's own parameter names are in
`config_table`.

Invariants: an `Options` never changes once made; its values have passed the checks of their flags; they are
plain immutable values (int, float, bool, str, tuple). The module imports nothing heavy, for `--help` must
be quick.
"""

from __future__ import annotations

from nogil_df.base.keyspace_events import parse_events
from nogil_df.base.sizes import parse_fractional_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from nogil_df.base.redis_conf import UserLine

INT32_MAX = (1 << 31) - 1
INT64_MAX = (1 << 63) - 1
UINT64_MAX = (1 << 64) - 1

TRUE_WORDS = frozenset(("true", "yes", "1", "t", "y", "on"))
FALSE_WORDS = frozenset(("false", "no", "0", "f", "n", "off"))

GROUPS = (
    "Network",
    "Threads",
    "Cluster",
    "Limits",
    "Memory and keyspace",
    "Commands",
    "Files",
    "Diagnostics",
    "Logging",
)
"""Headings of `--help`, in order."""


class FlagError(Exception):
    """A flag that is unknown or whose value cannot be used; its text is one clear line."""


def parse_bool(text: str) -> bool | None:
    """True or False for the words in use for them, in any case; None for any other word."""
    word = text.lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def _bool(text: str) -> bool:
    value = parse_bool(text)
    if value is None:
        raise ValueError("must be true or false")
    return value


def _int(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
        raise ValueError("must be a whole number")
    return int(text)


def _size(text: str) -> int:
    value = parse_fractional_size(text)
    if value is None:
        raise ValueError("must be an amount of memory, such as 512mb or 12gb")
    return value


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("must be a number")
    return value


def _octal(text: str) -> int:
    if text == "":
        return 0
    if len(text) > 4 or any(digit not in "01234567" for digit in text):
        raise ValueError("must be an octal file mode, such as 700")
    return int(text, 8)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _upper_words(text: str) -> tuple[str, ...]:
    return _words(text.upper())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """`OLD=NEW,OLD2=NEW2`, upper-cased; NEW may be empty."""
    pairs = []
    for item in text.upper().split(","):
        left, equals, right = item.strip().partition("=")
        if not item.strip():
            continue
        if not equals or not left.strip():
            raise ValueError("must be a list of NAME=NAME, separated by commas")
        pairs.append((left.strip(), right.strip()))
    return tuple(pairs)


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not have a NUL in it")
    return text


def _word(text: str) -> str:
    if any(letter.isspace() for letter in text):
        raise ValueError("must be one word")
    return text


def _filename(text: str) -> str:
    if "/" in text or "\0" in text or text in (".", ".."):
        raise ValueError("must be a plain name, which stands in --dir")
    return text


def _cron(text: str) -> str:
    if text:
        from nogil_df.base.cron import check

        check(text)
    return text


def _events(text: str) -> str:
    if parse_events(text) is None:
        raise ValueError("must be made of the letters of Ag$lshzxetdmnKE")
    return text


PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": _bool,
    "int": _int,
    "size": _size,
    "float": _float,
    "octal": _octal,
    "text": _text,
    "choice": str.lower,
    "cron": _cron,
    "events": _events,
    "word": _word,
    "filename": _filename,
    "words": _words,
    "WORDS": _upper_words,
    "pairs": _pairs,
}
"""Kind of a flag -> what makes its value of a text; raises ValueError with what the text "must be"."""


NUMBERS = frozenset(("int", "size", "float"))
"""Kinds of flags whose values are at most `INT64_MAX` where nothing else is said, as those of CONFIG SET."""


class Flag:
    """One flag: what it is called, what it takes, what it does.

    `redis` is the CONFIG parameter that stands for the same value ("tcp-keepalive"), or "" if Redis has none.
    `mutable` tells whether CONFIG SET may change it while the server runs.
    Read from an instance of `Options` it gives the default, until the instance has a value of its own.
    """

    __slots__ = ("choices", "default", "group", "help", "high", "kind", "low", "mutable", "name", "redis")

    def __init__(
        self,
        default: Any,
        kind: str,
        group: str,
        help: str,
        *,
        low: int | None = None,
        high: int | None = None,
        choices: tuple[str, ...] = (),
        redis: str = "",
        mutable: bool = False,
    ) -> None:
        self.name = ""
        self.default = default
        self.kind = kind
        self.group = group
        self.help = help
        self.low = low
        self.high = high
        self.choices = choices
        self.redis = redis
        self.mutable = mutable

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        return self if instance is None else self.default

    def parse(self, text: str) -> Any:
        """The value that `text` stands for. Raises FlagError, with the flag's name in it."""
        try:
            return self.check(PARSERS[self.kind](text))
        except ValueError as error:
            raise FlagError(f"bad value {text!r} for flag --{self.name}: it {error}") from None

    def check(self, value: Any) -> Any:
        """Return `value`, which has the type of the flag, if it is within bounds; else raise ValueError.

        No words at all stand for the default.
        """
        if value == () and self.kind == "words":
            return self.default
        low, high = self.low, INT64_MAX if self.high is None and self.kind in NUMBERS else self.high
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(f"must be between {low} and {high}")
        if self.choices and value not in self.choices:
            raise ValueError("must be one of " + ", ".join(choice or "''" for choice in self.choices))
        return value

    def text(self, value: Any) -> str:
        """`value` as it would be written on the command line; `parse` gives it back."""
        kind = self.kind
        if kind == "bool":
            return "true" if value else "false"
        if kind == "octal":
            return format(value, "o") if value else ""
        if kind in ("words", "WORDS"):
            return ",".join(value)
        if kind == "pairs":
            return ",".join(f"{left}={right}" for left, right in value)
        return str(value)


if TYPE_CHECKING:

    def flag(
        default: Any,
        kind: str,
        group: str,
        help: str,
        *,
        low: int | None = ...,
        high: int | None = ...,
        choices: tuple[str, ...] = ...,
        redis: str = ...,
        mutable: bool = ...,
    ) -> Any: ...
else:
    flag = Flag

_NET, _THREADS, _CLUSTER, _LIMITS, _MEMORY, _COMMANDS, _FILES, _DIAGNOSTICS, _LOG = GROUPS


class Options:
    """The values of all flags; made once, read by the assembly of the server.

    `Options(port=0, maxmemory="512mb")` takes values of the right type or texts, checks both and raises
    FlagError.

    Beside the flags: `config`, what was said about Redis's own parameters (name, text) in order; `ignored`,
    the names that were accepted but have no effect here; `given`, the names of the flags that somebody set;
    `config_file`, the path of the redis.conf they came from, if any; `users`, what that says about users.
    """

    config: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    given: frozenset[str]
    config_file: str
    users: tuple[UserLine, ...]

    # Network
    port: int = flag(
        6379, "int", _NET, "TCP port; 0: no TCP, -1: any free port", low=-1, high=65535, redis="port"
    )
    bind: tuple[str, ...] = flag(
        ("*", "-::*"),
        "words",
        _NET,
        "addresses to listen on; '*' is all of IPv4, '::*' all of IPv6; a leading '-' forgives failure",
        redis="bind",
    )
    unixsocket: str = flag("", "text", _NET, "path of a unix socket to listen on", redis="unixsocket")
    unixsocketperm: int = flag(
        0, "octal", _NET, "file mode of the unix socket, in octal", redis="unixsocketperm"
    )
    requirepass: str = flag(
        "", "text", _NET, "password of the default user", redis="requirepass", mutable=True
    )
    aclfile: str = flag("", "text", _NET, "file of users and their rights", redis="aclfile")
    acllog_max_len: int = flag(
        128,
        "int",
        _NET,
        "refusals that ACL LOG keeps",
        low=0,
        redis="acllog-max-len",
        mutable=True,
    )
    protected_mode: bool = flag(
        True,
        "bool",
        _NET,
        "refuse clients of other machines while there is no password",
        redis="protected-mode",
        mutable=True,
    )
    maxclients: int = flag(
        64000,
        "int",
        _NET,
        "most clients at a time",
        low=1,
        high=(1 << 32) - 1,
        redis="maxclients",
        mutable=True,
    )
    timeout: int = flag(
        0,
        "int",
        _NET,
        "seconds after which an idle client is disconnected; 0: never",
        low=0,
        high=INT32_MAX,
        redis="timeout",
        mutable=True,
    )
    tcp_keepalive: int = flag(
        300,
        "int",
        _NET,
        "seconds of silence before the kernel probes a client; 0: never",
        low=0,
        high=INT32_MAX,
        redis="tcp-keepalive",
        mutable=True,
    )
    tcp_backlog: int = flag(
        256,
        "int",
        _NET,
        "connections that may wait to be accepted",
        low=0,
        high=INT32_MAX,
        redis="tcp-backlog",
    )
    tcp_nodelay: bool = flag(True, "bool", _NET, "send small replies at once")
    primary_port_http_enabled: bool = flag(
        True, "bool", _NET, "speak HTTP, too, on the ports of Redis's protocol: metrics, and the console"
    )
    http_admin_console: bool = flag(
        True, "bool", _NET, "show the console at / where HTTP is spoken; without it there is /metrics alone"
    )

    memcached_port: int = flag(
        0, "int", _NET, "TCP port for Memcached clients; 0: none, -1: any free port", low=-1, high=65535
    )

    admin_port: int = flag(
        0,
        "int",
        _NET,
        "TCP port without limit on clients, renamed or restricted commands; 0: none, -1: any free port",
        low=-1,
        high=65535,
    )
    admin_bind: str = flag("", "text", _NET, "address for admin_port; '': those of bind")
    admin_nopass: bool = flag(False, "bool", _NET, "let clients of admin_port in without a password")
    tls: bool = flag(False, "bool", _NET, "speak TLS, and nothing else, on all TCP ports")
    tls_port: int = flag(
        0,
        "int",
        _NET,
        "TCP port for TLS beside the one without; 0: none, -1: any free port",
        low=-1,
        high=65535,
        redis="tls-port",
    )
    no_tls_on_admin_port: bool = flag(False, "bool", _NET, "speak without TLS on admin_port")
    tls_cert_file: str = flag(
        "", "text", _NET, "the server's certificate", redis="tls-cert-file", mutable=True
    )
    tls_key_file: str = flag(
        "", "text", _NET, "the key of the certificate", redis="tls-key-file", mutable=True
    )
    tls_ca_cert_file: str = flag(
        "",
        "text",
        _NET,
        "authorities whose certificates clients have to show",
        redis="tls-ca-cert-file",
        mutable=True,
    )
    tls_ca_cert_dir: str = flag(
        "", "text", _NET, "directory of such authorities, hashed", redis="tls-ca-cert-dir", mutable=True
    )
    tls_ciphers: str = flag(
        "", "text", _NET, "ciphers up to TLS 1.2, as OpenSSL names them", redis="tls-ciphers", mutable=True
    )

    # Threads
    proactor_threads: int = flag(0, "int", _THREADS, "threads; 0: one per usable CPU", low=0, high=1024)
    hz: int = flag(
        100,
        "int",
        _THREADS,
        "turns per second of each shard's housekeeping (expiry and the like)",
        low=0,
        high=INT32_MAX,
        redis="hz",
        mutable=True,
    )

    # Cluster
    cluster_mode: str = flag(
        "",
        "choice",
        _CLUSTER,
        "emulated: be a Redis cluster of one node that has all slots; '': none",
        choices=("", "emulated"),
    )
    cluster_announce_ip: str = flag(
        "",
        "word",
        _CLUSTER,
        "address to name in the map of the cluster; '': the one that the client came to",
        redis="cluster-announce-ip",
        mutable=True,
    )
    announce_port: int = flag(
        0,
        "int",
        _CLUSTER,
        "port to name in the map of the cluster; 0: the port itself",
        low=0,
        high=65535,
        redis="cluster-announce-port",
        mutable=True,
    )
    cluster_node_id: str = flag("", "word", _CLUSTER, "id of the node; '': a random one")
    lock_on_hashtags: bool = flag(
        False, "bool", _CLUSTER, "keep all keys of a {tag} on one shard, in cluster mode or not"
    )
    locktag_delimiter: str = flag(
        "", "text", _CLUSTER, "character on both sides of the tags; '': { and } (not for slots)"
    )
    locktag_prefix: str = flag("", "text", _CLUSTER, "only keys that begin with this have tags")
    locktag_skip_n_end_delimiters: int = flag(
        0, "int", _CLUSTER, "how many closing delimiters belong to a tag itself", low=0, high=1024
    )

    # Limits
    max_bulk_len: int = flag(
        512 << 20,
        "size",
        _LIMITS,
        "largest argument of a command, and largest string",
        low=1 << 20,
        high=INT64_MAX,
        redis="proto-max-bulk-len",
        mutable=True,
    )
    max_multi_bulk_len: int = flag(
        INT32_MAX,
        "int",
        _LIMITS,
        "most arguments of a command; 16384 always may be",
        low=1,
        high=INT32_MAX,
        mutable=True,
    )
    memcached_max_item_size: int = flag(
        1 << 20,
        "size",
        _LIMITS,
        "largest item that Memcached clients may store, key and overhead included",
        low=1024,
        high=1 << 30,
        mutable=True,
    )
    keys_output_limit: int = flag(
        8192, "int", _LIMITS, "most keys that KEYS answers; 0: no limit", low=0, high=INT64_MAX, mutable=True
    )

    script_memory_limit: int = flag(
        1 << 30,
        "size",
        _LIMITS,
        "memory that the scripts and functions of one thread may hold together; 0: no limit",
        low=0,
        high=INT64_MAX,
    )

    # Memory and keyspace
    maxmemory: int = flag(
        0,
        "size",
        _MEMORY,
        "memory for the data, such as 512mb or 12gb; 0: found automatically",
        low=0,
        high=UINT64_MAX,
        redis="maxmemory",
        mutable=True,
    )
    cache_mode: bool = flag(
        False,
        "bool",
        _MEMORY,
        "be a cache: at the limit the records that are worth least make room",
        mutable=True,
    )
    oom_deny_ratio: float = flag(
        1.0,
        "float",
        _MEMORY,
        "share of maxmemory from which commands that add data are refused",
        low=0,
        mutable=True,
    )
    rss_oom_deny_ratio: float = flag(
        1.25,
        "float",
        _MEMORY,
        "share of maxmemory by which the process may have grown before they are refused; 0: any",
        low=0,
        mutable=True,
    )
    enable_heartbeat_eviction: bool = flag(
        True,
        "bool",
        _MEMORY,
        "cache mode: evict before the limit, see eviction_memory_budget_threshold",
        mutable=True,
    )
    eviction_memory_budget_threshold: float = flag(
        0.0,
        "float",
        _MEMORY,
        "cache mode: share of maxmemory that eviction keeps free",
        low=0,
        high=1,
        mutable=True,
    )
    enable_heartbeat_rss_eviction: bool = flag(
        True, "bool", _MEMORY, "evict when the process has grown beyond rss_oom_deny_ratio, too", mutable=True
    )
    max_eviction_per_heartbeat: int = flag(
        100,
        "int",
        _MEMORY,
        "records evicted in one heartbeat for that reason",
        low=1,
        high=INT32_MAX,
        mutable=True,
    )
    dbnum: int = flag(16, "int", _MEMORY, "number of databases", low=1, high=INT32_MAX, redis="databases")
    notify_keyspace_events: str = flag(
        "",
        "events",
        _MEMORY,
        "events to publish, in Redis's letters; '': none",
        redis="notify-keyspace-events",
        mutable=True,
    )

    # Commands
    rename_command: tuple[tuple[str, str], ...] = flag(
        (), "pairs", _COMMANDS, "OLD=NEW, ...: rename commands; an empty NEW disables one"
    )
    command_alias: tuple[tuple[str, str], ...] = flag(
        (), "pairs", _COMMANDS, "ALIAS=NAME, ...: further names of commands"
    )
    restricted_commands: tuple[str, ...] = flag(
        (), "WORDS", _COMMANDS, "commands that only the admin port accepts"
    )
    tx_queue_warning_len: int = flag(
        96,
        "int",
        _COMMANDS,
        "transactions waiting on one shard past which the log warns; 0: never",
        low=0,
        mutable=True,
    )
    multi_exec_squash: bool = flag(
        True, "bool", _COMMANDS, "run the commands of EXEC with one hop per shard", mutable=True
    )
    pipeline_squash: int = flag(
        1,
        "int",
        _COMMANDS,
        "length from which a pipeline runs with one hop per shard; 0: never",
        low=0,
        high=INT32_MAX,
        mutable=True,
    )
    max_squashed_cmd_num: int = flag(
        100,
        "int",
        _COMMANDS,
        "most commands squashed into one hop; of plain GET, SET and INCR up to 1024",
        low=1,
        high=INT32_MAX,
        mutable=True,
    )
    slice_elements: int = flag(
        4096,
        "int",
        _COMMANDS,
        "elements of a big value that one command goes through before other clients have their turn",
        low=1,
        high=INT32_MAX,
        mutable=True,
    )

    # Files
    flagfile: str = flag("", "text", _FILES, "file of flags, one NAME=VALUE a line")
    dir: str = flag("", "text", _FILES, "working directory; '': where the server was started", redis="dir")
    dbfilename: str = flag(
        "dump",
        "filename",
        _FILES,
        "name of the snapshot in dir, in which {timestamp} may stand; NAME.rdb: in Redis's format; '': none",
        redis="dbfilename",
    )
    df_snapshot_format: bool = flag(
        True,
        "bool",
        _FILES,
        "save in the native format, a file a shard; if not, in one file in Redis's format",
        mutable=True,
    )
    snapshot_cron: str = flag(
        "", "cron", _FILES, "when to save, as a cron expression of five fields; '': never", mutable=True
    )
    compression_mode: str = flag(
        "multi_entry_lz4",
        "choice",
        _FILES,
        "how snapshots are compressed: 0 or none, 1 or single_entry (LZF, value by value), 2 or"
        " multi_entry_zstd, 3 or multi_entry_lz4",
        choices=(
            *("0", "1", "2", "3"),
            *("none", "single_entry", "multi_entry_zstd", "multi_entry_lz4"),
        ),
        mutable=True,
    )
    compression_level: int = flag(2, "int", _FILES, "level of Zstandard", low=-7, high=22, mutable=True)
    start_without_snapshot: bool = flag(
        False,
        "bool",
        _FILES,
        "start empty where the snapshot that is there can't be loaded; a save replaces it",
    )
    pidfile: str = flag("", "text", _FILES, "file to write the process id to", redis="pidfile")

    # Diagnostics
    slowlog_log_slower_than: int = flag(
        10000,
        "int",
        _DIAGNOSTICS,
        "microseconds from which a command is slow; -1: no slow log",
        low=-1,
        high=INT64_MAX,
        redis="slowlog-log-slower-than",
        mutable=True,
    )
    slowlog_max_len: int = flag(
        20,
        "int",
        _DIAGNOSTICS,
        "entries that the slow log keeps",
        low=0,
        high=INT64_MAX,
        redis="slowlog-max-len",
        mutable=True,
    )

    # Logging
    loglevel: str = flag(
        "notice",
        "choice",
        _LOG,
        "what to log: debug, verbose, notice or warning",
        choices=("debug", "verbose", "notice", "warning"),
        redis="loglevel",
        mutable=True,
    )
    minloglevel: int = flag(0, "int", _LOG, "0: as loglevel says, 1 and more: warnings only", low=0, high=3)
    v: int = flag(0, "int", _LOG, "verbosity; 1: verbose, 2 and more: debug", low=-1, high=INT32_MAX)
    log_dir: str = flag("", "text", _LOG, "directory for log files; '': log to stderr")
    logfile: str = flag(
        "", "text", _LOG, "file to log to, opened anew for each line; '': see log_dir", redis="logfile"
    )
    logtostderr: bool = flag(False, "bool", _LOG, "log to stderr only, even with log_dir")
    alsologtostderr: bool = flag(False, "bool", _LOG, "log to stderr beside the file in log_dir")
    max_log_size: int = flag(
        200, "int", _LOG, "megabytes after which a log file is rotated", low=1, high=1 << 20
    )

    def __init__(
        self,
        *,
        config: Iterable[tuple[str, str]] = (),
        ignored: Iterable[str] = (),
        config_file: str = "",
        users: Iterable[UserLine] = (),
        **values: Any,
    ) -> None:
        store = self.__dict__
        store["config"] = tuple(config)
        store["ignored"] = tuple(ignored)
        store["config_file"] = config_file
        store["users"] = tuple(users)
        store["given"] = frozenset(values)
        for name, value in values.items():
            definition = FLAGS.get(name)
            if definition is None:
                raise FlagError(f"unknown flag --{name}")
            store[name] = definition.parse(value) if isinstance(value, str) else _checked(definition, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("options do not change; make new ones with replace()")

    def replace(self, **values: Any) -> Options:
        """A copy with some flags set differently; same arguments and errors as making one."""
        kept = {name: self.__dict__[name] for name in self.given}
        return Options(
            config=self.config,
            ignored=self.ignored,
            config_file=self.config_file,
            users=self.users,
            **(kept | values),
        )

    def at(self, config_file: str) -> Options:
        """A copy that came from the redis.conf of that path."""
        copy = self.replace()
        copy.__dict__["config_file"] = config_file
        return copy

    def __repr__(self) -> str:
        return "Options(" + ", ".join(f"{name}={getattr(self, name)!r}" for name in sorted(self.given)) + ")"


def _checked(definition: Flag, value: Any) -> Any:
    """A value that did not come as text: right type, within bounds. Raises FlagError."""
    default = definition.default
    if isinstance(default, tuple):
        value = tuple(value)
    elif type(value) is not type(default):
        raise FlagError(
            f"bad value {value!r} for flag --{definition.name}: it must be {type(default).__name__}"
        )
    try:
        return definition.check(value)
    except ValueError as error:
        raise FlagError(f"bad value {value!r} for flag --{definition.name}: it {error}") from None


FLAGS: dict[str, Flag] = {name: value for name, value in vars(Options).items() if isinstance(value, Flag)}
"""Every flag that works, by name, in the order of `--help`. Constant."""
