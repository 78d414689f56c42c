"""What the subject can do yet: the one place that decides which cases are collected.

A case needs what its commands need (`NEEDS`) and what it declares beside that. A case whose needs are not
all in `CAPABILITIES` is not collected at all; whoever lands a family adds its capability here, and its
cases start to run.
"""

from __future__ import annotations

import os

SUBJECT_IS_REDIS = os.environ.get("DIFFERENTIAL_SUBJECT", "nogil-df") == "redis"
# The servers under test: nogil-df with one and with three shard threads.
SUBJECTS = ("redis",) if SUBJECT_IS_REDIS else ("threads1", "threads3")

CAPABILITIES: frozenset[str] = frozenset(
    {
        "core",
        "pubsub",
        "list",
        "set",
        "hash",
        "bitmap",
        "hyperloglog",
        "stream",
        "zset",
        "blocking",
        "scripting",
        "sort",
        "dump",
        "geo",
        "acl",
        "tracking",
        "replication",
    }
)

# The real redis-server can all of it.
ALL_CAPABILITIES = frozenset(
    [
        "core",
        "pubsub",
        "list",
        "blocking",
        "hash",
        "set",
        "zset",
        "stream",
        "bitmap",
        "hyperloglog",
        "geo",
        "sort",
        "dump",
        "scripting",
        "acl",
        "replication",
        "tracking",
        "persistence",
    ]
)

_FAMILIES: dict[str, str] = {
    "pubsub": "PUBLISH SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SPUBLISH PUBSUB",
    "list": (
        "LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LRANGE LINDEX LSET LINSERT LREM LTRIM LPOS LMOVE RPOPLPUSH "
        "LMPOP"
    ),
    "blocking": "BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP",
    "hash": (
        "HSET HSETNX HMSET HGET HMGET HGETALL HDEL HEXISTS HLEN HSTRLEN HKEYS HVALS HINCRBY HINCRBYFLOAT "
        "HRANDFIELD HSCAN"
    ),
    "set": (
        "SADD SREM SMEMBERS SISMEMBER SMISMEMBER SCARD SMOVE SPOP SRANDMEMBER SINTER SUNION SDIFF "
        "SINTERSTORE SUNIONSTORE SDIFFSTORE SINTERCARD SSCAN"
    ),
    "zset": (
        "ZADD ZINCRBY ZREM ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZCOUNT ZLEXCOUNT ZRANGE ZRANGESTORE ZREVRANGE "
        "ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE "
        "ZREMRANGEBYLEX ZPOPMIN ZPOPMAX ZMPOP BZPOPMIN BZPOPMAX BZMPOP ZRANDMEMBER ZUNION ZINTER ZDIFF "
        "ZUNIONSTORE ZINTERSTORE ZDIFFSTORE ZINTERCARD ZSCAN"
    ),
    "stream": (
        "XADD XLEN XRANGE XREVRANGE XDEL XTRIM XSETID XREAD XREADGROUP XGROUP XACK XPENDING XCLAIM "
        "XAUTOCLAIM XINFO"
    ),
    "bitmap": "SETBIT GETBIT BITCOUNT BITOP BITPOS BITFIELD BITFIELD_RO",
    "hyperloglog": "PFADD PFCOUNT PFMERGE PFDEBUG PFSELFTEST",
    "geo": "GEOADD",
    "sort": "SORT SORT_RO",
    "dump": "DUMP RESTORE RESTORE-ASKING",
    "scripting": "EVAL EVALSHA SCRIPT FCALL FCALL_RO FUNCTION",
    "acl": "ACL",
    "replication": "REPLICAOF WAIT ROLE",
    "persistence": "BGSAVE SAVE BGREWRITEAOF",
}

NEEDS: dict[str, str] = {command: family for family, names in _FAMILIES.items() for command in names.split()}


def available() -> frozenset[str]:
    """What the subject of this run can do."""
    return ALL_CAPABILITIES if SUBJECT_IS_REDIS else CAPABILITIES
