"""Cases of a server that is out of memory: what is refused, in MULTI, in EXEC and in scripts."""

from __future__ import annotations

from tests.differential.case import Book, on, table

BOOK = Book()

# Both servers hold more than one byte.
_FULL = "CONFIG SET maxmemory 1"
_ROOM = "CONFIG SET maxmemory 0"
_SET = "return redis.call('SET', KEYS[1], ARGV[1])"
_GET = "return redis.call('GET', KEYS[1])"

BOOK.add(
    table(
        "out of memory",
        {
            "commands": [
                _FULL,
                *("SET k w", "SETEX k 10 w", "APPEND k w", "INCR n", "LPUSH l a", "SADD s b", "HSET h f v"),
                *("ZADD z 1 a", "XADD x * f v", "PFADD p a", "SETBIT b 1 1", "BITFIELD b SET u8 0 1"),
                *("MSET k 1 j 2", "MSETNX k 1 j 2", "COPY k j", "RENAME k j", "RENAME j k", "GETSET k v"),
                *(
                    "SORT l STORE m",
                    "SUNIONSTORE t s s",
                    "BITOP NOT b k",
                    "GEOADD g 1 1 a",
                    "LMOVE l l LEFT LEFT",
                ),
                *("GET k", "TYPE k", "EXPIRE k 1000", "PERSIST k", "LPOP l", "SREM s b", "HDEL h f", "DEL l"),
                *("FUNCTION LOAD '#!lua name=x\\n'", "SCRIPT LOAD 'return 1'", "PING", "OBJECT ENCODING k"),
                *("PUBLISH c x", "WATCH k", "UNWATCH", "FLUSHALL", "DBSIZE"),
                _ROOM,
                "SET k v",
            ],
            "queueing": [
                _FULL,
                "MULTI",
                *("SET k w", "GET k", "EXEC"),
                "MULTI",
                "DISCARD",
                "MULTI",
                "EXEC",
                _ROOM,
            ],
            "exec of what adds": ["MULTI", "SET k w", on(1, _FULL), "EXEC", _ROOM, "GET k"],
            "exec of what adds nothing": ["MULTI", "DEL l", "GET k", on(1, _FULL), "EXEC", _ROOM],
            "exec of a script": ["MULTI", f'EVAL "{_SET}" 1 k w', on(1, _FULL), "EXEC", _ROOM, "GET k"],
            "wrong number before": [_FULL, "SET k", "NOSUCH", "GET", _ROOM],
            "scripts": [
                _FULL,
                f'EVAL "{_SET}" 1 k w',
                f'EVAL "{_GET}" 1 k',
                "EVAL \"redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 1)\" 1 k",
                "EVAL \"return redis.pcall('SET', KEYS[1], 1).err\" 1 k",
                f'EVAL "#!lua\\n{_GET}" 1 k',
                f'EVAL "#!lua flags=no-writes\\n{_GET}" 1 k',
                f'EVAL "#!lua flags=allow-oom\\n{_SET}" 1 k w',
                f'EVAL_RO "{_GET}" 1 k',
                _ROOM,
                f'EVAL "{_SET}" 1 k w',
            ],
            "functions": [
                'FUNCTION LOAD REPLACE "#!lua name=oom\\n'
                "redis.register_function('a', function(keys) return redis.call('SET', keys[1], 1) end)\\n"
                "redis.register_function{function_name='b', flags={'allow-oom'}, callback=function(keys) "
                "return redis.call('SET', keys[1], 2) end}\\n"
                "redis.register_function{function_name='c', flags={'no-writes'}, callback=function(keys) "
                "return redis.call('GET', keys[1]) end}\"",
                _FULL,
                *("FCALL a 1 k", "FCALL b 1 k", "FCALL c 1 k", "FCALL_RO c 1 k"),
                _ROOM,
                *("FCALL a 1 k", "FUNCTION DELETE oom"),
            ],
        },
        setup=[_ROOM, "SET k v", "RPUSH l 1 2 3", "SADD s a b", "HSET h f v"],
        probe=["GET k", "DBSIZE"],
        multi=False,
    )
)
