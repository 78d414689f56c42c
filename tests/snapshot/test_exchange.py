"""RDB files go both ways between this server and redis-server, and `redis-check-rdb` has nothing against
ours.

What is compared is DEBUG DIGEST, the signature of all values, and the deadlines.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nogil_df.base.crc64 import crc64
from nogil_df.rdb import forms, payload
from nogil_df.shard import digest
from nogil_df.shard.limits import EncodingLimits
from nogil_df.snapshot import opcodes
from tests.rdb.captured import CAPTURED
from tests.resp import Connection, Reply
from tests.servers import NogilServer, RedisServer, Server, ServerFailure

OK = Reply("+", b"OK")
LIBRARY = b"#!lua name=lib\nredis.register_function('f', function() return 42 end)"


def load_sample(connection: Connection) -> None:
    """Values of every type, small and big, in several databases."""
    rng = random.Random(5)
    for database in (0, 3, 15):
        connection.execute("SELECT", database)
        for at in range(300):
            word = b"w%d" % at + bytes([rng.randrange(256)]) * rng.randrange(90)
            for command in (
                ("SET", f"s{at}", word),
                ("SET", f"e{at}", word, "EXAT", 4_000_000_000 + at),
                ("RPUSH", f"l{at % 7}", word, at, -at),
                ("HSET", f"h{at % 5}", f"f{at}", word, f"g{at}", at),
                ("SADD", f"S{at % 5}", word, at),
                ("SADD", "numbers", at * 1_000_003),
                ("ZADD", f"z{at % 5}", at / 7, word, "-inf", "first"),
                ("XADD", f"x{at % 3}", f"{at + 1}-1", "field", word, "other", at),
                ("SETBIT", "bits", at, at % 2),
                ("PFADD", "hll", word),
            ):
                assert connection.execute(*command).kind in "+:$"
        connection.execute("XGROUP", "CREATE", "x1", "group", "0")
        connection.execute("XREADGROUP", "GROUP", "group", "me", "COUNT", 5, "STREAMS", "x1", ">")
        connection.execute("XDEL", "x2", "3-1")
        connection.execute("RPUSH", "biglist", *range(5_000))
        connection.execute("SADD", "bigset", *[f"m{at}" for at in range(5_000)])
        connection.execute("HSET", "bighash", *range(10_000))
        connection.execute("ZADD", "bigzset", *range(10_000))
        connection.execute("SET", "long", b"abc" * 100_000)
        connection.execute("SET", "i", 12345)
        connection.execute("SET", "", "the empty key")
    assert connection.execute("FUNCTION", "LOAD", LIBRARY).kind == "$"


def fingerprint(server: Server) -> list[Reply]:
    """What must be the same on two servers."""
    with server.connect() as connection:
        found = [connection.execute("DEBUG", "DIGEST"), connection.execute("FCALL", "f", 0)]
        for database in (0, 3, 15):
            connection.execute("SELECT", database)
            found += [connection.execute("DBSIZE"), connection.execute("PEXPIRETIME", "e7")]
        return found


def save(server: Server, *words: str) -> None:
    with server.connect() as connection:
        assert connection.execute("SAVE", *words) == OK


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory for the files of this test."""
    return tmp_path


@pytest.mark.parametrize("threads", [1, 3])
def test_redis_loads_what_we_save(directory: Path, threads: int) -> None:
    with NogilServer("--dir", str(directory), "--dbfilename=dump.rdb", threads=threads) as ours:
        with ours.connect() as connection:
            load_sample(connection)
        save(ours)
        expected = fingerprint(ours)
        checked = subprocess.run(
            ["redis-check-rdb", str(directory / "dump.rdb")], capture_output=True, text=True, check=True
        )
        assert "RDB looks OK" in checked.stdout
        with RedisServer("--dir", str(directory), "--dbfilename", "dump.rdb") as redis:
            assert fingerprint(redis) == expected


def test_we_load_what_redis_saves(directory: Path) -> None:
    with RedisServer("--dir", str(directory), "--dbfilename", "dump.rdb") as redis:
        with redis.connect() as connection:
            load_sample(connection)
        save(redis)
        expected = fingerprint(redis)
    before = (directory / "dump.rdb").read_bytes()
    # `dump`, the default, finds a file of that name in Redis's format as well.
    with NogilServer("--dir", str(directory), "--dbfilename=dump", threads=2) as ours:
        assert fingerprint(ours) == expected
        with ours.connect() as connection:
            assert connection.execute("SAVE") == OK
    assert (directory / "dump.rdb").read_bytes() == before
    # The youngest is the native one now, and three threads divide what two wrote.
    with NogilServer("--dir", str(directory), "--dbfilename=dump", threads=3) as ours:
        assert fingerprint(ours) == expected


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
def test_idle_times_and_frequencies_go_both_ways(directory: Path, policy: str) -> None:
    file = directory / "dump.rdb"
    common = ("--dir", str(directory), "--maxmemory-policy", policy)
    with RedisServer(*common, "--dbfilename", "dump.rdb") as redis:
        with redis.connect() as connection:
            connection.execute("SET", "a", "1")
            dumped = connection.execute("DUMP", "a").value
            words = ("IDLETIME", 1000) if policy.endswith("lru") else ("FREQ", 77)
            connection.execute("RESTORE", "b", 0, dumped, *words)
        save(redis)
    with NogilServer(*common, "--dbfilename=dump.rdb") as ours:
        with ours.connect() as connection:
            if policy.endswith("lru"):
                assert 900 <= connection.execute("OBJECT", "IDLETIME", "b").value <= 1100
            else:
                assert 60 <= connection.execute("OBJECT", "FREQ", "b").value <= 77
            assert connection.execute("GET", "b").value == b"1"
        save(ours)
    opcode = opcodes.IDLE if policy.endswith("lru") else opcodes.FREQUENCY
    assert bytes((opcode,)) in file.read_bytes()
    with RedisServer(*common, "--dbfilename", "dump.rdb") as redis, redis.connect() as connection:
        assert connection.execute("GET", "a").value == b"1"


def rdb_of(body: bytes, version: int = 10) -> bytes:
    """A file of that body."""
    data = b"REDIS%04d" % version + body + bytes((opcodes.END,))
    return data + crc64(data).to_bytes(8, "little")


def test_every_encoding_that_redis_writes_is_loaded(directory: Path) -> None:
    """Payloads of a real server in every encoding, put together into a file."""
    body = b""
    for at, captured in enumerate(CAPTURED.values()):
        dumped = bytes.fromhex(captured.payload)
        body += dumped[:1] + b"\x02%02d" % at + dumped[1:-10]
    (directory / "dump.rdb").write_bytes(rdb_of(body, 12))
    flags = ("--dir", str(directory), "--dbfilename=dump.rdb")
    with NogilServer(*flags, threads=2) as ours, ours.connect() as connection:
        for at, (name, captured) in enumerate(CAPTURED.items()):
            found = connection.execute("DEBUG", "DIGEST-VALUE", b"%02d" % at).value[0].value
            # What it has to be is held against the real server's word in tests/rdb.
            value = payload.load(bytes.fromhex(captured.payload), EncodingLimits())
            assert found == digest.of_value(value, 0).hex().encode(), name


MODULE_AUX = bytes((opcodes.MODULE_AUX,)) + b"\x81" + b"\0" * 8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"REDIS0013", "RDB version 13"),
        (b"VALKEY080", "it ends too early"),
        (b"VALKEY081", "RDB version 81"),
        (b"VALKEY08", "it ends too early"),
        (b"REDIS0080", "RDB version 80"),
        (b"", "it ends too early"),
        (b"REDIS0010", "it ends too early"),
        (rdb_of(MODULE_AUX), "data of a Redis module"),
        (rdb_of(bytes((forms.MODULE_2,)) + b"\x01k\x81" + b"\0" * 8), "values of a Redis module"),
        (rdb_of(b"\x63\x01k\x01v"), "unknown type of value 99"),
        (rdb_of(bytes((opcodes.DATABASE, 16))), "a database 16"),
        (rdb_of(b"\x00\x01k\x01v\x00\x01k\x01w"), "the key 'k' is there twice"),
        (rdb_of(b"\x00\x01k\x01v")[:-1], "it ends too early"),
        (rdb_of(b"\x00\x01k\x01v")[:-1] + b"\x00", "its checksum is wrong"),
        (rdb_of(b"\x00\x01k\x01v") + b"more", "there is something behind its end"),
    ],
)
def test_what_cannot_be_loaded_is_one_line_and_stays(directory: Path, data: bytes, reason: str) -> None:
    file = directory / "dump.rdb"
    file.write_bytes(data)
    with pytest.raises(ServerFailure) as failure:
        NogilServer("--dir", str(directory), "--dbfilename=dump.rdb").start()
    (line,) = [line for line in str(failure.value).splitlines() if line.startswith("nogil-df: ")]
    assert reason in line
    assert str(file) in line
    assert file.read_bytes() == data
    assert [path.name for path in directory.iterdir()] == ["dump.rdb"]


def test_a_flag_starts_without_it(directory: Path) -> None:
    (directory / "dump.rdb").write_bytes(b"REDIS0013")
    flags = ("--dir", str(directory), "--dbfilename=dump.rdb", "--start_without_snapshot")
    with NogilServer(*flags) as ours, ours.connect() as connection:
        assert connection.execute("SET", "a", "1") == OK
    with NogilServer(*flags) as ours, ours.connect() as connection:
        assert connection.execute("GET", "a").value == b"1"


def test_hashes_with_deadlines_of_fields_come_back(directory: Path) -> None:
    flags = ("--dir", str(directory), "--dbfilename=dump.rdb")
    with NogilServer(*flags, threads=2) as ours, ours.connect() as connection:
        connection.execute("HSET", "small", "a", 1, "b", 2)
        connection.execute("HEXPIREAT", "small", 4_000_000_000, "FIELDS", 1, "a")
        connection.execute("HSET", "big", *range(10_000))
        connection.execute("HEXPIREAT", "big", 4_000_000_000, "FIELDS", 2, "0", "8000")
    assert (directory / "dump.rdb").read_bytes().startswith(b"REDIS0012")
    with NogilServer(*flags, threads=3) as ours, ours.connect() as connection:
        times = connection.execute("HEXPIRETIME", "small", "FIELDS", 2, "a", "b").value
        assert [one.value for one in times] == [4_000_000_000, -1]
        times = connection.execute("HEXPIRETIME", "big", "FIELDS", 3, "0", "8000", "2").value
        assert [one.value for one in times] == [4_000_000_000, 4_000_000_000, -1]
        assert connection.execute("HLEN", "big").value == 5_000


def test_expired_keys_are_left_out(directory: Path) -> None:
    past = bytes((opcodes.DEADLINE_MS,)) + (1_000).to_bytes(8, "little") + b"\x00\x01k\x01v"
    old = bytes((opcodes.DEADLINE,)) + (1_000).to_bytes(4, "little") + b"\x00\x01j\x01v"
    (directory / "dump.rdb").write_bytes(rdb_of(past + old + b"\x00\x01l\x01v"))
    with NogilServer("--dir", str(directory), "--dbfilename=dump.rdb") as ours, ours.connect() as connection:
        assert connection.execute("DBSIZE").value == 1
        info = connection.execute("INFO", "persistence").value
        assert b"rdb_last_load_keys_expired:2\r\n" in info
        assert b"rdb_last_load_keys_loaded:1\r\n" in info


VALKEY_9_1 = bytes.fromhex(
    "56414c4b4559303830fa0a76616c6b65792d76657205392e312e32fa0a72656469732d62697473c040fa056374696d65"
    "c20f380b6bfa08757365642d6d656dc2a80b1800fa08616f662d62617365c000fe00fb070114016d0d0d000000020081"
    "7802817902ff1501780110000000000000000100000000000000011d1d0000000a000101000101018166020001020100"
    "0100018176020401ff0101010101000001010167000081ffffffffffffffff00001005706c61696e0c0c000000020081"
    "61020101fffc00d8c32cbb0300000001730568656c6c6f160168020161c00100d8c32cbb03000001620374776fffffff"
    "ffffffffff11017a0f0f000000020081610283312e3504ff12016c01020c0c00000002008161020101fffe02fb010000"
    "056f74686572c007ffd1250c08ba420f38"
)
"""What valkey-server 9.1.2 saved."""


def test_a_file_of_valkey_9_is_loaded(directory: Path) -> None:
    (directory / "dump.rdb").write_bytes(VALKEY_9_1)
    flags = ("--dir", str(directory), "--dbfilename=dump.rdb")
    with NogilServer(*flags, threads=2) as ours, ours.connect() as connection:

        def ask(line: str) -> Any:
            return plain(connection.execute(*line.split()))

        assert ask("DBSIZE") == 7
        assert (ask("GET s"), ask("PEXPIRETIME s")) == (b"hello", 4102444800000)
        assert ask("HGETALL plain") == [b"a", b"1"]
        assert ask("HMGET h a b") == [b"1", b"two"]
        assert ask("HPEXPIRETIME h FIELDS 2 a b") == [4102444800000, -1]
        assert sorted(ask("SMEMBERS m")) == [b"x", b"y"]
        assert ask("ZRANGE z 0 -1 WITHSCORES") == [b"a", b"1.5"]
        assert ask("LRANGE l 0 -1") == [b"a", b"1"]
        assert ask("XRANGE x - +") == [[b"1-1", [b"f", b"v"]]]
        assert ask("XINFO GROUPS x")[0][1] == b"g"
        assert ask("DEBUG DIGEST-VALUE h")[0] != b"0" * 40
        payload_of_h = bytes.fromhex(
            "16020161c00100d8c32cbb03000001620374776fffffffffffffffff50002305092787bb3c54"
        )
        assert connection.execute("RESTORE", "again", "0", payload_of_h) == OK
        assert ask("HPEXPIRETIME again FIELDS 2 a b") == [4102444800000, -1]
        assert ask("SELECT 2") == b"OK"
        assert ask("GET other") == b"7"


def plain(reply: Reply) -> Any:
    """A reply without its types."""
    return [plain(one) for one in reply.value] if reply.kind == "*" else reply.value
