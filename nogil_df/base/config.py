"""CONFIG GET and SET: the parameters of the running server, Redis's names and the flags in one table.

Every thread has a `ConfigView` of its own, and so has its own value objects: two threads that read one
shared int or str from one shared instance slow each other down on a free-threaded interpreter. Hot code
reads plain attributes (`view.maxclients`, `view.notify_keyspace_events`); names are those of the parameters
with underscores.

A change goes in two steps. `prepare_set` checks all pairs of a CONFIG SET and makes a `ConfigChange` that
holds only texts, or an error, in which case nothing has changed anywhere. The change is then sent to every
thread, and each one's `apply` parses the texts again, which gives it its own values and cannot fail any
more.

A flag and the parameter of Redis that mean the same share one row under Redis's name (`tcp-keepalive`), and
the flag's name (`tcp_keepalive`) is a second name of it. A flag of which Redis knows nothing has a row of
its own. Invariants: every thread's view holds equal values once it has applied all changes; `texts` are
what parsing the values' texts gives back.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nogil_df.base.config_table import IMMUTABLE, MUTABLE, PROTECTED, REDIS_PARAMETERS, Parameter
from nogil_df.base.config_values import parse_value, show_value
from nogil_df.base.errors import ReplyError
from nogil_df.base.flags import FLAGS, Flag, Options
from nogil_df.base.glob import glob_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GLOB_CHARACTERS = frozenset(b"[*?")

KINDS_OF_FLAGS = {"size": "memory"}
"""Kind of a flag -> kind of its parameter, where they differ."""

KINDS_OF_PARAMETERS = {
    "dbfilename": "filename",
    "dir": "directory",
    "hz": "hz",
    "protected-mode": "yesno",
    "requirepass": "secret",
}
"""Parameters that are flags and yet follow a rule of their own."""


def text_of(definition: Flag, value: Any) -> str:
    """The value of a flag as its parameter words it: yes and no for booleans."""
    if definition.kind == "bool":
        return "yes" if value else "no"
    return definition.text(value)


def _parameter_of(definition: Flag) -> Parameter:
    """The row of a flag: under Redis's name if it has one, with the flag's name as the second."""
    name = definition.redis or definition.name
    kind = KINDS_OF_PARAMETERS.get(name) or KINDS_OF_FLAGS.get(definition.kind, definition.kind)
    access = MUTABLE if definition.mutable else PROTECTED if name in ("dir", "dbfilename") else IMMUTABLE
    return Parameter(
        name,
        kind,
        text_of(definition, definition.default),
        0 if definition.low is None else definition.low,
        (1 << 63) - 1 if definition.high is None else definition.high,
        choices=",".join(definition.choices),
        alias=definition.name if definition.name != name else "",
        access=access,
        flag=definition.name,
    )


PARAMETERS: tuple[Parameter, ...] = (*map(_parameter_of, FLAGS.values()), *REDIS_PARAMETERS)
"""Every parameter. Constant."""

BY_NAME: dict[str, Parameter] = {name: parameter for parameter in PARAMETERS for name in parameter.names}
"""Name or alias, in lower case -> its parameter. Constant."""


def find_parameter(name: str) -> Parameter | None:
    """The parameter of that name in any case; a flag's name may be written with dashes as well."""
    name = name.lower()
    return BY_NAME.get(name) or BY_NAME.get(name.replace("-", "_"))


class ConfigChange:
    """A checked CONFIG SET: (parameter's name, text) in order.

    Holds only texts, so it may be sent to threads.
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)

    @property
    def names(self) -> frozenset[str]:
        """The names of the parameters that change, as Redis calls them ("maxclients", "tcp-keepalive")."""
        return frozenset(name for name, _ in self.pairs)


class ConfigView:
    """The parameters as one thread sees them.

    Beside the attributes declared here, every parameter has one: its name with underscores.
    """

    # What hot or much used code reads; the values are set by _store.
    acl_pubsub_default: str
    aclfile: str
    admin_nopass: bool
    acllog_max_len: int
    bind: tuple[str, ...]
    cluster_announce_ip: str
    cluster_announce_port: int
    cluster_mode: str
    cluster_node_id: str
    client_output_buffer_limit: dict[str, tuple[int, int, int]]
    cache_mode: bool
    client_query_buffer_limit: int
    databases: int
    enable_debug_command: str
    enable_heartbeat_eviction: bool
    enable_heartbeat_rss_eviction: bool
    eviction_memory_budget_threshold: float
    hash_max_listpack_entries: int
    hash_max_listpack_value: int
    http_admin_console: bool
    hz: int
    keys_output_limit: int
    busy_reply_threshold: int
    latency_monitor_threshold: int
    latency_tracking: bool
    latency_tracking_info_percentiles: tuple[float, ...]
    lazyfree_lazy_user_del: bool
    lazyfree_lazy_user_flush: bool
    lfu_decay_time: int
    lfu_log_factor: int
    list_max_listpack_size: int
    loglevel: str
    max_eviction_per_heartbeat: int
    max_multi_bulk_len: int
    max_squashed_cmd_num: int
    slice_elements: int
    maxclients: int
    maxmemory: int
    maxmemory_clients: int
    maxmemory_policy: str
    maxmemory_samples: int
    memcached_max_item_size: int
    multi_exec_squash: bool
    notify_keyspace_events: int
    oom_deny_ratio: float
    pipeline_squash: int
    port: int
    primary_port_http_enabled: bool
    proto_max_bulk_len: int
    protected_mode: bool
    compression_level: int
    compression_mode: str
    dbfilename: str
    df_snapshot_format: bool
    rdbchecksum: bool
    rdbcompression: bool
    save: tuple[tuple[int, int], ...]
    snapshot_cron: str
    stop_writes_on_bgsave_error: bool
    requirepass: bytes
    rss_oom_deny_ratio: float
    script_memory_limit: int
    set_max_intset_entries: int
    set_max_listpack_entries: int
    set_max_listpack_value: int
    slowlog_log_slower_than: int
    slowlog_max_len: int
    tcp_keepalive: int
    tcp_nodelay: bool
    timeout: int
    tracking_table_max_keys: int
    tx_queue_warning_len: int
    zset_max_listpack_entries: int
    zset_max_listpack_value: int

    def __init__(self, options: Options | None = None) -> None:
        """The view at the start of the server: the defaults, with what `options` say put in."""
        options = Options() if options is None else options
        self.texts: dict[str, str] = {}
        self.default_texts: dict[str, str] = {}
        self.facts: set[str] = set()
        self.config_file = options.config_file
        said = dict(options.config)
        for parameter in PARAMETERS:
            self._store(parameter, _default_text(parameter))
            self.default_texts[parameter.name] = self.texts[parameter.name]
            if parameter.flag in options.given:
                self._store(parameter, _given_text(parameter, options))
            elif parameter.name in said:
                self._store(parameter, said[parameter.name])

    def _store(self, parameter: Parameter, text: str) -> None:
        attribute = parameter.name.replace("-", "_")
        value = parse_value(parameter, text, self.__dict__.get(attribute))
        self.__dict__[attribute] = value
        self.texts[parameter.name] = show_value(parameter, value)

    # --- CONFIG GET ---

    def get(self, patterns: Sequence[bytes]) -> dict[bytes, bytes]:
        """The reply to CONFIG GET: name -> text of all parameters that match one of the glob `patterns`.

        As in Redis, case does not matter, a name that is given literally comes back as it was written, and
        none comes twice. Cost: O(parameters) for each pattern that is not a plain name.
        """
        reply: dict[bytes, bytes] = {}
        seen: set[bytes] = set()
        for pattern in patterns:
            for name in self._matching(pattern):
                if name.lower() not in seen:
                    seen.add(name.lower())
                    reply[name] = self._text(name)
        return reply

    def _matching(self, pattern: bytes) -> Iterable[bytes]:
        if GLOB_CHARACTERS.isdisjoint(pattern):
            return () if find_parameter(_decode(pattern)) is None else (pattern,)
        return [name.encode() for name in BY_NAME if glob_match(pattern, name.encode(), nocase=True)]

    def _text(self, name: bytes) -> bytes:
        parameter = find_parameter(_decode(name))
        assert parameter is not None
        return _encode(self.texts[parameter.name])

    def default_text(self, name: str) -> str:
        """What the parameter called ``name`` is where nobody says otherwise. O(1)."""
        return self.default_texts[name]

    # --- CONFIG SET ---

    def prepare_set(self, arguments: Sequence[bytes], *, local: bool = False) -> ConfigChange | ReplyError:
        """Check the arguments of CONFIG SET (name, value, name, value...).

        `local` tells that the client is on this machine, for `enable-protected-configs local`. Returns the
        change to apply on every thread, or Redis's error, that of the first pair that is wrong; changes
        nothing.
        """
        if len(arguments) % 2:
            return ReplyError("SYNTAX")
        pairs: list[tuple[str, Parameter, str]] = []
        used: set[str] = set()
        for at in range(0, len(arguments), 2):
            name = _decode(arguments[at])
            parameter = find_parameter(name)
            if parameter is None:
                return ReplyError("CONFIG_UNKNOWN", arguments[at])
            refusal = self._refusal(parameter, local)
            if refusal or name.lower() in used:
                return _set_failed(arguments[at], refusal or "duplicate parameter")
            used.add(name.lower())
            pairs.append((name.lower(), parameter, _decode(arguments[at + 1])))
        return self._check_values(pairs)

    def _refusal(self, parameter: Parameter, local: bool) -> str:
        """Why nobody, or not this client, may set the parameter; "" if it may."""
        if parameter.access == IMMUTABLE:
            return "can't set immutable config"
        allowed = self.texts["enable-protected-configs"]
        if parameter.access == PROTECTED and allowed != "yes" and not (allowed == "local" and local):
            return "can't set protected config"
        return ""

    def _check_values(self, pairs: list[tuple[str, Parameter, str]]) -> ConfigChange | ReplyError:
        accepted = []
        values: dict[str, Any] = {}
        for name, parameter, text in pairs:
            before = values.get(parameter.name, self.__dict__[parameter.name.replace("-", "_")])
            try:
                value = parse_value(parameter, text, before)
            except ValueError as error:
                return _set_failed(name, str(error))
            values[parameter.name] = value
            accepted.append((parameter.name, show_value(parameter, value)))
        return ConfigChange(accepted)

    def apply(self, change: ConfigChange) -> None:
        """Take over a change; to be called on the thread that the view belongs to."""
        for name, text in change.pairs:
            self._store(BY_NAME[name], text)

    def set_fact(self, name: str, text: str) -> None:
        """Put in what only the running server knows, such as the port that was found for `--port=-1`."""
        parameter = BY_NAME[name]
        self._store(parameter, text)
        self.facts.add(name)


def _decode(text: bytes) -> str:
    return bytes(text).decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _set_failed(name: bytes | str, why: str) -> ReplyError:
    return ReplyError("CONFIG_SET_FAILED", name, why)


def _given_text(parameter: Parameter, options: Options) -> str:
    text = text_of(FLAGS[parameter.flag], getattr(options, parameter.flag))
    return text or (_default_text(parameter) if parameter.kind == "directory" else "")


def _default_text(parameter: Parameter) -> str:
    return os.getcwd() if parameter.kind == "directory" else parameter.default
