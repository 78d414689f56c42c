"""The parameters of CONFIG GET and CONFIG SET, as data: Redis's names, kinds, defaults, bounds.

A row says what Redis takes for a parameter and how it words it. Parameters that are flags too (port,
maxmemory, tcp-keepalive...) are not here: `config` makes their rows of the flags, so that each default is
written once. Source: what redis-server 7.0.15 answers to `CONFIG GET *` and to bad values, and the names
that Redis 8.0 adds for sets.

Most of Redis's parameters steer machinery that this server does not have; they are remembered and answered,
so that clients, test suites and management tools that set them go on working. `EFFECTIVE` names those that
do something here. Invariants: names are lower case and unique, aliases included; every default passes its
row.
"""

from __future__ import annotations

INT = (1 << 31) - 1
UINT = (1 << 32) - 1
LONG = (1 << 63) - 1
ULONG = (1 << 64) - 1
PORT = 65535

MUTABLE = ""
IMMUTABLE = "immutable"
PROTECTED = "protected"

OFF_TO_OPTIONAL = "no,yes,optional"
WHO = "no,yes,local"
POLICIES = (
    "volatile-lru,volatile-lfu,volatile-random,volatile-ttl,allkeys-lru,allkeys-lfu,allkeys-random,noeviction"
)
FACILITIES = "user,local0,local1,local2,local3,local4,local5,local6,local7"
SHUTDOWN = "default,save,nosave,now,force"


class Parameter:
    """One parameter.

    `kind` names the rule in `config_values` that checks and words its values; `low`, `high` and `choices` are
    the rule's bounds. `alias` is a second name under which Redis lists the same value. `access` tells who may
    CONFIG SET it. `flag` is the name of the flag that sets its value at the start, "" if there is none.
    """

    __slots__ = ("access", "alias", "choices", "default", "flag", "high", "kind", "low", "name")

    def __init__(
        self,
        name: str,
        kind: str,
        default: str,
        low: int = 0,
        high: int = LONG,
        *,
        choices: str = "",
        alias: str = "",
        access: str = MUTABLE,
        flag: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.low = low
        self.high = high
        self.choices = tuple(choices.split(",")) if choices else ()
        self.alias = alias
        self.access = access
        self.flag = flag

    @property
    def names(self) -> tuple[str, ...]:
        """The name and, if there is one, the alias."""
        return (self.name, self.alias) if self.alias else (self.name,)

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.kind!r}, {self.default!r})"


P = Parameter

REDIS_PARAMETERS: tuple[Parameter, ...] = (
    # --- data types ---
    P("hash-max-listpack-entries", "int", "512", alias="hash-max-ziplist-entries"),
    P("hash-max-listpack-value", "memory", "64", alias="hash-max-ziplist-value"),
    P("hll-sparse-max-bytes", "memory", "3000"),
    P("list-compress-depth", "int", "0", 0, INT),
    P("list-max-listpack-size", "int", "-2", -INT - 1, INT, alias="list-max-ziplist-size"),
    P("set-max-intset-entries", "int", "512"),
    P("set-max-listpack-entries", "int", "128"),
    P("set-max-listpack-value", "memory", "64"),
    P("stream-node-max-bytes", "memory", "4096"),
    P("stream-node-max-entries", "int", "100"),
    P("zset-max-listpack-entries", "int", "128", alias="zset-max-ziplist-entries"),
    P("zset-max-listpack-value", "memory", "64", alias="zset-max-ziplist-value"),
    # --- clients and replies ---
    P(
        "client-output-buffer-limit",
        "buffer-limits",
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    P("client-query-buffer-limit", "memory", "1073741824", 1 << 20, LONG),
    P("maxmemory-clients", "memory-or-percent", "0"),
    P("tracking-table-max-keys", "int", "1000000"),
    P("bind-source-addr", "text", ""),
    P("socket-mark-id", "int", "0", 0, UINT, access=IMMUTABLE),
    # --- memory, eviction, expiry ---
    P("maxmemory-policy", "choice", "noeviction", choices=POLICIES),
    P("maxmemory-samples", "int", "5", 1, INT),
    P("maxmemory-eviction-tenacity", "int", "10", 0, 100),
    P("lfu-decay-time", "int", "1", 0, INT),
    P("lfu-log-factor", "int", "10", 0, INT),
    P("active-expire-effort", "int", "1", 1, 10),
    P("lazyfree-lazy-eviction", "yesno", "no"),
    P("lazyfree-lazy-expire", "yesno", "no"),
    P("lazyfree-lazy-server-del", "yesno", "no"),
    P("lazyfree-lazy-user-del", "yesno", "no"),
    P("lazyfree-lazy-user-flush", "yesno", "no"),
    P("activerehashing", "yesno", "yes"),
    P("activedefrag", "defrag", "no"),
    P("active-defrag-cycle-max", "int", "25", 1, 99),
    P("active-defrag-cycle-min", "int", "1", 1, 99),
    P("active-defrag-ignore-bytes", "memory", "104857600", 1, LONG),
    P("active-defrag-max-scan-fields", "int", "1000", 1, LONG),
    P("active-defrag-threshold-lower", "int", "10", 0, 1000),
    P("active-defrag-threshold-upper", "int", "100", 0, 1000),
    P("jemalloc-bg-thread", "yesno", "yes"),
    P("oom-score-adj", "choice", "no", choices="no,yes,relative,absolute"),
    P("oom-score-adj-values", "oom-scores", "0 200 800"),
    P("disable-thp", "yesno", "yes", access=IMMUTABLE),
    # --- latency ---
    P("latency-monitor-threshold", "int", "0"),
    P("latency-tracking", "yesno", "yes"),
    P("latency-tracking-info-percentiles", "percentiles", "50 99 99.9"),
    # --- scripts, ACL, modules ---
    P("busy-reply-threshold", "int", "5000", alias="lua-time-limit"),
    P("acl-pubsub-default", "choice", "resetchannels", choices="allchannels,resetchannels"),
    P("enable-debug-command", "choice", "local", choices=WHO, access=IMMUTABLE),
    P("enable-module-command", "choice", "no", choices=WHO, access=IMMUTABLE),
    P("enable-protected-configs", "choice", "no", choices=WHO, access=IMMUTABLE),
    # --- the process ---
    P("always-show-logo", "yesno", "no", access=IMMUTABLE),
    P("aof_rewrite_cpulist", "text", "", access=IMMUTABLE),
    P("bgsave_cpulist", "text", "", access=IMMUTABLE),
    P("bio_cpulist", "text", "", access=IMMUTABLE),
    P("server_cpulist", "text", "", access=IMMUTABLE),
    P("crash-log-enabled", "yesno", "yes"),
    P("crash-memcheck-enabled", "yesno", "yes"),
    P("daemonize", "yesno", "no", access=IMMUTABLE),
    P("dynamic-hz", "yesno", "yes"),
    P("ignore-warnings", "text", ""),
    P("io-threads", "int", "1", 1, 128, access=IMMUTABLE),
    P("io-threads-do-reads", "yesno", "no", access=IMMUTABLE),
    P("proc-title-template", "title", "{title} {listen-addr} {server-mode}"),
    P("set-proc-title", "yesno", "yes", access=IMMUTABLE),
    P("shutdown-on-sigint", "shutdown", "default", choices=SHUTDOWN),
    P("shutdown-on-sigterm", "shutdown", "default", choices=SHUTDOWN),
    P("shutdown-timeout", "int", "10", 0, INT),
    P("supervised", "choice", "no", choices="upstart,systemd,auto,no", access=IMMUTABLE),
    P("syslog-enabled", "yesno", "no", access=IMMUTABLE),
    P("syslog-facility", "choice", "local0", choices=FACILITIES, access=IMMUTABLE),
    P("syslog-ident", "text", "redis", access=IMMUTABLE),
    # --- persistence ---
    P("save", "save", ""),
    P("rdb-del-sync-files", "yesno", "no"),
    P("rdb-save-incremental-fsync", "yesno", "yes"),
    P("rdbchecksum", "yesno", "yes", access=IMMUTABLE),
    P("rdbcompression", "yesno", "yes"),
    P("sanitize-dump-payload", "choice", "no", choices="no,yes,clients"),
    P("stop-writes-on-bgsave-error", "yesno", "yes"),
    P("appendonly", "yesno", "no"),
    P("appenddirname", "text", "appendonlydir", access=IMMUTABLE),
    P("appendfilename", "text", "appendonly.aof", access=IMMUTABLE),
    P("appendfsync", "choice", "everysec", choices="everysec,always,no"),
    P("aof-disable-auto-gc", "yesno", "no"),
    P("aof-load-truncated", "yesno", "yes"),
    P("aof-rewrite-incremental-fsync", "yesno", "yes"),
    P("aof-timestamp-enabled", "yesno", "no"),
    P("aof-use-rdb-preamble", "yesno", "yes"),
    P("auto-aof-rewrite-min-size", "memory", "67108864"),
    P("auto-aof-rewrite-percentage", "int", "100", 0, INT),
    P("no-appendfsync-on-rewrite", "yesno", "no"),
    # --- replication ---
    P("masterauth", "text", ""),
    P("masteruser", "text", ""),
    P("min-replicas-max-lag", "int", "10", 0, INT, alias="min-slaves-max-lag"),
    P("min-replicas-to-write", "int", "0", 0, INT, alias="min-slaves-to-write"),
    P("propagation-error-behavior", "choice", "ignore", choices="ignore,panic,panic-on-replicas"),
    P("repl-backlog-size", "backlog", "1048576", 1, LONG),
    P("repl-backlog-ttl", "int", "3600"),
    P("repl-disable-tcp-nodelay", "yesno", "no"),
    P("repl-diskless-load", "choice", "disabled", choices="disabled,on-empty-db,swapdb"),
    P("repl-diskless-sync", "yesno", "yes"),
    P("repl-diskless-sync-delay", "int", "5", 0, INT),
    P("repl-diskless-sync-max-replicas", "int", "0", 0, INT),
    P("repl-ping-replica-period", "int", "10", 1, INT, alias="repl-ping-slave-period"),
    P("repl-timeout", "int", "60", 1, INT),
    P("replica-announce-ip", "text", "", alias="slave-announce-ip"),
    P("replica-announce-port", "int", "0", 0, PORT, alias="slave-announce-port"),
    P("replica-announced", "yesno", "yes"),
    P("replica-ignore-disk-write-errors", "yesno", "no"),
    P("replica-ignore-maxmemory", "yesno", "yes", alias="slave-ignore-maxmemory"),
    P("replica-lazy-flush", "yesno", "no", alias="slave-lazy-flush"),
    P("replica-priority", "int", "100", 0, INT, alias="slave-priority"),
    P("replica-read-only", "yesno", "yes", alias="slave-read-only"),
    P("replica-serve-stale-data", "yesno", "yes", alias="slave-serve-stale-data"),
    P("replicaof", "text", "", alias="slaveof", access=IMMUTABLE),
    # --- cluster ---
    P("cluster-allow-pubsubshard-when-down", "yesno", "yes"),
    P("cluster-allow-reads-when-down", "yesno", "no"),
    P("cluster-allow-replica-migration", "yesno", "yes"),
    P("cluster-announce-bus-port", "int", "0", 0, PORT),
    P("cluster-announce-hostname", "hostname", ""),
    P("cluster-announce-tls-port", "int", "0", 0, PORT),
    P("cluster-config-file", "text", "nodes.conf", access=IMMUTABLE),
    P("cluster-enabled", "yesno", "no", access=IMMUTABLE),
    P("cluster-link-sendbuf-limit", "memory", "0", 0, ULONG),
    P("cluster-migration-barrier", "int", "1", 0, INT),
    P("cluster-node-timeout", "int", "15000"),
    P("cluster-port", "int", "0", 0, PORT, access=IMMUTABLE),
    P("cluster-preferred-endpoint-type", "choice", "ip", choices="ip,hostname,unknown-endpoint"),
    P("cluster-replica-no-failover", "yesno", "no", alias="cluster-slave-no-failover"),
    P("cluster-replica-validity-factor", "int", "10", 0, INT, alias="cluster-slave-validity-factor"),
    P("cluster-require-full-coverage", "yesno", "yes"),
    # --- TLS ---
    P("tls-auth-clients", "choice", "yes", choices=OFF_TO_OPTIONAL),
    P("tls-ciphersuites", "text", ""),
    P("tls-client-cert-file", "text", ""),
    P("tls-client-key-file", "text", ""),
    P("tls-client-key-file-pass", "text", ""),
    P("tls-cluster", "yesno", "no"),
    P("tls-dh-params-file", "text", ""),
    P("tls-key-file-pass", "text", ""),
    P("tls-prefer-server-ciphers", "yesno", "no"),
    P("tls-protocols", "text", ""),
    P("tls-replication", "yesno", "no"),
    P("tls-session-cache-size", "int", "20480", 0, INT),
    P("tls-session-cache-timeout", "int", "300", 0, INT),
    P("tls-session-caching", "yesno", "yes"),
)

EFFECTIVE = frozenset(
    (
        "active-expire-effort",
        "busy-reply-threshold",
        "client-output-buffer-limit",
        "client-query-buffer-limit",
        "enable-debug-command",
        "enable-protected-configs",
        "hash-max-listpack-entries",
        "hash-max-listpack-value",
        "hll-sparse-max-bytes",
        "latency-monitor-threshold",
        "latency-tracking",
        "latency-tracking-info-percentiles",
        "lazyfree-lazy-user-del",
        "lazyfree-lazy-user-flush",
        "list-max-listpack-size",
        "maxmemory-policy",
        "rdbchecksum",
        "rdbcompression",
        "save",
        "set-max-intset-entries",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "shutdown-on-sigint",
        "shutdown-on-sigterm",
        "stop-writes-on-bgsave-error",
        "tls-auth-clients",
        "tls-key-file-pass",
        "tls-protocols",
        "zset-max-listpack-entries",
        "zset-max-listpack-value",
    )
)
"""Parameters that are no flags and yet change what the server does."""
