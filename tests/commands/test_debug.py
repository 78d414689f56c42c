"""DEBUG: POPULATE with all of its arguments, signatures equal to Redis's, looking into a server."""

from __future__ import annotations

from binascii import crc_hqx

import pytest

from nogil_df.base.flags import Options
from nogil_df.commands import populate
from tests.commands.console import Console
from tests.resp import Reply

OK = Reply("+", b"OK")
SYNTAX = Reply("-", b"ERR syntax error")
NOT_POSITIVE = Reply("-", b"ERR value is out of range, must be positive")


@pytest.fixture
def redis() -> Console:
    """A console on a server of three shards."""
    return Console()


def keys(console: Console, pattern: str = "*") -> set[bytes]:
    """The keys that match."""
    return set(console.value(f"KEYS {pattern}"))


def test_populate_makes_the_keys_of_all_shards(redis: Console) -> None:
    """Redis's names and values; each owned by its shard; accounts and structures whole."""
    assert redis("DEBUG POPULATE 3000") == OK
    assert keys(redis) == {b"key:%d" % number for number in range(3000)}
    assert redis.value("MGET key:0 key:17 key:2999") == [b"value:0", b"value:17", b"value:2999"]
    sizes = [len(thread.proactor.shard.dbs[0]) for thread in redis.simulation.threads]
    assert min(sizes) > 800
    redis.simulation.verify()


def test_populate_goes_to_the_selected_database(redis: Console) -> None:
    """As SET would."""
    redis("SELECT 5")
    redis("DEBUG POPULATE 10 p")
    assert redis.value("DBSIZE") == 10
    redis("SELECT 0")
    assert redis.value("DBSIZE") == 0


def test_populate_leaves_keys_alone_that_are_there(redis: Console) -> None:
    """An expired one is not there."""
    redis("SET key:1 mine")
    redis("SET key:2 old PX 10")
    redis.simulation.advance(50)
    redis("DEBUG POPULATE 4")
    assert redis.value("MGET key:0 key:1 key:2 key:3") == [b"value:0", b"mine", b"value:2", b"value:3"]


def test_populate_touches_watched_keys(redis: Console) -> None:
    """WATCH sees a key come up."""
    redis("WATCH key:5")
    redis.another()("DEBUG POPULATE 10")
    redis("MULTI")
    redis("PING")
    assert redis("EXEC") == Reply("*", None)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("3 p", b"value:2"),
        ("3 p 0", b"value:2"),
        ("3 p 4", b"valu"),
        ("3 p 10", b"value:2\0\0\0"),
        ("3 p 10 TYPE string ELEMENTS 7", b"value:2\0\0\0"),
    ],
)
def test_populate_with_prefix_and_size(redis: Console, arguments: str, value: bytes) -> None:
    """Values are cut, or filled up with zeros."""
    assert redis(f"DEBUG POPULATE {arguments}") == OK
    assert redis.value("GET p:2") == value
    assert redis.value("DBSIZE") == 3


def test_populate_with_random_values(redis: Console) -> None:
    """Hexadecimal digits, of the size asked for, all different."""
    redis("DEBUG POPULATE 50 p 33 RAND")
    values = {redis.value(f"GET p:{number}") for number in range(50)}
    assert len(values) == 50
    assert {len(value) for value in values} == {33}
    assert set(b"".join(values)) <= set(b"0123456789abcdef")
    redis("DEBUG POPULATE 1 q RAND")
    assert redis.value("STRLEN q:0") == populate.RANDOM_SIZE


def test_populate_with_deadlines(redis: Console) -> None:
    """Seconds between the bounds, spread."""
    redis("DEBUG POPULATE 100 p EXPIRE 100 200")
    left = [redis.value(f"TTL p:{number}") for number in range(100)]
    assert 100 <= min(left) < max(left) <= 200
    assert len(set(left)) > 20
    redis.simulation.verify()


def test_populate_in_slots(redis: Console) -> None:
    """As many keys as asked for, all of them in the slots of the cluster that were named."""
    redis("DEBUG POPULATE 40 p 5 SLOTS 100 1500")
    made = keys(redis)
    assert len(made) == 40
    assert all(100 <= crc_hqx(key, 0) % 16384 <= 1500 for key in made)
    refused = redis("DEBUG POPULATE 3 {foo} SLOTS 0 5")
    assert refused == Reply("-", b"ERR the hash tag of the prefix lies in another slot")
    slot = crc_hqx(b"foo", 0) % 16384
    assert redis(f"DEBUG POPULATE 3 {{foo}} SLOTS {slot} {slot}") == OK


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("abc", NOT_POSITIVE),
        ("-1", NOT_POSITIVE),
        ("3 p x", NOT_POSITIVE),
        ("3 p -1", NOT_POSITIVE),
        ("3 p 1 FOO", SYNTAX),
        ("3 p 1 EXPIRE 1", SYNTAX),
        ("3 p 1 TYPE", SYNTAX),
        ("3 p 1 TYPE nosuch", SYNTAX),
        ("3 p 1 TYPE hash", Reply("-", b"ERR this server has no values of type hash yet")),
        ("3 p 1 EXPIRE 5 4", Reply("-", b"ERR value is out of range")),
        ("3 p 1 SLOTS 0 16384", Reply("-", b"ERR value is out of range")),
        (
            "3 p 9999999999",
            Reply("-", b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ),
    ],
)
def test_populate_refuses(redis: Console, arguments: str, error: Reply) -> None:
    """And makes nothing."""
    assert redis(f"DEBUG POPULATE {arguments}") == error
    assert redis.value("DBSIZE") == 0


@pytest.mark.parametrize("seed", range(8))
def test_others_are_served_while_a_big_population_is_made(seed: int) -> None:
    """In slices: a client's commands are answered long before the last key is there; then all are there."""
    console = Console(seed=seed)
    other = console.another()
    console.client.send([b"DEBUG", b"POPULATE", b"20000", b"p", b"10"])
    answered: list[int] = []

    def count(_: object) -> None:
        shards = [thread.proactor.shard for thread in console.simulation.threads]
        answered.append(sum(len(shard.dbs[0]) for shard in shards))

    other.client.on_reply = count
    for number in range(20):
        other.client.send([b"MSET", b"a%d" % number, b"x", b"b%d" % number, b"y", b"p:19000", b"mine"])
    console.simulation.run()
    assert console.replies() == [OK]
    assert len(answered) == 20
    assert answered[0] < 20_000
    assert console.value("DBSIZE") == 20_040
    assert console.value("GET p:19000") == b"mine"
    console.simulation.verify()


def test_a_slice_stops_at_a_key_that_a_transaction_has_an_intent_on() -> None:
    """And at a global one; what the caller holds itself is no obstacle."""
    console = Console(shards=1)
    proactor = console.simulation.threads[0].proactor
    shard, locks = proactor.shard, proactor.engine.locks
    population = populate.parse([b"10", b"k"], 0, 1 << 20)
    key = shard.hash_key(b"k:4")
    locks.acquire((key,), ())
    assert populate.fill(shard, population, (0, 0), locks) == (4, 4)
    assert populate.fill(shard, population, (4, 4), locks) == (4, 4)
    locks.release((key,), ())
    locks.acquire_everything(False)
    assert populate.fill(shard, population, (4, 4), locks) == (4, 4)
    assert populate.fill(shard, population, (4, 4), None) == (10, 10)
    locks.release_everything(False)
    assert len(shard.dbs[0]) == 10


@pytest.mark.parametrize("seed", range(5))
def test_populate_inside_a_transaction(seed: int) -> None:
    """It is atomic there."""
    console = Console(seed=seed)
    for line in ("MULTI", "SET first 1", "DEBUG POPULATE 3000 p", "DBSIZE", "EXEC"):
        console.client.send(line.encode().split())
    other = console.another()
    for _ in range(10):
        other.client.send([b"DBSIZE"])
    console.simulation.run()
    assert console.replies()[-1].value == (OK, OK, Reply(":", 3001))
    assert {reply.value for reply in other.replies()} <= {0, 3001}
    console.simulation.verify()


def test_signatures_are_those_of_redis(redis: Console) -> None:
    """What redis-server 7.0.15 answers for the same data."""
    zeros = Reply("+", b"0" * 40)
    assert redis("DEBUG DIGEST") == zeros
    redis("SET a 1")
    assert redis("DEBUG DIGEST") == Reply("+", b"943d800368fb9c0e951138f1bc0e313ac769d91f")
    assert redis("DEBUG DIGEST-VALUE a nokey").value == (
        Reply("+", b"b4fc66738120fba0b5aa500ab5c2bf89cea1c5da"),
        zeros,
    )
    redis("PEXPIRE a 100000000")
    assert redis("DEBUG DIGEST") == Reply("+", b"0c68bbcf4ad5c984f8ca839729889d52ec025271")
    assert redis("DEBUG DIGEST-VALUE a").value == (Reply("+", b"5279988c5d1911f474bcbbf2f0a87012d40f8459"),)
    redis("SELECT 1")
    redis("SET a 1")
    assert redis("DEBUG DIGEST") == Reply("+", b"12ef437fe51f706ee5033a8e3f97ae2e337bcc72")


def test_signatures_do_not_depend_on_the_number_of_shards() -> None:
    """Nor on the order in which keys came."""
    found = set()
    for shards in (1, 2, 5):
        console = Console(shards=shards, seed=shards)
        for number in sorted(range(200), key=lambda at: at * 7919 % (31 * shards)):
            console(f"SET k{number} v{number}")
        found.add(console.value("DEBUG DIGEST"))
    assert len(found) == 1


def test_object(redis: Console) -> None:
    """Redis's line; looking is no use of the key."""
    redis("SET n 1234")
    for _ in range(20):
        redis.simulation.advance(1000)
    line = redis.value("DEBUG OBJECT n").decode()
    fields = dict(word.split(":") for word in line.removeprefix("Value at:").split()[1:])
    assert fields.pop("refcount") == str((1 << 31) - 1)
    assert fields.pop("encoding") == "int"
    assert fields.pop("serializedlength") == "3"
    idle = int(fields.pop("lru_seconds_idle"))
    assert idle >= 18
    now = redis.simulation.clock.unix_ms() // 1000
    assert int(fields.pop("lru")) == (now - idle) % (1 << 24)
    assert not fields
    assert redis("DEBUG OBJECT nokey") == Reply("-", b"ERR no such key")


@pytest.mark.parametrize(
    ("value", "length"),
    [(b"-128", 2), (b"128", 3), (b"40000", 5), (b"3000000000", 11), (b"x" * 63, 64), (b"x" * 64, 66)],
)
def test_serialized_length(redis: Console, value: bytes, length: int) -> None:
    """Bytes in an RDB file, not compressed."""
    redis.run(b"SET", b"k", value)
    assert b" serializedlength:%d " % length in redis.value("DEBUG OBJECT k")


def test_sdslen(redis: Console) -> None:
    """Strings only, and not those that Redis keeps as integers."""
    redis("MSET n 1 s hello")
    assert redis.value("DEBUG SDSLEN s").startswith(b"key_sds_len:1, key_sds_avail:0, key_zmalloc: ")
    assert b" val_sds_len:5, val_sds_avail:0, " in redis.value("DEBUG SDSLEN s")
    redis("APPEND s " + "x" * 100)
    assert b" val_sds_len:105, " in redis.value("DEBUG SDSLEN s")
    assert redis("DEBUG SDSLEN n") == Reply("-", b"ERR Not an sds encoded string.")
    assert redis("DEBUG SDSLEN nokey") == Reply("-", b"ERR no such key")


def test_active_expiry_is_switched_off_and_on(redis: Console) -> None:
    """On every thread."""
    redis("DEBUG SET-ACTIVE-EXPIRE 0")
    redis("DEBUG POPULATE 300 p EXPIRE 1 1")
    for _ in range(30):
        redis.simulation.advance(200)
    assert redis.value("DBSIZE") == 300
    redis("DEBUG SET-ACTIVE-EXPIRE 1")
    for _ in range(30):
        redis.simulation.advance(200)
    assert redis.value("DBSIZE") == 0


def test_tx_shows_what_waits(redis: Console) -> None:
    """One map a shard."""
    redis("MSET a 1 b 2 c 3 d 4")
    shards = redis("DEBUG TX").value
    assert len(shards) == 3
    rows = [dict(zip(row.value[::2], row.value[1::2], strict=True)) for row in shards]
    names = {name.value: value.value for name, value in rows[1].items()}
    assert (names[b"shard"], names[b"queue-length"], names[b"intents"]) == (1, 0, 0)
    assert any(value.value for row in rows for name, value in row.items() if name.value == b"scheduled")


def test_verify_finds_what_is_broken(redis: Console) -> None:
    """Wherever it is."""
    redis("DEBUG POPULATE 100")
    assert redis("DEBUG VERIFY") == OK
    redis.simulation.threads[2].proactor.shard.dbs[0].used += 1
    reply = redis("DEBUG VERIFY")
    assert reply.kind == "-"
    assert reply.value.startswith(b"ERR shard 2: db 0: accounted ")


def test_protocol_of_resp3() -> None:
    """Attributes and pushes come before their reply."""
    redis = Console(protocol=3)
    redis("DEBUG PROTOCOL bignum")
    redis.client.send([b"DEBUG", b"PROTOCOL", b"attrib"], [b"DEBUG", b"PROTOCOL", b"push"])
    redis.simulation.run()
    attribute, text, push, answer = redis.replies()
    assert attribute.kind == "|"
    assert push == Reply(">", (Reply("$", b"server-cpu-usage"), Reply(":", 42)))
    assert text.value == b"Some real reply following the attribute"
    assert answer.value == b"Some real reply following the push reply"


@pytest.mark.parametrize(
    "line",
    ["DEBUG NoSuch", "DEBUG NoSuch x", "DEBUG OBJECT", "DEBUG OBJECT a b", "DEBUG SLEEP", "DEBUG HELP x"],
)
def test_unknown_and_wrong_number_are_one_error(redis: Console, line: str) -> None:
    """With the subcommand as it was typed."""
    word = line.split()[1].encode()
    wanted = b"ERR unknown subcommand or wrong number of arguments for '%b'. Try DEBUG HELP." % word
    assert redis(line) == Reply("-", wanted)


@pytest.mark.parametrize(
    ("setting", "address", "allowed"),
    [
        ("local", "127.0.0.1:5", True),
        ("local", "[::1]:5", True),
        ("local", "10.0.0.1:5", False),
        ("yes", "10.0.0.1:5", True),
        ("no", "127.0.0.1:5", False),
    ],
)
def test_who_may_use_it(redis: Console, setting: str, address: str, allowed: bool) -> None:
    """By `enable-debug-command`; a unix socket is local."""
    session = redis.client.session
    session.address = address
    session.dispatcher.config.set_fact("enable-debug-command", setting)
    reply = redis("DEBUG SLEEP 0")
    assert (reply == OK) is allowed
    if not allowed:
        assert reply.value.startswith(b"ERR DEBUG command not allowed. If the enable-debug-command option")
    session.unix_socket = True
    assert (redis("DEBUG SLEEP 0") == OK) is (setting != "no")


def test_it_is_on_for_this_machine_by_default() -> None:
    """`local`."""
    console = Console(options=Options())
    assert console.value("CONFIG GET enable-debug-command") == [b"enable-debug-command", b"local"]


def test_change_repl_id(redis: Console) -> None:
    """INFO shows another one."""
    before = redis.simulation.replication_id
    assert redis("DEBUG CHANGE-REPL-ID") == OK
    assert redis.simulation.replication_id != before
    assert redis.simulation.replication_id.encode() in redis.value("INFO replication")


def test_help_names_every_subcommand(redis: Console) -> None:
    """Statuses."""
    lines = [line.value for line in redis("DEBUG HELP").value]
    assert b"VERIFY" in lines
    assert any(line.startswith(b"POPULATE count [prefix [size]] [RAND]") for line in lines)
