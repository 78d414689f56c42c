"""The error catalogue: every error text a client can see, in one place.

Code that finds an error makes a small typed value, ``ReplyError("WRONGTYPE")``, and returns or raises it;
it can cross threads.  Only at the edge, when the reply is encoded, does :func:`text` turn it into bytes.
The texts are Redis's, word for word: clients match on them (checked against redis-server 7.0.15; those of
later commands follow Redis 8.0).

Invariants: a template never holds a line break, and neither does what :func:`text` returns, whatever the
arguments hold, so that an error can never break the framing of RESP.  The first word of a text is its
prefix, by which ``INFO errorstats`` counts.
"""

from __future__ import annotations

from typing import Final, Self

UNKNOWN_COMMAND_TEXT: Final = (
    128  # bytes of the command and, together, of its arguments that the error repeats
)


class ReplyError(Exception):
    """An error reply, as a value: what went wrong, not how it is worded.

    Args:
        code: a key of :data:`CATALOGUE`.
        args: what fills the template's ``{0}``, ``{1}``...: bytes, str or int; bytes end at the first NUL.
    """

    __slots__ = ("code",)

    code: str

    def __init__(self, code: str, *args: bytes | str | int) -> None:
        super().__init__(*args)
        self.code = code

    def bare(self) -> Self:
        """Itself, as a value that is kept: no traceback, and nothing of the exception that it was made of.

        Both lead to frames, and a frame that leads to the error is a cycle; the collector is off.
        """
        self.__traceback__ = None
        self.__context__ = None
        self.__cause__ = None
        return self

    def __reduce__(self) -> tuple[type[ReplyError], tuple[object, ...]]:
        return type(self), (self.code, *self.args)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReplyError):
            return NotImplemented
        return self.code == other.code and self.args == other.args

    def __hash__(self) -> int:
        return hash((self.code, self.args))

    def __repr__(self) -> str:
        return f"ReplyError({', '.join(map(repr, (self.code, *self.args)))})"

    def __str__(self) -> str:
        return text(self).decode("utf-8", "backslashreplace")


CATALOGUE: Final[dict[str, str]] = {
    # --- any command ---
    "RAW": "{0}",  # the whole text is the argument: errors worded by scripts, modules, users
    "ERR": "ERR {0}",
    "SYNTAX": "ERR syntax error",
    "WRONGTYPE": "WRONGTYPE Operation against a key holding the wrong kind of value",
    "WRONG_ARITY": "ERR wrong number of arguments for '{0}' command",
    "UNKNOWN_COMMAND": "ERR unknown command '{0}', with args beginning with: {1}",
    "UNKNOWN_SUBCOMMAND": "ERR unknown subcommand '{0}'. Try {1} HELP.",
    "SUBCOMMAND_SYNTAX": "ERR unknown subcommand or wrong number of arguments for '{0}'. Try {1} HELP.",
    "GEO_UNIT": "ERR unsupported unit provided. please use M, KM, FT, MI",
    "GEO_NUMBER": "ERR need numeric {0}",
    "GEO_PLACE": "ERR invalid longitude,latitude pair {0}",
    "GEO_RADIUS": "ERR radius cannot be negative",
    "GEO_BOX": "ERR height or width cannot be negative",
    "GEO_COUNT": "ERR COUNT must be > 0",
    "GEO_ANY": "ERR the ANY argument requires COUNT argument",
    "GEO_MEMBER": "ERR could not decode requested zset member",
    "GEO_STORE_WITH": "ERR {0} is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
    "GEO_ONE_MIDDLE": "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {0}",
    "GEO_ONE_SHAPE": "ERR exactly one of BYRADIUS and BYBOX can be specified for {0}",
    "SORT_BY_DENIED": "ERR BY option of SORT denied due to insufficient ACL permissions.",
    "SORT_GET_DENIED": "ERR GET option of SORT denied due to insufficient ACL permissions.",
    "SORT_SCORES": "ERR One or more scores can't be converted into double",
    "NOT_INTEGER": "ERR value is not an integer or out of range",
    "NOT_POSITIVE": "ERR value is out of range, must be positive",
    "NOT_IN_RANGE": "ERR value is out of range, value must between {0} and {1}",
    "OUT_OF_RANGE": "ERR value is out of range",
    "NOT_FLOAT": "ERR value is not a valid float",
    "OVERFLOW": "ERR increment or decrement would overflow",
    "DECR_OVERFLOW": "ERR decrement would overflow",
    "NAN_OR_INF": "ERR increment would produce NaN or Infinity",
    "RESTRICTED": "ERR Cannot execute restricted command (admin only)",
    "NO_SUCH_KEY": "ERR no such key",
    "INDEX_OUT_OF_RANGE": "ERR index out of range",
    "OFFSET_OUT_OF_RANGE": "ERR offset is out of range",
    "BIT_OFFSET": "ERR bit offset is not an integer or out of range",
    "BIT_VALUE": "ERR bit is not an integer or out of range",
    "STRING_TOO_LONG": "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    "INVALID_EXPIRE": "ERR invalid expire time in '{0}' command",
    "INVALID_CURSOR": "ERR invalid cursor",
    "SAME_OBJECT": "ERR source and destination objects are the same",
    "DB_INDEX": "ERR DB index is out of range",
    "DB_FIRST_INDEX": "ERR invalid first DB index",
    "DB_SECOND_INDEX": "ERR invalid second DB index",
    "INTERNAL": "ERR internal error while executing '{0}'; the log has its traceback",
    "MAX_CLIENTS": "ERR max number of clients reached",
    "TIMEOUT_NOT_INTEGER": "ERR timeout is not an integer or out of range",
    "TIMEOUT_NOT_FLOAT": "ERR timeout is not a float or out of range",
    "TIMEOUT_OUT_OF_RANGE": "ERR timeout is out of range",
    "WAITAOF_WITHOUT_AOF": ("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."),
    "TIMEOUT_NEGATIVE": "ERR timeout is negative",
    "INVALID_PORT": "ERR Invalid port",
    # --- protocol (wire.request) ---
    "PROTOCOL": "ERR Protocol error: {0}",
    # --- state of the server or of the client's connection ---
    "NOAUTH": "NOAUTH Authentication required.",
    "NOAUTH_HELLO": (
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
        "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
        "the same time"
    ),
    "WRONGPASS": "WRONGPASS invalid username-password pair or user is disabled.",
    "AUTH_NO_PASSWORD": (
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?"
    ),
    "NOPROTO": "NOPROTO unsupported protocol version",
    "HELLO_PROTOCOL": "ERR Protocol version is not an integer or out of range",
    "HELLO_SYNTAX": "ERR Syntax error in HELLO option '{0}'",
    "NOPERM_EXEC": (
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
        "This command is no longer allowed for the following reason: {0}"
    ),
    "ACL_RULE": "ERR Error in ACL SETUSER modifier '{0}': {1}",
    "ACL_PARENTHESIS": "ERR Unmatched parenthesis in acl selector starting at '{0}'.",
    "ACL_USERNAME": "ERR Usernames can't contain spaces or null characters",
    "ACL_DELUSER_DEFAULT": "ERR The 'default' user cannot be removed",
    "ACL_NO_USER": "ERR User '{0}' not found",
    "ACL_NO_COMMAND": "ERR Command '{0}' not found",
    "ACL_CATEGORY": "ERR Unknown category '{0}'",
    "ACL_GENPASS": (
        "ERR ACL GENPASS argument must be the number of bits for the output password, "
        "a positive number up to 4096"
    ),
    "ACL_NO_FILE": (
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the "
        "ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file "
        "set) in order to store users in the Redis configuration."
    ),
    "ACL_SAVE": (
        "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
    ),
    "NOPERM_COMMAND": "NOPERM this user has no permissions to run the '{0}' command",
    "NOPERM_KEY": "NOPERM this user has no permissions to access one of the keys used as arguments",
    "NOPERM_CHANNEL": "NOPERM this user has no permissions to access one of the channels used as arguments",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "BUSY_SCRIPT": ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."),
    "BUSY_FUNCTION": (
        "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
    ),
    "REPLICAOF_PORT": "ERR Invalid master port",
    "NO_REPLICATION": "ERR this server cannot {0}: replication is not supported",
    "FAILOVER_NOT_UNDER_WAY": "ERR No failover in progress.",
    "FAILOVER_TIMEOUT": "ERR FAILOVER timeout must be greater than 0",
    "FAILOVER_NO_REPLICAS": "ERR FAILOVER requires connected replicas.",
    "REPLCONF_OPTION": "ERR Unrecognized REPLCONF option: {0}",
    "REPLCONF_FILTER": "ERR Unsupported rdb-filter-only option: {0}",
    "MIGRATE_KEYS": ("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"),
    "MIGRATE_CONNECT": "IOERR error or timeout connecting to the client",
    "MIGRATE_IO": "IOERR error or timeout {0} to target instance",
    "MIGRATE_TARGET": "ERR Target instance replied with error: {0}",
    "BUSYKEY": "BUSYKEY Target key name already exists.",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF": (
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
        "disk. Commands that may modify the data set are disabled, because this instance is configured "
        "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). "
        "Please check the Redis logs for details about the RDB error."
    ),
    "READONLY": "READONLY You can't write against a read only replica.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "NOSCRIPT": "NOSCRIPT No matching script. Please use EVAL.",
    "NOTBUSY": "NOTBUSY No scripts in execution right now.",
    "UNKILLABLE": (
        "UNKILLABLE Sorry the script already executed write commands against the dataset. "
        "You can either wait the script termination or kill the server in a hard way using the "
        "SHUTDOWN NOSAVE command."
    ),
    "CROSSSLOT": "CROSSSLOT Keys in request don't hash to the same slot",
    "UNBLOCKED": "UNBLOCKED client unblocked via CLIENT UNBLOCK",
    "DENIED": (
        "DENIED Redis is running in protected mode because protected mode is enabled and no password is "
        "set for the default user. In this mode connections are only accepted from the loopback "
        "interface. If you want to connect from external computers to Redis you may adopt one of the "
        "following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
        "protected-mode no' from the loopback interface by connecting to Redis from the same host the "
        "server is running, however MAKE SURE Redis is not publicly accessible from internet if you do "
        "so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable "
        "the protected mode by editing the Redis configuration file, and setting the protected mode "
        "option to 'no', and then restarting the server. 3) If you started the server manually just for "
        "testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication "
        "password for the default user. NOTE: You only need to do one of the above things in order for "
        "the server to start accepting connections from the outside."
    ),
    "SUBSCRIBED": (
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
        "allowed in this context"
    ),
    "NOT_FROM_SCRIPT": "ERR This Redis command is not allowed from script",
    "COMMAND_DISABLED": (
        'ERR {0} command not allowed. If the {1} option is set to "local", you can run it from a local '
        "connection, otherwise you need to set this option in the configuration file, and then restart the "
        "server."
    ),
    # --- scripts ---
    "NO_SCRIPTS": "ERR this server has no Lua: scripts need the Python package lupa, and the GIL forced off",
    "SCRIPT_ARGUMENTS": "ERR Lua redis lib command arguments must be strings or integers",
    "SCRIPT_UNKNOWN_COMMAND": "ERR Unknown Redis command called from script",
    "SCRIPT_ARITY": "ERR Wrong number of args calling Redis command from script",
    "SCRIPT_READ_ONLY": "ERR Write commands are not allowed from read-only scripts.",
    "SCRIPT_UNDECLARED": "ERR Script attempted to access a key that it did not declare",
    "SCRIPT_COMPILE": "ERR Error compiling script (new function): {0}",
    "SCRIPT_TOO_MANY_KEYS": "ERR Number of keys can't be greater than number of args",
    "SCRIPT_NEGATIVE_KEYS": "ERR Number of keys can't be negative",
    # --- transactions ---
    "EXECABORT": "EXECABORT Transaction discarded because of previous errors.",
    "EXECABORT_REASON": "EXECABORT Transaction discarded because of: {0}",
    "MULTI_NESTED": "ERR MULTI calls can not be nested",
    "WATCH_IN_MULTI": "ERR WATCH inside MULTI is not allowed",
    "EXEC_WITHOUT_MULTI": "ERR EXEC without MULTI",
    "DISCARD_WITHOUT_MULTI": "ERR DISCARD without MULTI",
    "NOT_IN_MULTI": "ERR Command not allowed inside a transaction",
    # --- generic ---
    "UNSUPPORTED_OPTION": "ERR Unsupported option {0}",
    "EXPIRE_NX_CONFLICT": "ERR NX and XX, GT or LT options at the same time are not compatible",
    "EXPIRE_GT_LT": "ERR GT and LT options at the same time are not compatible",
    "LFU_ONLY": (
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
        "switching between policies at runtime LRU and LFU data will take some time to adjust."
    ),
    "LRU_ONLY": (
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust."
    ),
    "DUMP_PAYLOAD": "ERR DUMP payload version or checksum are wrong",
    "BAD_FORMAT": "ERR Bad data format",
    "RESTORE_TTL": "ERR Invalid TTL value, must be >= 0",
    "RESTORE_IDLETIME": "ERR Invalid IDLETIME value, must be >= 0",
    "RESTORE_FREQ": "ERR Invalid FREQ value, must be >= 0 and <= 255",
    # --- strings ---
    "LCS_NOT_STRINGS": "ERR The specified keys must contain string values",
    "LCS_LEN_AND_IDX": "ERR If you want both the length and indexes, please just use IDX.",
    "BAD_DIGEST": "ERR must be exactly 16 hexadecimal characters",
    "BAD_NUMKEYS": "ERR invalid numkeys value",
    # --- bitmaps and HyperLogLogs ---
    "BIT_ARGUMENT": "ERR The bit argument must be 1 or 0.",
    "BITOP_NOT": "ERR BITOP NOT must be called with a single source key.",
    "BITOP_SOURCES": "ERR BITOP {0} must be called with at least two source keys.",
    "BITFIELD_TYPE": (
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
    ),
    "BITFIELD_OVERFLOW": "ERR Invalid OVERFLOW type specified",
    "BITFIELD_READ_ONLY": "ERR BITFIELD_RO only supports the GET subcommand",
    "HLL_INVALID": "WRONGTYPE Key is not a valid HyperLogLog string value.",
    "HLL_CORRUPT": "INVALIDOBJ Corrupted HLL object detected",
    "HLL_NO_KEY": "ERR The specified key does not exist",
    "HLL_NOT_SPARSE": "ERR HLL encoding is not sparse",
    "PFDEBUG_UNKNOWN": "ERR Unknown PFDEBUG subcommand '{0}'",
    "TESTFAILED": "TESTFAILED {0}",
    # --- lists ---
    "LPOS_RANK": (
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
        "or use negative to start from the end of the list"
    ),
    "LPOS_COUNT": "ERR COUNT can't be negative",
    "LPOS_MAXLEN": "ERR MAXLEN can't be negative",
    "NUMKEYS_NOT_POSITIVE": "ERR numkeys should be greater than 0",
    "COUNT_NOT_POSITIVE": "ERR count should be greater than 0",
    "DELEX_NOT_STRING": "ERR Key should be of string type if conditions are specified",
    "LCS_MEMORY": "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
    # --- sets ---
    "TOO_MANY_KEYS": "ERR Number of keys can't be greater than number of args",
    "LIMIT_NEGATIVE": "ERR LIMIT can't be negative",
    # --- hashes ---
    "HASH_NOT_INTEGER": "ERR hash value is not an integer",
    "HASH_NOT_FLOAT": "ERR hash value is not a float",
    "VALUE_NAN_OR_INF": "ERR value is NaN or Infinity",
    "FIELDS_MISSING": "ERR Mandatory argument FIELDS is missing or not at the right position",
    "FIELDS_MISMATCH": "ERR The `numfields` parameter must match the number of arguments",
    "BAD_NUMFIELDS": "ERR Number of fields must be a positive integer",
    "NUMFIELDS_NOT_POSITIVE": "ERR Parameter `numFields` should be greater than 0",
    "NEGATIVE_EXPIRE": "ERR invalid expire time, must be >= 0",
    "MISSING_EXPIRE": "ERR missing expire time",
    "HSETEX_NUMFIELDS": "ERR invalid number of fields",
    "HSETEX_ONE_TIME": ("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    "HSETEX_ONE_CONDITION": "ERR Only one of FXX or FNX arguments can be specified",
    "UNKNOWN_ARGUMENT": "ERR unknown argument: {0}",
    # --- streams ---
    "STREAM_ID": "ERR Invalid stream ID specified as stream command argument",
    "STREAM_START_ID": "ERR invalid start ID for the interval",
    "STREAM_END_ID": "ERR invalid end ID for the interval",
    "STREAM_ID_ZERO": "ERR The ID specified in XADD must be greater than 0-0",
    "STREAM_ID_SMALL": ("ERR The ID specified in XADD is equal or smaller than the target stream top item"),
    "STREAM_FULL": "ERR The stream has exhausted the last possible ID, unable to add more items",
    "STREAM_TWO_TRIMS": ("ERR syntax error, MAXLEN and MINID options at the same time are not compatible"),
    "STREAM_MAXLEN": "ERR The MAXLEN argument must be >= 0.",
    "STREAM_LIMIT": "ERR The LIMIT argument must be >= 0.",
    "STREAM_LIMIT_ALONE": ("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
    "STREAM_LIMIT_EXACT": "ERR syntax error, LIMIT cannot be used without the special ~ option",
    "STREAM_NO_TRIM": "ERR syntax error, XTRIM must be called with a trimming strategy",
    "STREAM_ADDED": "ERR entries_added must be positive",
    "STREAM_SETID_GIVEN": (
        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
    ),
    "STREAM_SETID_DELETED": ("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"),
    "STREAM_SETID_TOP": "ERR The ID specified in XSETID is smaller than the target stream top item",
    "STREAM_SETID_LENGTH": (
        "ERR The entries_added specified in XSETID is smaller than the target stream length"
    ),
    "STREAM_UNBALANCED": (
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
    ),
    "STREAM_XREAD_GROUP": ("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."),
    "STREAM_XREAD_NOACK": ("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."),
    "STREAM_XREAD_CLAIM": ("ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead."),
    "STREAM_CLAIM_IDLE_NOT_INTEGER": "ERR min-idle-time is not an integer",
    "STREAM_CLAIM_IDLE_NEGATIVE": "ERR min-idle-time must be a positive integer",
    "STREAM_MISSING_GROUP": "ERR Missing GROUP option for XREADGROUP",
    "STREAM_DOLLAR": (
        "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this "
        "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just "
        "return an empty result set."
    ),
    "STREAM_PLUS": (
        "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this "
        "consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just "
        "return an empty result set."
    ),
    "STREAM_NEW_ONLY": (
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
        "option."
    ),
    "STREAM_NO_KEY": (
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
        "MKSTREAM option to create an empty stream automatically."
    ),
    "STREAM_ENTRIESREAD": "ERR value for ENTRIESREAD must be positive or -1",
    "STREAM_IDLE": "ERR Invalid min-idle-time argument for {0}",
    "STREAM_CLAIM_VALUE": "ERR Invalid {0} option argument for XCLAIM",
    "STREAM_CLAIM_OPTION": "ERR Unrecognized XCLAIM option '{0}'",
    "STREAM_AUTOCLAIM_COUNT": "ERR COUNT must be > 0",
    "NUMIDS_NOT_POSITIVE": "ERR Number of IDs must be a positive integer",
    "NUMIDS_MISMATCH": "ERR The `numids` parameter must match the number of arguments",
    "NOGROUP": "NOGROUP No such key '{0}' or consumer group '{1}'",
    "NOGROUP_READ": ("NOGROUP No such key '{0}' or consumer group '{1}' in XREADGROUP with GROUP option"),
    "NOGROUP_NAMED": "NOGROUP No such consumer group '{0}' for key name '{1}'",
    "NOGROUP_BLOCKED": "NOGROUP the consumer group this client was blocked on no longer exists",
    "UNBLOCKED_STREAM": "UNBLOCKED the stream key no longer exists",
    "BUSYGROUP": "BUSYGROUP Consumer Group name already exists",
    # --- sorted sets ---
    "ZADD_NX_XX": "ERR XX and NX options at the same time are not compatible",
    "ZADD_GT_LT_NX": "ERR GT, LT, and/or NX options at the same time are not compatible",
    "ZADD_INCR_ONE": "ERR INCR option supports a single increment-element pair",
    "SCORE_NAN": "ERR resulting score is not a number (NaN)",
    "BAD_SCORE_RANGE": "ERR min or max is not a float",
    "BAD_LEX_RANGE": "ERR min or max not valid string range item",
    "ZRANGE_LIMIT": ("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"),
    "ZRANGE_WITHSCORES": "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
    "NO_INPUT_KEY": "ERR at least 1 input key is needed for '{0}' command",
    "BAD_WEIGHT": "ERR weight value is not a float",
    # --- CLIENT ---
    "CLIENT_NAME": "ERR Client names cannot contain spaces, newlines or special characters.",
    "CLIENT_ATTRIBUTE": "ERR {0} cannot contain spaces, newlines or special characters.",
    "CLIENT_SETINFO_OPTION": "ERR Unrecognized option '{0}'",
    "CLIENT_TYPE": "ERR Unknown client type '{0}'",
    "CLIENT_ID": "ERR Invalid client ID",
    "CLIENT_KILL_ID": "ERR client-id should be greater than 0",
    "CLIENT_KILL_MAXAGE": "ERR maxage should be greater than 0",
    "MAXAGE_NOT_INTEGER": "ERR maxage is not an integer or out of range",
    "NO_SUCH_CLIENT": "ERR No such client",
    "NO_SUCH_USER": "ERR No such user '{0}'",
    "CLIENT_PAUSE_MODE": "ERR CLIENT PAUSE mode must be WRITE or ALL",
    "CLIENT_UNBLOCK_REASON": "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
    "TRACKING_NO_REDIRECT": "ERR The client ID you want redirect to does not exist",
    "TRACKING_TWO_REDIRECTS": "ERR A client can only redirect to a single other client",
    "TRACKING_PREFIX_WITHOUT_BCAST": "ERR PREFIX option requires BCAST mode to be enabled",
    "TRACKING_BCAST_OPT": "ERR OPTIN and OPTOUT are not compatible with BCAST",
    "TRACKING_OPTIN_OPTOUT": "ERR You can't specify both OPTIN mode and OPTOUT mode",
    "TRACKING_SWITCH_BCAST": (
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
        "and then re-enabling it with a different mode."
    ),
    "TRACKING_SWITCH_OPT": (
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, "
        "and then re-enabling it with a different mode."
    ),
    "TRACKING_OVERLAP_EXISTING": (
        "ERR Prefix '{0}' overlaps with an existing prefix '{1}'. "
        "Prefixes for a single client must not overlap."
    ),
    "TRACKING_OVERLAP_GIVEN": (
        "ERR Prefix '{0}' overlaps with another provided prefix '{1}'. "
        "Prefixes for a single client must not overlap."
    ),
    "CLIENT_CACHING_MODE": (
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
        "enabled"
    ),
    "CLIENT_CACHING_OPTIN": "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
    "CLIENT_CACHING_OPTOUT": "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
    # --- CONFIG ---
    "CONFIG_UNKNOWN": "ERR Unknown option or number of arguments for CONFIG SET - '{0}'",
    "CONFIG_SET_FAILED": "ERR CONFIG SET failed (possibly related to argument '{0}') - {1}",
    "CONFIG_SET_FAILED_BARE": "ERR CONFIG SET failed (possibly related to argument '{0}')",
    "CONFIG_NO_FILE": "ERR The server is running without a config file",
    "CONFIG_REWRITE": "ERR Rewriting config file: {0}",
    # --- COMMAND ---
    "COMMAND_INVALID": "ERR Invalid command specified",
    "COMMAND_NO_KEYS": "ERR The command has no key arguments",
    "COMMAND_KEYS_ARITY": "ERR Invalid number of arguments specified for command",
    "COMMAND_KEYS_INVALID": "ERR Invalid arguments specified for command",
    # --- SHUTDOWN, SLOWLOG, LATENCY, MONITOR, DEBUG, WAIT ---
    "SHUTDOWN_FAILED": "ERR Errors trying to SHUTDOWN. Check logs.",
    "SHUTDOWN_NONE": "ERR No shutdown in progress.",
    "SHUTDOWN_DENY_BLOCKING": "ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client",
    "SLOWLOG_COUNT": "ERR count should be greater than or equal to -1",
    "HOTKEYS_STARTED": "ERR hotkey tracking session already in progress",
    "HOTKEYS_IN_PROGRESS": "ERR hotkey tracking session in progress, stop tracking first",
    "HOTKEYS_METRICS": "ERR METRICS parameter is required",
    "HOTKEYS_METRICS_COUNT": "ERR METRICS count must be > 0 and <= 2",
    "HOTKEYS_METRICS_MISMATCH": "ERR METRICS count does not match number of metric types provided",
    "HOTKEYS_METRIC_TWICE": "ERR METRICS {0} defined more than once!",
    "HOTKEYS_NO_METRIC": "ERR METRICS no valid metrics passed. Supported: CPU|NET",
    "HOTKEYS_COUNT": "ERR COUNT must be between 1 and 64",
    "HOTKEYS_DURATION": "ERR DURATION must be between 1 and 1000000",
    "HOTKEYS_SAMPLE": "ERR SAMPLE ratio must be positive",
    "HOTKEYS_NO_SLOTS": "ERR SLOTS parameter cannot be used in non-cluster mode",
    "HOTKEYS_SLOTS_TWICE": "ERR SLOTS parameter already specified",
    "HOTKEYS_SLOTS_COUNT": "ERR SLOTS count must be between 1 and 16384",
    "HOTKEYS_SLOTS_FEW": "ERR not enough slot numbers provided",
    "HOTKEYS_SLOTS_SAME": "ERR duplicate slot number",
    "LATENCY_NO_SAMPLES": "ERR No samples available for event '{0}'",
    "MONITOR_KEYSPACE": "ERR Replica can't interact with the keyspace",
    "MONITOR_DENY_BLOCKING": "ERR MONITOR isn't allowed for DENY BLOCKING client",
    "NO_SUCH_VARIABLE": "ERR No such variable.",
    "NOT_SDS": "ERR Not an sds encoded string.",
    "WAIT_REPLICA": (
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a "
        "replica is configured to be writable (which is not the default) writes to replicas are just "
        "local and are not propagated."
    ),
    # --- cluster ---
    "CLUSTER_DISABLED": "ERR This instance has cluster support disabled",
    "CLUSTER_NOT_ALLOWED": "ERR {0} is not allowed in cluster mode",
    "CLUSTER_UNKNOWN_NODE": "ERR Unknown node {0}",
    "CLUSTER_NO_NODE": "ERR I don't know about node {0}",
    "CLUSTER_SLOT": "ERR Invalid or out of range slot",
    "CLUSTER_COUNT_SLOT": "ERR Invalid slot",
    "CLUSTER_SLOT_OR_COUNT": "ERR Invalid slot or number of keys",
    "CLUSTER_SLOT_BUSY": "ERR Slot {0} is already busy",
    "CLUSTER_RANGE": "ERR start slot number {0} is greater than end slot number {1}",
    "CLUSTER_OWNER": "ERR I'm already the owner of hash slot {0}",
    "CLUSTER_SETSLOT": "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
    "CLUSTER_FIXED": "ERR The nodes and slots of an emulated cluster do not change",
    # --- persistence ---
    "SAVE_IN_PROGRESS": "ERR Background save already in progress",
    "NO_DBFILENAME": "ERR There is nowhere to save to: dbfilename is empty",
    "SAVE_FAILED": "ERR The snapshot could not be saved: {0}",
    "LOAD_FAILED": "ERR Error trying to load the RDB dump, check server logs.",
    "NO_SPACE_IN_USERNAME": "ERR Usernames can't contain spaces or null characters",
}

_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


def _latin1(arg: bytes | str | int) -> str:
    """One argument as text that maps back to its bytes one to one."""
    if isinstance(arg, bytes | bytearray):
        return arg.partition(b"\0")[0].decode("latin-1")
    return str(arg).encode("utf-8", "surrogateescape").decode("latin-1")


def text(err: ReplyError) -> bytes:
    """The error in Redis's words, without RESP's leading ``-`` and closing CRLF: ``b"ERR no such key"``.

    Line breaks of the arguments become spaces.  A code that the catalogue does not know is a bug of the
    caller: KeyError.
    """
    template = CATALOGUE[err.code]
    if not err.args:
        return template.encode("latin-1")
    return template.format(*map(_latin1, err.args)).encode("latin-1").translate(_TO_SPACES)


def prefix(err: ReplyError) -> str:
    """The first word of the text (``"ERR"``, ``"WRONGTYPE"``): the name that errorstats counts under."""
    template = CATALOGUE[err.code]
    if template.startswith("{"):
        template = text(err).decode("latin-1")
    return template.partition(" ")[0]


def wrong_arity(name: str) -> ReplyError:
    """The error of a wrong number of arguments; ``name`` is lower case, ``"get"`` or ``"client|id"``."""
    return ReplyError("WRONG_ARITY", name)


def unknown_command(argv: list[bytes]) -> ReplyError:
    """The error of a command that does not exist.

    Like Redis it repeats the name and its arguments, each in quotes and followed by a space, until together
    they come to 128 bytes.  Cost: O(128), however many arguments there are.
    """
    shown = b""
    for arg in argv[1:]:
        room = UNKNOWN_COMMAND_TEXT - len(shown)
        if room <= 0:
            break
        shown += b"'%b' " % arg[:room].partition(b"\0")[0]
    return ReplyError("UNKNOWN_COMMAND", argv[0][:UNKNOWN_COMMAND_TEXT], shown)


def unknown_subcommand(container: str, subcommand: bytes) -> ReplyError:
    """The error of a subcommand that does not exist; ``container`` is the command's name, in any case."""
    return ReplyError("UNKNOWN_SUBCOMMAND", subcommand[:UNKNOWN_COMMAND_TEXT], container.upper())
